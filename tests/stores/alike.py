"""Random accounts written to two stores at once, and random requests that both must answer alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any, Final
from uuid import UUID, uuid5

from msgspec.structs import replace as changed

from contracts.events import Event
from tests.fold.examples import batches
from tests.fold.histories import History as Life
from tests.fold.histories import history
from tests.fold.stored import Book, StoredAccounts
from tests.fold.variants import as_shipped, variant
from worker.decide.change import AccountChange, History, Loaded, Needs, Wanted
from worker.decide.lot_name import lot_place
from worker.decide.refold import Clock
from worker.decide.state import FORMAT, Decision, ItemKey, Moment, clock_moment
from worker.persist import Dossier, Store
from worker.programs.terms_file import shipped

LIVES_AT_ONCE: Final = 8
ASKED_AFTER_EACH: Final = 2
"""So often all accounts are asked about after each batch: asking costs less than folding."""
NEVER: Final = datetime.max.replace(tzinfo=UTC)
_NAMESPACE: Final = UUID("5b0c1c7e-6f0e-4a53-9c39-2f1f9d1f3a10")
_Key = tuple[str, str]


class _Kept(StoredAccounts):
    """Books that keep what is to be written."""

    def __init__(self, seed: int) -> None:
        rng = Random(seed)
        code = sorted(shipped())[seed % len(shipped())]
        super().__init__(variant(code, seed) if rng.random() < 0.7 else as_shipped(code), narrow=True, checked=False)
        self.seed = seed
        self.changes: list[AccountChange] = []

    def book(self, member: str) -> Book:
        if member not in self.books:
            self.books[member] = Book(f"{member} of {self.seed}", uuid5(_NAMESPACE, f"{member} {self.seed}"))
        return self.books[member]

    def change(self, book: Book, facts: list[Event], clock: Clock) -> AccountChange | None:
        change = super().change(book, facts, clock)
        if change is not None:
            self.changes.append(change)
        return change

    def taken(self) -> list[AccountChange]:
        changes, self.changes = self.changes, []
        return changes


def _lived(books: _Kept, life: Life, rng: Random) -> Iterator[list[AccountChange]]:
    """What is to be written, batch by batch: in order or not, with the clock in between or not; at last some in another form."""
    in_order = rng.random() < 0.5
    size = rng.randrange(2, 12)
    cut = (life.events[at : at + size] for at in range(0, len(life.events), size))
    for batch in cut if in_order else batches(life.events, rng):
        books.deliver(batch, until=rng.choice([None, batch[0].time]))
        yield books.taken()
        if rng.random() < 0.2:
            books.run_clock(rng.choice(life.events).time)
            yield books.taken()
    books.run_clock(life.end)
    yield books.taken()
    yield [_in_other_form(book) for book in books.books.values() if book.row is not None and rng.random() < 0.3]


def _in_other_form(book: Book) -> AccountChange:
    row = book.row
    assert row is not None
    head = changed(row.head, format=FORMAT + 1)
    book.row = changed(row, revision=row.revision + 1, head=head)
    return AccountChange(row.account_id, row.program, row.member_id, row.revision, row.version, row.epoch, head)


# -- requests


def _some(rng: Random, of: Sequence[Any]) -> list[Any]:
    return rng.sample(of, rng.randrange(min(len(of), 5) + 1))


def _wanted(book: Book, rng: Random) -> Wanted:
    """Rows that are there, that were, and that never were; facts as well."""
    items: list[ItemKey] = sorted({*book.items, *(each.key for step in book.steps for each in step.before.items)})
    named = {posted.entry.lot for posted in book.entries if posted.entry.lot is not None} | book.lots.keys()
    origins = sorted({lot_place(name)[0] for name in named})
    needs = Needs(
        frozenset([*_some(rng, items), *_some(rng, [("order", "none"), ("mark", "none")])]),
        frozenset([*_some(rng, origins), *_some(rng, ["order:none"])]),
        all_open=rng.random() < 0.5,
    )
    seen = [*_some(rng, sorted(book.facts)), *_some(rng, [("//shop", "none")])]
    return Wanted(book.account_id, tuple(seen), needs)


def _since(book: Book, rng: Random) -> Moment:
    """A moment that was folded, or one in between, or before or after everything."""
    if book.steps and rng.random() < 0.7:
        return rng.choice(book.steps).moment
    instants = [step.moment.at for step in book.steps] or [datetime(2025, 1, 1, tzinfo=UTC)]
    return clock_moment(rng.choice(instants) + timedelta(seconds=rng.choice([-(10**8), -1, 0, 1, 10**8])))


# -- answers


def _plain(answer: Loaded | History) -> dict[str, Any]:
    """An answer with sequences as lists, and what has no order in one."""
    found = {name: getattr(answer, name) for name in answer.__struct_fields__}
    return {name: _listed(name, value) for name, value in found.items()}


def _listed(name: str, value: Any) -> Any:
    if name == "announced":
        return sorted(value, key=lambda each: (each.source, each.id))
    return list(value) if isinstance(value, list | tuple) and not isinstance(value, Moment) else value


def _plain_dossier(dossier: Dossier) -> dict[str, Any]:
    """A dossier without the times of recording and the salts, which are each store's own."""
    found = {field.name: getattr(dossier, field.name) for field in fields(dossier)}
    found["recorded"] = len(dossier.recorded)
    found["postings"] = [replace(each, recorded_at=NEVER) for each in dossier.postings]
    if (chain := dossier.chain) is not None:
        facts = [(fact.content, fact.proof.place) for fact in chain.facts]
        found["chain"] = (chain.chain.length, facts, list(chain.faults()), chain.begun, chain.erased)
    for name in ("announced", "decisions"):
        found[name] = sorted(found[name], key=lambda each: (each.source, each.id))
    for name in ("lot_names", "item_names"):
        found[name] = sorted(found[name])
    return {name: _listed(name, value) for name, value in found.items()}


def _same(of: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    differs = [name for name in one if one[name] != other[name]]
    assert not differs, "\n".join([of, *(f"{name}:\n  {one[name]}\n  {other[name]}" for name in differs)])


class Alike:
    """Two stores that are told the same and must answer the same. `requests`: how many of one account were compared."""

    def __init__(self, one: Store, other: Store, seed: int) -> None:
        self.stores = (one, other)
        self.requests = 0
        self.kinds: dict[str, int] = {"narrow": 0, "all open": 0, "closed lots": 0, "history": 0, "dossier": 0, "announced": 0}
        self._seeds = count(seed)

    async def play(self, requests: int) -> None:
        """Life after life, until so many requests were compared."""
        while self.requests < requests:
            await self._some_lives()

    async def _some_lives(self) -> None:
        lives: list[tuple[_Kept, Iterator[list[AccountChange]]]] = []
        rng = Random(next(self._seeds))
        for _ in range(LIVES_AT_ONCE):
            seed = next(self._seeds)
            books = _Kept(seed)
            lives.append((books, _lived(books, history(books.program, seed, members=2, orders=rng.randrange(1, 5)), rng)))
        books_of_all = [books for books, _ in lives]
        while lives:
            turns = [(each, changes) for each in lives if (changes := next(each[1], None)) is not None]
            lives = [each for each, _ in turns]
            await self._write([change for _, changes in turns for change in changes])
            accounts = [book for books in books_of_all for book in books.books.values()]
            for _ in range(ASKED_AFTER_EACH):
                await self._compare(accounts, rng)

    async def _write(self, changes: Sequence[AccountChange]) -> None:
        for store in self.stores:
            async with store.batch() as batch:
                assert await batch.compare_and_set(changes) == {change.account_id for change in changes}
                await batch.write(changes)

    async def _compare(self, books: Sequence[Book], rng: Random) -> None:
        told = [
            (book.account_id, Decision("//told", f"{rng.randrange(9)}", "rejected", 0, "insufficient_points"))
            for book in books
            if rng.random() < 0.02
        ]
        wanted = [_wanted(book, rng) for book in books]
        since = {book.account_id: _since(book, rng) for book in books if rng.random() < 0.5}
        whole = [book.account_id for book in books if rng.random() < 0.1]
        answers = [await _answers(store, told, wanted, since, whole) for store in self.stores]
        for kind, one, other in zip(("load", "history", "dossier"), *answers, strict=True):
            assert one.keys() == other.keys()
            for account_id in one:
                asked = next(each for each in wanted if each.account_id == account_id)
                _same(f"{kind} of {account_id}, {asked}, {since.get(account_id)}", one[account_id], other[account_id])
        self.requests += len(wanted) + len(since) + len(whole)
        self._count(wanted, answers[0][0])
        self.kinds["history"] += len(since)
        self.kinds["dossier"] += len(whole)

    def _count(self, wanted: Sequence[Wanted], loaded: dict[UUID, dict[str, Any]]) -> None:
        for each in wanted:
            found = loaded[each.account_id]
            self.kinds["all open" if each.needs.all_open else "narrow"] += 1
            self.kinds["announced"] += bool(found["announced"])
            self.kinds["closed lots"] += each.needs.all_open and any(
                not lot.pending + lot.available for lot in found["lots"].values()
            )


async def _answers(
    store: Store,
    told: Sequence[tuple[UUID, Decision]],
    wanted: Sequence[Wanted],
    since: dict[UUID, Moment],
    whole: Sequence[UUID],
) -> tuple[dict[UUID, dict[str, Any]], ...]:
    """What a store answers: loads, histories, dossiers; announced verdicts are told to it before."""
    await store.announce(told)
    async with store.batch() as batch:
        loaded = await batch.load(wanted)
        histories = await batch.history(since)
        dossiers = await batch.dossiers(whole)
    return (
        {account_id: _plain(each) for account_id, each in loaded.items()},
        {account_id: _plain(each) for account_id, each in histories.items()},
        {each.account_id: _plain_dossier(each) for each in dossiers},
    )
