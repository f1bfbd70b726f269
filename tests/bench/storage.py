"""What stays on disk: bytes of an event, and of the row that an account has besides; with indexes, the outbox left out."""

from __future__ import annotations

from tests.bench.context import SEED, Bench
from tests.bench.figures import Outcome, Row
from tests.bench.measure import Spread
from tests.bench.stack import batches, now, pipeline
from tests.bench.workload import Workload, records
from worker.persist.postgres import PostgresStore

PASSING = ("outbox", "position", "reading", "watermark", "lease")
"""Tables whose rows come and go."""
BYTES = """
    SELECT relname, pg_total_relation_size(oid) AS bytes FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> ALL($1::text[])
"""


async def measure(bench: Bench) -> Outcome:
    """Of a fresh ledger: all members join, then the usual traffic; what it grew by, as COPY and updates leave it."""
    stack, sizes = bench.stack, bench.sizes
    workload = Workload(SEED, sizes.members, sizes.storage_events, now())
    dsn = stack.database(await bench.members())
    try:
        joined = await _bytes(bench, dsn)
        async with await PostgresStore.open(dsn) as store, pipeline(store) as run:
            for batch in batches(records(workload.traffic())):
                assert not (await run.process(batch)).outcomes["dead_letter"]
        after = await _bytes(bench, dsn)
    finally:
        stack.drop(dsn)
    tables = {name: (after[name] - joined[name]) / sizes.storage_events for name in sorted(after)}
    found = {
        "stored_bytes_per_event": sum(tables.values()),
        "stored_bytes_per_account": joined["account"] / sizes.members,
    }
    rows = [
        Row.of("stored for ever, of an event", "bytes", [found["stored_bytes_per_event"]]),
        Row.of("stored once, of an account", "bytes", [found["stored_bytes_per_account"]]),
    ]
    return Outcome(rows, {"storage": {name: Spread.of([value]) for name, value in found.items()}}, {"by_table": tables})


async def _bytes(bench: Bench, dsn: str) -> dict[str, int]:
    return {row["relname"]: row["bytes"] for row in await bench.stack.sql(dsn, BYTES, list(PASSING))}
