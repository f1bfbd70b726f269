"""Challenges: what the orders of a period come to together, and the points that it brings.

Each order keeps what it contributes, and the account a tally for each challenge and period. What a tally brings is a function of
it alone, so partial returns, late orders and cancels in any order end at the same number: after the settlement the difference
is posted.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final, NamedTuple

from msgspec.structs import replace

from contracts.terms import Challenge, Rate
from worker.decide import caps, counting, exchange, expiry, ledger, periods, purchases, tiers
from worker.decide.account import Account
from worker.decide.amounts import RoundingMode, factor, in_unit
from worker.decide.conditions import holds_for, joined_at
from worker.decide.order_records import Order, OrderLine
from worker.decide.program import Version
from worker.decide.state import Lot
from worker.decide.tally_records import Contribution, Grant, Tally
from worker.decide.trace import Rated, Tallied

_NOTHING: Final = Contribution()
GRANTS_KEPT: Final = 20
"""So many of its grants, the newest, a tally remembers, so that what it brings no more is taken from these."""
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
        name = _name(challenge, first)
        was, now = known.get(name, _NOTHING), _contribution(version, challenge, order)
        if not _lies_within(version, challenge, order.placed_at):
            now = _NOTHING
        if now.amount and challenge.rated:
            # By the rates under which the period began: those are what it brings.
            began = account.tally(name)
            rated = challenge if began is None else _challenge_of(account, began) or challenge
            now = replace(now, rated=_rated(version, rated, order))
        if now != was:
            tally = account.tally(name) or _begin(account, version, challenge, name, first)
            _settle(account, _with(_with(tally, was, -1), now, 1))
            known[name] = now
    kept = {name: each for name, each in known.items() if each != _NOTHING}
    return order if kept == order.counted.tallies else replace(order, counted=replace(order.counted, tallies=kept))


def names_at(version: Version, at: datetime) -> list[str]:
    """The tallies to which an order of an instant contributes, but for those of the member's own years."""
    day = version.days.date_of(at)
    challenges = [each for each in version.terms.challenges if not each.period.member_year]
    return [_name(each, periods.first_of(version.days, each.period, day)) for each in challenges]


def _name(challenge: Challenge, first: date) -> str:
    return f"{challenge.id}:{first.isoformat()}"


def enter(account: Account, activity: str) -> None:
    """The member has entered the challenges of now that ask for an activity."""
    version = account.version
    for challenge in version.terms.challenges:
        if challenge.entry == activity and not _is_past(version, challenge, account.at):
            first = _first_day(account, version, challenge, account.at)
            name = _name(challenge, first)
            tally = account.tally(name) or _begin(account, version, challenge, name, first)
            _settle(account, replace(tally, entered=True))


def settle_due(account: Account) -> None:
    """The clock's part: tallies of periods that are over."""
    for tally in account.due(Tally, account.at):
        _settle(account, replace(tally, settled=True, due_at=None))


def _challenge_of(account: Account, tally: Tally) -> Challenge | None:
    """The challenge of a tally, as it was when its period began."""
    terms = account.program.named(tally.terms).terms
    return next((each for each in terms.challenges if each.id == tally.challenge), None)


def _first_day(account: Account, version: Version, challenge: Challenge, at: datetime) -> date:
    joined = joined_at(account) if challenge.period.member_year else None
    own = None if joined is None else version.days.date_of(joined)
    return periods.first_of(version.days, challenge.period, version.days.date_of(at), own)


def _lies_within(version: Version, challenge: Challenge, at: datetime) -> bool:
    """Whether an instant lies within a period of the challenge: in one that is there once, or in any that comes back."""
    once = challenge.period.once
    return once is None or once.minutes[0] <= version.days.minute_of(at) <= once.minutes[1]


def _is_past(version: Version, challenge: Challenge, at: datetime) -> bool:
    once = challenge.period.once
    return once is not None and version.days.minute_of(at) > once.minutes[1]


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
    lines = [line for line in order.lines if line.earns and holds_for(version, challenge.when, order, line)]
    counted = [(line, n) for line in lines if (n := counting.pieces(challenge, order, line))]
    amount = exchange.in_program_currency(version, order, max(counting.amount(version, challenge, order, counted), 0))
    if not counted or amount < challenge.minimum:
        return _NOTHING
    unit = "pieces" if challenge.of in _NAMED else challenge.of
    return Contribution(
        amount=amount,
        orders=1,
        pieces=sum([in_unit(line, n, unit) for line, n in counted]),
        points=order.earning.credited if challenge.of == "points" else 0,
        values=tuple(sorted(_values(version, challenge, order, [line for line, _ in counted]))),
    )


def _rated(version: Version, challenge: Challenge, order: Order) -> tuple[tuple[str, int], ...]:
    """The amounts of an order's lines by the first rate of each step that is theirs."""
    found: list[tuple[str, int]] = []
    lines = [line for line in order.lines if line.earns and holds_for(version, challenge.when, order, line)]
    for place, step in enumerate(challenge.steps):
        left = lines
        for row, rate in enumerate(step.rates):
            mine = [line for line in left if holds_for(version, rate.when, order, line)]
            left = [line for line in left if line not in mine]
            counted = [(line, counting.pieces(challenge, order, line)) for line in mine]
            amount = exchange.in_program_currency(version, order, max(counting.amount(version, challenge, order, counted), 0))
            if amount:
                found.append((f"{place}.{row}", amount))
    return tuple(found)


def _values(version: Version, challenge: Challenge, order: Order, lines: Iterable[OrderLine]) -> set[str]:
    if challenge.of == "days":
        return {version.days.date_of(order.placed_at).isoformat()}
    if challenge.of == "stores":
        return {order.content.store}
    return {line.sku for line in lines} if challenge.of == "skus" else set()


def _with(tally: Tally, each: Contribution, sign: int) -> Tally:
    """A tally with a contribution more, or less."""
    values, rated = dict(tally.values), dict(tally.rated)
    for value in each.values:
        values[value] = values.get(value, 0) + sign
    for key, amount in each.rated:
        rated[key] = rated.get(key, 0) + sign * amount
    return replace(
        tally,
        amount=tally.amount + sign * each.amount,
        orders=tally.orders + sign * each.orders,
        pieces=tally.pieces + sign * each.pieces,
        points=tally.points + sign * each.points,
        values={value: n for value, n in values.items() if n},
        rated={key: amount for key, amount in rated.items() if amount},
    )


# -- what a tally brings


def measured(challenge: Challenge, tally: Tally) -> int:
    """What the measure of a challenge has come to."""
    named = {"amount": tally.amount, "orders": tally.orders, "points": tally.points}
    return len(tally.values) if challenge.of in _DIFFERENT else named.get(challenge.of, tally.pieces)


class Brought(NamedTuple):
    """What a tally brings, in all and within what it may: `points` of `wanted`. `rated`: how its rates came to them."""

    points: int = 0
    wanted: int = 0
    rated: tuple[Rated, ...] = ()


def brings(version: Version, challenge: Challenge, tally: Tally) -> Brought:
    """The points that a tally brings, once it is settled."""
    if not tally.settled or (challenge.entry is not None and not tally.entered):
        return Brought()
    value, points = measured(challenge, tally), 0
    rated: list[Rated] = []
    place = max([n for n, step in enumerate(challenge.steps) if value >= step.at], default=None)
    if place is not None:
        step, mode = challenge.steps[place], version.terms.earning.rounding.mode
        points = step.points or 0
        if step.rate is not None:
            rated = [_at_rate(tally.amount, step.rate, mode, None, None)]
        for row, each in enumerate(step.rates):
            if f"{place}.{row}" in tally.rated:
                amount = tally.rated[f"{place}.{row}"]
                rated.append(_at_rate(amount, each.rate, mode, each.points_max, each.beyond))
        points += sum([each.points for each in rated])
    if challenge.every is not None:
        points += value // challenge.every.per * challenge.every.points
    return Brought(_within(points, challenge.points_max, challenge.beyond), points, tuple(rated))


def _at_rate(amount: int, rate: Rate, mode: RoundingMode, most: int | None, beyond: str | None) -> Rated:
    given = factor(rate)
    points = given.of(amount, mode)
    return Rated(amount, given, points, _within(points, most, beyond))


def _within(points: int, most: int | None, beyond: str | None) -> int:
    return points if most is None else caps.allowed(beyond, most, points)


def _settle(account: Account, tally: Tally) -> None:
    """Keep a tally, and post what it brings more or less than it has brought, by the terms under which its period began."""
    version = account.program.named(tally.terms)
    challenge = _challenge_of(account, tally)
    if challenge is None:
        # The version was registered anew before it came into force.
        account.put("tally", tally.name, tally)
        return
    brought = brings(version, challenge, tally)
    more = brought.points - tally.granted
    rules = version.terms.reversal.earned_points
    if more < 0 and rules.available == "keep":
        more = 0
    working = Tallied(challenge.id, tally.name.partition(":")[2], challenge.of, measured(challenge, tally), more)
    working.rated, working.before = brought.rated, tally.granted
    working.limit = (brought.wanted, brought.points) if brought.wanted > brought.points else None
    if account.trace is not None:
        account.trace.working = working
    grants = tally.grants
    if more > 0:
        grants = _granted(account, version, challenge, tally, more)
    elif more < 0:
        taken, grants = _taken_back(account, challenge, grants, -more, rules.rule)
        working.total = -taken
    if more:
        tiers.count_points(account, more, "activity", challenge.kind)
    if account.trace is not None:
        account.trace.working = None
    account.put("tally", tally.name, replace(tally, granted=tally.granted + more, grants=grants))


def _granted(account: Account, version: Version, challenge: Challenge, tally: Tally, points: int) -> tuple[Grant, ...]:
    """Post points as a grant of now, with a last day of its own; returns the tally's grants with it."""
    origin, part = account.cause, tally.name
    lot = account.lot(origin, part)
    if lot is None:
        new = Lot(origin=origin, part=part, kind=challenge.kind, granted_at=account.at, points=0, rule=challenge.rule)
        lot = expiry.dated(account, version, new, account.at)
    ledger.credit(account, version, replace(lot, points=lot.points + points), points)
    grants = tally.grants
    if grants and (grants[-1].origin, grants[-1].part) == (origin, part):
        points += grants[-1].points
        grants = grants[:-1]
    return (*grants, Grant(origin, part, points, challenge.rule))[-GRANTS_KEPT:]


def _taken_back(
    account: Account, challenge: Challenge, grants: tuple[Grant, ...], points: int, rule: str
) -> tuple[int, tuple[Grant, ...]]:
    """Take points of the newest grants back; returns how many were revoked, and the grants that are left."""
    taken = 0
    while points and grants:
        *others, newest = grants
        # What came with grants that are forgotten is taken as what was spent of the oldest one is, which therefore stays.
        here = min(points, newest.points) if others else points
        taken += purchases.take_back(account, replace(newest, points=here, rule=rule), kind=challenge.kind)
        points -= here
        rest = max(newest.points - here, 0)
        grants = (*others, replace(newest, points=rest)) if rest or not others else tuple(others)
    return taken, grants
