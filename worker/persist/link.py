"""A connection in use by one batch: runs statements by their name, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import asyncpg

from worker.persist.errors import translate
from worker.persist.queries import SQL

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

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
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        yield Link(connection)
