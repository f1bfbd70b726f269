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

from contracts.events import Event, OrderPlaced
from worker.consume.batch import Batch as ReadBatch
from worker.consume.batch import Move
from worker.decide.members import erasure_asked_until
from worker.decide.refold import Clock
from worker.decide.state import Certainty
from worker.decode import Admission, Broken, Limits, Record, Skipped, decode
from worker.persist.api import Batch, Store
from worker.persist.errors import ConstraintError, ErasedMeanwhileError, RefusedError
from worker.persist.identity import account_id
from worker.persist.rows import Arrival, DeadLetter, Route
from worker.processing import reports
from worker.processing.folding import Folding, Task, contest, unique
from worker.processing.inbox import Inbox
from worker.processing.refusals import Places, at_fault
from worker.processing.routing import AMBIGUOUS, Home, awaited_by, home_of
from worker.programs.catalogue import OUTSIDE, Catalogue, Unresolved

AT_ONCE_BYTES: Final = 262_144
"""After so many bytes of a batch were decoded, others get their turn, the probes among them: every 10 ms with usual records, and
after each large one."""


class _DryRun(Exception):
    """Ends a transaction that is not meant to be kept."""


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """`account_key`: the key that account ids are derived with. `grace_seconds`: how far behind the watermark the clock stays.
    `topic`: the name that a topic of the contract has on this cluster. `admission`: what may come in by which of them.
    """

    account_key: bytes
    limits: Limits = field(default_factory=Limits)
    admission: Admission = field(default_factory=Admission)
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
        self._catalogue = catalogue
        self._options = options
        self._now = now
        self._folding = Folding(catalogue, epoch)
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
        gone: set[UUID] = set()
        while True:
            try:
                return await self._once(records, moves, unkept, fences, gone)
            except ErasedMeanwhileError as error:
                if error.account_id in gone:
                    raise
                gone.add(error.account_id)

    async def _once(
        self,
        records: Sequence[Record],
        moves: Sequence[Move],
        unkept: frozenset[int],
        fences: Mapping[UUID, str],
        gone: set[UUID],
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
            tasks = unique((await self._route(batch, inbox)).values())
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
                self._sort_in(inbox, decoded)
        return inbox

    def _sort_in(self, inbox: Inbox, event: Event) -> None:
        program = self._catalogue.resolve(event)
        if isinstance(program, Unresolved):
            self._refuse(inbox, event, program.reason, program.detail)
        elif isinstance(event.data, OrderPlaced):
            assert program is not None
            inbox.orders.append((event, program))
        elif event.member_id is not None:
            assert program is not None
            inbox.members.append((event, program))
        else:
            inbox.followers.append(event)

    # -- route

    async def _apply(self, batch: Batch, inbox: Inbox) -> None:
        await self._finish(batch, inbox, await self._route(batch, inbox))

    async def _route(self, batch: Batch, inbox: Inbox) -> dict[UUID, Task]:
        """Give every event to its account; what waits is parked."""
        tasks: dict[UUID, Task] = {}
        await self._leave_out_erased(batch, inbox)
        for event, program in inbox.members:
            self._assign(inbox, tasks, program, event.member_id or "", event)
        routes = await self._routes(batch, inbox)
        self._place_orders(inbox, routes, tasks)
        if len(self._catalogue) > 1:
            contest(tasks, [routes[order_id] for order_id in {event.order_id or "" for event, _ in inbox.orders}], inbox.gone)
        await self._follow(batch, inbox, routes, tasks)
        return tasks

    async def _finish(self, batch: Batch, inbox: Inbox, tasks: dict[UUID, Task]) -> None:
        """Fold, and write what changed and what was refused."""
        for account, task in tasks.items():
            task.rehearsed = inbox.keep_only
            task.fence = "kept" if inbox.keep_only else inbox.fences.get(account)
        if several := [task for task in tasks.values() if len(task.facts) > 1]:
            order = inbox.arrival_order()
            for task in several:
                task.facts.sort(key=lambda fact: order.get(fact.origin, ()))
        folded = await self._folding.fold(batch, unique(tasks.values()), self.clock(await batch.certainty()))
        inbox.outcomes["duplicate"] += len(folded.duplicates)
        inbox.outcomes["late"] += folded.late
        inbox.outcomes["applied"] += folded.applied
        for event, reason, detail in folded.conflicts:
            self._refuse(inbox, event, reason, detail)
        for event in folded.withdrawn:
            self._refuse(inbox, event, *AMBIGUOUS)
        await batch.write(folded.changes)
        asked = {each.account_id: erasure_asked_until(each.facts) for each in folded.changes}
        await batch.ask_erasures({account: until for account, until in asked.items() if until is not None})
        inbox.outcomes["dead_letter"] += len(inbox.letters)
        await batch.dead_letter(inbox.letters)

    def _refuse(self, inbox: Inbox, event: Event, reason: str, detail: str) -> None:
        inbox.refuse(event, reason, detail, self._options.topic)

    def _account(self, program: str, member_id: str) -> UUID:
        return account_id(self._options.account_key, program, member_id)

    async def _leave_out_erased(self, batch: Batch, inbox: Inbox) -> None:
        """Leave out what is told of people from before they were forgotten: it would make them known again."""
        named = [(event, self._account(program, event.member_id or "")) for event, program in inbox.members]
        ordered = [(event, self._account(program, event.member_id)) for event, program in inbox.orders if event.member_id]
        inbox.erased = await batch.erased({account for _, account in (*named, *ordered)}) if named or ordered else {}
        if not inbox.erased:
            return

        def before(event: Event, account: UUID) -> bool:
            until = inbox.erased.get(account)
            return until is not None and event.time <= until

        left_out = {event.origin for event, account in named if before(event, account)}
        inbox.members = [(event, program) for event, program in inbox.members if event.origin not in left_out]
        inbox.of_erased = {event.origin for event, account in ordered if before(event, account)}
        inbox.outcomes["erased"] += len(left_out) + len(inbox.of_erased)

    def _assign(self, inbox: Inbox, tasks: dict[UUID, Task], program: str, member_id: str, event: Event) -> None:
        account = self._account(program, member_id)
        task = tasks.get(account)
        if task is None:
            task = tasks[account] = Task(account, program, member_id)
        task.program, task.member_id, task.returns = program, member_id, account in inbox.erased
        task.facts.append(event)

    async def _routes(self, batch: Batch, inbox: Inbox) -> dict[str, Route]:
        """Whose all orders of the batch are. Orders that come, and those that are waited for, are claimed before anyone looks."""
        arriving = {event.order_id for event, _ in inbox.orders}
        others = [event for event in inbox.followers if event.order_id not in arriving]
        routes = await batch.routes({event.order_id or "" for event in inbox.followers})
        unknown = Route("")
        awaited = {
            order_id
            for event in others
            if self._home(routes.get(order_id := event.order_id or "", unknown), event) is None
        }
        arrivals: dict[tuple[str, str], Arrival] = {}
        for event, program in inbox.orders:
            data = event.data
            assert isinstance(data, OrderPlaced)
            member = data.member_id if program != OUTSIDE and event.origin not in inbox.of_erased else None
            account = self._account(program, member) if member is not None else None
            arrivals.setdefault((data.order_id, program), Arrival(data.order_id, program, account))
        if arrivals or awaited:
            routes |= await batch.claim(list(arrivals.values()), sorted(awaited))
        return routes

    def _place_orders(self, inbox: Inbox, routes: dict[str, Route], tasks: dict[UUID, Task]) -> None:
        """Give orders to their accounts; guests' and outside orders are counted and dropped."""
        for event, program in inbox.orders:
            data = event.data
            assert isinstance(data, OrderPlaced)
            if event.origin in inbox.of_erased:
                continue
            home = routes[data.order_id].accounts.get(program)
            member = data.member_id if program != OUTSIDE else None
            if member is None or home != self._account(program, member):
                if member is None and home is None:
                    inbox.outcomes["dropped"] += 1
                else:
                    detail = "data.order_id: the order was placed before for another member; the first stands"
                    self._refuse(inbox, event, "order_conflict", detail)
                continue
            self._assign(inbox, tasks, program, member, event)

    def _home(self, route: Route, event: Event) -> Home[UUID] | Unresolved | None:
        return home_of(route.accounts, event.program, alone=len(self._catalogue) == 1)

    async def _follow(self, batch: Batch, inbox: Inbox, routes: dict[str, Route], tasks: dict[UUID, Task]) -> None:
        """Give events to the accounts of their orders: those that came now, and those that had been parked for an order."""
        arrived = awaited_by({event.order_id or "": routes[event.order_id or ""].accounts for event, _ in inbox.orders})
        # What was parked came first: if something of this batch contradicts it, the later one is at fault.
        inbox.waited = await batch.take_parked(arrived) if arrived else []
        parked = self._send_home((*inbox.waited, *inbox.followers), inbox, routes, tasks)
        if parked:
            for event in await batch.park(parked, {order_id for order_id, route in routes.items() if route.of_nobody}):
                self._refuse(inbox, event, "conflict", "id: this source and id were used for other content before")
            inbox.outcomes["parked"] += len(parked)

    def _send_home(self, events: Iterable[Event], inbox: Inbox, routes: dict[str, Route], tasks: dict[UUID, Task]) -> list[Event]:
        """Give each event to the account of its order; returns those whose order has not come."""
        homeless: list[Event] = []
        for event in events:
            route = routes[event.order_id or ""]
            home = self._home(route, event)
            if home is None and self._catalogue.awaits(event):
                homeless.append(event)
            elif home is None and event.program is None and route.of_nobody:
                inbox.outcomes["dropped"] += 1
            elif home is None:
                self._refuse(inbox, event, "unknown_order", "order_id: no such order has come; send the event again after it")
            elif isinstance(home, Unresolved):
                self._refuse(inbox, event, home.reason, home.detail)
            elif home.owner is None or home.owner in inbox.gone:
                inbox.outcomes["dropped"] += 1
            else:
                tasks.setdefault(home.owner, Task(home.owner, home.program)).facts.append(event)
        return homeless

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

    async def drain(self, routes: Sequence[Route]) -> int:
        """Apply what is still parked for orders that have come (the sweeper's part); returns how many events."""
        inbox, tasks = Inbox(), dict[UUID, Task]()
        async with self._store.batch() as batch:
            known = await batch.claim([], sorted(route.order_id for route in routes))
            events = await batch.take_parked(awaited_by({order_id: route.accounts for order_id, route in known.items()}))
            self._send_home(events, inbox, known, tasks)
            await self._finish(batch, inbox, tasks)
        reports.count(inbox)
        return len(events)
