"""How much of a balance can be used, or may be there at all, by what the member is: a plan, a level, a subscription."""

from __future__ import annotations

from contracts.terms import Limit
from worker.decide import ledger
from worker.decide.account import Account
from worker.decide.conditions import Subject, buyer_of, holds
from worker.decide.program import Version


def limit_of(account: Account, version: Version) -> Limit | None:
    """The limit that holds for the member now: the first whose condition does; None if none does."""
    limits = version.terms.redemption.limits
    if not limits:
        return None
    tier = account.head.tier.name if account.head.tier is not None else version.lowest_tier
    subject = Subject(account.at, tier, buyer_of(account))
    return next((each for each in limits if holds(each.when, version, subject)), None)


def usable(account: Account, version: Version, points: int) -> int:
    """Of so many points those that the member may use now."""
    limit = limit_of(account, version)
    return points if limit is None else min(points, limit.points)


def lose_excess(account: Account) -> None:
    """What can be used and is above a limit that lets nothing more be there lapses, the points that would be spent last first."""
    version = account.version
    limit = limit_of(account, version)
    if limit is None or limit.excess != "lost" or account.head.available <= limit.points:
        return
    account.need_all_open()
    last_spent_first = reversed(ledger.in_spend_order(account, version))
    ledger.lapse(account, version, last_spent_first, account.head.available - limit.points, limit.rule)
