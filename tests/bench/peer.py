"""Ledgers that others use, for the part that they do: postings between accounts of members, with the same durability.

None of them is part of this project; each takes part if a variable of the environment says where it is:
- LOYALTY_TEST_PGLEDGER: the SQL files of pgledger (a ledger in SQL functions), in the order in which they build on each other,
  with `:` between them (its two ULID functions, then `pgledger.sql`);
- LOYALTY_TEST_HORDAK: a Python interpreter that has `django-hordak` and `psycopg` installed.
One event of the workload stands for one transfer here, without facts, lots, tiers or messages.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import asyncpg

from tests.bench.connecting import connected
from tests.bench.measure import Contestants, Run, between, read
from tests.bench.stack import Stack

PGLEDGER = "LOYALTY_TEST_PGLEDGER"
HORDAK = "LOYALTY_TEST_HORDAK"
MEMBERS = 5_000
HORDAK_CONNECTIONS = 8


@dataclass(slots=True)
class Pgledger:
    """`transfers` transfers over `connections`, so many of them a transaction."""

    stack: Stack
    sql: str
    transfers: int
    connections: int
    together: int

    async def __call__(self) -> Run:
        """On a database of its own, right after a checkpoint."""
        dsn = self.stack.empty("peer")
        pool = await asyncpg.create_pool(dsn, min_size=self.connections, max_size=self.connections)
        try:
            await pool.execute(self.sql)
            accounts = await pool.fetch(
                "SELECT a.id AS granted, b.id AS available FROM generate_series(1, $1) AS n,"
                " pgledger_create_account('granted ' || n, 'POINTS') AS a,"
                " pgledger_create_account('available ' || n, 'POINTS', allow_negative_balance => false) AS b",
                MEMBERS,
            )
            rng = Random(1)
            wanted = [rng.choice(accounts) for _ in range(self.transfers)]
            await pool.execute("CHECKPOINT")
            pids = {"postgres": (self.stack.postgres.pid or 0,)}
            async with pool.acquire() as watching:
                first = await read(watching, time.monotonic(), pids)
            await asyncio.gather(*(self._send(pool, wanted[n :: self.connections]) for n in range(self.connections)))
            async with pool.acquire() as watching:
                return between(first, await read(watching, time.monotonic(), pids), self.transfers)
        finally:
            await pool.close()
            self.stack.drop(dsn)

    async def _send(self, pool: asyncpg.Pool[asyncpg.Record], wanted: Sequence[asyncpg.Record]) -> None:
        # One connection for all of them: giving it back to the pool would cost a round trip each time.
        async with pool.acquire() as connection:
            for start in range(0, len(wanted), self.together):
                part = wanted[start : start + self.together]
                await connection.execute(
                    "SELECT count(*) FROM pgledger_create_transfers((SELECT array_agg((f, t, 100)::transfer_request)"
                    " FROM unnest($1::text[], $2::text[]) AS w (f, t)))",
                    [row["granted"] for row in part],
                    [row["available"] for row in part],
                )


@dataclass(slots=True)
class Hordak:
    """`transfers` transfers through django-hordak, each a transaction, by as many processes as connections."""

    stack: Stack
    interpreter: str
    transfers: int

    async def __call__(self) -> Run:
        """On a database of its own, right after a checkpoint."""
        dsn = self.stack.empty("peer")
        at = urlsplit(dsn)
        transfers = self.transfers // HORDAK_CONNECTIONS * HORDAK_CONNECTIONS
        arguments = (at.hostname or "", str(at.port), at.path.lstrip("/"), str(transfers), str(HORDAK_CONNECTIONS))
        service = await asyncio.create_subprocess_exec(
            *(self.interpreter, str(Path(__file__).with_name("hordak_transfers.py")), *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert service.stdin is not None
        assert service.stdout is not None
        async with connected(dsn) as watching:
            await _said(service.stdout, "ready")
            await watching.execute("CHECKPOINT")
            pids = {"workers": (service.pid,), "postgres": (self.stack.postgres.pid or 0,)}
            first = await read(watching, time.monotonic(), pids)
            service.stdin.write(b"go\n")
            await _said(service.stdout, "done")
            last = await read(watching, time.monotonic(), pids)
            posted = await watching.fetchval("SELECT count(*) FROM hordak_transaction /* bench */")
            assert posted == transfers, f"{posted} transfers were posted, not {transfers}"
            return between(first, last, transfers)
            if service.returncode is None:
                service.kill()
            await service.wait()
            self.stack.drop(dsn)


async def _said(output: asyncio.StreamReader, word: str) -> None:
    line = (await output.readline()).decode().strip()
    assert line == word, f"the peer said {line!r}, not {word!r}"


def make_peers(stack: Stack, transfers: int) -> tuple[Contestants, list[str]]:
    """The peers that are here, and why others do not take part."""
    found: dict[str, Pgledger | Hordak] = {}
    absent: list[str] = []
    if given := os.environ.get(PGLEDGER):
        sql = "\n".join(Path(each).read_text(encoding="utf-8") for each in given.split(os.pathsep))
        found["pgledger_single"] = Pgledger(stack, sql, transfers, connections=8, together=1)
        found["pgledger_hundred"] = Pgledger(stack, sql, transfers, connections=2, together=100)
    else:
        absent.append(f"without pgledger: {PGLEDGER} does not name its SQL files")
    if given := os.environ.get(HORDAK):
        found["hordak_single"] = Hordak(stack, given, max(HORDAK_CONNECTIONS, transfers // 4))
    else:
        absent.append(f"without django-hordak: {HORDAK} does not name an interpreter that has it")
    return found, absent
