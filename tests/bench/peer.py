"""A ledger that others use, for the part that it does: postings between accounts of members, with the same durability.

pgledger (a ledger in SQL functions) is not part of this project: point LOYALTY_BENCH_PGLEDGER at its SQL files, in the order in
which they build on each other and with `:` between them (its two ULID functions, then `pgledger.sql`). One event of the workload
stands for one transfer here, without facts, lots, tiers or messages.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import asyncpg

from tests.bench.measure import Run, between, read
from tests.bench.stack import Stack

VARIABLE = "LOYALTY_BENCH_PGLEDGER"
MEMBERS = 5_000


@dataclass(slots=True)
class Peer:
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
        for start in range(0, len(wanted), self.together):
            part = wanted[start : start + self.together]
            await pool.execute(
                "SELECT count(*) FROM pgledger_create_transfers((SELECT array_agg((f, t, 100)::transfer_request)"
                " FROM unnest($1::text[], $2::text[]) AS w (f, t)))",
                [row["granted"] for row in part],
                [row["available"] for row in part],
            )


def make_peers(stack: Stack, transfers: int) -> dict[str, Peer] | str:
    """The peer, one transfer and a hundred a transaction; or why it does not take part."""
    given = os.environ.get(VARIABLE)
    if not given:
        return f"no peer: {VARIABLE} should name the SQL files of pgledger"
    sql = "\n".join(Path(each).read_text(encoding="utf-8") for each in given.split(os.pathsep))
    return {
        "peer_single": Peer(stack, sql, transfers, connections=8, together=1),
        "peer_hundred": Peer(stack, sql, transfers, connections=2, together=100),
    }
