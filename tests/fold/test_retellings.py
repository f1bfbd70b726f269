"""Orders that are told again after they were cancelled: whatever the terms make of it, the ledger is one fold of the facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import given

from contracts.events import Event, OrderCancelled, OrderPlaced
from tests.fold import variants
from tests.fold.examples import batches, programs, seeds, tried
from tests.fold.histories import History, history
from tests.fold.stored import StoredAccounts, compare_all
from tests.fold.test_returns import told
from worker.decide.order_records import Order
from worker.decide.program import Program
from worker.programs.terms_file import TermsError, changed, versions


def _goes_on(code: str, seed: int) -> Program:
    """A program with some choices made otherwise, in which an order that is told again after its cancel goes on."""
    rng = Random(seed)
    while True:
        paths = rng.sample(sorted(variants.CHOICES), rng.randrange(0, 6))
        choices = {path: rng.choice(variants.CHOICES[path]) for path in paths}
        values = changed(variants.values_of(code), choices)
        try:
            return Program(versions(changed(values, {"reversal.resent_after_cancel": "reinstated"}), code))
        except TermsError:
            continue  # choices that do not go together


def _told_again(program: Program, life: History, rng: Random) -> Iterator[Event]:
    """For each cancel: another one of all that is left, and the order once more, or twice, some time later."""
    placed = {event.order_id: event for event in reversed(life.events) if isinstance(event.data, OrderPlaced)}
    for number, event in enumerate(life.events):
        first = placed.get(event.order_id)
        if not isinstance(event.data, OrderCancelled) or first is None:
            continue
        rest = {"order_id": event.order_id, "reason": "customer_request", "lines": "all"}
        yield told(program, "order.cancelled", event.time + timedelta(seconds=1), f"rest{number}", rest)
        for time in range(rng.randrange(1, 3)):
            at = event.time + timedelta(minutes=rng.randrange(1, 20_000))
            if at < life.end:
                yield Event.from_stored(first.source, f"again{number}-{time}", first.type, at, first.program, None, first.body)


@programs
@tried
@given(seed=seeds)
def test_an_order_that_goes_on_is_folded_the_same_however_it_is_delivered(code: str, seed: int) -> None:
    program, rng = _goes_on(code, seed), Random(seed)
    life = history(program, seed, members=1)
    events = sorted((*life.events, *_told_again(program, life, rng)), key=lambda event: event.key)
    life = replace(life, events=tuple(events))
    for narrow in (False, True):
        books = StoredAccounts(program, narrow=narrow)
        for batch in batches(life.events, rng):
            books.deliver(batch)
            if rng.random() < 0.2:
                books.run_clock(rng.choice(life.events).time)
        books.run_clock(life.end)
        compare_all(books, life, life.end)
        for item in (item for book in books.books.values() for item in book.items.values() if isinstance(item, Order)):
            off = item.used.points - item.used.standing
            assert 0 <= off <= item.used.points
            assert item.earning.credited >= 0
