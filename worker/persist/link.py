"""A connection in use by one batch: runs statements by their name, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import asyncpg

from worker.persist.errors import translate
from worker.persist.queries import SQL

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

_BROKEN: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What a connection raises that is of no use any more."""

# Plans are made for arrays of any length, and while tables may still be empty: they must not fall for a scan of a table that is
# small today, collect all that is due to give out ten, nor compile what runs in a millisecond.
PLANNING: Final = (
    "enable_seqscan = off",
    "enable_bitmapscan = off",
    "enable_hashjoin = off",
    "enable_mergejoin = off",
    "jit = off",
)
# Plans are made once a connection, not for every batch anew.
PLANNED_ONCE: Final = "plan_cache_mode = force_generic_plan"


def names_of(columns: str) -> tuple[str, ...]:
    """Names of columns, from a text with a space between them."""
    return tuple(columns.split())


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the driver become those of the store; what is a mistake of ours stays as it is."""
    try:
        yield
    except Exception as error:
        known = translate(error)
        if known is None or known is error:
            raise
        raise known from error


class Link:
    """Named statements on one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of the statement `name`."""
        with translated():
            return await self.connection.fetch(SQL[name], *arguments)

    async def value(self, name: str, *arguments: object) -> Any:
        """The first column of the first row of the statement `name`; None if there is none."""
        with translated():
            return await self.connection.fetchval(SQL[name], *arguments)

    async def execute(self, name: str, *arguments: object) -> int:
        """Runs the statement `name`; the number of rows that it wrote."""
        with translated():
            status = await self.connection.execute(SQL[name], *arguments)
        return int(status.rsplit(" ", 1)[-1])

    async def append(self, table: str, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Adds rows to a table by binary COPY: about half the log and half the time of INSERT."""
        with translated():
            await self.connection.copy_records_to_table(table, records=rows, columns=names)


@asynccontextmanager
async def snapshot(connection: Connection) -> AsyncIterator[Link]:
    """A read-only view of one moment: all statements within see the same rows."""
    with translated():  # also its beginning and its end, which a broken connection does not hear
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield Link(connection)


async def roll_back(connection: Connection) -> None:
    """Ends the transaction; if that cannot be done, ends the connection, which comes to the same."""
    try:
        await connection.execute("ROLLBACK")
    except (*_BROKEN, asyncio.CancelledError):
        _give_up(connection)


async def give_back(pool: asyncpg.Pool[asyncpg.Record], connection: PoolConnectionProxy[asyncpg.Record], seconds: float) -> None:
    """Puts a connection back; one that breaks at this is closed by the pool, and what was done with it stands."""
    with suppress(*_BROKEN):
        await pool.release(connection, timeout=seconds)


def _give_up(connection: Connection) -> None:
    """Ends a connection without a word; one that broke by itself has left the pool already."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def commit(connection: Connection) -> Exception | None:
    """Commits. Returns the error of a COMMIT that got no answer; being cancelled waits for the answer first."""
    commit = asyncio.ensure_future(connection.execute("COMMIT"))
    try:
        status = await asyncio.shield(commit)
    except asyncio.CancelledError:
        await asyncio.wait([commit])
        if commit.exception() is not None:
            _give_up(connection)
        raise
    except _BROKEN as error:
        _give_up(connection)
        return error
    if status != "COMMIT":
        raise RuntimeError("a statement of the batch had failed and its error was passed over: nothing was written")
    return None
