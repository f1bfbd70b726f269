"""A store in memory that keeps the contract of `worker.persist.api`: transactions, compare-and-set, locks until a batch ends.

For simulations: fast, and everything that happens in it is decided by the caller, the clock too.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Hashable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from contracts.events import CONTESTED_SOURCE, Event
from tests.stores.memory_batch import MemoryBatch
from tests.stores.memory_tables import Tables, dossier_of
from tests.stores.soundness import violations
from worker.decide.state import Decision, awaited_by
from worker.persist import (
    CommandName,
    CommandVerdict,
    Dossier,
    Due,
    Ends,
    HeldCommand,
    LedgerState,
    OutboxRow,
    ParkedSince,
    Partition,
    Position,
    Progress,
    Reading,
    Route,
    Snapshot,
    Snapshots,
    Terms,
    Violation,
    Waiting,
    WrongKeyError,
    shard_of,
)
from worker.persist.dead_letters import (
    BYTES_AT_ONCE_MAX,
    LETTERS_AT_ONCE_MAX,
    LetterName,
    bytes_of,
    lane_of,
    message,
)

NIL = UUID(int=0)


def _now() -> datetime:
    return datetime.now(UTC)


class MemoryStore:
    """`api.Store` in memory. `clock` stands for the clock of the database."""

    def __init__(self, clock: Callable[[], datetime] = _now, dead_letter_bytes_max: int = 900_000) -> None:
        self.tables = Tables()
        self.clock = clock
        self._locks: dict[Hashable, asyncio.Lock] = {}
        self._dead_letter_bytes_max = dead_letter_bytes_max
        self._outbox_after = NIL
        self._due_after = -1

    def batch(self) -> AbstractAsyncContextManager[MemoryBatch]:
        return self._batch()

    @asynccontextmanager
    async def _batch(self) -> AsyncIterator[MemoryBatch]:
        batch = MemoryBatch(self.tables, self._locks)
        try:
            yield batch
            batch.commit(self.clock())
        finally:
            batch.end()

    # Positions, watermark, clock

    async def positions(self) -> dict[Partition, Position]:
        return dict(sorted(self.tables.positions.items()))

    async def report_progress(self, rows: Sequence[Progress]) -> None:
        for p in rows:
            there = self.tables.positions.get((p.topic, p.partition))
            if p.settled_offset == (None if there is None else there.next_offset):
                self.tables.readings[p.topic, p.partition] = Reading(p.topic, p.partition, self.clock(), p.at_end, p.oldest_time)

    async def readings(self) -> list[Reading]:
        return [reading for _, reading in sorted(self.tables.readings.items())]

    async def watermark(self) -> datetime | None:
        return self.tables.watermark

    async def advance_watermark(self, value: datetime) -> datetime:
        there = self.tables.watermark
        self.tables.watermark = value if there is None else max(there, value)
        return self.tables.watermark

    async def snapshots(self) -> Snapshots:
        taken = [snapshot for _, snapshot in sorted(self.tables.snapshots.items())]
        return Snapshots(self.tables.certainty, taken, next(self._waiting(), None) is not None, self.clock())

    async def take_snapshot(self, after: int, ends: Ends) -> bool:
        if self.tables.certainty.current != after:
            return False
        self.tables.certainty = self.tables.certainty._replace(current=after + 1)
        self.tables.snapshots[after + 1] = Snapshot(after + 1, self.clock(), dict(ends))
        return True

    async def pass_snapshots(self, number: int) -> None:
        passed, current = self.tables.certainty
        if passed < number <= current:
            self.tables.certainty = self.tables.certainty._replace(passed=number)
        self.tables.snapshots = {each: row for each, row in self.tables.snapshots.items() if each > number}

    async def decidable(self, shards: Collection[int], limit: int) -> list[UUID]:
        passed = self.tables.certainty.passed
        return [each for each, number in self._waiting() if number <= passed and shard_of(each) in shards][:limit]

    def _waiting(self) -> Iterator[tuple[UUID, int]]:
        for account_id, account in self.tables.accounts.items():
            number = awaited_by(account.row.head)
            if number is not None and account.row.fenced is None:
                yield account_id, number

    async def due(self, shards: Collection[int], until: datetime, limit: int) -> list[Due]:
        found = [
            (shard_of(account_id), account.row.head.next_due_at, account_id)
            for account_id, account in self.tables.accounts.items()
            if account.row.fenced is None
            and account.row.head.next_due_at is not None
            and account.row.head.next_due_at <= until
            and shard_of(account_id) in shards
        ]
        found.sort(key=lambda row: (row[0] <= self._due_after, row))
        if len(found) >= limit:
            self._due_after = found[limit - 1][0]
        return [Due(account_id, due_at) for _, due_at, account_id in found[:limit]]

    async def fenced(self, after: UUID, limit: int) -> list[UUID]:
        found = (each for each, account in self.tables.accounts.items() if account.row.fenced is not None and each > after)
        return sorted(found)[:limit]

    # Orders that are waited for

    async def drainable(self, limit: int) -> list[Route]:
        found = {
            order_id
            for (order_id, _, _), (_, event) in self.tables.parked.items()
            if self._drains(self.tables.routes[order_id], event)
        }
        return [self.tables.routes[order_id] for order_id in sorted(found)][:limit]

    @staticmethod
    def _drains(route: Route, event: Event) -> bool:
        """Whether an order has come that an event waits for; without a program it is set aside for orders of nobody."""
        if event.program is None:
            return route.known and not (route.of_nobody and len(route.accounts.keys() - {""}) < 2)
        return event.program in route.accounts

    async def let_go(self, before: datetime, limit: int) -> int:
        gone = [
            key
            for key, (recorded_at, event) in self.tables.parked.items()
            if recorded_at < before and event.program is None and self.tables.routes[key[0]].of_nobody
        ][:limit]
        for key in gone:
            del self.tables.parked[key]
        return len(gone)

    async def held_commands(self, program: str | None = None, *, decided: bool = False) -> list[HeldCommand]:
        held = (each for each in self.tables.held.values() if program in (None, each.program))
        return [each for each in held if decided or each.verdict is None]

    async def decide_command(self, command: HeldCommand, verdict: str, given_by: str, reason: str) -> None:
        said = CommandVerdict(verdict, given_by, given_by, reason, self.clock(), None)
        self.tables.held[command.name] = dataclasses.replace(command, verdict=said)

    async def verdicts_to_apply(self, limit: int) -> list[CommandName]:
        decided = ((name, held.verdict) for name, held in self.tables.held.items())
        return [name for name, verdict in decided if verdict is not None and verdict.applied_at is None][:limit]

    async def held_waiting(self, limit: int) -> int:
        return min(len(await self.held_commands()), limit)

    async def forget_given(self, before: date, held_since: datetime) -> None:
        self.tables.given = {total: points for total, points in self.tables.given.items() if total.day >= before}
        for name, held in [*self.tables.held.items()]:
            _, until = self.tables.erasures.get(held.account_id, (None, None))
            if until is not None and held.event.time <= until and held.held_at is not None and held.held_at > held_since:
                del self.tables.held[name]

    async def parked_since(self, before: datetime, limit: int) -> list[ParkedSince]:
        found: dict[str, list[datetime]] = {}
        for (order_id, _, _), (recorded_at, _) in self.tables.parked.items():
            if recorded_at < before:
                found.setdefault(order_id, []).append(recorded_at)
        rows = [ParkedSince(order_id, len(times), min(times)) for order_id, times in found.items()]
        return sorted(rows, key=lambda row: (row.oldest_at, row.order_id))[:limit]

    async def contested(self, limit: int) -> list[str]:
        found: set[str] = set()
        for account in self.tables.accounts.values():
            about = [fact for _, fact in account.facts.values() if fact.type in ("order.contested", "order.claimed")]
            decided = {fact.order_id for fact in about if fact.source != CONTESTED_SOURCE}
            found |= {fact.order_id or "" for fact in about if fact.source == CONTESTED_SOURCE} - decided
        return sorted(found)[:limit]

    # Who is to be forgotten

    async def erasures_due(self, until: datetime, limit: int) -> list[UUID]:
        found = ((asked, each) for each, (asked, done) in self.tables.erasures.items() if asked <= until and asked != done)
        return [account_id for _, account_id in sorted(found)][:limit]

    # The outbox

    async def lease(self, name: str, holder: str, seconds: float) -> bool:
        there = self.tables.leases.get(name)
        if there is not None and there[0] != holder and there[1] > self.clock():
            return False
        self.tables.leases[name] = (holder, self.clock() + timedelta(seconds=seconds))
        return True

    async def release(self, name: str, holder: str) -> None:
        if name in self.tables.leases and self.tables.leases[name][0] == holder:
            del self.tables.leases[name]

    async def read(self, shards: Collection[int], limit: int) -> list[OutboxRow]:
        rows = sorted(
            (row for row in self.tables.outbox.values() if shard_of(row.account_id) in shards),
            key=lambda row: (row.account_id <= self._outbox_after, row.account_id, row.version, row.ordinal),
        )[:limit]
        self._outbox_after = rows[-1].account_id if rows else NIL
        return rows

    async def delete(self, rows: Sequence[OutboxRow]) -> None:
        for row in rows:
            self.tables.outbox.pop((row.account_id, row.version, row.ordinal), None)

    async def backlog(self) -> tuple[int, datetime | None]:
        waiting = len(self.tables.outbox) + len(self.tables.queued_letters)
        return waiting, min((row.created_at for row in self.tables.outbox.values()), default=None)

    async def hand_over_dead_letters(self, per_lane: int) -> int:
        taken = self._first_letters(per_lane)
        for name in taken:
            del self.tables.queued_letters[name]
            row = message(name, self.tables.dead_letters[name], self.clock(), self._dead_letter_bytes_max)
            self.tables.outbox[row.account_id, row.version, row.ordinal] = row
        return len(taken)

    def _first_letters(self, per_lane: int) -> list[LetterName]:
        """The first of each lane; where those are too many together, the first of all lanes before the second of any."""
        turns: Counter[int] = Counter()
        first: list[tuple[int, int, LetterName]] = []
        for place, name in enumerate(self.tables.queued_letters):
            lane = lane_of(self.tables.dead_letters[name])
            turns[lane] += 1
            if turns[lane] <= per_lane:
                first.append((turns[lane], place, name))
        taken, taken_bytes = [], 0
        for _, _, name in sorted(first)[:LETTERS_AT_ONCE_MAX]:
            if taken_bytes >= BYTES_AT_ONCE_MAX:
                break
            record = self.tables.dead_letters[name].record
            taken_bytes += bytes_of(record)
            taken.append(name)
        return taken

    async def waiting_dead_letters(self) -> list[Waiting]:
        found: dict[str, list[datetime]] = {}
        for name, kept_at in self.tables.queued_letters.items():
            found.setdefault(self.tables.dead_letters[name].reason, []).append(kept_at)
        now = self.clock()
        return [Waiting(reason, len(kept), (now - min(kept)).total_seconds()) for reason, kept in sorted(found.items())]

    # Terms and the ledger as a whole

    async def register_terms(self, body: bytes, file_digest: bytes, reason: str) -> bool | None:
        values = json.loads(body)
        begins = datetime.fromisoformat(values["effective_from"])
        waits = await self.terms_need_approval(values["program"], begins)
        new = Terms(
            values["program"],
            sha256(body).digest(),
            begins.date(),
            begins.astimezone(UTC),
            body,
            file_digest,
            reason,
            self.clock(),
            "memory",
            waits,
        )
        of_then = [each for each in self.tables.terms if (each.program, each.begins_at) == (new.program, new.begins_at)]
        if of_then and of_then[-1].hash == new.hash:
            return None
        self.tables.terms.append(new)
        return waits

    async def terms_need_approval(self, program: str, begins_at: datetime) -> bool:
        return begins_at <= self.clock() and any(each.row.program == program for each in self.tables.accounts.values())

    async def terms(self) -> list[Terms]:
        return sorted(self.tables.terms, key=lambda t: (t.program, t.begins_at, t.applied_at, t.hash))

    async def state(self) -> LedgerState:
        return LedgerState(self.tables.epoch, self.clock())

    async def announce(self, told: Sequence[tuple[UUID, Decision]]) -> int:
        known = {(account_id, *name) for account_id, each in self.tables.accounts.items() for name in each.decisions}
        new = {(account_id, d.source, d.id): d for account_id, d in told if (account_id, d.source, d.id) not in known}
        self.tables.announced.update(new)
        return len(new)

    async def raise_epoch(self, above: int) -> int:
        self.tables.epoch = max(self.tables.epoch, above) + 1
        return self.tables.epoch

    async def settle_key(self, check: bytes) -> None:
        self.tables.key_check = self.tables.key_check or check
        if self.tables.key_check != check:
            raise WrongKeyError

    async def missing_migrations(self) -> list[str]:
        return []

    async def dossiers(
        self, accounts: Collection[UUID] | None = None, known_at: datetime | None = None
    ) -> AsyncIterator[Dossier]:
        for account_id in sorted(self.tables.accounts if accounts is None else set(accounts)):
            yield dossier_of(self.tables, account_id, known_at)

    async def verify(self, accounts: Collection[UUID] | None = None) -> AsyncIterator[Violation]:
        for account_id, account in sorted(self.tables.accounts.items()):
            if accounts is None or account_id in accounts:
                for violation in violations(account, self.tables):
                    yield violation
