"""What an order earns: the points that its kept pieces are worth under its terms, portion by portion.

`desired` is a function of the order alone (its facts, its terms, its tier): partial returns, exchanges and cancels in any
order end at the same number. Amounts are cumulative over the portions, so that rounding never loses or mints a point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from contracts.terms import Campaign, Component, DayOfMonth, When
from worker.decide import exchange
from worker.decide.amounts import Factor, factor, fraction, in_unit, part, spread
from worker.decide.conditions import ALWAYS, Subject, holds
from worker.decide.order_records import Order, OrderLine, Portion
from worker.decide.program import Program, Version
from worker.decide.trace import Term

Rates = tuple[Factor, ...]


class Source(NamedTuple):
    """One thing that earns: a component of the terms with the rows of its rate table (a row without a condition has None), or
    the bonus points of a line."""

    id: str
    kind: str
    rule: str
    component: Component | None
    rows: tuple[tuple[When | None, Rates], ...] = ()
    bonus: int = -1
    later: DayOfMonth | None = None


def sources(version: Version, order: Order) -> tuple[Source, ...]:
    """Everything that may earn for an order."""
    earning = version.terms.earning
    if not order.earning.bonus or earning.bonus_points == "ignored":
        return _components(version)
    rule = earning.bonus_rule or earning.rule
    brought = (Source(f"bonus{n}", bonus.kind, rule, None, bonus=n - 1) for n, bonus in enumerate(order.earning.bonus, 1))
    return (*_components(version), *brought)


@lru_cache(maxsize=1024)
def _components(version: Version) -> tuple[Source, ...]:
    """What the terms let earn, worked out once for each version."""
    return tuple(_source(component) for component in version.terms.earning.components)


def _source(component: Component) -> Source:
    rows = tuple((None if row.when == ALWAYS else row.when, (factor(row.rate),)) for row in component.rates)
    return Source(component.id, component.kind, component.rule, component, rows, later=component.later)


def subject_of(order: Order, line: OrderLine, tier: str | None, at: datetime) -> Subject:
    """What conditions are asked of for a line of an order, under a level and on a date."""
    return Subject(at, tier, order.earning.buyer, order, line)


def _times(rates: Rates, text: str) -> Rates:
    numerator, denominator = fraction(text)
    return tuple(
        each._replace(numerator=each.numerator * numerator, denominator=each.denominator * denominator) for each in rates
    )


def _best_campaign(version: Version, component: Component, subject: Subject) -> Campaign | None:
    best: Campaign | None = None
    for campaign in version.terms.earning.campaigns:
        stronger = best is None or campaign.priority > best.priority
        if stronger and campaign.component in (None, component.id) and holds(campaign.when, version, subject):
            best = campaign
    return best


def rates_of(version: Version, source: Source, order: Order, line: OrderLine, tier: str | None, at: datetime) -> Rates:
    """The rate of a component for a line: from its table, the product's own rate, then the strongest campaign."""
    component = source.component
    assert component is not None
    subject = subject_of(order, line, tier, at)
    rates: Rates = ()
    for when, of_row in source.rows:
        if when is None or holds(when, version, subject):
            rates = of_row
            break
    if component.product_rate == "replaces" and line.point_rate is not None:
        rates = (Factor(1, *fraction(line.point_rate)),)
    if version.terms.earning.campaigns:
        campaign = _best_campaign(version, component, subject)
        # One for every component changes those that earn for the line; it gives no rate to the others.
        if campaign is not None and (rates or campaign.component is not None):
            if campaign.effect == "multiply":
                assert campaign.times is not None
                rates = _times(rates, campaign.times)
            else:
                assert campaign.rate is not None
                rates = (factor(campaign.rate),) if campaign.effect == "replace" else (*rates, factor(campaign.rate))
    return rates


class Base(NamedTuple):
    """What earns: money (of the order's currency, or of the program's where lines are converted one by one), points used, and
    for each rate that counts something else how much of it."""

    money: int
    used: int
    counted: tuple[int, ...] = ()


def _base(version: Version, order: Order, line: OrderLine, pieces: int, rates: Rates) -> Base:
    """What some kept pieces of a line earn on at these rates."""
    if not pieces:
        return _NOTHING
    earning = version.terms.earning
    amount = part(line.net_goods, pieces, line.quantity)
    if earning.tax == "inclusive":
        amount += part(line.net_tax, pieces, line.quantity)
    if earning.fees == "earn" and order.payment.fees:
        amount += part(_fees_of(order, line), pieces, line.quantity)
    if exchange.by_line(version, order):
        amount = exchange.in_program_currency(version, order, amount)
    used = part(line.used - line.detached, pieces, line.kept) if earning.points_used == "net" and line.used else 0
    return Base(amount, used, tuple(in_unit(line, pieces, each.counts, each.at_least) for each in rates if each.counts))


def _fees_of(order: Order, line: OrderLine) -> int:
    """A line's share of the order's fees: by amounts with tax over the ordered goods that earn."""
    lines = [each for each in order.lines if each.earns and not each.replacement]
    shares = spread(order.payment.net_fees, [each.goods + each.tax for each in lines])
    return next((share for each, share in zip(lines, shares, strict=True) if each.line_id == line.line_id), 0)


_NOTHING = Base(0, 0)


def _plus(base: Base, more: Base, less: Base) -> Base:
    if base is _NOTHING and less is _NOTHING:
        return more
    counted = more.counted
    if counted:
        before, gone = base.counted or (0,) * len(counted), less.counted or (0,) * len(counted)
        counted = tuple(was + come - went for was, come, went in zip(before, counted, gone, strict=True))
    return Base(base.money + more.money - less.money, base.used + more.used - less.used, counted)


def points_for(version: Version, order: Order, rates: Rates, base: Base) -> int:
    """Points for what earns at these rates, rounded once for each."""
    if not rates or not (base.money or base.counted):
        return 0
    amount, mode = _amount(version, order, base), version.terms.earning.rounding.mode
    if base.counted:
        counted = iter(base.counted)
        return sum(each.of(next(counted) if each.counts else amount, mode) for each in rates)
    return rates[0].of(amount, mode) if len(rates) == 1 else sum(each.of(amount, mode) for each in rates)


def _amount(version: Version, order: Order, base: Base) -> int:
    """The amount that rates apply to: in the program's currency, without what points paid where the terms take that off."""
    terms = version.terms
    amount = base.money
    if terms.earning.points_used == "net_spread" and order.used.points:
        total = sum(line.goods + line.tax for line in order.lines) + order.payment.fees
        amount = amount * max(total - exchange.worth(version, order, order.used.points), 0) // total if total else 0
    if not exchange.by_line(version, order):
        amount = exchange.in_program_currency(version, order, amount)
    return max(amount - exchange.worth_at_home(version, base.used), 0) if base.used else max(amount, 0)


def _units(version: Version, order: Order) -> Iterator[tuple[tuple[Portion, ...], frozenset[str] | None]]:
    """What is added up before rounding: portions in turn, of all lines (None) or of some."""
    scope = version.terms.earning.rounding.scope
    portions = in_turn(order)
    if scope == "order":
        yield portions, None
    elif scope == "shipment":
        for portion in portions:
            yield (portion,), None
    else:
        for line in order.lines:
            yield tuple(portion for portion in portions if line.line_id in portion.pieces), frozenset({line.line_id})


def in_turn(order: Order) -> tuple[Portion, ...]:
    """The portions as they shipped, what still waits last: a later shipment gets what is left of a running sum (BEL-Q1)."""
    if len(order.portions) == 1:
        return order.portions
    waiting = [portion for portion in order.portions if portion.triggered_at is None]
    gone = [(portion.triggered_at, portion) for portion in order.portions if portion.triggered_at is not None]
    return (*(portion for _, portion in sorted(gone, key=lambda pair: pair[0])), *waiting)


def desired(program: Program, order: Order, source: Source, at: datetime, working: list[Term] | None = None) -> dict[str, int]:
    """Points that each portion should hold from one source, by portion key, before caps. `working`: where to note how."""
    version = program.named(order.terms)
    wanted = {portion.key: 0 for portion in order.portions}
    if not order.earning.earns or order.status != "open":
        return wanted
    if version.terms.earning.points_used == "none_if_used" and order.used.points:
        return wanted
    if source.component is None:
        _add_bonus(version, order, source, wanted, working)
        return wanted
    lines = {line.line_id: line for line in order.lines if line.earns}
    for portions, only in _units(version, order):
        _add_unit(program, order, source, portions, only, lines, at, wanted, working)
    return wanted


def brings_bonus(version: Version, line: OrderLine) -> bool:
    """Whether a line may bring the bonus points that it was sent with."""
    return line.earns or version.terms.earning.bonus_points == "granted_always"


def _add_bonus(
    version: Version, order: Order, source: Source, wanted: dict[str, int], working: list[Term] | None
) -> None:
    bonus = order.earning.bonus[source.bonus]
    line = next((line for line in order.lines if line.line_id == bonus.line_id), None)
    if line is None or not brings_bonus(version, line):
        return
    pieces = 0
    for portion in in_turn(order):
        before = part(bonus.points, pieces, line.quantity)
        pieces += portion.pieces.get(line.line_id, 0)
        points = part(bonus.points, pieces, line.quantity)
        wanted[portion.key] += points - before
        if working is not None and points != before:
            working.append(Term(portion.key, "bonus", points, before, bonus.points, pieces=pieces, of=line.quantity))


def _add_unit(
    program: Program,
    order: Order,
    source: Source,
    portions: tuple[Portion, ...],
    only: frozenset[str] | None,
    lines: Mapping[str, OrderLine],
    at: datetime,
    wanted: dict[str, int],
    working: list[Term] | None,
) -> None:
    """Add one rounding unit: cumulative points of each rate, portion by portion."""
    own = program.named(order.terms)
    earning = own.terms.earning
    by_order = earning.rate_date == "order"
    pieces: dict[str, int] = {}
    campaigns: dict[Rates, dict[str, None]] = {}
    bases = _returned(own, order, source, [line for key, line in lines.items() if only is None or key in only])
    given = {rates: points_for(own, order, rates, base) for rates, base in bases.items()}
    for portion in portions:
        tier = order.earning.tier if earning.tier_at == "order" or portion.tier is None else portion.tier
        dated = order.placed_at if by_order else (portion.matures_at or at)
        version = own if by_order else program.at(dated)
        rated = source if by_order else _same(version, source)
        for line_id, n in portion.pieces.items():
            line = lines.get(line_id)
            if line is None or (only is not None and line_id not in only):
                continue
            rates = rates_of(version, rated, order, line, tier, dated)
            if working is not None and rated.component is not None:
                campaign = _best_campaign(version, rated.component, subject_of(order, line, tier, dated))
                if campaign is not None:
                    campaigns.setdefault(rates, {})[campaign.id] = None
            so_far = pieces.get(line_id, 0)
            pieces[line_id] = so_far + n
            come, before_it = _base(own, order, line, so_far + n, rates), _base(own, order, line, so_far, rates)
            bases[rates] = _plus(bases.get(rates, _NOTHING), come, before_it)
        for rates, base in bases.items():
            points, before = points_for(own, order, rates, base), given.get(rates, 0)
            wanted[portion.key] += points - before
            given[rates] = points
            if working is not None and points != before:
                amount, named = _amount(own, order, base), tuple(campaigns.get(rates, ()))
                working.append(Term(portion.key, "rate", points, before, amount, rates, tier, named, counted=base.counted))


def _same(version: Version, source: Source) -> Source:
    """The component of the same id in another version; the given one if that has none."""
    return next((each for each in _components(version) if each.id == source.id), source)


def _returned(version: Version, order: Order, source: Source, lines: Iterable[OrderLine]) -> dict[Rates, Base]:
    """Where the terms take back what the returned amount would earn, floored (COM-Q7): that amount, from which the running sums
    of what is kept go on. Else nothing, so that the kept goods are computed anew."""
    found: dict[Rates, Base] = {}
    if version.terms.reversal.earned_points.amount == "recomputed":
        return found
    for line in lines:
        # What was cancelled before it was shown as earned takes nothing back.
        gone = line.returned + (line.cancelled if version.terms.maturity.shown == "order" else 0)
        if gone:
            rates = rates_of(version, source, order, line, order.earning.tier, order.placed_at)
            whole, kept = (_base(version, order, line, n, rates) for n in (line.quantity, line.quantity - gone))
            used = line.detached if version.terms.earning.points_used == "net" else 0
            back = _plus(_NOTHING, whole, kept)._replace(used=used)
            found[rates] = _plus(found.get(rates, _NOTHING), back, _NOTHING)
    return found
