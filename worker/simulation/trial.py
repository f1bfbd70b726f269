"""What happens to one order, without a file of events: they are made here and told to a simulation, so that the worker's own fold
answers.

The member's standing (since when, which level, points to use) is opened some minutes before the order; what is told of the order
follows a minute apart. The clock then runs until everything has matured and lapsed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from contracts.events import EVENT_TYPES, Event
from contracts.statement import Statement
from worker.decide import maturity
from worker.decide.explain import Explained, Explanation, Known, Posting, explain
from worker.decide.order_records import Order
from worker.decide.program import Program, Version
from worker.decide.trace import Settling, Tallied
from worker.decode import Limits, Record, decode
from worker.decode.strict_json import canonical
from worker.programs.terms_file import TermsError
from worker.reading.explain import Language, PostingTold, tell
from worker.simulation.simulate import Simulation

ORDER: Final = "try"
_MEMBER: Final = "member"
_YEARS: Final = 11
"""So long the clock runs on after the order: points that lapse do so within a decade."""
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Trial:
    """An order of one line, and the member who places it, in the program's zone. `line`, `order`: fields of the event; what a
    shop of the program would send anyway is filled in. `balance`: points to use. `earlier`: so many orders came before. `told`:
    what happened to the order since, such as order.paid."""

    on: date
    at: time
    line: Mapping[str, Any]
    order: Mapping[str, Any]
    tier: str | None = None
    joined: date | None = None
    balance: int = 0
    attributes: Mapping[str, str] | None = None
    birthday: Mapping[str, int] | None = None
    country: str | None = None
    activities: tuple[str, ...] = ()
    earlier: int = 0
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Movement:
    """Points that moved, told in words. `component`: of the terms, by which an order earned them."""

    posting: PostingTold
    component: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial. `statement`: of the member once all that was told had happened. `waits`: for what points wait."""

    movements: tuple[Movement, ...]
    statement: Statement
    tier_before: str | None
    waits: tuple[str, ...]


def outcome(program: Program, trial: Trial, language: Language = "en") -> Outcome:
    """Fold a trial. Raises TermsError for a level, an activity or a value that no event may have."""
    placed_at = _instant(program, trial)
    version = program.at(placed_at)
    _check(version, trial)
    simulation = Simulation(program)
    events = list(_events(program, version, trial, placed_at))
    before: str | None = None
    for event in events:
        if event.order_id == ORDER and before is None:
            before = simulation.statement(_MEMBER, event.time - _MINUTE, "").tier
        simulation.deliver(event)
    at = events[-1].time
    simulation.run_clock(at)
    statement = simulation.statement(_MEMBER, at, at.isoformat())
    until = placed_at.replace(year=placed_at.year + _YEARS, day=1)
    simulation.run_clock(until)
    found = _explained(program, simulation, events, until)
    told = tell(program, found, _MEMBER, until, language)
    movements = tuple(
        Movement(posting, each.working.source if isinstance(each.working, Settling) else None)
        for posting, each in zip(told.postings, found.postings, strict=True)
        if _is_about(each)
    )
    return Outcome(movements, statement, before, tuple(_waits(version, trial, statement, _kept(simulation))))


def _instant(program: Program, trial: Trial) -> datetime:
    zone = program.at(datetime.combine(trial.on, trial.at, UTC)).days.zone
    return datetime.combine(trial.on, trial.at, zone).astimezone(UTC)


def _check(version: Version, trial: Trial) -> None:
    terms = version.terms
    levels = [level.name for level in terms.tiers.levels] if terms.tiers is not None else []
    known = [each.id for each in terms.activities if each.event == "activity.completed"]
    for what, name, names in (("tier", trial.tier, levels), *(("activity", each, known) for each in trial.activities)):
        if name is not None and name not in names:
            raise TermsError(terms.program, [f"{name} is no {what}; there are {', '.join(names) or 'none'}"])


def _events(program: Program, version: Version, trial: Trial, placed_at: datetime) -> Iterator[Event]:
    opened_at = placed_at - _MINUTE * (trial.earlier + len(trial.activities) + 10)
    joined = trial.joined or trial.on.replace(year=trial.on.year - 1, day=min(trial.on.day, 28))
    lots = [{"points": trial.balance}] if trial.balance else []
    since = {"registered_on": joined.isoformat(), "enrolled_on": joined.isoformat()}
    steps: list[tuple[str, dict[str, Any]]] = []
    standing: dict[str, Any] = {"member_id": _MEMBER, "lots": lots, **since}
    steps.append(("balance.opened", standing if trial.tier is None else {**standing, "tier": trial.tier}))
    about = {"attributes": dict(trial.attributes or {}), "birth": trial.birthday, "country": trial.country}
    if any(about.values()):
        steps.append(("member.updated", {"member_id": _MEMBER, **{name: value for name, value in about.items() if value}}))
    for activity in trial.activities:
        named = next(each for each in version.terms.activities if each.id == activity)
        done = {"member_id": _MEMBER, "activity": named.activity or named.id, "reference": activity}
        steps.append(("activity.completed", {**done, "points": 0} if named.points is None else done))
    free = {"sku": "EARLIER", "quantity": 1, "unit_price": 0, "tax": 0}
    for number in range(trial.earlier):
        steps.append(("order.placed", {**_order(version, f"earlier-{number + 1}"), "lines": [free]}))
    for number, (type_, data) in enumerate(steps):
        yield _event(program, number, type_, opened_at + number * _MINUTE, data)
    order = {**_order(version, ORDER), **trial.order, "lines": [trial.line]}
    yield _event(program, len(steps), "order.placed", placed_at, order)
    for number, type_ in enumerate(trial.told, 1):
        lines = {"lines": "all"} if type_ == "shipment.dispatched" else {}
        yield _event(program, len(steps) + number, type_, placed_at + number * _MINUTE, {"order_id": ORDER, **lines})


def _order(version: Version, order_id: str) -> dict[str, Any]:
    """An order as the program's own shop would send it."""
    membership = version.terms.membership
    stores = membership.stores.eligible
    channels = membership.earning_channels
    return {
        "order_id": order_id,
        "member_id": _MEMBER,
        "store": "shop" if stores == "all" or not stores else stores[0],
        "channel": channels[0] if channels else "web",
        "currency": version.terms.currency,
        "payment_method": "credit_card",
    }


def _event(program: Program, number: int, type_: str, at: datetime, data: Mapping[str, Any]) -> Event:
    assert type_ in EVENT_TYPES, type_
    event = {"specversion": "1.0", "id": f"{number}", "source": "try", "type": type_, "program": program.code}
    body = canonical({**event, "time": at.isoformat(), "data": data})
    decoded = decode(Record("try", 0, number, 0, None, body, ()), datetime(9000, 1, 1, tzinfo=UTC), Limits())
    if not isinstance(decoded, Event):
        raise TermsError(program.code, [str(getattr(decoded, "detail", "no event of the contract"))])
    return decoded


def _explained(program: Program, simulation: Simulation, events: list[Event], until: datetime) -> Explanation:
    ledger = simulation.ledgers[_MEMBER]
    postings = [
        Posting(number, number, stored.moment.at, stored.moment, stored.entry) for number, stored in enumerate(ledger.entries)
    ]
    known = [Known(event, event.time) for event in events]
    return explain(program, known, list(ledger.decisions.values()), postings, until)


def _is_about(each: Explained) -> bool:
    """Whether it is about the order: not the points that were there before, nor what the calendar brings meanwhile."""
    of_order = each.posting.entry.order_id == ORDER or (each.lot is not None and each.lot.order_id == ORDER)
    return of_order or isinstance(each.working, Tallied)


def _kept(simulation: Simulation) -> Order | None:
    item = simulation.ledgers[_MEMBER].items.get(("order", ORDER))
    return item if isinstance(item, Order) else None


def _waits(version: Version, trial: Trial, statement: Statement, order: Order | None) -> Iterator[str]:
    if not statement.pending and any(order.points_credited for order in statement.orders if order.order_id == ORDER):
        return
    happened = {"order", *(_HAPPENS[type_] for type_ in trial.told)}
    for trigger in version.terms.maturity.after if order is None else maturity.triggers(version, order):
        if trigger.event not in happened:
            days = trigger.days or trigger.business_days
            kind = "business days" if trigger.business_days else "days"
            yield trigger.event + (f", then {days} {kind}" if days else "")
    if version.terms.maturity.release == "manual":
        yield "a release by hand"


_HAPPENS: Final = {"order.paid": "payment", "shipment.dispatched": "shipment", "shipment.delivered": "delivery"}
