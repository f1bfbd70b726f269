"""Ledgers of a simulation, kept in a temporary database of SQLite: what its cache does not hold goes to a file of its own, so
that memory grows with members and not with events. It plays the part of the store; heads stay in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from contracts.events import Event
from worker.decide.change import AccountChange, AccountRow, History, Loaded, Needs, StoredEntry, StoredStep
from worker.decide.lot_name import lot_place
from worker.decide.state import Decision, Entry, Item, ItemKey, Lot, Moment
from worker.decide.undo_records import Undo

CACHE_KIB: Final = 65_536
WRITES_KEPT_OPEN: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode
_decode_before = msgspec.json.Decoder(Undo).decode
_decode_entry = msgspec.json.Decoder(Entry).decode
_decode_item = msgspec.json.Decoder(Item).decode
_decode_lot = msgspec.json.Decoder(Lot).decode
_decode_decision = msgspec.json.Decoder(Decision).decode

_TABLES: Final = """
CREATE TABLE fact (ledger, source, id, digest, type, at, program, traceparent, body,
    PRIMARY KEY (ledger, source, id)) WITHOUT ROWID;
CREATE TABLE decision (ledger, source, id, doc, PRIMARY KEY (ledger, source, id)) WITHOUT ROWID;
CREATE TABLE step (ledger, at, rank, source, id, version, before, PRIMARY KEY (ledger, at, rank, source, id)) WITHOUT ROWID;
CREATE TABLE entry (ledger, at, rank, source, id, number INTEGER, doc,
    PRIMARY KEY (ledger, at, rank, source, id, number)) WITHOUT ROWID;
CREATE TABLE lot (ledger, origin, part, open, doc, PRIMARY KEY (ledger, origin, part)) WITHOUT ROWID;
CREATE TABLE home (order_id, program, member_id, UNIQUE (order_id, program, member_id));
CREATE TABLE item (ledger, kind, key, due, doc, PRIMARY KEY (ledger, kind, key)) WITHOUT ROWID;
"""


def _instant(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _time(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def _place(moment: Moment) -> tuple[int, int, str, str]:
    return _instant(moment.at), moment.rank, moment.source, moment.id


class Book:
    """The rows of all ledgers of one simulation."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("", isolation_level=None)
        self._rows.executescript(
            f"PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB}; {_TABLES} BEGIN"
        )
        self._ledgers = 0
        self._writes = 0
        self._entries = 0
        self._undoing = False

    def open(self, member_id: str, account_id: UUID) -> Ledger:
        """A ledger of its own for one more member."""
        self._ledgers += 1
        return Ledger(self, self._ledgers, member_id, account_id)

    def claim(self, order_id: str, program: str, member_id: str | None) -> None:
        """Somebody has placed an order of a program ("" = a store outside of it; None = a guest)."""
        if member_id not in self.owners(order_id).get(program, ()):
            self._rows.execute("INSERT INTO home VALUES (?, ?, ?)", (order_id, program, member_id))

    def owners(self, order_id: str) -> dict[str, tuple[str | None, ...]]:
        """By program, who placed an order; empty if it has not come."""
        found: dict[str, tuple[str | None, ...]] = {}
        for program, member in self.all("SELECT program, member_id FROM home WHERE order_id = ? ORDER BY rowid", order_id):
            found[program] = (*found.get(program, ()), member)
        return found

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What is written within is taken back at the end."""
        self._rows.execute("SAVEPOINT undone")
        self._undoing = True
        try:
            yield
        finally:
            self._rows.execute("ROLLBACK TO undone")
            self._rows.execute("RELEASE undone")
            self._undoing = False

    def all(self, sql: str, *values: Any) -> list[Any]:
        """Rows of a statement."""
        return self._rows.execute(sql, values).fetchall()

    def write(self, number: int, change: AccountChange) -> None:
        """Take one ledger's change over."""
        self._writes += 1
        if self._writes % WRITES_KEPT_OPEN == 0 and not self._undoing:
            # What a transaction may still take back is held in memory.
            self._rows.execute("COMMIT")
            self._rows.execute("BEGIN")
        many = self._rows.executemany
        facts = (
            (number, f.source, f.id, f.digest, f.type, _instant(f.time), f.program, f.traceparent, f.body) for f in change.facts
        )
        many("INSERT INTO fact VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", facts)
        if change.decisions:
            many("INSERT INTO decision VALUES (?, ?, ?, ?)", ((number, d.source, d.id, _encode(d)) for d in change.decisions))
        if change.undone_from is not None:
            place = _place(change.undone_from)
            self._rows.execute("DELETE FROM step WHERE ledger = ? AND (at, rank, source, id) >= (?, ?, ?, ?)", (number, *place))
        steps = ((number, *_place(step.moment), step.version, _encode(step.before)) for step in change.steps)
        many("INSERT INTO step VALUES (?, ?, ?, ?, ?, ?, ?)", steps)
        first = self._entries + 1
        self._entries += len(change.entries)
        entries = ((number, *_place(each.moment), n, _encode(each.entry)) for n, each in enumerate(change.entries, first))
        many("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", entries)
        self._write_rows(number, change)

    def _write_rows(self, number: int, change: AccountChange) -> None:
        for ref, lot in change.lots.items():
            origin, part = lot_place(ref)
            if lot is None:
                self._rows.execute("DELETE FROM lot WHERE ledger = ? AND origin = ? AND part = ?", (number, origin, part))
            else:
                opened = lot.pending + lot.available > 0
                self._rows.execute("REPLACE INTO lot VALUES (?, ?, ?, ?, ?)", (number, origin, part, opened, _encode(lot)))
        for (kind, key), item in change.items.items():
            if item is None:
                self._rows.execute("DELETE FROM item WHERE ledger = ? AND kind = ? AND key = ?", (number, kind, key))
            else:
                due = item.due_at is not None
                self._rows.execute("REPLACE INTO item VALUES (?, ?, ?, ?, ?)", (number, kind, key, due, _encode(item)))


@dataclass(slots=True, eq=False)
class Ledger:
    """One account: its head in memory, everything else in the book, read anew whenever it is asked for."""

    book: Book
    number: int
    member_id: str
    account_id: UUID
    row: AccountRow | None = None

    def known(self, source: str, id_: str) -> tuple[bytes, str] | None:
        """Digest and type of a fact that is known; None if it is not."""
        rows = self.book.all("SELECT digest, type FROM fact WHERE ledger = ? AND source = ? AND id = ?", self.number, source, id_)
        return rows[0] if rows else None

    def about(self, order_id: str) -> list[Event]:
        """The facts that name an order, or bring it."""
        return [fact for fact in self._facts() if order_id in (fact.order_id, *fact.brings)]

    def load(self, needs: Needs) -> Loaded:
        """What was asked for."""
        book, number = self.book, self.number
        loaded = Loaded(self.row, needs)
        rows: list[Any] = []
        for kind, key in needs.items:
            rows += book.all("SELECT kind, key, doc FROM item WHERE ledger = ? AND kind = ? AND key = ?", number, kind, key)
        lots: list[Any] = []
        for origin in needs.origins:
            lots += book.all("SELECT doc FROM lot WHERE ledger = ? AND origin = ?", number, origin)
        if needs.all_open:
            rows += book.all("SELECT kind, key, doc FROM item WHERE ledger = ? AND due", number)
            lots += book.all("SELECT doc FROM lot WHERE ledger = ? AND open", number)
        loaded.items = {(kind, key): _decode_item(doc) for kind, key, doc in rows}
        loaded.lots = {lot.ref: lot for lot in (_decode_lot(doc) for (doc,) in lots)}
        return loaded

    def history(self, since: Moment) -> History:
        """What lies at or after a moment."""
        steps = self._steps(since)
        names = [(step.moment.source, step.moment.id) for step in steps if step.moment.rank]
        told = {(each.source, each.id): each for each in self._decisions()} if steps else {}
        return History(
            steps=steps[::-1],
            facts=sorted((fact for name in names for fact in self._facts(*name)), key=lambda fact: fact.key),
            decisions=[told[name] for name in (step.moment.name for step in steps) if name in told],
            entries=self._entries(since),
            since=since,
        )

    def write(self, change: AccountChange) -> None:
        """Take a change over."""
        self.row = AccountRow(
            account_id=change.account_id,
            program=change.program,
            member_id=change.member_id,
            revision=change.expected_revision + 1,
            version=change.version,
            epoch=change.epoch,
            head=change.head,
        )
        self.book.write(self.number, change)

    # -- everything there is

    @property
    def lots(self) -> dict[str, Lot]:
        """Every lot that is kept."""
        found = [_decode_lot(doc) for (doc,) in self.book.all("SELECT doc FROM lot WHERE ledger = ?", self.number)]
        return {lot.ref: lot for lot in found}

    @property
    def items(self) -> dict[ItemKey, Item]:
        """Every item."""
        rows = self.book.all("SELECT kind, key, doc FROM item WHERE ledger = ?", self.number)
        return {(kind, key): _decode_item(doc) for kind, key, doc in rows}

    @property
    def facts(self) -> dict[tuple[str, str], Event]:
        """Every fact, by source and id."""
        return {(fact.source, fact.id): fact for fact in self._facts()}

    @property
    def decisions(self) -> dict[tuple[str, str], Decision]:
        """Every verdict, by the fact that asked."""
        return {(each.source, each.id): each for each in self._decisions()}

    @property
    def entries(self) -> list[StoredEntry]:
        """Every entry, in the order of posting."""
        rows = self.book.all("SELECT at, rank, source, id, doc FROM entry WHERE ledger = ? ORDER BY number", self.number)
        return [_entry(row) for row in rows]

    @property
    def steps(self) -> list[StoredStep]:
        """Every step, in business order."""
        return self._steps(Moment(_EPOCH, 0, "", ""))

    def _facts(self, source: str | None = None, id_: str | None = None) -> list[Event]:
        sql = "SELECT source, id, type, at, program, traceparent, body FROM fact WHERE ledger = ?"
        if source is None:
            rows = self.book.all(sql, self.number)
        else:
            rows = self.book.all(f"{sql} AND source = ? AND id = ?", self.number, source, id_)
        return [Event.from_stored(s, i, type_, _time(at), program, trace, body) for s, i, type_, at, program, trace, body in rows]

    def _decisions(self) -> list[Decision]:
        return [_decode_decision(doc) for (doc,) in self.book.all("SELECT doc FROM decision WHERE ledger = ?", self.number)]

    def _steps(self, since: Moment) -> list[StoredStep]:
        rows = self.book.all(
            "SELECT at, rank, source, id, version, before FROM step WHERE ledger = ? AND (at, rank, source, id) >= (?, ?, ?, ?)"
            " ORDER BY at, rank, source, id",
            self.number,
            *_place(since),
        )
        return [
            StoredStep(Moment(_time(at), rank, source, id_), version, _decode_before(before))
            for at, rank, source, id_, version, before in rows
        ]

    def _entries(self, since: Moment) -> list[StoredEntry]:
        rows = self.book.all(
            "SELECT at, rank, source, id, doc FROM entry WHERE ledger = ? AND (at, rank, source, id) >= (?, ?, ?, ?)",
            self.number,
            *_place(since),
        )
        return [_entry(row) for row in rows]


def _entry(row: Any) -> StoredEntry:
    at, rank, source, id_, doc = row
    return StoredEntry(Moment(_time(at), rank, source, id_), _decode_entry(doc))
