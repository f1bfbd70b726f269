"""What is withdrawn, and a payment that failed, leave no trace: the account is what it would be if they had never been told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given
from msgspec.structs import replace

from contracts.events import Event
from tests.fold.examples import EXAMPLES, programs, seeds, tried
from tests.fold.histories import history
from tests.fold.stored import StoredAccounts
from tests.fold.test_returns import told
from tests.fold.variants import as_shipped, variant
from worker.decide.order_records import Order
from worker.decide.program import Program


def _standing(program: Program, events: Sequence[Event], end: datetime) -> dict[str, Any]:
    """All that is kept of each member but what says that something was told and had no effect."""
    books = StoredAccounts(program, checked=False)
    books.deliver(events)
    books.run_clock(end)
    found: dict[str, Any] = {}
    for member, book in books.books.items():
        items = {
            key: replace(item, told={}) if isinstance(item, Order) else item
            for key, item in book.items.items()
            if key[0] not in ("finding", "early")
        }
        head = replace(book.head, last=None, next_due_at=None)
        found[member] = head, book.lots, items
    return found


def _undone(event: Event) -> tuple[str, dict[str, Any]] | None:
    """What undoes a fact: its type and data."""
    data = json.loads(event.body)
    if event.type == "order.paid":
        return "payment.failed", {"order_id": data["order_id"]}
    for kind in ("return", "exchange"):
        if event.type in (f"{kind}.requested", f"{kind}.received") and data.get(f"{kind}_id") is not None:
            return f"{kind}.withdrawn", {name: data[name] for name in ("order_id", f"{kind}_id")}
    return None


@programs
@tried
@given(seed=seeds)
def test_what_is_undone_leaves_no_trace(code: str, seed: int) -> None:
    program, rng = variant(code, seed) if seed % 2 else as_shipped(code), Random(seed)
    life = history(program, seed, members=1, later=False)
    shipped = {json.loads(event.body)["exchange_id"] for event in life.events if event.type == "exchange.shipped"}
    gone: set[str] = set()
    more: dict[str, Event] = {}
    for event in life.events:
        undone = _undone(event)
        if undone is None or undone[1].get("exchange_id") in shipped:
            continue
        name = json.dumps(undone, sort_keys=True)
        if name in more or rng.random() < 0.5:
            gone.add(event.id)
            at = max(event.time + timedelta(minutes=rng.randrange(1, 9_000)), more[name].time if name in more else event.time)
            more[name] = told(program, undone[0], at, f"undoes {len(more)} {event.id}", undone[1])
    # What undoes a thing undoes all of it that came before, also what was not drawn.
    gone |= {
        event.id
        for event in life.events
        if (undone := _undone(event)) is not None
        and (last := more.get(json.dumps(undone, sort_keys=True))) is not None
        and event.key < last.key
    }
    with_them = _standing(program, [*life.events, *more.values()], life.end + timedelta(days=60))
    without = _standing(program, [event for event in life.events if event.id not in gone], life.end + timedelta(days=60))
    assert with_them == without


def test_the_property_is_tried_on_lives_in_which_something_is_undone() -> None:
    program = as_shipped("belle-maison")
    lives = [history(program, seed, members=1, later=False) for seed in range(max(EXAMPLES, 8))]
    assert sum(_undone(event) is not None for life in lives for event in life.events) > len(lives)
