"""One batch, from records to a committed ledger: decode, route, fold, write, all in one transaction with the positions.

records ─► decode ─► route (whose order is it?) ─► fold (load, decide, compare and set) ─► write ─► commit
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from worker.consume.batch import Batch as ReadBatch
from worker.consume.batch import Move
from worker.decide.lives import ended_at
from worker.decide.refold import Clock
from worker.decide.state import Certainty
from worker.decode import Admission, Broken, Limits, Record, Skipped, decode
from worker.persist.api import Batch, Store
from worker.persist.errors import ConstraintError, ErasedMeanwhileError, RefusedError
from worker.persist.rows import CommandName, DeadLetter, Route
from worker.processing import reports
from worker.processing.ceilings import Ceilings, Gate
from worker.processing.contests import Arrival
from worker.processing.delivery import CONFLICT, Delivery
from worker.processing.erasures import fold_lives
from worker.processing.folding import Folding
from worker.processing.inbox import Inbox, Way
from worker.processing.refusals import Places, at_fault
from worker.processing.routing import AMBIGUOUS
from worker.processing.tasks import Task, unique
from worker.programs.catalogue import Catalogue

AT_ONCE_BYTES: Final = 262_144
"""After so many bytes of a batch were decoded, others get their turn, the probes among them: every 10 ms with usual records, and
after each large one."""


class _DryRun(Exception):
    """Ends a transaction that is not meant to be kept."""


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """`account_key`: the key that account ids are derived with. `grace_seconds`: how far behind the watermark the clock stays.
    `topic`: the name that a topic of the contract has on this cluster. `admission`: what may come in by which of them.
    `ceilings`: how much commands may give until another person approves one.
    """

    account_key: bytes
    limits: Limits = field(default_factory=Limits)
    admission: Admission = field(default_factory=Admission)
    ceilings: Ceilings = field(default_factory=Ceilings)
    grace_seconds: float = 0.0
    topic: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class Done:
    """What a committed batch held: counts by outcome."""

    outcomes: Counter[str]


class Pipeline:
    """Turns batches of records into committed changes, and lets the clock run for accounts that are due."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        options: PipelineOptions,
        epoch: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._options = options
        self._now = now
        gate = Gate(options.ceilings, options.account_key, now)
        self._delivery = Delivery(catalogue, options.account_key, options.topic, gate)
        self._folding = Folding(catalogue, epoch)
        self._catalogue = catalogue
        self._epoch = epoch
        self.watermark: datetime | None = None

    async def process(self, read: ReadBatch) -> Done:
        """Apply one batch and move its positions. Raises the store's errors; nothing is kept then.

        Of a batch that Postgres refuses, records whose data it cannot keep become dead letters; accounts of whose facts the fold
        makes what it refuses are fenced, and keep them.
        """
        try:
            return await self._attempt(read.records, read.moves, frozenset(), {})
        except RefusedError as error:
            reports.refused(error, records=len(read.records))
        unkept = await self._not_to_be_kept(read.records)
        return await self._attempt(read.records, read.moves, unkept, await self._not_to_be_folded(read.records, unkept))

    async def _attempt(
        self, records: Sequence[Record], moves: Sequence[Move], unkept: frozenset[int], fences: Mapping[UUID, str]
    ) -> Done:
        gone: set[Way] = set()
        looked: set[UUID] = set()
        while True:
            try:
                return await self._once(records, moves, unkept, fences, gone)
            except ErasedMeanwhileError as error:
                if error.account_id in looked:
                    raise
                looked.add(error.account_id)
                gone |= {(error.account_id, order_id) for order_id in error.nowhere}

    async def _once(
        self,
        records: Sequence[Record],
        moves: Sequence[Move],
        unkept: frozenset[int],
        fences: Mapping[UUID, str],
        gone: set[Way],
    ) -> Done:
        started = time.perf_counter()
        inbox = await self._decode(records, unkept)
        inbox.gone, inbox.fences = gone, fences
        decoded = time.perf_counter()
        async with self._store.batch() as batch:
            watermark = await batch.move_positions(moves)
            if watermark is not None:
                self.know(watermark)
            await self._apply(batch, inbox)
            folded = time.perf_counter()
        reports.measure(records, inbox, started, decoded, folded, self._now())
        return Done(inbox.outcomes)

    async def _not_to_be_kept(self, records: Sequence[Record]) -> frozenset[int]:
        """The records, by place, whose data Postgres cannot keep, whatever is folded of it."""

        async def refused(places: Places) -> str | None:
            inbox = await self._decode([records[place] for place in places], frozenset())
            inbox.keep_only = True
            try:
                async with self._rehearsal() as batch:
                    await self._apply(batch, inbox)
            except ConstraintError:
                raise  # not the data: nothing may be called its sender's fault for it
            except RefusedError as error:
                return error.why
            return None

        return frozenset(await at_fault(len(records), refused))

    async def _not_to_be_folded(self, records: Sequence[Record], unkept: frozenset[int]) -> dict[UUID, str]:
        """The accounts of a batch whose fold makes what Postgres refuses, and why."""
        inbox = await self._decode(records, unkept)
        async with self._rehearsal() as batch:
            tasks = unique((await self._delivery.route(batch, inbox)).values())
            return await self._refused(batch, tasks, self.clock(await batch.certainty()))

    @asynccontextmanager
    async def _rehearsal(self) -> AsyncIterator[Batch]:
        """A transaction of which nothing is kept."""
        with suppress(_DryRun):
            async with self._store.batch() as batch:
                yield batch
                raise _DryRun

    async def _refused(self, batch: Batch, tasks: Sequence[Task], clock: Clock) -> dict[UUID, str]:
        """Those of the accounts whose fold makes what Postgres refuses, and why; nothing is kept."""
        for task in tasks:
            task.rehearsed = True

        async def refused(places: Places) -> str | None:
            try:
                async with batch.attempt():
                    folded = await self._folding.fold(batch, [tasks[place] for place in places], clock)
                    await batch.write(folded.changes)
            except RefusedError as error:
                return f"the database refused what its fold made: {error.why}"
            return None

        return {tasks[place].account_id: why for place, why in (await at_fault(len(tasks), refused)).items()}

    # -- decode

    async def _decode(self, records: Sequence[Record], refused: frozenset[int]) -> Inbox:
        inbox = Inbox()
        now, at_once = self._now(), 0
        for place, record in enumerate(records):
            at_once += len(record.value or b"")
            if at_once > AT_ONCE_BYTES:
                await asyncio.sleep(0)
                at_once = 0
            if place in refused:
                inbox.letters.append(DeadLetter(record, "refused", "the database cannot keep this record's data"))
                continue
            decoded = decode(record, now, self._options.limits, self._options.admission)
            if isinstance(decoded, Broken):
                inbox.letters.append(DeadLetter(record, decoded.reason, decoded.detail, decoded.path, decoded.source))
            elif isinstance(decoded, Skipped):
                inbox.outcomes["skipped"] += 1
            else:
                assert decoded.origin is not None
                inbox.records[decoded.origin] = record
                self._delivery.sort_in(inbox, decoded)
        return inbox

    # -- route

    async def _apply(self, batch: Batch, inbox: Inbox) -> None:
        await self._finish(batch, inbox, await self._delivery.route(batch, inbox))

    async def _finish(self, batch: Batch, inbox: Inbox, tasks: dict[UUID, Task]) -> None:
        """Fold, and write what changed and what was refused."""
        for account, task in tasks.items():
            task.rehearsed = inbox.keep_only
            task.fence = "kept" if inbox.keep_only else inbox.fences.get(account)
        arrival: Arrival = {}
        if several := [task for task in tasks.values() if len(task.facts) > 1 or task.shared]:
            arrival = inbox.arrival_order()
            for task in several:
                task.facts.sort(key=lambda fact: arrival.get(fact.origin, ()))
        clock = self.clock(await batch.certainty())
        folded = await self._folding.fold(batch, unique(tasks.values()), clock, arrival, inbox.gone)
        inbox.contested = folded.contested
        inbox.outcomes["duplicate"] += len(folded.duplicates)
        inbox.outcomes["late"] += folded.late
        inbox.outcomes["applied"] += folded.applied
        for event in folded.conflicts:
            self._delivery.refuse(inbox, event, CONFLICT)
        for event in folded.withdrawn:
            self._delivery.refuse(inbox, event, AMBIGUOUS)
        await batch.write(folded.changes)
        asked = {each.account_id: ended_at((fact.type, fact.time) for fact in each.facts) for each in folded.changes}
        await batch.ask_erasures({account: until for account, until in asked.items() if until is not None})
        inbox.outcomes["dead_letter"] += len(inbox.letters)
        await batch.dead_letter(inbox.letters)

    # -- the clock

    def clock(self, certainty: Certainty) -> Clock:
        """How far things are known now: time up to the watermark, less the grace."""
        return Clock.known(self.watermark, self._now(), timedelta(seconds=self._options.grace_seconds), certainty)

    def know(self, watermark: datetime) -> None:
        """The watermark has come to here."""
        self.watermark = watermark if self.watermark is None else max(watermark, self.watermark)

    async def run_due(self, accounts: Iterable[UUID], until: datetime | None) -> int:
        """Let the clock run for these accounts up to an instant that all news has passed (None: not at all), and decide what
        waits; returns how many changed.

        Those whose changes Postgres refuses are found and fenced, so that the others go on.
        """
        tasks = unique(Task(account) for account in accounts)
        try:
            async with self._store.batch() as batch:
                folded = await self._folding.fold(batch, tasks, Clock(until=until, certainty=await batch.certainty()))
                await batch.write(folded.changes)
            return len(folded.changes)
        except RefusedError as error:
            reports.refused(error, accounts=len(tasks))
            async with self._rehearsal() as batch:
                found = await self._refused(batch, tasks, Clock(until=until, certainty=await batch.certainty()))
            if not found:
                raise
        fenced = sum([await self.fence(account, why) for account, why in found.items()])
        return fenced + await self.run_due([task.account_id for task in tasks if task.account_id not in found], until)

    async def fence(self, account: UUID, why: str, revision: int | None = None) -> bool:
        """Set an account aside, if it stands at a revision: it takes facts, and nothing else until it is rebuilt."""
        async with self._store.batch() as batch:
            fenced = await self._folding.fence(batch, account, why, revision)
            await batch.write(fenced)
        return bool(fenced)

    async def erase(self, account: UUID) -> bool:
        """Forget a person who asked for it, up to then: what came later is another life. False: not now, or it is done."""
        try:
            return await self._erase(account, None)
        except RefusedError as error:
            reports.refused(error, accounts=1)
            return await self._erase(account, f"the database refused what its fold made: {error.why}")

    async def _erase(self, account: UUID, fence: str | None) -> bool:
        async with self._store.batch() as batch:
            erasure = await batch.erase(account)
            if erasure is not None and erasure.goes_on:
                clock = self.clock(await batch.certainty())
                await fold_lives(batch, self._catalogue, account, erasure, clock, self._epoch, fence)
        return erasure is not None

    async def release(self, name: CommandName) -> bool:
        """Apply a held command that was approved, as the event that it came as; False: it was refused, or is taken already."""
        try:
            return await self._release(name, None)
        except RefusedError as error:
            reports.refused(error, accounts=1)
            return await self._release(name, f"the database refused what its fold made: {error.why}")

    async def _release(self, name: CommandName, fence: str | None) -> bool:
        inbox = Inbox(approved=True, fences={} if fence is None else {name[0]: fence})
        async with self._store.batch() as batch:
            command = await batch.take_approved(name)
            if command is not None:
                inbox.members.append((command.event, command.program))
                await self._apply(batch, inbox)
        reports.count(inbox)
        return command is not None

    async def drain(self, routes: Sequence[Route]) -> int:
        """Apply what is still parked for orders that have come (the sweeper's part); returns how many events."""
        inbox, tasks = Inbox(), dict[UUID, Task]()
        async with self._store.batch() as batch:
            known = await batch.claim([], sorted(route.order_id for route in routes))
            await self._delivery.drain(batch, inbox, known, tasks)
            await self._finish(batch, inbox, tasks)
        reports.count(inbox)
        return len(inbox.waited)
