"""However few rows an account is loaded with, what facts and the clock change in it is the same.

What lets an account be loaded with few is written down in `worker/decide/README.md`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

import worker.decide
from contracts.events import Event
from tests.fold.examples import EXAMPLES, programs, seeds, tried
from tests.fold.histories import History, history
from tests.fold.stored import Book, StoredAccounts, write
from tests.fold.test_returns import told
from tests.fold.variants import as_shipped, values_of, variant
from worker.decide.account import Account
from worker.decide.change import EVERYTHING, AccountChange, Loaded, Needs
from worker.decide.errors import NotLoaded
from worker.decide.order_records import Order
from worker.decide.program import Program
from worker.decide.refold import Clock
from worker.decide.state import Head, Lot, Mark, blank, clock_moment
from worker.programs.terms_file import changed, versions
from worker.simulation.loading import change_of

often = settings(tried, max_examples=4 * EXAMPLES)
"""Short lives, many of them."""


class Wider(Book):
    """A book that is loaded with more than anyone asks for."""

    def __init__(self, book: Book, more: Needs) -> None:
        super().__init__(**{name: getattr(book, name) for name in Book.__slots__})
        self.more = more

    def load(self, wanted: Needs) -> Loaded:
        return super().load(wanted.joined(self.more))


def openings(program: Program, life: History, rng: Random) -> Iterator[Event]:
    """Balances taken over somewhere in a life, with dates that lie before it, some of them long over."""
    members = sorted({event.member_id for event in life.events if event.member_id is not None})
    for member in members:
        mine = [event for event in life.events if event.member_id == member]
        at = rng.choice(mine[: rng.choice([2, 8, None])]).time + timedelta(minutes=rng.randrange(-100, 100))

        def day(of: datetime = at) -> str:
            return (of - timedelta(days=rng.choice([0, 20, 100, 450, 900]))).date().isoformat()

        lots = [{"points": rng.randrange(1, 900), "granted_on": day()} for _ in range(rng.randrange(3))]
        data: dict[str, Any] = {"member_id": member, "lots": lots, "last_change_on": day()}
        yield told(program, "balance.opened", at, f"opened-{member}", data)


def same_of(change: AccountChange | None) -> Any:
    """What a change says, but for the instants at which to look again, which a narrow account may only know to be no later."""

    def head(of: Head) -> Head:
        return replace(of, clock_due_at=None, next_due_at=None)

    if change is None:
        return None
    steps = [replace(step, before=replace(step.before, head=head(step.before.head))) for step in change.steps]
    return {
        name: {"head": head(change.head), "steps": steps}.get(name, getattr(change, name)) for name in change.__struct_fields__
    }


def nothing(change: AccountChange | None) -> bool:
    """Whether only the instants at which to look again may have moved."""
    return change is None or not (change.facts or change.steps)


def agree(program: Program, book: Book, facts: Sequence[Event], clock: Clock) -> AccountChange | None:
    """The change of an account that is loaded with little, which is that of one with all open rows and of a complete one."""
    narrow = change_of(book, program, facts, clock, ())
    for more in (Needs(all_open=True), EVERYTHING):
        wider = change_of(Wider(book, more), program, facts, clock, ())
        if nothing(narrow) and nothing(wider):
            continue
        assert same_of(narrow) == same_of(wider), more
        assert narrow is not None
        assert wider is not None
        if wider.head.clock_due_at is not None:
            assert narrow.head.clock_due_at is not None
            assert narrow.head.clock_due_at <= wider.head.clock_due_at
    return narrow


def play(program: Program, life: History, rng: Random) -> None:
    """A life fact by fact, nearly all of it in order, so that little is loaded; the clock runs here and there."""
    books = StoredAccounts(program)
    events = sorted([*life.events, *openings(program, life, rng)], key=lambda event: event.key)
    for place in range(len(events) - 1):
        if rng.random() < 0.05:
            events[place], events[place + 1] = events[place + 1], events[place]
    for event in events:
        for member, facts in books.routed([event]).items():
            book = books.book(member)
            clock = Clock(until=rng.choice([None, event.time]), certainty=None)
            for given_now in (facts, []):
                change = agree(program, book, given_now, clock) if given_now or rng.random() < 0.3 else None
                if change is not None:
                    write(book, change)
    for book in books.books.values():
        change = agree(program, book, [], Clock(until=life.end, certainty=None))
        if change is not None:
            write(book, change)


@programs
@often
@given(seed=seeds)
def test_narrow_wide_and_complete_accounts_change_alike(code: str, seed: int) -> None:
    rng = Random(seed)
    program = variant(code, seed) if rng.random() < 0.7 else as_shipped(code)
    play(program, history(program, seed, members=1, orders=rng.randrange(1, 5), contested=True, split=True), rng)


def test_points_of_a_pool_that_ended_before_the_balance_was_taken_over_lapse() -> None:
    program = Program(versions(changed(values_of("scolar"), {"expiry.pool.prolonged_by": ["order"]}), "scolar"))
    books = StoredAccounts(program, narrow=True)
    at = datetime.fromisoformat("2026-08-27T10:00:00+09:00")
    books.deliver([told(program, "points.adjusted", at, "1", {"member_id": "M", "points": 1000, "reason": "goodwill"})])
    opened = {"member_id": "M", "lots": [], "last_change_on": "2025-06-15"}
    books.deliver([told(program, "balance.opened", at + timedelta(days=17), "2", opened)])
    books.run_clock(at + timedelta(days=60))
    assert (books.books["M"].head.available, books.books["M"].head.lapsed) == (0, 1000)


def test_a_row_that_was_not_loaded_is_neither_read_nor_replaced() -> None:
    at = datetime.fromisoformat("2026-08-27T10:00:00+09:00")
    lot = Lot(origin="order:A", part="1", kind="regular", granted_at=at, points=5, rule="R", available=5)
    all_open = Account(as_shipped("scolar"), blank(), {}, {}, Needs(frozenset({("mark", "asked for")}), all_open=True))
    all_open.begin(clock_moment(at))
    for reach in (
        lambda: all_open.lot("order:A", "1"),
        lambda: all_open.put_lot(lot),
        lambda: all_open.order("A"),
        lambda: all_open.put("mark", "bought:S", Mark(at)),
    ):
        with pytest.raises(NotLoaded):
            reach()
    assert not all_open.marked("asked for")
    all_open.put("mark", "asked for", Mark(at))
    all_open.put_lot(replace(lot, origin=all_open.cause))
    all_open.note_finding("something_odd")
    narrow = Account(as_shipped("scolar"), blank(), {}, {}, Needs(origins=frozenset({"order:A"})))
    narrow.begin(clock_moment(at))
    assert narrow.lot("order:A", "1") is None
    narrow.put_lot(lot)
    for look in (narrow.open_lots, lambda: narrow.due(Order, at)):
        with pytest.raises(NotLoaded):
            look()


def test_no_rule_looks_through_rows_but_by_asking_for_them() -> None:
    whole = {"account.py", "refold.py", "rebuild.py", "explain.py", "statement.py"}  # the account itself; those with all of it
    found = []
    for path in sorted(Path(worker.decide.__file__).parent.glob("*.py")):
        if path.name in whole:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("lots", "items") and ast.unparse(node.value) == "account":
                found.append(f"{path.name}:{node.lineno}")
    assert found == []
