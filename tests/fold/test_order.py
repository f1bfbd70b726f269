"""For any set of events, whatever the order, the repetition and the batching, the ledger equals one fold of the sorted set."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given
from msgspec.structs import replace

from contracts.events import Event
from tests.fold.examples import batches, draw, programs, seeds, tried
from tests.fold.stored import StoredAccounts, check_book, compare_all
from tests.fold.test_returns import told
from tests.fold.variants import as_shipped
from worker.decide.refold import _entry_order, corrections
from worker.decide.state import Certainty, Decision, Entry, Moment
from worker.simulation.simulate import Simulation


@programs
@tried
@given(seed=seeds)
def test_events_one_by_one_in_business_order_are_one_fold(code: str, seed: int) -> None:
    program, life, _ = draw(code, seed)
    books = StoredAccounts(program)
    for event in life.events:
        books.deliver([event])
    books.run_clock(life.end)
    compare_all(books, life, life.end)


@programs
@tried
@given(seed=seeds)
def test_any_order_and_any_batches_with_the_clock_running_in_between_are_one_fold(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed)
    books = StoredAccounts(program)
    for batch in batches(life.events, rng):
        books.deliver(batch, until=rng.choice([None, batch[0].time]))
        if rng.random() < 0.3:
            books.run_clock(rng.choice(life.events).time)
    books.run_clock(life.end)
    compare_all(books, life, life.end)


@programs
@tried
@given(seed=seeds)
def test_two_deliveries_with_the_same_decisions_end_with_the_same_ledger(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed, contested=False)
    first = StoredAccounts(program)
    for batch in batches(life.events, rng):
        first.deliver(batch)
    first.run_clock(life.end)
    second = StoredAccounts(program, told=first.decisions, checked=False)
    for batch in batches(life.events, rng):
        second.deliver(batch)
        second.run_clock(rng.choice(life.events).time)
    second.run_clock(life.end)
    assert second.books.keys() == first.books.keys()
    for member, book in second.books.items():
        other = first.books[member]
        assert book.head == other.head
        assert book.lots == other.lots
        assert book.items == other.items


@programs
@tried
@given(seed=seeds)
def test_a_simulation_states_the_same_at_any_instant_however_it_was_delivered(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed, contested=False)
    events = life.events
    ordered = Simulation(program)
    for event in events:
        ordered.deliver(event)
    told = {key: each for ledger in ordered.ledgers.values() for key, each in ledger.decisions.items()}
    shuffled = _shuffled(Simulation(program, told), events, rng)
    for simulation in (ordered, shuffled):
        simulation.run_clock(life.end)
    for at in (life.events[len(life.events) // 2].time, life.events[-1].time + timedelta(days=3), life.end):
        one, other = ordered.statements(at, "then"), shuffled.statements(at, "then")
        assert [each.model_copy(update={"version": 0}) for each in one] == [
            each.model_copy(update={"version": 0}) for each in other
        ]


def _shuffled(simulation: Simulation, events: tuple[Event, ...], rng: Random) -> Simulation:
    for (event,) in batches(events, rng, most=2):
        simulation.deliver(event)
    return simulation


@programs
@tried
@given(seed=seeds)
def test_waiting_until_all_is_read_changes_when_a_redemption_is_decided_and_nothing_else(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed)
    books = StoredAccounts(program)
    until, certainty = life.events[0].time - timedelta(days=1), Certainty(0, 0)
    for batch in batches(life.events, rng):
        if rng.random() < 0.3:
            until = max(until, rng.choice(life.events).time)
        if rng.random() < 0.5:
            current = certainty.current + rng.randint(1, 2)
            certainty = Certainty(rng.randint(certainty.passed, current), current)
        books.deliver(batch, until, certainty)
        books.run_clock(until, certainty)
        for book in books.books.values():
            assert not any(certainty.may_refuse(each.snapshot) for each in book.head.waiting), "what can be decided does not wait"
            assert all(each.snapshot <= certainty.current for each in book.head.waiting)
    # What was told again while the first waited begins to wait when that one is refused.
    while any(book.head.waiting for book in books.books.values()):
        certainty = Certainty(certainty.current + 2, certainty.current + 2)
        books.run_clock(life.end, certainty)
    books.run_clock(life.end, certainty)
    compare_all(books, life, life.end)
    assert all(not book.head.waiting for book in books.books.values())


@programs
@tried
@given(seed=seeds)
def test_duplicates_change_nothing(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed)
    books = StoredAccounts(program)
    for batch in batches(life.events, rng):
        books.deliver(batch)
    books.run_clock(life.end)
    before = {member: (book.row, len(book.entries), len(book.messages)) for member, book in books.books.items()}
    for batch in batches(life.events, rng):
        books.deliver([*batch, *batch])
    assert before == {member: (book.row, len(book.entries), len(book.messages)) for member, book in books.books.items()}


@programs
@tried
@given(seed=seeds)
def test_loading_only_what_facts_need_folds_to_the_same_ledger(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed)
    narrow = StoredAccounts(program, narrow=True)
    for batch in batches(life.events, rng):
        narrow.deliver(batch)
        if rng.random() < 0.3:
            narrow.run_clock(rng.choice(life.events).time)
    narrow.run_clock(life.end)
    compare_all(narrow, life, life.end)


@programs
@tried
@given(seed=seeds)
def test_a_redemption_is_decided_once_and_told_once_but_for_a_refusal_of_a_wish_that_was_accepted(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed)
    books = StoredAccounts(program)
    seen: dict[tuple[str, str], Decision] = {}
    for batch in batches(life.events, rng):
        books.deliver(batch)
        now = books.decisions
        assert {key: now[key] for key in seen} == seen
        seen = now
    told = [
        message for book in books.books.values() for message in book.messages if message.topic == "loyalty.redemption-decided"
    ]
    causes = [(cause["source"], cause["id"]) for cause in (json.loads(message.data)["cause"] for message in told)]
    assert len(causes) == len(set(causes))
    wishes = {(event.source, event.id): _wish(event) for event in life.events}
    accepted = {wishes[key] for key, decision in seen.items() if decision.verdict == "accepted"}
    untold = seen.keys() - causes
    assert {(seen[key].verdict, wishes[key] in accepted) for key in untold} <= {("rejected", True)}


def _wish(event: Event) -> object:
    """What a verdict on an event is about, however often that is told."""
    if event.order_id is not None and event.type == "order.placed":
        return event.order_id
    return getattr(event.data, "request_id", None) or getattr(event.data, "redemption_id", None)


def test_corrections_of_one_instant_come_in_the_same_order_from_every_worker() -> None:
    at = Moment(datetime(2025, 1, 1, tzinfo=UTC), 1, "//shop", "a")
    one = Entry(reason="void", points=0, source="pending", target="revoked", rule="R")
    others: list[dict[str, Any]] = [
        {"reason": "lapse"},
        {"source": "available"},
        {"target": "lapsed"},
        {"rule": "Q"},
        {"kind": "basic"},
        {"lot": "order:A/1"},
        {"expires_on": date(2025, 6, 30)},
        {"order_id": "A"},
    ]
    entries = [(at, one), *((at, replace(one, **other)) for other in others)]
    forwards = corrections(Counter(entries), Counter())
    assert len({_entry_order(entry) for entry in entries}) == len(entries)
    assert forwards == sorted(forwards, key=_entry_order)


def test_what_was_taken_back_of_a_moment_that_is_gone_is_never_counted_without_what_it_takes_back() -> None:
    program = as_shipped("belle-maison")
    books = StoredAccounts(program)

    def comes(type_: str, at: str, **data: Any) -> None:
        instant = datetime.fromisoformat(f"{at}T12:00:00+09:00")
        books.deliver([told(program, type_, instant, f"{type_} {at}", {"member_id": "M1", **data})])

    comes("points.adjusted", "2024-08-01", points=100, reason="gift", expires_on="2024-10-31")
    books.run_clock(datetime(2024, 11, 2, tzinfo=UTC))
    comes("points.adjusted", "2024-09-01", points=-100, reason="mistake")  # late: nothing was left that could lapse
    comes("review.posted", "2025-01-10", review_id="R1", sku="A")  # in order, and nothing comes of it
    comes("review.posted", "2024-10-20", review_id="R2", sku="A")  # late, and nothing comes of it
    book = books.books["M1"]
    assert [(posted.entry.reason, posted.entry.source) for posted in book.entries] == [
        ("adjust", "adjusted"),
        ("lapse", "available"),
        ("adjust", "available"),
        ("lapse", "lapsed"),
    ]
    check_book(book, program)
