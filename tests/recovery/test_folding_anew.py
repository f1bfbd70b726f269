"""An account folded anew from its facts is the account, whatever had become of what was kept beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

from hypothesis import given
from msgspec.structs import replace

from contracts.events import Event
from tests.fold.examples import batches, draw, programs, seeds, tried
from tests.fold.stored import Book, StoredAccounts, check_book, check_change, check_undo, compare_all, write
from worker.decide import earning
from worker.decide.change import AccountChange, Refold
from worker.decide.explain import Posting
from worker.decide.program import Program
from worker.decide.rebuild import Kept, rebuild_account
from worker.decide.refold import Clock
from worker.decide.state import Head


def _rebuilt(book: Book, program: Program, clock: Clock, refold: Refold | None = None) -> AccountChange:
    """Fold a book anew and write what comes out."""
    assert book.row is not None
    postings = [Posting(e.version, e.line, e.moment.at, e.moment, e.entry, e.correction) for e in book.entries]
    kept = Kept(book.row, [*book.facts.values()], [*book.decisions.values()], postings, [*book.lots], [*book.items])
    change = rebuild_account(program, kept, clock, refold=refold)
    before = (book.head, book.row.version)
    write(book, change)
    check_change(change, *before)
    check_book(book, program)
    check_undo(book)
    return change


@programs
@tried
@given(seed=seeds)
def test_a_sound_account_stays_as_it_is_and_goes_on_as_if_nothing_had_been(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed)
    books = StoredAccounts(program)
    for batch in batches(life.events, rng):
        books.deliver(batch, until=rng.choice([None, batch[0].time]))
        for book in [book for book in books.books.values() if book.row is not None and rng.random() < 0.3]:
            lots, items, head = dict(book.lots), dict(book.items), book.head
            change = _rebuilt(book, program, Clock(until=None, certainty=None))
            assert (change.entries, change.messages, change.decisions) == ([], [], [])
            looks_ahead = {"clock_due_at": head.clock_due_at, "next_due_at": head.next_due_at}
            assert (book.lots, book.items, replace(book.head, **looks_ahead)) == (lots, items, head)
    books.run_clock(life.end)
    compare_all(books, life, life.end)


class _Fenced(StoredAccounts):
    """Accounts of some members only keep their facts."""

    fenced: frozenset[str] = frozenset()

    def change(self, book: Book, facts: list[Event], clock: Clock) -> AccountChange | None:
        if book.member_id not in self.fenced:
            return super().change(book, facts, clock)
        book.facts.update({(fact.source, fact.id): fact for fact in facts})
        return None


@programs
@tried
@given(seed=seeds)
def test_an_account_whose_snapshot_is_wrong_comes_back_with_all_facts_that_came_while_it_was_fenced(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed)
    books = _Fenced(program)
    parts = list(batches(life.events, rng))
    for number, batch in enumerate(parts):
        if number == len(parts) // 2:
            books.fenced = frozenset(member for member, book in books.books.items() if book.row is not None)
            for member in books.fenced:
                _damage(books.books[member], rng)
        books.deliver(batch, until=rng.choice([None, batch[0].time]))
    for member in sorted(books.fenced):
        _rebuilt(books.books[member], program, Clock(until=None, certainty=None))
    books.fenced = frozenset()
    books.run_clock(life.end)
    compare_all(books, life, life.end)


def _damage(book: Book, rng: Random) -> None:
    """What a defect may have left: of the head only what subscribers were told is right."""
    told = ("last", "tier", "available", "pending", "held", "lapsed", "forfeited", "revoked")
    assert book.row is not None
    book.row = replace(book.row, head=Head(**{name: getattr(book.head, name) for name in told}))
    book.lots = {ref: lot for ref, lot in book.lots.items() if rng.random() < 0.5}
    book.items = {key: item for key, item in book.items.items() if rng.random() < 0.5}
    book.steps = []


@contextmanager
def _last_release() -> Iterator[None]:
    """A fold that gives a point too many for whatever earns at a rate."""
    right = earning.points_for

    def wrong(*arguments: Any) -> int:
        points = right(*arguments)
        return points + 1 if points else points

    with patch.object(earning, "points_for", wrong):
        yield


@programs
@tried
@given(seed=seeds)
def test_what_another_fold_posted_is_moved_in_labelled_entries_and_goes_on_as_if_it_had_never_been(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed)
    books = StoredAccounts(program)
    parts = list(batches(life.events, rng))
    with _last_release():
        for batch in parts[: len(parts) // 2]:
            books.deliver(batch, until=rng.choice([None, batch[0].time]))
    for book in [book for book in books.books.values() if book.row is not None]:
        last = book.head.last
        change = _rebuilt(book, program, Clock(until=None, certainty=None), Refold("a run", fold=7))
        assert {entry.refold for entry in change.entries} <= {7}
        assert (change.decisions, change.head.last) == ([], last)
        again = _rebuilt(book, program, Clock(until=None, certainty=None), Refold("another run", fold=7))
        assert (again.entries, again.messages) == ([], [])
    posted = {member: len(book.entries) for member, book in books.books.items()}
    for batch in parts[len(parts) // 2 :]:
        books.deliver(batch, until=rng.choice([None, batch[0].time]))
    for member, book in books.books.items():
        assert {entry.refold for entry in book.entries[posted.get(member, 0) :]} <= {None}
    books.run_clock(life.end)
    compare_all(books, life, life.end)
