"""The clock is part of the fold: what is due happens at its own instant, and nothing due is missed."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given

from tests.fold.examples import draw, programs, seeds, tried
from tests.fold.stored import StoredAccounts, compare_all, scratch


@programs
@tried
@given(seed=seeds)
def test_looking_only_when_something_is_due_misses_no_instant(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed)
    books = StoredAccounts(program)
    for event, after in zip(life.events, [*life.events[1:], None], strict=True):
        books.deliver([event])
        end = life.end if after is None else after.time
        at = event.time + (end - event.time) * rng.random()
        # Accounts for which nothing is due are not looked at; one fold that takes every instant has to agree.
        books.run_clock(at)
        if rng.random() < 0.1:
            compare_all(books, life, at)


@programs
@tried
@given(seed=seeds)
def test_running_the_clock_day_by_day_or_in_one_go_is_the_same(code: str, seed: int) -> None:
    program, life, _ = draw(code, seed)
    daily, once = StoredAccounts(program), StoredAccounts(program)
    for books in (daily, once):
        for event in life.events:
            books.deliver([event])
    at = life.events[0].time
    while at < life.end:
        daily.run_clock(at)
        at += timedelta(days=1)
    for books in (daily, once):
        books.run_clock(life.end)
    for member, book in once.books.items():
        assert daily.books[member].row is not None
        assert daily.books[member].head == book.head
        assert daily.books[member].lots == book.lots
        assert daily.books[member].entries == book.entries


@programs
@tried
@given(seed=seeds)
def test_what_time_alone_does_happens_at_its_own_instant_and_not_a_moment_before(code: str, seed: int) -> None:
    program, life, _ = draw(code, seed, contested=False)
    books = StoredAccounts(program, checked=False)
    for event in life.events:
        books.deliver([event])
    books.run_clock(life.end)
    for book in books.books.values():
        instants = [step.moment.at for step in book.steps if step.moment.rank == 0]
        for at in instants[:6]:
            facts = [fact for fact in book.facts.values() if fact.time < at]
            before = scratch(program, facts, book.decisions, at - timedelta(microseconds=1))
            then = scratch(program, facts, book.decisions, at)
            assert len(then.steps) == len(before.steps) + 1
