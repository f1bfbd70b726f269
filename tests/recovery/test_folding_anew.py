"""An account folded anew from its facts is the account, whatever had become of what was kept beside them."""

from __future__ import annotations

from collections import Counter
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
from worker.decide.refold import Clock, net
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
def test_what_another_fold_posted_is_moved_in_labelled_entries_and_late_facts_post_their_own_alone(code: str, seed: int) -> None:
    """Beside a ledger whose fold was right from the beginning."""
    program, life, rng = draw(code, seed)
    books, right = StoredAccounts(program), StoredAccounts(program)
    parts = [(batch, rng.choice([None, batch[0].time])) for batch in batches(life.events, rng)]
    half = len(parts) // 2
    for batch, until in parts[:half]:
        with _last_release():
            books.deliver(batch, until=until)
        right.deliver(batch, until=until)
    for member, book in books.books.items():
        if book.row is not None:
            change = _rebuilt(book, program, Clock(until=None, certainty=None), Refold("a run", fold=7))
            assert {entry.refold for entry in change.entries} <= {7}
            assert change.decisions == []
            again = _rebuilt(book, program, Clock(until=None, certainty=None), Refold("another run", fold=7))
            assert (again.entries, again.messages) == ([], [])
            if book.decisions == right.books[member].decisions:
                assert _posted(book) == _posted(right.books[member])
    for batch, until in parts[half:]:
        before = [(each, each.decisions == right.books[member].decisions) for member, each in books.books.items()]
        counts = [len(each.books[book.member_id].entries) for book, _ in before for each in (books, right)]
        books.deliver(batch, until=until)
        right.deliver(batch, until=until)
        for (book, alike), first, other in zip(before, counts[::2], counts[1::2], strict=True):
            assert {entry.refold for entry in book.entries[first:]} <= {None}
            if alike and book.decisions == right.books[book.member_id].decisions:
                assert _posted(book, first) == _posted(right.books[book.member_id], other)
    books.run_clock(life.end)
    compare_all(books, life, life.end)


def _posted(book: Book, first: int = 0) -> Counter[Any]:
    """What the entries from one on come to."""
    moved = net((each.moment, each.entry) for each in book.entries[first:])
    return Counter({key: points for key, points in moved.items() if points})
