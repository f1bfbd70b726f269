"""Balances taken over from another ledger: lots as dated there, the tier in force, what had counted toward it, memberships.

An account is opened once. Nothing follows from an opening but what it says: no welcome points, no prolonged expiry, no review.
"""

from __future__ import annotations

from datetime import date, datetime

from msgspec.structs import replace

from contracts.events import BalanceOpened, OpenedLot
from worker.decide import expiry, judging, ledger, tiers
from worker.decide.account import Account
from worker.decide.state import Lot, Mark

MARK = "balance.opened"
PART = "opening"


def opened(account: Account, data: BalanceOpened) -> None:
    """The standing of a member elsewhere becomes the one here; a second opening changes nothing and is a finding."""
    if account.marked(MARK):
        account.note_finding("opened_twice")
        return
    account.put("mark", MARK, Mark(at=account.at))
    _join(account, data)
    expiry.start_pool(account, _instant(account, data.last_change_on))
    for number, lot in enumerate(data.lots, 1):
        _take_over(account, lot, number)
    _stand(account, data)


def _instant(account: Account, day: date | None) -> datetime:
    """The beginning of a day before the opening; without one, or later, the opening itself."""
    return account.at if day is None else min(account.version.days.start(day), account.at)


def _join(account: Account, data: BalanceOpened) -> None:
    """Who has a balance takes part: since the days given, or since the opening at the latest."""
    head = account.head
    registered = min(head.registered_at or account.at, _instant(account, data.registered_on))
    enrolled = min(head.enrolled_at or account.at, _instant(account, data.enrolled_on))
    account.head = replace(head, registered_at=registered, enrolled_at=enrolled)


def _take_over(account: Account, opened_lot: OpenedLot, number: int) -> None:
    rules = account.version.terms.adjustment
    lot = Lot(
        origin=account.cause,
        part=f"{PART}{number}",
        kind=opened_lot.kind or rules.kind,
        granted_at=account.at,
        points=opened_lot.points,
        rule=rules.rule,
    )
    granted_at = _instant(account, opened_lot.granted_on)
    ledger.open_with(account, expiry.dated(account, account.version, lot, granted_at, opened_lot.expires_on))


def _stand(account: Account, data: BalanceOpened) -> None:
    """The tier as it was there, with what had counted toward it; without one, the tier that those amounts give."""
    version, terms = account.version, account.version.terms.tiers
    if terms is None:
        if data.tier is not None or data.counted:
            account.note_finding("tier_not_offered", None, data.tier or "")
        return
    tiers.start(account, version)
    for counted in data.counted:
        tiers.add(account, tiers.bucket_of(version, terms, counted.on), counted.amount)
    tier = account.head.tier
    assert tier is not None
    last = max((each.on for each in data.counted if each.amount), default=None)
    if last is not None and (tier.last_counted_on is None or last > tier.last_counted_on):
        account.head = replace(account.head, tier=replace(tier, counted_for_good=last))
    known = data.tier is not None and any(level.name == data.tier for level in terms.levels)
    if data.tier is not None and not known:
        account.note_finding("tier_not_offered", None, data.tier)
    if known:
        tiers.set_level(account, terms, judging.index_of(terms, data.tier or ""), version.terms.adjustment.rule)
        account.head = replace(account.head, tier_due_at=judging.next_change(version, account.head, account.at))
    else:
        tiers.judge(account, version, "more")
