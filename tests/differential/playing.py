"""A crowd's records through the real pipeline on a real Postgres, cut into batches in one of several ways."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import asyncpg

from tests.differential.lives import NOW, Crowd, Life, Order, Telling
from tests.parts.topics import WITH_OPENINGS
from tests.stores.ends import read_to_ends
from worker.consume.batch import Batch, Move
from worker.decode import Record
from worker.persist import Dossier, PostgresStore
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.upkeep.verify import of_account

KEY: Final = b"a key for tests, not a secret"
Cutting = Literal["one_by_one", "many_at_once"]
CUTTINGS: Final[tuple[Cutting, ...]] = ("one_by_one", "many_at_once")
DUE_MAX: Final = 1_000
ROUNDS_MAX: Final = 30
"""More rounds than this, each with something decided or done, are none."""
VERIFY: Final = "verify"
_TABLES: Final = (
    *("account", "announced", "dead_letter", "decision", "entry", "erasure", "fact", "item", "lot"),
    *("order_route", "outbox", "parked", "position", "snapshot", "step"),
)
_EMPTY: Final = (
    f"SET session_replication_role = replica; TRUNCATE {', '.join(_TABLES)}; RESET session_replication_role;"
    "UPDATE certainty SET current = 0, passed = 0"
)
"""As whoever may do anything: a ledger's facts, verdicts and entries are never removed otherwise."""


@dataclass(slots=True)
class Played:
    """What came of one member's life. `letters`: the dead letters by reason; `problems`: what is wrong as it stands."""

    dossier: Dossier | None = None
    letters: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


class Stage:
    """One ledger for one crowd after another."""

    def __init__(self, dsn: str, store: PostgresStore) -> None:
        self._dsn = dsn
        self._store = store
        self._accounts: dict[str, Played] = {}

    async def play(self, crowd: Crowd, lives: Sequence[Life], order: Order, cutting: Cutting) -> dict[str, Played]:
        """These lives of the crowd, in one order and cutting, by member."""
        await self._emptied()
        played = {life.member: Played() for life in lives}
        pipeline = Pipeline(
            self._store, Catalogue(crowd.programs), PipelineOptions(KEY, admission=WITH_OPENINGS), epoch=1, now=lambda: NOW
        )
        outcomes: Counter[str] = Counter()
        offset = 0
        for records, until in batches(crowd, lives, order, cutting):
            if records:
                read = tuple(
                    Record(r.topic, 0, offset + n, r.timestamp_ms, r.key, r.value, r.headers) for n, r in enumerate(records)
                )
                move = Move("commerce.order", 0, offset or None, offset + len(read), b"", NOW, at_end=True)
                done = await pipeline.process(Batch(read, (move,)))
                outcomes += done.outcomes
                offset += len(read)
            if until is not None:
                await self._run_clock(pipeline, until, played)
                if until == crowd.looks[order]:
                    await self._look(crowd, played, until, f"at {until.isoformat()}")
        await self._run_clock(pipeline, crowd.end, played)
        await self._look(crowd, played, crowd.end, "at the end")
        await self._letters(played)
        told = sum(len(life.tellings) for life in lives)
        parked = outcomes["parked"]
        fates = outcomes.total() - outcomes["late"]  # which are applied as well
        if not told <= fates <= told + parked:
            next(iter(played.values())).problems.append(f"lost or doubled: {told} records have {fates} fates: {dict(outcomes)}")
        return played

    async def _emptied(self) -> None:
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(_EMPTY)
        finally:
            await connection.close()

    async def _run_clock(self, pipeline: Pipeline, until: datetime, played: Mapping[str, Played]) -> None:
        pipeline.know(until)
        due: list[UUID] = []
        for _ in range(ROUNDS_MAX):
            due = await self._due(until)
            if not due:
                return
            await pipeline.run_due(due, until)
        for member in await self._names(due):
            played[member].problems.append("the clock: asked again and again, and nothing gets done")

    async def _due(self, until: datetime) -> list[UUID]:
        """Accounts that the clock has to look at, and those of which something that waits may be decided: all has been read."""
        await read_to_ends(self._store)
        due = [each.account_id for each in await self._store.due(range(64), until, DUE_MAX)]
        return list(dict.fromkeys([*due, *await self._store.decidable(range(64), DUE_MAX)]))

    async def _names(self, accounts: Sequence[object]) -> list[str]:
        async with self._store.connection() as connection:
            rows = await connection.fetch("SELECT member_id FROM account WHERE account_id = ANY($1)", accounts)
        return [row["member_id"] for row in rows]

    async def _look(self, crowd: Crowd, played: Mapping[str, Played], at: datetime, when: str) -> None:
        """`ledger verify`; what is kept of each member, as it stands."""
        names, programs = {}, {program.code: program for program in crowd.programs}
        async for dossier in self._store.dossiers():
            assert dossier.row is not None
            one = played[dossier.row.member_id]
            one.dossier = dossier
            names[dossier.account_id] = one
            one.problems += [f"{VERIFY} {when}: {each.invariant}: {each.detail}" for each in of_account(dossier, programs)]
        async for violation in self._store.verify():
            theirs = names.get(violation.account_id) if violation.account_id is not None else None
            one = theirs if theirs is not None else next(iter(played.values()))
            one.problems.append(f"{VERIFY} {when}: {violation.invariant}: {violation.detail}")

    async def _letters(self, played: Mapping[str, Played]) -> None:
        async with self._store.connection() as connection:
            rows = await connection.fetch("SELECT convert_from(key, 'UTF8') AS member, reason FROM dead_letter")
        for row in rows:
            played[row["member"]].letters[row["reason"]] += 1


def batches(
    crowd: Crowd, lives: Sequence[Life], order: Order, cutting: Cutting
) -> Iterator[tuple[list[Record], datetime | None]]:
    """Records by batch, and how far the clock runs after it (None: not). A batch has records of many members."""
    left = [life.in_order(order) for life in lives]
    for until in (*crowd.clock[order], None):
        slices = []
        for tellings in left:
            count = sum(until is None or each.at(order) <= until for each in tellings)
            slices.append(list(_cut(tellings[:count], cutting)))
            del tellings[:count]
        for turn in range(max(map(len, slices), default=0)):
            yield [each.record for parts in slices if turn < len(parts) for each in parts[turn]], None
        if until is not None:
            yield [], until


def _cut(tellings: Sequence[Telling], cutting: Cutting) -> Iterator[Sequence[Telling]]:
    start = 0
    for place, each in enumerate(tellings, 1):
        if cutting == "one_by_one" or each.ends or place == len(tellings):
            yield tellings[start:place]
            start = place
