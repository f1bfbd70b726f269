"""Histories played by a worker: published batch by batch, many beside each other on one ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from contracts.events import Event as Read
from contracts.statement import Statement
from tests.flows.system import ACCOUNT_KEY, Raw, System
from tests.parts.topics import TOPIC_OF_ALL
from worker.consume.batch import Batch
from worker.decide.account import Account
from worker.decide.statement import statement
from worker.decode import Limits, Record, decode
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.reading import statements
from worker.simulation.simulate import Simulation
from worker.upkeep import verify
from worker.upkeep.balances import TOPIC, TYPE
from worker.upkeep.takeover import ADMISSION

FILES: Final = Path(__file__).parent / "files"
QUICK: Final = {
    "LOYALTY_WATERMARK_REPORT_SECONDS": "0.1",
    "LOYALTY_DUE_IDLE_SECONDS": "0.2",
}
_STRUCTURED: Final = (("content-type", b"application/cloudevents+json"),)
_NAMES: Final = ("id", "member_id", "order_id")
_LONGEST: Final = 150
"""Characters of an id that has room for a name before it; a longer one is like no other anyway."""

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class History:
    """Batches of events. `name` begins every id, `program` is the program that they are about."""

    name: str
    program: str
    batches: tuple[tuple[Event, ...], ...]

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch]

    def member(self, member_id: str) -> str:
        """What a member of the file is called here."""
        return f"{self.name}{member_id}"


def read(file: str, name: str, order: Sequence[int] | None = None, program: str | None = None) -> History:
    """The history of a file. `order`: of its batches; `program`: what its program is called here."""
    batches: list[list[Event]] = [[]]
    for line in (FILES / f"{file}.ndjson").read_bytes().split(b"\n"):
        if line.strip():
            batches[-1].append(_named(json.loads(line), name, program))
        elif batches[-1]:
            batches.append([])
    told = [tuple(batch) for batch in batches if batch]
    code = program or next(event["program"] for batch in told for event in batch if "program" in event)
    return History(name, code, tuple(told[number] for number in (order if order is not None else range(len(told)))))


def in_fewer(history: History, batches: int) -> History:
    """The same in at most so many batches."""
    size = -(-len(history.batches) // batches)
    parts = [history.batches[first : first + size] for first in range(0, len(history.batches), size)]
    return History(history.name, history.program, tuple(tuple(event for batch in part for event in batch) for part in parts))


def _named(event: Event, name: str, program: str | None) -> Event:
    called = {**event, "id": _with(name, event["id"]), "data": {**event["data"]}}
    for field_ in _NAMES:
        if field_ in called["data"]:
            called["data"][field_] = _with(name, called["data"][field_])
    if program is not None and "program" in called:
        called["program"] = program
    return called


def _with(name: str, id_: str) -> str:
    return name + id_ if len(id_) < _LONGEST else id_


@dataclass(slots=True)
class StoredAccounts:
    """What came of it: statements by program and member, why accounts are fenced, reasons of dead letters by event id, and what
    a simulation of the same events says."""

    at: datetime
    statements: dict[tuple[str, str], Statement] = field(default_factory=dict)
    fenced: dict[tuple[str, str], str] = field(default_factory=dict)
    violations: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    letters: list[tuple[str, str]] = field(default_factory=list)
    simulated: dict[tuple[str, str], Statement] = field(default_factory=dict)

    def letters_of(self, history: History) -> list[str]:
        """Reasons of the dead letters of a history."""
        ids = {event["id"] for event in history.events}
        return [reason for id_, reason in self.letters if id_ in ids]


async def play(system: System, histories: Sequence[History], seconds: float = 90) -> StoredAccounts:
    """Publish the first batch of every history, wait until all is drained, publish the second of each, and so on. What a history
    tells on one topic stays in its order."""
    for batches in zip_longest(*(history.batches for history in histories), fillvalue=()):
        told = ((history.name.encode(), batch) for history, batch in zip(histories, batches, strict=True))
        events = [(key, event) for key, batch in told for event in batch]
        if openings := [event for _, event in events if event["type"] == TYPE]:
            await _open(system, openings)
        system.send([replace(_record(event), key=key) for key, event in events if event["type"] != TYPE])
        await system.drained(seconds)
    return await _books(system, histories)


async def _open(system: System, events: Sequence[Event]) -> None:
    """Take balances over as the command line does."""
    records = tuple(Record(TOPIC, 0, n, 0, None, _record(event).value, _STRUCTURED) for n, event in enumerate(events))
    async with system.store() as store:
        options = PipelineOptions(ACCOUNT_KEY.encode(), admission=ADMISSION)
        pipeline = Pipeline(store, Catalogue(await registry.programs(store)), options, (await store.state()).epoch)
        await pipeline.process(Batch(records, ()))


def _record(event: Event) -> Raw:
    return Raw(TOPIC_OF_ALL[event["type"]], json.dumps(event, ensure_ascii=False).encode(), _STRUCTURED)


async def _books(system: System, histories: Sequence[History]) -> StoredAccounts:
    books = StoredAccounts(datetime.now(UTC))
    async with system.store() as store:
        programs = {program.code: program for program in await registry.programs(store)}
        names = {}
        async for dossier in store.dossiers():
            assert dossier.row is not None
            key = names[dossier.account_id] = (dossier.row.program, dossier.row.member_id)
            if dossier.row.fenced is not None:
                books.fenced[key] = dossier.row.fenced
            else:
                books.statements[key] = statements.read(dossier, programs[key[0]], books.at, "now")
        async for violation in verify.check(store, programs):
            assert violation.account_id is not None, violation
            key = names[violation.account_id]
            books.violations.setdefault(key, []).append(f"{violation.invariant}: {violation.detail}")
    for row in await system.sql("SELECT value, reason FROM dead_letter"):
        books.letters.append((json.loads(row["value"])["id"], row["reason"]))
    for history in histories:
        simulation = Simulation(programs[history.program])
        for event in history.events:
            simulation.deliver(_decoded(event, books.at), books.at)
        simulation.run_clock(books.at)
        for member, ledger in simulation.ledgers.items():
            assert ledger.row is not None
            account = Account(simulation.program, ledger.row.head, ledger.lots, ledger.items, complete=True)
            books.simulated[history.program, member] = statement(account, member, ledger.row.version, books.at, "now")
    return books


def _decoded(event: Event, now: datetime) -> Read:
    raw = _record(event)
    one = decode(Record(raw.topic, 0, 0, 0, None, raw.value, _STRUCTURED), now, Limits())
    assert isinstance(one, Read), one
    return one
