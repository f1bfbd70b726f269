"""Expiry: the last day of a lot, the pool that moves as one, what lapses when, and the notices before it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from contracts.terms import LastDay, Pool, Term
from worker.decide.account import Account
from worker.decide.amounts import fraction
from worker.decide.called_off import remember
from worker.decide.lot_name import hand_back_part
from worker.decide.order_records import Order
from worker.decide.program import Version
from worker.decide.state import CLOCK_RANK, Lot

Event = Literal["grant", "available", "use", "order", "delivery"]


def term_of(version: Version, kind: str, tier: str | None = None) -> Term | Pool | None:
    """What decides the expiry of points of a kind that are granted to a member of a level: their own term, the pool, or nothing
    (they never lapse)."""
    expiry = version.terms.expiry
    for term in expiry.terms:
        if (not term.kinds or kind in term.kinds) and (not term.tiers or tier in term.tiers):
            return term
    if expiry.pool is not None and (not expiry.pool.kinds or kind in expiry.pool.kinds):
        return expiry.pool
    return None


def rule_of(version: Version, lot: Lot) -> str:
    """The rule under which a lot lapses: of last days given at issue, its term's or the pool's, else the one that granted it."""
    if lot.fixed and version.terms.expiry.fixed_rule is not None:
        return version.terms.expiry.fixed_rule
    if lot.lapse_rule is not None:
        return lot.lapse_rule
    term = version.terms.expiry.pool if lot.pooled else term_of(version, lot.kind)
    return term.rule if term is not None else lot.rule


def lapses_at(account: Account, lot: Lot) -> datetime | None:
    """The instant after a lot's last usable one: its own, or the pool's; None if it never lapses."""
    return account.head.pool_lapses_at if lot.pooled else lot.lapses_at


def _last_day(version: Version, term: Term | Pool, from_: date) -> date:
    days = version.days
    if isinstance(term, Term):
        if term.on:
            last = _fixed_day(term.on, from_)
            return days.month_last(last) if term.to == "month_end" else last
        if term.counted_from == "month":
            from_ = days.month_first(from_)
    last = from_ + timedelta(days=term.days) if term.days is not None else days.add_months(from_, term.months or 0)
    if term.to == "month_end":
        return days.month_last(last)
    return last - timedelta(days=1) if version.terms.expiry.last_day == "day_before" else last


def _fixed_day(on: tuple[LastDay, ...], from_: date) -> date:
    """The last day that is fixed for all that is granted on a day. Before the first that begins in a year, that of the last one
    of the year before holds."""
    begun = [(date.fromisoformat(f"{year}-{each.granted_from}"), each) for year in (from_.year - 1, from_.year) for each in on]
    first, found = max(((first, each) for first, each in begun if first <= from_), key=lambda pair: pair[0])
    return date.fromisoformat(f"{first.year + found.years}-{found.last}")


def _lapses_at(version: Version, from_: datetime, last: date, *, fixed: bool = False) -> datetime:
    """The instant after the last usable one; with `exact`, the anniversary of the time stamp itself (PUP-Q7), but not of a last
    day that is `fixed`."""
    if version.terms.expiry.last_day == "exact" and not fixed:
        local = from_.astimezone(version.days.zone)
        return datetime.combine(last, local.timetz()).astimezone(from_.tzinfo)
    return version.days.end(last)


def notice_at(version: Version, expires_on: date | None, after: datetime) -> datetime | None:
    """The next instant at which the member is told of a lapse, after one given."""
    if expires_on is None or not version.terms.notice_days:
        return None
    instants = [version.days.start(expires_on - timedelta(days=days)) for days in version.terms.notice_days]
    return min((instant for instant in instants if instant > after), default=None)


def with_notice(account: Account, lot: Lot) -> Lot:
    """A lot that gets its first usable points: days of notice that went by before are over for it (and for its pool)."""
    version = account.version
    if lot.pooled:
        head = account.head
        if head.pool_notice_at is not None and head.pool_notice_at <= account.at and not _tells(account, head.pool_notice_at):
            account.head = replace(head, pool_notice_at=notice_at(version, pool_expires_on(account, version), account.at))
        return lot
    if lot.notice_at is not None and _tells(account, lot.notice_at):
        return lot
    return replace(lot, notice_at=notice_at(version, lot.expires_on, account.at))


def _tells(account: Account, instant: datetime) -> bool:
    """Whether a notice is still to be given: later, or by the clock at this very instant."""
    assert account.moment is not None
    return instant > account.at or (instant == account.at and account.moment.rank == CLOCK_RANK)


def dated(account: Account, version: Version, lot: Lot, granted_at: datetime, expires_on: date | None = None) -> Lot:
    """A lot with the dates that its grant gives it. `expires_on`: a last day fixed at issue, which no term moves."""
    if expires_on is not None:
        last, lapses_at, pooled = expires_on, version.days.end(expires_on), False
        return replace(
            lot,
            granted_at=granted_at,
            expires_on=last,
            lapses_at=lapses_at,
            pooled=pooled,
            fixed=True,
            notice_at=notice_at(version, last, granted_at),
        )
    tier = account.head.tier.name if account.head.tier is not None else version.lowest_tier
    term = term_of(version, lot.kind, tier)
    if isinstance(term, Pool):
        return replace(lot, granted_at=granted_at, pooled=True)
    if term is None or (term.months is None and term.days is None and not term.on):
        return replace(lot, granted_at=granted_at)
    last = _last_day(version, term, version.days.date_of(granted_at))
    return replace(
        lot,
        granted_at=granted_at,
        expires_on=last,
        lapses_at=_lapses_at(version, granted_at, last, fixed=bool(term.on)),
        lapse_rule=term.rule if term.tiers else None,
        notice_at=notice_at(version, last, granted_at),
    )


def prolong(account: Account, version: Version, event: Event, order_id: str | None = None) -> None:
    """Move the pool's expiry on, if this kind of event does that under the terms (PUP-25, SCO-25). `order_id`: of the order whose
    event it is, which may be called off yet."""
    if event in version.prolonged_by:
        _run_pool_from(account, version, order_id)


def prolong_by(account: Account, version: Version, lot: Lot, event: Literal["grant", "available"]) -> None:
    """Points of a kind that is in the pool move its expiry on; the first ones begin it, where the terms say so."""
    pool = version.terms.expiry.pool
    if pool is None or term_of(version, lot.kind) is not pool:
        return
    if event in version.prolonged_by:
        _run_pool_from(account, version, lot.order_id)
    elif pool.begins == "grant" and account.head.pool_from is None:
        _run_pool_from(account, version)


def _run_pool_from(account: Account, version: Version, order_id: str | None = None, at: datetime | None = None) -> None:
    """Let the pool's expiry run from an instant (now, if it is not given), unless something later moved it on already."""
    pool, head, at = version.terms.expiry.pool, account.head, at or account.at
    assert pool is not None
    kept, orders = head.pool_kept, head.pool_orders
    if order_id is None or pool.called_off == "stays":
        kept = at if kept is None else max(kept, at)
    else:
        orders, kept = remember(orders, order_id, at, kept)
    account.head = replace(head, pool_kept=kept, pool_orders=orders)
    _run_pool(account, version, pool)


def _run_pool(account: Account, version: Version, pool: Pool) -> None:
    """Let the pool's expiry run from the last of all that prolonged it."""
    head = account.head
    at = max((*head.pool_orders.values(), *((head.pool_kept,) if head.pool_kept is not None else ())), default=None)
    if at is None:
        account.head = replace(head, pool_from=None, pool_lapses_at=head.pool_until, pool_notice_at=None)
        return
    last = _last_day(version, pool, version.days.date_of(at))
    lapses_at = _lapses_at(version, at, last)
    if head.pool_until is not None and head.pool_until > lapses_at:
        lapses_at, last = head.pool_until, version.days.date_of(head.pool_until - timedelta(microseconds=1))
    account.head = replace(
        head, pool_from=version.days.date_of(at), pool_lapses_at=lapses_at, pool_notice_at=notice_at(version, last, account.at)
    )


def of_pool(version: Version, available: int) -> int:
    """Of so many points in the pool that can be used, those that lapse at its end."""
    pool = version.terms.expiry.pool
    if pool is None or pool.share is None:
        return available
    numerator, denominator = fraction(pool.share)
    return available * numerator // denominator


def roll_pool(account: Account) -> bool:
    """Points that come into a pool which is over, and of which only a share lapses, begin with its next months. False: it is none
    of these."""
    pool = account.version.terms.expiry.pool
    if pool is None or pool.share is None:
        return False
    while account.head.pool_lapses_at is not None and account.head.pool_lapses_at <= account.at:
        run_pool_again(account, account.version)
    return True


def run_pool_again(account: Account, version: Version) -> None:
    """After a share of the pool has lapsed, the rest has so many months more."""
    pool, last = version.terms.expiry.pool, pool_expires_on(account, version)
    if pool is None or pool.again_months is None or last is None:
        return
    last = version.days.add_months(last, pool.again_months)
    until = version.days.end(version.days.month_last(last) if pool.to == "month_end" else last)
    account.head = replace(account.head, pool_until=until)
    _run_pool(account, version, pool)


def keep_trace(account: Account, order: Order) -> Order:
    """An order that was called off as a whole has not prolonged the pool, unless the terms let that stay; one that goes on again
    has."""
    version = account.program.named(order.terms)
    pool, head = version.terms.expiry.pool, account.head
    if pool is None or not (order.called_off or order.earning.prolonged_at is not None):
        return order
    orders, at = dict(head.pool_orders), order.earning.prolonged_at
    if not order.called_off:
        assert at is not None
        orders[order.order_id] = max(at, orders.get(order.order_id, at))
        at = None
    elif order.order_id in orders:
        at = orders.pop(order.order_id)
    else:
        return order
    account.head = replace(head, pool_orders=orders)
    _run_pool(account, version, pool)
    return replace(order, earning=replace(order.earning, prolonged_at=at))


def _keep_pool_for(account: Account, version: Version, grace: date | None) -> None:
    """Points handed back into the pool: its expiry runs anew, or (with a last day given) not before that day (COM-Q5)."""
    head = account.head
    if version.terms.expiry.pool is None:
        return
    if grace is None:
        _run_pool_from(account, version)
    elif head.pool_lapses_at is not None and head.pool_lapses_at < version.days.end(grace):
        until, notice = version.days.end(grace), notice_at(version, grace, account.at)
        account.head = replace(head, pool_lapses_at=until, pool_until=until, pool_notice_at=notice)


def start_pool(account: Account, at: datetime) -> None:
    """Let the pool's expiry run from an instant, unless something later moved it on already."""
    if account.version.terms.expiry.pool is not None:
        _run_pool_from(account, account.version, at=at)


def pool_expires_on(account: Account, version: Version) -> date | None:
    """The last usable day of the pooled balance."""
    lapses_at = account.head.pool_lapses_at
    if lapses_at is None:
        return None
    return version.days.date_of(lapses_at - timedelta(microseconds=1))


def for_hand_back(account: Account, version: Version, lot: Lot, points: int) -> Lot:
    """The lot into which used points return: the same one, or one of its own with a fresh or longer term (COM-Q5)."""
    back = version.terms.reversal.back_expiry
    if back.mode == "original":
        return lot
    grace = version.days.date_of(account.at) + timedelta(days=back.grace_days)
    if lot.pooled:
        _keep_pool_for(account, version, grace if back.mode == "grace" else None)
        return lot
    if back.mode == "grace" and (lot.expires_on is None or lot.expires_on >= grace):
        return lot
    part = hand_back_part(lot.part, account.cause)
    begun = account.lot(lot.origin, part)
    if begun is not None:
        # Points of one grant that one fact hands back in several parts stay together.
        return replace(begun, points=begun.points + points)
    nothing = replace(lot, pending=0, available=0, lapsed=0, revoked=0, voided=0)
    fresh = replace(nothing, part=part, points=points, expires_on=None, lapses_at=None)
    if back.mode == "fresh":
        return dated(account, version, fresh, account.at)
    return replace(dated(account, version, fresh, lot.granted_at, grace), fixed=False)
