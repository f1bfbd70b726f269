"""The store on Postgres: a pool of connections, transactions with limits, and what is asked outside of a batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID

import asyncpg

from db.migrate import applied, migrations
from worker.decide.state import Decision
from worker.persist import accounts as account_rows
from worker.persist import dead_letters, dossiers, invariants, kafka, orders, snapshots
from worker.persist.batch import PostgresBatch
from worker.persist.commands import CommandStore
from worker.persist.errors import (
    ConstraintError,
    OutcomeUnknownError,
    PositionLostError,
    SameLoginError,
    StoreError,
    TermsRightError,
    UnavailableError,
    WrongKeyError,
)
from worker.persist.link import PLANNED_ONCE, PLANNING, Link, commit, give_back, roll_back, translated
from worker.persist.rows import (
    Dossier,
    Due,
    LedgerState,
    Move,
    OutboxRow,
    ParkedSince,
    Partition,
    Position,
    Progress,
    Reading,
    Route,
    Terms,
    Violation,
    Waiting,
)

if TYPE_CHECKING:
    from worker.persist.link import Connection

_RETRY_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How to use Postgres. Every wait has a bound.

    `role`: a role to take on after logging in. `planned_once`: False on Citus, which has to see the values to find the nodes.
    `statement_cache_size`: 0 behind a pooler that hands out connections by transaction; then no settings are sent at
    connecting either. `settle_seconds`: how long to look for the outcome of a COMMIT that got no answer.
    `dead_letter_bytes_max`: larger records go to the DLQ topic as a pointer. `read_only`: no transaction may write.
    """

    connections_max: int = 8
    connect_seconds: float = 10.0
    acquire_seconds: float = 10.0
    statement_seconds: float = 30.0
    lock_seconds: float = 10.0
    settle_seconds: float = 30.0
    statement_cache_size: int = 256
    role: str | None = None
    planned_once: bool = True
    dead_letter_bytes_max: int = 900_000
    read_only: bool = False


class PostgresStore(snapshots.SnapshotStore, CommandStore):
    """`api.Store` on Postgres. Made by `open`, ended by `close`."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], options: StoreOptions) -> None:
        self._pool = pool
        self._options = options
        self._outbox_after = kafka.NIL
        self._due_after = -1
        self._announced = True  # until it is known that there is nothing
        limits = (
            f"statement_timeout = {round(options.statement_seconds * 1000)}",
            f"lock_timeout = {round(options.lock_seconds * 1000)}",
            f"idle_in_transaction_session_timeout = {round(options.statement_seconds * 2000)}",
        )
        # One round trip for the beginning and all its settings.
        settings = "; ".join(f"SET LOCAL {setting}" for setting in (*limits, *_planning(options)))
        self._begin = f"BEGIN ISOLATION LEVEL READ COMMITTED; {settings}"

    @classmethod
    async def open(cls, dsn: str, options: StoreOptions | None = None) -> Self:
        """Connects once, so that a wrong address is found out here. Raises UnavailableError."""
        options = options or StoreOptions()
        settings = {"application_name": "loyalty"}
        if options.statement_cache_size:
            settings |= dict(setting.split(" = ", 1) for setting in _planning(options))
        if options.role is not None:
            settings["role"] = options.role
        if options.read_only:
            settings["default_transaction_read_only"] = "on"
        with translated():
            pool = await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=options.connections_max,
                timeout=options.connect_seconds,
                command_timeout=options.statement_seconds + options.lock_seconds,
                statement_cache_size=options.statement_cache_size,
                server_settings=settings,
            )
        return cls(pool, options)

    async def close(self) -> None:
        """Waits for connections in use, as long as for one of them, then closes all."""
        with suppress(TimeoutError):  # whoever was reading whole accounts has left off, and holds on to the connection
            await asyncio.wait_for(self._pool.close(), self._options.acquire_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool, for reading whole tables."""
        with translated():
            connection = await self._pool.acquire(timeout=self._options.acquire_seconds)
        try:
            yield connection
        finally:
            await give_back(self._pool, connection, self._options.acquire_seconds)

    @asynccontextmanager
    async def _link(self) -> AsyncIterator[Link]:
        async with self.connection() as connection:
            yield Link(connection)

    # The batch

    def batch(self) -> AbstractAsyncContextManager[PostgresBatch]:
        return self._batch()

    @asynccontextmanager
    async def _batch(self) -> AsyncIterator[PostgresBatch]:
        async with self.connection() as connection:
            bytes_max = self._options.dead_letter_bytes_max
            batch = PostgresBatch(Link(connection), dead_letter_bytes_max=bytes_max, announced=self._announced)
            try:
                with translated():
                    await connection.execute(self._begin)
                yield batch
            except BaseException:
                await roll_back(connection)
                raise
            lost = await commit(connection)
        # Outside, so that looking for the outcome does not wait for the connection that it needs.
        if lost is not None:
            await self._settle(batch.moves, lost)

    async def _settle(self, moves: Sequence[Move], lost: Exception) -> None:
        """Finds out what became of a COMMIT without an answer; returns if all was kept, and raises otherwise."""
        give_up_at = asyncio.get_running_loop().time() + self._options.settle_seconds
        while moves and asyncio.get_running_loop().time() < give_up_at:
            try:
                async with self._link() as link:
                    outcome = await kafka.outcome(link, moves)
            except StoreError:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if outcome == "kept":
                return
            if outcome == "dropped":
                raise UnavailableError("the connection broke before COMMIT took effect") from lost
            raise PositionLostError([(move.topic, move.partition) for move in moves]) from lost
        raise OutcomeUnknownError("the connection broke while committing") from lost

    # Positions, watermark, clock

    async def positions(self) -> dict[Partition, Position]:
        async with self._link() as link:
            return await kafka.positions(link)

    async def report_progress(self, rows: Sequence[Progress]) -> None:
        async with self._link() as link:
            await kafka.report_progress(link, rows)

    async def readings(self) -> list[Reading]:
        async with self._link() as link:
            return await kafka.readings(link)

    async def watermark(self) -> datetime | None:
        async with self._link() as link:
            value: datetime | None = await link.value("watermark")
            return value

    async def advance_watermark(self, value: datetime) -> datetime:
        async with self._link() as link:
            await link.execute("advance_watermark", value)
            now: datetime = await link.value("watermark")
            return now

    async def due(self, shards: Collection[int], until: datetime, limit: int) -> list[Due]:
        found: list[Due] = []
        async with self._link() as link:
            for group in kafka.next_shards(shards, self._due_after):
                rows = await link.fetch("due", group, until, limit - len(found))
                found.extend(Due(row["account_id"], row["next_due_at"]) for row in rows)
                if len(found) >= limit:
                    self._due_after = rows[-1]["shard"]
                    break
        return found

    async def fenced(self, after: UUID, limit: int) -> list[UUID]:
        async with self._link() as link:
            return [row["account_id"] for row in await link.fetch("fenced_after", after, limit)]

    # Orders that are waited for

    async def drainable(self, limit: int) -> list[Route]:
        async with self._link() as link:
            return await orders.drainable(link, limit)

    async def let_go(self, before: datetime, limit: int) -> int:
        async with self._link() as link:
            return await orders.let_go(link, before, limit)

    async def parked_since(self, before: datetime, limit: int) -> list[ParkedSince]:
        async with self._link() as link:
            return await orders.parked_since(link, before, limit)

    async def contested(self, limit: int) -> list[str]:
        async with self._link() as link:
            return await orders.contested(link, limit)

    # Who is to be forgotten

    async def erasures_due(self, until: datetime, limit: int) -> list[UUID]:
        """Accounts whose erasure was asked for, by an event of this business time or earlier, and is not done."""
        async with self._link() as link:
            return [row["account_id"] for row in await link.fetch("erasures_due", until, limit)]

    async def may_erase(self) -> bool:
        """Whether this login may forget anybody."""
        async with self._link() as link:
            return bool(await link.value("may_erase"))

    # The outbox

    async def lease(self, name: str, holder: str, seconds: float) -> bool:
        async with self._link() as link:
            return await link.value("take_lease", name, holder, seconds) is not None

    async def release(self, name: str, holder: str) -> None:
        async with self._link() as link:
            await link.execute("give_back_lease", name, holder)

    async def read(self, shards: Collection[int], limit: int) -> list[OutboxRow]:
        async with self._link() as link:
            rows = await kafka.read_outbox(link, shards, self._outbox_after, limit)
        self._outbox_after = rows[-1].account_id if rows else kafka.NIL
        return rows

    async def delete(self, rows: Sequence[OutboxRow]) -> None:
        async with self._link() as link:
            await kafka.delete_outbox(link, rows)

    async def backlog(self) -> tuple[int, datetime | None]:
        async with self._link() as link:
            (row,) = await link.fetch("outbox_backlog")
            return row["messages"], row["oldest_at"]

    async def hand_over_dead_letters(self, per_lane: int) -> int:
        async with self._batch() as batch:
            return await batch.hand_over_dead_letters(per_lane)

    async def waiting_dead_letters(self) -> list[Waiting]:
        async with self._link() as link:
            return await dead_letters.waiting(link)

    # Terms and the ledger as a whole

    async def register_terms(self, body: bytes, file_digest: bytes, reason: str) -> bool | None:
        async with self._terms_link() as link:
            waits: bool | None = await link.value("register_terms", body, file_digest, reason)
            return waits

    async def terms_need_approval(self, program: str, begins_at: datetime) -> bool:
        async with self._link() as link:
            return bool(await link.value("terms_need_approval", program, begins_at))

    async def approve_terms(self, terms: Terms) -> None:
        """Approves a version that waits for it, as this login; once more is the same. Raises SameLoginError, TermsRightError."""
        async with self._terms_link() as link:
            try:
                await link.execute("approve_terms", terms.program, terms.hash, terms.applied_at, terms.applied_by)
            except ConstraintError as error:
                if error.constraint != "terms_approval_by_another":
                    raise
                raise SameLoginError(terms.applied_by) from error

    @asynccontextmanager
    async def _terms_link(self) -> AsyncIterator[Link]:
        """For writing terms. Raises TermsRightError."""
        async with self._link() as link:
            try:
                yield link
            except asyncpg.InsufficientPrivilegeError as error:
                raise TermsRightError from error

    async def terms(self) -> list[Terms]:
        async with self._link() as link:
            return [Terms(**dict(row)) for row in await link.fetch("terms")]

    async def state(self) -> LedgerState:
        async with self._link() as link:
            (row,) = await link.fetch("ledger_state")
            self._announced = row["announced"]
            return LedgerState(row["epoch"], row["now"])

    async def announce(self, told: Sequence[tuple[UUID, Decision]]) -> int:
        async with self._link() as link:
            self._announced = True
            return await account_rows.announce(link, told)

    async def raise_epoch(self, above: int) -> int:
        async with self._link() as link:
            return int(await link.value("raise_epoch", above))

    async def settle_key(self, check: bytes) -> None:
        async with self._link() as link:
            if await link.value("settle_key", check) != check:
                raise WrongKeyError

    async def missing_migrations(self) -> list[str]:
        async with self.connection() as connection:
            with translated():
                there = await applied(connection)
        return [version for version, path in migrations().items() if version not in there and "_before_" in path.name]

    async def dossiers(
        self, accounts: Collection[UUID] | None = None, known_at: datetime | None = None
    ) -> AsyncIterator[Dossier]:
        async with self.connection() as connection:
            async for dossier in dossiers.read(connection, accounts, known_at):
                yield dossier

    async def verify(self, accounts: Collection[UUID] | None = None) -> AsyncIterator[Violation]:
        async with self.connection() as connection:
            async for violation in invariants.check(connection, accounts):
                yield violation

    async def verify_whole(self) -> AsyncIterator[Violation]:
        """Runs the invariants that belong to no account."""
        async with self.connection() as connection:
            async for violation in invariants.whole(connection):
                yield violation

    async def written(
        self, after: UUID, since: datetime | None, limit: int, program: str | None = None
    ) -> list[tuple[UUID, bool]]:
        """Up to `limit` accounts behind an id, sorted, and whether each was written since and is of the program (None: any)."""
        async with self._link() as link:
            return [tuple(row) for row in await link.fetch("accounts_written", after, since, limit, program)]


def _planning(options: StoreOptions) -> tuple[str, ...]:
    return (*PLANNING, PLANNED_ONCE) if options.planned_once else PLANNING
