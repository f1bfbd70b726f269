"""A ledger with many accounts, made from few: accounts that were really folded, copied row by row under other members' ids.

What the copies hold is opaque here (heads and items stay bytes), so it does not matter how the worker writes them. Orders of the
copies keep their ids, but get routes of their own; nobody sends events about them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from tests.bench.connecting import connected
from tests.bench.workload import member_name
from tests.flows.system import ACCOUNT_KEY
from worker.persist.identity import account_id, shard_of

TABLES = ("account", "fact", "step", "entry", "lot", "item", "decision")
"""What an account has rows in."""
COPIES_TOGETHER = 10_000
CONNECTIONS = 2
LINES_APART = 1_000
PER_STATEMENT_ENTRIES = 1_000_000
COLUMNS = "SELECT string_agg(quote_ident(column_name), ',' ORDER BY ordinal_position) FROM information_schema.columns"
COPIES = """
    CREATE TEMPORARY TABLE copied (original uuid, account_id uuid, member_id text, shard smallint, number bigint)
"""
ROUTES = """
    INSERT INTO order_route (order_id, programs, account_ids)
    SELECT r.order_id || '~' || c.number, r.programs, ARRAY[c.account_id]
    FROM copied c JOIN order_route r ON r.account_ids = ARRAY[c.original]
"""
MORE_ENTRIES = """
    INSERT INTO entry ({columns})
    SELECT {values} FROM entry e, generate_series($1::integer, $2::integer) AS again
    WHERE e.line < {apart}
"""


@dataclass(frozen=True, slots=True)
class Original:
    """An account that was folded: whose it is."""

    account: UUID
    program: str


async def originals(connection: asyncpg.Connection[asyncpg.Record], members: Iterable[str]) -> list[Original]:
    """The accounts of these members, in their order. Raises KeyError if one has none."""
    rows = await connection.fetch("SELECT member_id, account_id, program FROM account")
    found = {row["member_id"]: Original(row["account_id"], row["program"]) for row in rows}
    return [found[member] for member in members]


async def copy_accounts(dsn: str, of: Sequence[Original], numbers: range) -> None:
    """Make the accounts of the members with these numbers; number n is a copy of `of[n % len(of)]`.

    In portions sorted by account id, as COPY would be fed, over two connections, not waiting for the disk at each commit.
    """
    starts = iter(range(numbers.start, numbers.stop, COPIES_TOGETHER))
    await asyncio.gather(*(_copy_portions(dsn, of, numbers.stop, starts) for _ in range(CONNECTIONS)))


async def _copy_portions(dsn: str, of: Sequence[Original], stop: int, starts: Iterator[int]) -> None:
    async with connected(dsn) as connection:
        statements = [await _copy_statement(connection, table) for table in TABLES]
        await connection.execute(f"SET synchronous_commit = off; {COPIES}")
        for start in starts:
            portion = [_copied(of[number % len(of)], number) for number in range(start, min(start + COPIES_TOGETHER, stop))]
            portion.sort(key=lambda row: row[1].bytes)
            async with connection.transaction():
                await connection.execute("TRUNCATE copied")
                await connection.copy_records_to_table("copied", records=portion)
                for statement in (*statements, ROUTES):
                    await connection.execute(statement)


def _copied(original: Original, number: int) -> tuple[UUID, UUID, str, int, int]:
    member = member_name(number)
    account = account_id(ACCOUNT_KEY.encode(), original.program, member)
    return original.account, account, member, shard_of(account), number


async def more_entries(connection: asyncpg.Connection[asyncpg.Record], wanted: int) -> int:
    """Repeat the entries of all accounts, under other lines, until there are about so many; returns how many there are."""
    there: int = await connection.fetchval(f"SELECT count(*) FROM entry WHERE line < {LINES_APART}")
    columns = await _columns(connection, "entry")
    values = ",".join(f"e.line + {LINES_APART} * again" if name == "line" else f"e.{name}" for name in columns.split(","))
    statement = MORE_ENTRIES.format(columns=columns, values=values, apart=LINES_APART)
    times = max(0, round(wanted / there) - 1)
    together = max(1, PER_STATEMENT_ENTRIES // there)
    await connection.execute("SET synchronous_commit = off")
    for first in range(1, times + 1, together):
        await connection.execute(statement, first, min(first + together - 1, times))
    return there * (times + 1)


async def settle(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """What autovacuum and the checkpointer would have done long before, had the rows come in the course of years."""
    await connection.execute("VACUUM (ANALYZE, INDEX_CLEANUP on)")
    await connection.execute("CHECKPOINT")


async def _columns(connection: asyncpg.Connection[asyncpg.Record], table: str) -> str:
    columns: str = await connection.fetchval(f"{COLUMNS} WHERE table_schema = 'public' AND table_name = $1", table)
    return columns


async def _copy_statement(connection: asyncpg.Connection[asyncpg.Record], table: str) -> str:
    columns = await _columns(connection, table)
    taken = {"account_id", "member_id", "shard"} if table == "account" else {"account_id"}
    values = ",".join(f"{'c' if name in taken else 't'}.{name}" for name in columns.split(","))
    return f"INSERT INTO {table} ({columns}) SELECT {values} FROM copied c JOIN {table} t ON t.account_id = c.original"
