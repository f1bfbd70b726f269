"""How much of a balance can be used: by what the member is (a plan, a level, a subscription), and by which kinds of points pay
for what there is to pay."""

from __future__ import annotations

from typing import Final

from contracts.terms import Limit
from worker.decide import ledger
from worker.decide.account import Account
from worker.decide.conditions import Subject, buyer_of, holds
from worker.decide.program import Version
from worker.decide.state import Lot

_NONE: Final[frozenset[str]] = frozenset()


def limit_of(account: Account, version: Version) -> Limit | None:
    """The limit that holds for the member now: the first whose condition does; None if none does."""
    limits = version.terms.redemption.limits
    if not limits:
        return None
    subject = without_order(account, version)
    return next((each for each in limits if holds(each.when, version, subject)), None)


def without_order(account: Account, version: Version, store: str | None = None) -> Subject:
    """What is known where points are to be used, and no order is there (yet): the member as of now, and maybe the store."""
    tier = account.head.tier.name if account.head.tier is not None else version.lowest_tier
    return Subject(account.at, tier, buyer_of(account), store=store)


def usable(account: Account, version: Version, points: int) -> int:
    """Of so many points those that the member may use now."""
    limit = limit_of(account, version)
    return points if limit is None else min(points, limit.points)


def _barred(version: Version, subject: Subject) -> frozenset[str]:
    """The kinds of points that do not pay for this."""
    rows = version.terms.redemption.kinds
    if not rows:
        return _NONE
    fit = [row.pays == "orders" and holds(row.when, version, subject) for row in rows]
    named = {kind for row in rows for kind in row.kinds}
    return frozenset(named - {kind for row, fits in zip(rows, fit, strict=True) if fits for kind in row.kinds})


def paying(account: Account, version: Version, subject: Subject) -> int:
    """The available points of kinds that pay for this."""
    if not _barred(version, subject) or account.head.available <= 0:
        return account.head.available
    return min(account.head.available, sum(lot.available for lot in paying_lots(account, version, subject)))


def paying_lots(account: Account, version: Version, subject: Subject) -> list[Lot]:
    """The lots of which points for this are taken before any other, in spend order; empty where every kind pays for it."""
    barred = _barred(version, subject)
    return [lot for lot in ledger.in_spend_order(account, version) if lot.kind not in barred] if barred else []


def lose_excess(account: Account) -> None:
    """What can be used and is above a limit that lets nothing more be there lapses, the points that would be spent last first."""
    version = account.version
    limit = limit_of(account, version)
    if limit is None or limit.excess != "lost" or account.head.available <= limit.points:
        return
    account.need_all_open()
    last_spent_first = reversed(ledger.in_spend_order(account, version))
    ledger.lapse(account, version, last_spent_first, account.head.available - limit.points, limit.rule)
