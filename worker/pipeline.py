"""One batch, from records to a committed ledger: decode, route, fold, write, all in one transaction with the positions.

records ─► decode ─► route (whose order is it?) ─► fold (load, decide, win) ─► write ─► commit
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from contracts.events import Event, OrderPlaced
from worker import metrics
from worker.catalogue import OUTSIDE, Catalogue, Unresolved
from worker.consume.batch import Batch as ReadBatch
from worker.consume.batch import Move
from worker.decide.refold import Clock
from worker.decode import Broken, Limits, Record, Skipped, decode
from worker.folding import Folding, Task, unique
from worker.inbox import Inbox
from worker.log import get_logger
from worker.persist.api import Batch, Store
from worker.persist.errors import ErasedMeanwhileError, RefusedError
from worker.persist.identity import account_id
from worker.persist.rows import Arrival, DeadLetter, Route
from worker.routing import awaited_by, home_of
from worker.upkeep.erasing import asked_until

log = get_logger(__name__)

AT_ONCE_BYTES: Final = 262_144
"""After so many bytes of a batch were decoded, others get their turn, the probes among them: every 10 ms with usual records, and
after each large one."""


class _DryRun(Exception):
    """Ends a transaction that is not meant to be kept."""


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """`account_key`: the key that account ids are derived with. `grace_seconds`: how far behind the watermark the clock stays.
    `topic`: the name that a topic of the contract has on this cluster.
    """

    account_key: bytes
    limits: Limits = field(default_factory=Limits)
    grace_seconds: float = 0.0
    topic: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class Done:
    """What a committed batch held: counts by outcome, and the broken records of each partition."""

    outcomes: Counter[str]
    broken: Counter[tuple[str, int]]


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

        A batch that Postgres refuses for its data is halved until the records at fault are found; they become dead letters.
        """
        try:
            return await self._attempt(read.records, read.moves, frozenset())
        except RefusedError as error:
            log.warning("batch_refused", records=len(read.records), error=type(error.__cause__ or error).__name__)
        at_fault = await self._at_fault(read.records)
        while True:
            try:
                return await self._attempt(read.records, read.moves, at_fault)
            except RefusedError:
                # Each of them is taken by itself, but not all together.
                if len(at_fault) == len(read.records):
                    raise
                at_fault |= {await self._first_too_many(read.records, at_fault)}

    async def _attempt(self, records: Sequence[Record], moves: Sequence[Move], refused: frozenset[int]) -> Done:
        gone: set[UUID] = set()
        while True:
            try:
                return await self._once(records, moves, refused, gone)
            except ErasedMeanwhileError as error:
                if error.account_id in gone:
                    raise
                gone.add(error.account_id)

    async def _once(self, records: Sequence[Record], moves: Sequence[Move], refused: frozenset[int], gone: set[UUID]) -> Done:
        started = time.perf_counter()
        inbox = await self._decode(records, refused)
        inbox.gone = gone
        decoded = time.perf_counter()
        async with self._store.batch() as batch:
            watermark = await batch.move_positions(moves)
            if watermark is not None:
                self.know(watermark)
            await self._apply(batch, inbox)
            folded = time.perf_counter()
        _measure(records, inbox, started, decoded, folded)
        broken = Counter((letter.record.topic, letter.record.partition) for letter in inbox.letters)
        return Done(inbox.outcomes, broken)

    async def _at_fault(self, records: Sequence[Record]) -> frozenset[int]:
        """The records, by place, that Postgres refuses: found by halving, in transactions that are not kept."""
        found: set[int] = set()
        spans = [(0, len(records))]
        while spans:
            start, end = spans.pop()
            if await self._taken(records[start:end], frozenset()):
                continue
            if end - start == 1:
                found.add(start)
            else:
                middle = (start + end) // 2
                spans += [(start, middle), (middle, end)]
        return frozenset(found)

    async def _first_too_many(self, records: Sequence[Record], at_fault: frozenset[int]) -> int:
        """The record, by place, with which the first records, less those at fault, begin to be refused."""
        low, high = 0, len(records)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if await self._taken(records[:middle], at_fault) else (low, middle)
        return next(place for place in range(low, -1, -1) if place not in at_fault)

    async def _taken(self, records: Sequence[Record], refused: frozenset[int]) -> bool:
        """Whether Postgres takes these records; nothing of it is kept."""
        try:
            async with self._store.batch() as batch:
                await self._apply(batch, await self._decode(records, refused))
                raise _DryRun
        except _DryRun:
            return True
        except RefusedError:
            return False

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
                inbox.letters.append(DeadLetter(record, "refused", "the database refused this record's data"))
                continue
            decoded = decode(record, now, self._options.limits)
            if isinstance(decoded, Broken):
                inbox.letters.append(DeadLetter(record, decoded.reason, decoded.detail))
            elif isinstance(decoded, Skipped):
                inbox.outcomes["skipped"] += 1
            else:
                inbox.records[id(decoded)] = record
                self._sort_in(inbox, decoded, place)
        return inbox

    def _sort_in(self, inbox: Inbox, event: Event, place: int) -> None:
        program = self._catalogue.resolve(event)
        if isinstance(program, Unresolved):
            self._refuse(inbox, event, program.reason, program.detail)
        elif isinstance(event.data, OrderPlaced):
            assert program is not None
            inbox.orders.append((event, program))
            inbox.arrived.setdefault((event.data.order_id, program), place)
        elif event.member_id is not None:
            assert program is not None
            inbox.members.append((event, program))
        else:
            inbox.followers.append(event)
            inbox.places[id(event)] = place

    # -- route

    async def _apply(self, batch: Batch, inbox: Inbox) -> None:
        tasks: dict[UUID, Task] = {}
        await self._leave_out_erased(batch, inbox)
        for event, program in inbox.members:
            self._assign(inbox, tasks, program, event.member_id or "", event)
        routes = await self._routes(batch, inbox)
        self._place_orders(inbox, routes, tasks)
        await self._follow(batch, inbox, routes, tasks)
        await self._finish(batch, inbox, tasks)

    async def _finish(self, batch: Batch, inbox: Inbox, tasks: dict[UUID, Task]) -> None:
        """Fold, and write what changed and what was refused."""
        folded = await self._folding.fold(batch, unique(tasks.values()), self.clock())
        inbox.outcomes["duplicate"] += len(folded.duplicates)
        inbox.outcomes["late"] += folded.late
        inbox.outcomes["applied"] += folded.applied
        for event, reason, detail in folded.conflicts:
            self._refuse(inbox, event, reason, detail)
        await batch.write(folded.changes)
        await batch.ask_erasures({each.account_id: at for each in folded.changes if (at := asked_until(each.facts)) is not None})
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

        left_out = {id(event) for event, account in named if before(event, account)}
        inbox.members = [(event, program) for event, program in inbox.members if id(event) not in left_out]
        inbox.nobodys = {id(event) for event, account in ordered if before(event, account)}
        inbox.outcomes["erased"] += len(left_out) + len(inbox.nobodys)

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
        inbox.before = {order_id: routes.get(order_id, unknown).accounts for order_id in arriving if order_id is not None}
        awaited = {
            order_id
            for event in others
            if home_of(routes.get(order_id := event.order_id or "", unknown).accounts, event.program) is None
        }
        arrivals: dict[tuple[str, str], Arrival] = {}
        for event, program in inbox.orders:
            data = event.data
            assert isinstance(data, OrderPlaced)
            member = data.member_id if program != OUTSIDE and id(event) not in inbox.nobodys else None
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
            if id(event) in inbox.nobodys:
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

    async def _follow(self, batch: Batch, inbox: Inbox, routes: dict[str, Route], tasks: dict[UUID, Task]) -> None:
        """Give events to the accounts of their orders: those that came now, and those that had been parked for an order."""
        arrived = awaited_by({event.order_id or "": routes[event.order_id or ""].accounts for event, _ in inbox.orders})
        # What was parked came first: if something of this batch contradicts it, the later one is at fault.
        waited = await batch.take_parked(arrived) if arrived else []
        parked = self._send_home((*waited, *inbox.followers), inbox, routes, tasks)
        if parked:
            for event in await batch.park(parked, {order_id for order_id, route in routes.items() if route.outside}):
                self._refuse(inbox, event, "conflict", "id: this source and id were used for other content before")
            inbox.outcomes["parked"] += len(parked)

    def _send_home(self, events: Iterable[Event], inbox: Inbox, routes: dict[str, Route], tasks: dict[UUID, Task]) -> list[Event]:
        """Give each event to the account of its order; returns those whose order has not come."""
        homeless: list[Event] = []
        for event in events:
            route = routes[event.order_id or ""]
            home = home_of(inbox.known_to(event, route.accounts), event.program)
            home = home or home_of(route.accounts, event.program, waited=True)
            if home is None and self._catalogue.awaits(event):
                homeless.append(event)
            elif home is None and event.program is None and route.outside:
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

    def clock(self) -> Clock:
        """How far time is known now: everything up to the watermark, less the grace."""
        return Clock.known(self.watermark, self._now(), timedelta(seconds=self._options.grace_seconds))

    def know(self, watermark: datetime) -> None:
        """The watermark has come to here."""
        self.watermark = watermark if self.watermark is None else max(watermark, self.watermark)

    async def run_due(self, accounts: Iterable[UUID], until: datetime) -> int:
        """Let the clock run for these accounts up to an instant that all news has passed; returns how many changed.

        One whose change Postgres refuses is found by halving and fenced, so that the others go on.
        """
        tasks = unique(Task(account) for account in accounts)
        try:
            async with self._store.batch() as batch:
                folded = await self._folding.fold(batch, tasks, Clock(until=until, certain_until=until))
                await batch.write(folded.changes)
            return len(folded.changes)
        except RefusedError as error:
            if len(tasks) > 1:
                middle = len(tasks) // 2
                halves = (tasks[:middle], tasks[middle:])
                return sum([await self.run_due([task.account_id for task in half], until) for half in halves])
            why = f"the database refused what the clock changed: {type(error.__cause__ or error).__name__}"
        return int(await self.fence(tasks[0].account_id, why))

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
        _count(inbox)
        return len(events)


def _measure(records: Sequence[Record], inbox: Inbox, started: float, decoded: float, folded: float) -> None:
    now = time.perf_counter()
    metrics.batches.inc()
    metrics.batch_records.observe(len(records))
    metrics.stage_seconds.labels(stage="decode").observe(decoded - started)
    metrics.stage_seconds.labels(stage="decide").observe(folded - decoded)
    metrics.stage_seconds.labels(stage="commit").observe(now - folded)
    _count(inbox)
    if records:
        oldest = min(record.timestamp_ms for record in records) / 1000
        metrics.event_delay_seconds.observe(max(0.0, time.time() - oldest))


def _count(inbox: Inbox) -> None:
    for outcome, count in inbox.outcomes.items():
        metrics.events.labels(outcome=outcome).inc(count)
    for reason, count in Counter(letter.reason for letter in inbox.letters).items():
        metrics.dead_letters.labels(reason=reason).inc(count)
