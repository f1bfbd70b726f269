"""Challenges: what the orders of a period come to together, and the points that it brings.

Each order keeps what it contributes, and the account a tally for each challenge and period. What a tally brings is a function of
it alone, so partial returns, late orders and cancels in any order end at the same number: after the settlement the difference
is posted.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

from msgspec.structs import replace

from contracts.terms import Challenge
from worker.decide import counting, earning, exchange, expiry, ledger, periods, purchases, tiers
from worker.decide.account import Account
from worker.decide.amounts import factor
from worker.decide.conditions import holds, joined_at
from worker.decide.lot_name import bounded, is_grant
from worker.decide.order_records import Contribution, Order, OrderLine, Tally
from worker.decide.program import Version
from worker.decide.state import Grant, Lot
from worker.decide.trace import Tallied

_NOTHING: Final = Contribution()
_NAMED: Final = frozenset({"amount", "orders", "pieces", "points", "days", "stores", "skus"})
"""What a challenge may measure that is no unit of lines."""
_DIFFERENT: Final = frozenset({"days", "stores", "skus"})


def count(account: Account, order: Order) -> Order:
    """Bring what an order contributes up to date; returns the order with it, and the caller keeps that."""
    version = account.program.named(order.terms)
    if not version.terms.challenges or order.status != "open" or not order.earning.earns:
        return order
    known = dict(order.counted.tallies)
    for challenge in version.terms.challenges:
        first = _first_day(account, version, challenge, order.placed_at)
        name = f"{challenge.id}:{first.isoformat()}"
        was, now = known.get(name, _NOTHING), _contribution(version, challenge, order)
        if now != was:
            tally = account.tally(name) or _begin(account, version, challenge, name, first)
            _settle(account, _with(_with(tally, was, -1), now, 1))
            known[name] = now
    kept = {name: each for name, each in known.items() if each != _NOTHING}
    return order if kept == order.counted.tallies else replace(order, counted=replace(order.counted, tallies=kept))


def enter(account: Account, activity: str) -> None:
    """The member has entered the challenges of now that ask for an activity."""
    version = account.version
    for challenge in version.terms.challenges:
        if challenge.entry == activity:
            first = _first_day(account, version, challenge, account.at)
            name = f"{challenge.id}:{first.isoformat()}"
            tally = account.tally(name) or _begin(account, version, challenge, name, first)
            _settle(account, replace(tally, entered=True))


def settle_due(account: Account) -> None:
    """The clock's part: tallies of periods that are over."""
    due = account.due(Tally, account.at)
    account.need(origins=[_origin(tally.name) for tally in due])
    for tally in due:
        _settle(account, replace(tally, settled=True, due_at=None))


def _first_day(account: Account, version: Version, challenge: Challenge, at: datetime) -> date:
    joined = joined_at(account) if challenge.period.member_year else None
    own = None if joined is None else version.days.date_of(joined)
    return periods.first_of(version.days, challenge.period, version.days.date_of(at), own)


def _begin(account: Account, version: Version, challenge: Challenge, name: str, first: date) -> Tally:
    due_at: datetime | None = None
    if challenge.granted == "period_end":
        end = version.days.start(periods.next_first(version.days, challenge.period, first))
        due_at = version.days.days_after(end, challenge.days_after)
        due_at = due_at if challenge.on is None else version.days.on_day(due_at, challenge.on)
    if due_at is not None and due_at <= account.at:
        due_at = None  # it is over already
    return Tally(name=name, challenge=challenge.id, terms=version.id, settled=due_at is None, due_at=due_at)


# -- what an order contributes


def _contribution(version: Version, challenge: Challenge, order: Order) -> Contribution:
    lines = [line for line in order.lines if line.earns and _counts(version, challenge, order, line)]
    counted = [(line, n) for line in lines if (n := counting.pieces(challenge, order, line))]
    amount = exchange.in_program_currency(version, order, max(counting.amount(version, challenge, order, counted), 0))
    if not counted or amount < challenge.minimum:
        return _NOTHING
    unit = "pieces" if challenge.of in _NAMED else challenge.of
    return Contribution(
        amount=amount,
        orders=1,
        pieces=sum([counting.in_unit(line, n, unit) for line, n in counted]),
        points=order.earning.credited if challenge.of == "points" else 0,
        values=tuple(sorted(_values(version, challenge, order, [line for line, _ in counted]))),
    )


def _counts(version: Version, challenge: Challenge, order: Order, line: OrderLine) -> bool:
    return holds(challenge.when, version, earning.subject_of(order, line, order.earning.tier, order.placed_at))


def _values(version: Version, challenge: Challenge, order: Order, lines: Iterable[OrderLine]) -> set[str]:
    if challenge.of == "days":
        return {version.days.date_of(order.placed_at).isoformat()}
    if challenge.of == "stores":
        return {order.content.store}
    return {line.sku for line in lines} if challenge.of == "skus" else set()


def _with(tally: Tally, each: Contribution, sign: int) -> Tally:
    """A tally with a contribution more, or less."""
    values = dict(tally.values)
    for value in each.values:
        values[value] = values.get(value, 0) + sign
    return replace(
        tally,
        amount=tally.amount + sign * each.amount,
        orders=tally.orders + sign * each.orders,
        pieces=tally.pieces + sign * each.pieces,
        points=tally.points + sign * each.points,
        values={value: n for value, n in values.items() if n},
    )


# -- what a tally brings


def measured(challenge: Challenge, tally: Tally) -> int:
    """What the measure of a challenge has come to."""
    named = {"amount": tally.amount, "orders": tally.orders, "points": tally.points}
    return len(tally.values) if challenge.of in _DIFFERENT else named.get(challenge.of, tally.pieces)


def brings(version: Version, challenge: Challenge, tally: Tally) -> int:
    """The points that a tally brings, once it is settled."""
    if not tally.settled or (challenge.entry is not None and not tally.entered):
        return 0
    value, points = measured(challenge, tally), 0
    reached = max((step for step in challenge.steps if value >= step.at), key=lambda step: step.at, default=None)
    if reached is not None:
        points = reached.points or 0
        if reached.rate is not None:
            points = factor(reached.rate).of(tally.amount, version.terms.earning.rounding.mode)
    if challenge.every is not None:
        points += value // challenge.every.per * challenge.every.points
    return points if challenge.points_max is None else min(points, challenge.points_max)


def _origin(name: str) -> str:
    return f"tally:{name}"


def _settle(account: Account, tally: Tally) -> None:
    """Keep a tally, and post what it brings more or less than it has brought, by the terms under which its period began."""
    version = account.program.named(tally.terms)
    challenge = next((each for each in version.terms.challenges if each.id == tally.challenge), None)
    if challenge is None:
        # The version was registered anew before it came into force.
        account.put("tally", tally.name, tally)
        return
    more = brings(version, challenge, tally) - tally.granted
    rules = version.terms.reversal.earned_points
    if more < 0 and rules.available == "keep":
        more = 0
    working = Tallied(challenge.id, tally.name.partition(":")[2], challenge.of, measured(challenge, tally), more)
    if account.trace is not None:
        account.trace.working = working
    if more > 0:
        _grant(account, version, challenge, tally, more)
    elif more < 0:
        working.total = -_take_back(account, challenge, tally, -more, rules.rule)
    if more:
        tiers.count_points(account, more, "activity", challenge.kind)
    if account.trace is not None:
        account.trace.working = None
    account.put("tally", tally.name, replace(tally, granted=tally.granted + more))


def _grant(account: Account, version: Version, challenge: Challenge, tally: Tally, points: int) -> None:
    lot = _lot_for(account, version, challenge, _origin(tally.name))
    ledger.credit(account, version, replace(lot, points=lot.points + points), points)


def _lot_for(account: Account, version: Version, challenge: Challenge, origin: str) -> Lot:
    """The lot into which points come now. Of what is settled once it is that of the settlement; what comes again and again (every
    tenth cup) lasts from its own day, so points that would have another last day than those before begin another lot."""
    first = account.lot(origin, challenge.id)
    if first is not None and challenge.granted == "period_end":
        return first
    named = Lot(origin=origin, part=challenge.id, kind=challenge.kind, granted_at=account.at, points=0, rule=challenge.rule)
    new = expiry.dated(account, version, named, account.at)
    if first is None or _lasts(first) == _lasts(new):
        return first or new
    part = bounded(f"{challenge.id}@{version.days.date_of(account.at).isoformat()}")
    return account.lot(origin, part) or replace(new, part=part)


def _lasts(lot: Lot) -> tuple[datetime | None, bool]:
    return lot.lapses_at, lot.pooled


def _take_back(account: Account, challenge: Challenge, tally: Tally, points: int, rule: str) -> int:
    """Take points back that a tally brings no more; returns how many were taken. Of several lots what is there of the newest goes
    first, then what is gone already."""
    origin = _origin(tally.name)
    first = account.lot(origin, challenge.id)
    lots = [lot for lot in account.lots_of(origin) if is_grant(origin, lot.part)]
    lots.sort(key=lambda lot: (lot.granted_at, lot.ref), reverse=True)
    taken, left = 0, points
    for lot in lots if len(lots) > 1 else ():
        n = min(left, lot.available + lot.voided)
        taken += purchases.take_back(account, Grant(origin, lot.part, n, rule)) if n else 0
        left -= n
    over = [lot for lot in lots if lot.lapsed or lot.revoked]
    for lot in over if len(lots) > 1 else ():
        n = min(left, lot.lapsed + lot.revoked)
        taken += purchases.take_back(account, Grant(origin, lot.part, n, rule)) if n else 0
        left -= n
    part = lots[-1].part if first is None and lots else challenge.id
    return taken + (purchases.take_back(account, Grant(origin, part, left, rule), kind=challenge.kind) if left else 0)
