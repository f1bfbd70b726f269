"""The store on Postgres on a stage: every statement may be a turn of somebody else, every connection may break, and every COMMIT
may go wrong as it is told to.

Workers are tasks of one event loop, of which one at a time goes on, up to its next statement. A statement that waits for a lock
gives the turn back: Postgres is asked whether it waits, so that what follows does not hang on how long anything takes. What is
real: statements, locks, transactions, connections that end. What the schedule does: turns, faults, the end of leases. Left
to Postgres: who goes on first of several that wait for a row to be inserted which then is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import ContextVar, copy_context
from datetime import datetime, timedelta
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast
from unittest.mock import patch
from uuid import NAMESPACE_OID, UUID, uuid5

import asyncpg
from msgspec.structs import replace

from tests.simulation.postgres_tables import UNSOUND, PostgresTables, heads_differ
from tests.simulation.stage import Act, Commit, Killed
from tests.stores.memory_tables import Tables
from tests.stores.soundness import violations
from worker.decide.change import AccountChange, AccountRow, Wanted
from worker.persist import Dossier, Erasure, PostgresStore, StoreOptions
from worker.persist import erasure as erasure_module
from worker.persist.batch import PostgresBatch
from worker.persist.link import PLANNED_ONCE, PLANNING

if TYPE_CHECKING:
    from worker.persist.link import Connection

# No limit of time may come into the schedule's way; what cannot go on is found without.
OPTIONS: Final = StoreOptions(role="loyalty_worker", statement_seconds=600, lock_seconds=600, connections_max=12)
SETTINGS: Final = ("synchronous_commit = off", "deadlock_timeout = '10min'")
_LOOK_SECONDS: Final = (0.002, 0.004, 0.008, 0.016, 0.05)
"""How long a statement may take before Postgres is asked whether it waits for a lock: first, and then."""
_STUCK_SECONDS: Final = 120.0
_END_MS: Final = 60_000
_T = TypeVar("_T")

_whose: ContextVar[TaskDriven | None] = ContextVar("_whose", default=None)


def database_in_use() -> Database:
    """The database of the worker whose turn it is."""
    actor = _whose.get()
    assert actor is not None
    return actor.stage.database


class Database:
    """One database for many worlds, one after the other. `dsn`: of a superuser; the schema must be there."""

    def __init__(self, dsn: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._store = self.run(_opened(dsn))
        self.pool = self._store._pool  # its connections stay open from world to world
        self._monitor: asyncpg.Connection[asyncpg.Record] = self.run(
            # Plans for tables that are empty now and will not be: as the worker's.
            asyncpg.connect(dsn, server_settings=dict(setting.split(" = ", 1) for setting in (*PLANNING, PLANNED_ONCE)))
        )
        self._asking = asyncio.Lock()
        self.in_use: PostgresStage | None = None
        tables = self.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'")
        self._tables = [row["tablename"] for row in tables]

    def stage(self, clock: Callable[[], datetime]) -> PostgresStage:
        """An empty ledger."""
        self.empty()
        self.in_use = stage = PostgresStage(self, clock)
        self.run(stage.state())  # as a worker does when it starts
        return stage

    def run(self, awaitable: Awaitable[_T]) -> _T:
        """What the awaitable comes to."""
        return self.loop.run_until_complete(awaitable)

    def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of a statement."""
        return self.run(self.ask(query, *arguments))

    async def ask(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of a statement, on a connection that no worker has."""
        async with self._asking:
            return await self._monitor.fetch(query, *arguments)

    def empty(self) -> None:
        """Take all rows away, and put those back that a new ledger has."""
        names = ", ".join(f'"{name}"' for name in self._tables)
        # The triggers that keep facts and entries from being removed do not run for a replica.
        self.run(
            self._monitor.execute(
                f"SET session_replication_role = replica; TRUNCATE {names}; SET session_replication_role = origin;"
                + "; ".join(f"INSERT INTO {table} DEFAULT VALUES" for table in ("ledger_state", "watermark", "certainty"))
            )
        )

    def close(self) -> None:
        """End all connections."""
        self.run(self._monitor.close())
        self.run(self._store.close())
        self.loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


async def _opened(dsn: str) -> PostgresStore:
    connection = await asyncpg.connect(dsn)
    (name,) = await connection.fetchrow("SELECT current_database()") or ("",)
    for setting in SETTINGS:
        await connection.execute(f'ALTER DATABASE "{name}" SET {setting}')
    # It would hold locks when it likes; and between two worlds tables have no dead rows.
    for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        await connection.execute(f'ALTER TABLE "{row["tablename"]}" SET (autovacuum_enabled = off)')
    await connection.close()
    return await PostgresStore.open(dsn, OPTIONS)


class TaskDriven:
    """A coroutine as a task that stops before each statement: `stages.Actor` of the stage on Postgres."""

    def __init__(self, stage: PostgresStage, coroutine: Coroutine[Any, Any, Any], act: Act) -> None:
        self.act = act
        self.stage = stage
        self.lines: list[_Line] = []
        self.batch: _Recorded | None = None
        self.dead = False
        self._alone = False
        self._coroutine = coroutine
        self._task: asyncio.Task[Any] | None = None
        self._gate: asyncio.Future[None] | None = None
        self._news: asyncio.Future[None] | None = None
        self._waits = False
        self._sure = False
        """It waits for nobody, whatever Postgres says at the moment."""

    # -- from without

    @property
    def able(self) -> bool:
        return not self._waits

    def turn(self, *, alone: bool) -> bool:
        self._alone = alone
        return self._go_on(self._released())

    def cut(self) -> bool:
        return self._go_on(self._cut())

    def give_up(self) -> bool:
        return self._go_on(self._tired())

    def kill(self) -> None:
        with suppress(BaseException):
            self._go_on(self._killed())

    def _go_on(self, how: Coroutine[Any, Any, None]) -> bool:
        self.stage.database.run(self._went_on(how))
        if self._task is None or not self._task.done():
            return False
        self.stage.actors.discard(self)
        self._task.result()
        return True

    async def _went_on(self, how: Coroutine[Any, Any, None]) -> None:
        await how
        await self.settled()
        # Locks that were given back let others go on: up to their next statement, or their next wait.
        while self.stage.freed:
            self.stage.freed = False
            for other in self.stage.actors:
                if not other.able:
                    await other.settled()

    async def _released(self) -> None:
        if self._task is None:
            context = copy_context()
            context.run(_whose.set, self)
            self._task = asyncio.get_running_loop().create_task(self._coroutine, context=context)
            self._task.add_done_callback(lambda _: self._tell())
            return
        gate, self._gate = self._gate, None
        if gate is not None:  # else it came to its end when a lock was given to it
            gate.set_result(None)

    async def _cut(self) -> None:
        for line in self.lines:
            await line.cut()
        await self._released()

    async def _tired(self) -> None:
        for line in self.lines:
            await self.stage.database.ask("SELECT pg_cancel_backend($1)", line.pid)
        self._sure = True

    async def _killed(self) -> None:
        self.dead = True
        if self._task is None:
            self._coroutine.close()
            self.stage.actors.discard(self)
            return
        for line in self.lines:
            await line.cut()
        await self._released()
        await asyncio.wait([self._task])

    # -- from within

    async def pause(self) -> None:
        """Stop before a statement until the schedule says to go on."""
        if not self._alone and not self.dead:
            self._gate = asyncio.get_running_loop().create_future()
            self._tell()
            await self._gate
        if self.dead:
            raise Killed

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _stands(self) -> bool:
        return self._gate is not None or self._task is None or self._task.done()

    async def settled(self) -> None:
        """Come to a stop: before the next statement, at the end, or where a lock is waited for."""
        self._waits = False
        sure, self._sure = self._sure or self._alone, False
        looks = iter(_LOOK_SECONDS)
        seconds = next(looks)
        give_up_at = self.stage.database.loop.time() + _STUCK_SECONDS
        while not self._stands():
            self._news = asyncio.get_running_loop().create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if sure else seconds):
                    await self._news
            if self._stands():
                break
            seconds = next(looks, seconds)
            if await self.stage.waiting([line.pid for line in self.lines]):
                self._waits = not self._stands()
                break
            assert self.stage.database.loop.time() < give_up_at, "a statement that never ends"


class _Line:
    """A connection in use by an actor: stops before each statement."""

    def __init__(self, connection: Connection, actor: TaskDriven) -> None:
        self._connection = connection
        self._actor = actor
        self.pid = connection.get_server_pid()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        await self._actor.pause()
        return await self._connection.fetch(query, *arguments)

    async def fetchval(self, query: str, *arguments: object) -> Any:
        await self._actor.pause()
        return await self._connection.fetchval(query, *arguments)

    async def copy_records_to_table(self, table: str, *, records: Any, columns: Any) -> str:
        await self._actor.pause()
        return await self._connection.copy_records_to_table(table, records=records, columns=columns)

    async def execute(self, query: str, *arguments: object) -> str:
        if query == "COMMIT":
            return await self._commit()
        if query == "ROLLBACK":
            self._actor.stage.freed = True
        elif not query.startswith("BEGIN"):
            await self._actor.pause()
        return await self._connection.execute(query, *arguments)

    async def cut(self) -> None:
        """The connection breaks: by turns it is Postgres that ends it, with a last word, and the other side without one."""
        stage = self._actor.stage
        stage.freed = True
        stage.cuts += 1
        if stage.cuts % 2:
            self._connection.terminate()
        # Nothing of it is left, no lock either, when this returns.
        await stage.database.ask("SELECT pg_terminate_backend($1, $2)", self.pid, _END_MS)

    async def _commit(self) -> str:
        await self._actor.pause()
        fault = self._actor.act.commit
        if fault in ("refused", "request_lost"):
            await self.cut()
            return await self._connection.execute("COMMIT")
        status = await self._connection.execute("COMMIT")
        self._actor.stage.freed = True
        if status == "COMMIT":
            self._actor.stage.kept(self._actor)
        if fault == "answer_lost":
            await self.cut()
            raise ConnectionResetError("the connection was cut at COMMIT")
        if fault == "killed_after":
            await self.cut()
            self._actor.dead = True
            raise Killed
        return status


class _Recorded:
    """A batch of which is known what it wrote."""

    def __init__(self, batch: PostgresBatch, numbered: Callable[[], UUID]) -> None:
        self._batch = batch
        self._numbered = numbered
        self.changes: list[AccountChange] = []
        self.forgotten: tuple[tuple[UUID, UUID], ...] = ()
        self.parted: list[AccountRow] = []

    async def erase(self, account: UUID) -> Erasure | None:
        """With the rows that it leaves, and an id that is the same whenever the seed is played."""
        with patch.object(erasure_module, "uuid4", self._numbered):
            erasure = await self._batch.erase(account)
        if erasure is not None:
            self.forgotten = ((account, erasure.nameless),)
            loaded = await self._batch.load([Wanted(account), Wanted(erasure.nameless)])
            self.parted = [replace(each.row, forgotten_until=None) for each in loaded.values() if each.row is not None]
        return erasure

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    async def write(self, changes: Sequence[AccountChange]) -> None:
        self.changes += changes
        await self._batch.write(changes)


class PostgresStage(PostgresStore):
    """The store that all workers of a simulation share: `stages.Stage` on Postgres."""

    turns = 24

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        super().__init__(database.pool, OPTIONS)
        self.database = database
        self.loop: asyncio.AbstractEventLoop | None = database.loop
        self.tables = PostgresTables(database.fetch)
        self.actors: set[TaskDriven] = set()
        self.committed: list[Commit] = []
        self.cuts = 0
        self.freed = False
        """Whether a transaction ended since those that wait were looked at."""
        self._clock = clock
        self._numbers = count()
        self._rows: dict[UUID, AccountRow] = {}
        self._leases: dict[str, datetime] = {}

    # -- what workers ask

    def batch(self) -> AbstractAsyncContextManager[PostgresBatch]:
        return self._recorded()

    def _numbered(self) -> UUID:
        return uuid5(NAMESPACE_OID, str(next(self._numbers)))

    @asynccontextmanager
    async def _recorded(self) -> AsyncIterator[PostgresBatch]:
        actor = _whose.get()
        async with super().batch() as batch:
            recorded = _Recorded(batch, self._numbered)
            if actor is not None:
                actor.batch = recorded
            yield cast(PostgresBatch, recorded)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        actor = _whose.get()
        if actor is not None and actor.dead:
            raise Killed
        self.tables.forget()
        async with super().connection() as connection:
            if actor is None:
                yield connection
                return
            line = _Line(connection, actor)
            actor.lines.append(line)
            try:
                yield cast("Connection", line)
            finally:
                actor.lines.remove(line)

    async def lease(self, name: str, holder: str, seconds: float) -> bool:
        """By the clock of the play, which can stand still and jump: a lease of Postgres lasts a day, unless it is ended here."""
        until = self._leases.get(name)
        if until is not None and until <= self._clock():
            await self.database.ask("UPDATE lease SET until = clock_timestamp() WHERE name = $1", name)
        taken = await super().lease(name, holder, timedelta(days=1).total_seconds())
        if taken:
            self._leases[name] = self._clock() + timedelta(seconds=seconds)
        return taken

    # -- what the play asks

    def begin(self, coroutine: Coroutine[Any, Any, Any], act: Act) -> TaskDriven:
        assert self.database.in_use is self, "the database was emptied for another play"
        actor = TaskDriven(self, coroutine, act)
        self.actors.add(actor)
        return actor

    def heads(self) -> Mapping[UUID, AccountRow]:
        return self._rows

    def left_open(self) -> bool:
        return self._pool.get_size() != self._pool.get_idle_size()

    def unsound(self, accounts: Collection[UUID]) -> list[str]:
        rows = [self._rows[account_id] for account_id in sorted(accounts)]
        columns = ([row.account_id for row in rows], [row.revision for row in rows], [row.version for row in rows])
        return [f"{row['name']}: {row['account_id']}: {row['detail']}" for row in self.database.fetch(UNSOUND, *columns)]

    def unsound_as_whole(self) -> list[str]:
        self.tables.forget()
        accounts = self.tables.accounts
        found = [*self.unsound(self._rows), *heads_differ(accounts, self._rows)]
        found += [f"{each.invariant}: {each.account_id}: {each.detail}" for each in self.database.run(self._verified())]
        for account in accounts.values():
            found += [f"{each.invariant}: {each.account_id}: {each.detail}" for each in violations(account, Tables())]
        return found

    def kept_of(self, accounts: Collection[UUID]) -> list[Dossier]:
        return self.database.run(self._kept_of(accounts))

    async def _kept_of(self, accounts: Collection[UUID]) -> list[Dossier]:
        return [dossier async for dossier in self.dossiers(accounts)]

    async def _verified(self) -> list[Any]:
        return [violation async for violation in self.verify()]

    async def waiting(self, pids: list[int]) -> bool:
        """Whether one of these connections waits for a lock that another one has."""
        query = "SELECT bool_or(cardinality(pg_blocking_pids(pid)) > 0) FROM unnest($1::integer[]) AS p (pid)"
        return bool((await self.database.ask(query, pids))[0][0])

    def kept(self, actor: TaskDriven) -> None:
        """A transaction was committed."""
        batch = actor.batch
        assert batch is not None
        erased = tuple((self._rows[account], nameless) for account, nameless in batch.forgotten)
        self._rows.update({row.account_id: row for row in batch.parted})
        changes = tuple((self._rows.get(c.account_id), c) for c in batch.changes)
        self.committed.append(Commit(tuple(batch.moves), changes, actor.act.records, erased))
        for c in batch.changes:
            row = AccountRow(c.account_id, c.program, c.member_id, c.expected_revision + 1, c.version, c.epoch, c.head, c.fenced)
            self._rows[c.account_id] = row

    def clear(self) -> None:
        for actor in list(self.actors):
            actor.kill()
