"""Postings: every way in which points move between the buckets of an account, each as balanced entries on lots.

Only these functions change balances. `version`: the terms that decide, those of an order for what is done for it, else those in
force at the instant. `available` = what is left in lots minus the arrears; a credit sets arrears off first (COM-C9), a debit that
finds no lots makes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

from msgspec.structs import replace

from contracts.counting import counted
from worker.decide import expiry
from worker.decide.account import Account
from worker.decide.errors import Defect
from worker.decide.lot_name import hand_back_part, is_grant
from worker.decide.order_records import Spent
from worker.decide.program import Version
from worker.decide.state import Bucket, Entry, Lot, Reason

_LAST = datetime.max.replace(tzinfo=UTC)


def _post(
    account: Account,
    reason: Reason,
    points: int,
    source: Bucket,
    target: Bucket,
    rule: str,
    lot: Lot | None,
    order_id: str | None,
) -> None:
    if points <= 0:
        raise Defect(f"an entry of {counted(points, 'point')} at {account.at.isoformat()}")
    head = account.head
    moved: dict[str, int] = {}
    for bucket, change in ((source, -points), (target, points)):
        if bucket in _KEPT:
            moved[bucket] = moved.get(bucket, getattr(head, bucket)) + change
    account.head = replace(head, **moved)
    entry = Entry(
        reason=reason,
        points=points,
        source=source,
        target=target,
        rule=rule,
        kind=lot.kind if lot else None,
        lot=lot.ref if lot else None,
        expires_on=lot.expires_on if lot else None,
        order_id=order_id,
    )
    account.entries.append(entry)
    if account.trace is not None and account.moment is not None:
        account.trace.posted(account.moment, entry, lot)


_KEPT = frozenset({"pending", "available", "held", "lapsed", "forfeited", "revoked"})


def credit_pending(account: Account, version: Version, lot: Lot, points: int, reason: Reason = "earn") -> None:
    """Grant points that cannot be used yet."""
    lot = replace(lot, pending=lot.pending + points)
    account.put_lot(lot)
    _post(account, reason, points, "granted", "pending", lot.rule, lot, lot.order_id)
    if reason == "earn":
        expiry.prolong_by(account, version, lot, "grant")


def credit(
    account: Account, version: Version, lot: Lot, points: int, reason: Reason = "earn", source: Bucket = "granted"
) -> None:
    """Grant points that can be used at once; arrears are set off first."""
    _add_available(account, lot, points)
    _post(account, reason, points, source, "available", lot.rule, lot, lot.order_id)
    expiry.prolong_by(account, version, lot, "grant")
    expiry.prolong_by(account, version, lot, "available")
    _lapse_if_over(account, version, lot)


def open_with(account: Account, lot: Lot) -> None:
    """Points brought along from another ledger, with the dates that they have there; arrears are set off first."""
    _add_available(account, lot, lot.points)
    _post(account, "open", lot.points, "granted", "available", lot.rule, lot, None)
    _lapse_if_over(account, account.version, lot)


def _add_available(account: Account, lot: Lot, points: int) -> None:
    set_off = min(points, account.head.arrears)
    if set_off:
        account.head = replace(account.head, arrears=account.head.arrears - set_off)
    if not lot.available:
        lot = expiry.with_notice(account, lot)
    account.put_lot(replace(lot, available=lot.available + points - set_off))


def mature(account: Account, version: Version, lot: Lot, rule: str) -> None:
    """Pending points of a lot become available."""
    points = lot.pending
    _add_available(account, replace(lot, pending=0), points)
    _post(account, "mature", points, "pending", "available", rule, lot, lot.order_id)
    expiry.prolong_by(account, version, lot, "available")
    _lapse_if_over(account, version, lot)


def void(account: Account, lot: Lot, points: int, rule: str) -> None:
    """Pending points are taken back before they could be used."""
    account.put_lot(replace(lot, pending=lot.pending - points))
    _post(account, "void", points, "pending", "revoked", rule, lot, lot.order_id)


def split(account: Account, version: Version, lot: Lot, to: Lot, points: int) -> None:
    """Move pending points to another lot of the same order, because they will mature on their own date."""
    account.put_lot(replace(lot, pending=lot.pending - points, points=lot.points - points))
    _post(account, "split", points, "pending", "granted", lot.rule, lot, lot.order_id)
    credit_pending(account, version, replace(to, points=to.points + points), points, "split")


def lapse(account: Account, version: Version, lots: Iterable[Lot], most: int | None = None, rule: str | None = None) -> None:
    """Available points of lots are lost because their last day is over, or under another rule: all, or so many at `most`, of the
    first lots first."""
    for lot in lots:
        points = lot.available if most is None else min(lot.available, most)
        if not points:
            continue
        account.put_lot(replace(lot, available=lot.available - points, lapsed=lot.lapsed + points))
        _post(account, "lapse", points, "available", "lapsed", rule or expiry.rule_of(version, lot), lot, lot.order_id)
        if most is not None:
            most -= points


def _lapse_if_over(account: Account, version: Version, put: Lot) -> None:
    """Points that reach a lot after its last day are lost at once: the clock has passed that instant and will not come back."""
    lot = account.at_hand(put.origin, put.part)
    if lot is not None and lot.available:
        lapses_at = expiry.lapses_at(account, lot)
        if lapses_at is not None and lapses_at <= account.at and not (lot.pooled and expiry.roll_pool(account)):
            lapse(account, version, [lot])


def in_spend_order(account: Account, version: Version, lots: Sequence[Lot] | None = None) -> list[Lot]:
    """Lots with available points in the order in which the program spends them (COM-Q3)."""
    found = [lot for lot in (account.open_lots() if lots is None else lots) if lot.available]
    rules, pool = version.terms.redemption, account.head.pool_lapses_at
    if rules.lots == "soonest_expiry":
        found.sort(key=lambda lot: ((pool if lot.pooled else lot.lapses_at) or _LAST, lot.granted_at, lot.ref))
    else:
        found.sort(key=lambda lot: (lot.granted_at, lot.ref), reverse=rules.lots == "newest_grant")
    if rules.first_kinds:
        # Those of one kind stay as they are.
        places = {kind: place for place, kind in enumerate(rules.first_kinds)}
        found.sort(key=lambda lot: places.get(lot.kind, len(places)))
    return found


def longest_first(lots: Iterable[Lot]) -> list[Lot]:
    """Lots with available points, those that last longest first."""
    found = [lot for lot in lots if lot.available]
    return sorted(found, key=lambda lot: (lot.lapses_at or _LAST, lot.granted_at, lot.ref), reverse=True)


def take(
    account: Account,
    version: Version,
    points: int,
    reason: Reason,
    target: Bucket,
    rule: str,
    order_id: str | None = None,
    first: Sequence[Lot] = (),
    kind: str | None = None,
) -> tuple[Spent, ...]:
    """Take available points out, from `first` and then from the other lots (of a `kind`, if it is given) in spend order; what no
    lot covers is arrears.

    Returns what was taken from which lot.
    """
    spent: list[Spent] = []
    left = points
    own = {lot.ref for lot in first}
    own_covers = sum(lot.available for lot in first) >= points
    others = [] if own_covers else [lot for lot in in_spend_order(account, version) if lot.ref not in own]
    for lot in (*first, *[each for each in others if kind in (None, each.kind)]):
        taken = min(left, lot.available)
        if taken:
            account.put_lot(replace(lot, available=lot.available - taken))
            _post(account, reason, taken, "available", target, rule, lot, order_id)
            spent.append(spent_of(lot, taken))
            left -= taken
    if left:
        account.head = replace(account.head, arrears=account.head.arrears + left)
        _post(account, reason, left, "available", target, rule, None, order_id)
    return tuple(spent)


def of_kind(account: Account, kind: str | None) -> int:
    """The available points of a kind (None: of all), of which no more can be there than in all."""
    available = account.head.available
    return available if kind is None else min(available, sum(lot.available for lot in account.open_lots() if lot.kind == kind))


def spent_of(lot: Lot, points: int) -> Spent:
    """What must be remembered of a lot to put points back into it."""
    return Spent(
        origin=lot.origin,
        part=lot.part,
        kind=lot.kind,
        granted_at=lot.granted_at,
        lot_points=lot.points,
        rule=lot.rule,
        points=points,
        order_id=lot.order_id,
        expires_on=lot.expires_on,
        lapses_at=lot.lapses_at,
        pooled=lot.pooled,
        fixed=lot.fixed,
        lapse_rule=lot.lapse_rule,
    )


def need_lots(account: Account, version: Version, spent: Iterable[Spent], reason: Reason) -> None:
    """Ask in one go for the lots that points return to, and those that a hand-back begins beside them."""
    beside = reason == "hand_back" and version.terms.reversal.back_expiry.mode != "original"
    account.need(origins=[each.origin for each in spent if beside or account.at_hand(each.origin, each.part) is None])


def lot_of(account: Account, spent: Spent) -> Lot:
    """The lot that points were taken from: as it stands, or anew if nothing was left in it."""
    kept = account.lot(spent.origin, spent.part)
    if kept is not None:
        return kept
    return Lot(
        origin=spent.origin,
        part=spent.part,
        kind=spent.kind,
        granted_at=spent.granted_at,
        points=spent.lot_points,
        rule=spent.rule,
        order_id=spent.order_id,
        expires_on=spent.expires_on,
        lapses_at=spent.lapses_at,
        pooled=spent.pooled,
        fixed=spent.fixed,
        lapse_rule=spent.lapse_rule,
    )


def give_back(
    account: Account,
    version: Version,
    spent: Spent,
    points: int,
    source: Bucket,
    reason: Reason,
    rule: str,
    order_id: str | None,
    *,
    as_was: bool = False,
) -> None:
    """Used or held points return to their lot; if that has lapsed meanwhile they lapse at once (COM-Q5, BEL-15). `as_was`: as if
    they had never been taken, so no other last day is given to them."""
    lot = lot_of(account, spent)
    if reason == "hand_back" and not as_was:
        lot = expiry.for_hand_back(account, version, lot, points)
    # A lot that was emptied is forgotten, with what was granted in it, and may have begun anew since: this was granted too.
    lot = replace(lot, points=max(lot.points, lot.pending + lot.available + lot.lapsed + lot.revoked + points))
    lapses_at = expiry.lapses_at(account, lot)
    if lapses_at is not None and lapses_at <= account.at:
        account.put_lot(replace(lot, lapsed=lot.lapsed + points))
        over = version.terms.reversal.back_expiry.rule if source == "spent" else expiry.rule_of(version, lot)
        _post(account, "lapse", points, source, "lapsed", over or rule, lot, order_id)
        return
    _add_available(account, lot, points)
    _post(account, reason, points, source, "available", rule, lot, order_id)


def set_off(account: Account, points: int, reason: Reason, rule: str) -> int:
    """Spent points that come back set off what is owed, whatever has become of their lots; returns how many of them did."""
    owed = min(points, account.head.arrears)
    if owed:
        account.head = replace(account.head, arrears=account.head.arrears - owed)
        _post(account, reason, owed, "spent", "available", rule, None, None)
    return owed


def forfeit(account: Account, points: int, rule: str, order_id: str | None) -> None:
    """Used points that a rule does not give back."""
    _post(account, "forfeit", points, "spent", "forfeited", rule, None, order_id)


def take_again(
    account: Account, points: int, source: Literal["forfeited", "lapsed"], rule: str, lot: Lot | None, order_id: str
) -> None:
    """Points that were lost to an order are used on it again, because what lost them is taken back."""
    if lot is not None:
        account.put_lot(replace(lot, lapsed=lot.lapsed - points))
    _post(account, "forfeit" if source == "forfeited" else "lapse", points, source, "spent", rule, lot, order_id)


def remember_revoked(account: Account, lot: Lot, points: int) -> None:
    """Note in a lot that points of it were revoked for cause: a return of its goods, or of what it goes with, does not take them
    again."""
    if lot.order_id is not None:
        account.put_lot(replace(lot, revoked=lot.revoked + points))
    elif is_grant(lot.origin, lot.part):
        # Never more than was granted: points that were held when their grant was taken back came from others already.
        account.put_lot(replace(lot, voided=min(lot.voided + points, lot.points)))


def revoke_held(account: Account, points: int, rule: str) -> None:
    """Points that were set aside are taken away for good."""
    _post(account, "revoke", points, "held", "revoked", rule, None, None)


def hold(
    account: Account,
    version: Version,
    points: int,
    reason: Reason,
    rule: str,
    order_id: str | None = None,
    first: Sequence[Lot] = (),
) -> tuple[Spent, ...]:
    """Set available points aside so that they cannot be used; returns which lots they came from."""
    return take(account, version, points, reason, "held", rule, order_id, first)


def capture(account: Account, points: int, rule: str, order_id: str) -> None:
    """Points that were held for an order are spent on it."""
    _post(account, "redeem", points, "held", "spent", rule, None, order_id)


def give_back_unnamed(
    account: Account, version: Version, points: int, source: Bucket, rule: str, order_id: str | None
) -> None:
    """Points that were taken when no lot covered them come back: they set off what is owed, the rest is a lot of its own."""
    origin, part = account.cause if order_id is None else f"order:{order_id}", hand_back_part("back", account.cause)
    begun = account.lot(origin, part)
    if begun is not None:
        # What one fact (or instant) gives back in several parts stays together.
        lot = replace(begun, points=begun.points + points)
    else:
        lot = Lot(
            origin=origin,
            part=part,
            kind=version.terms.adjustment.kind,
            granted_at=account.at,
            points=points,
            rule=rule,
            order_id=order_id,
        )
        lot = expiry.dated(account, version, lot, account.at)
    _add_available(account, lot, points)
    _post(account, "hand_back", points, source, "available", rule, lot, order_id)
    _lapse_if_over(account, version, lot)
