"""How long it takes, while events come at a steady pace: from the event to the ledger, and from the ledger to whoever listens.

An event is due at its business time, whether the sender could keep up or not; so a stall counts for every event that it held up.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tests.bench.context import Bench, tell
from tests.bench.figures import Goal, Outcome, Row
from tests.bench.ours import Ours
from tests.bench.pace import Sent, send_on_time
from tests.bench.workload import Mix, Workload
from tests.flows.system import System, until

OUT = "loyalty.balance-changed"
IN_ORDER = Mix(late=0, duplicates=0)
SMALL_LOAD = 100.0
"""Events per second at which nobody should wait for a batch to fill."""
SETTLE_SECONDS = 3.0
MADE_PER_SECOND = 20_000
"""Events are made before the first is due, and this fast at least."""
JOIN_SECONDS = 60.0
TO_LEDGER = """
    SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at - business_at)::float8)
    FROM fact WHERE business_at >= $1
"""
POSTED = """
    SELECT program, member_id, e.version, max(recorded_at) AS at
    FROM entry e JOIN account USING (account_id)
    WHERE recorded_at >= $1
    GROUP BY program, member_id, e.version
"""


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds, at a pace. `to_ledger`: from an event's own time until its batch was about to be committed; `to_published`: from
    there until the broker had appended the message that tells of it (the commit lies within). `sender_behind_p99`: how far the
    sender itself was behind the pace, which `to_ledger` holds too."""

    events_per_second: float
    events: int
    to_ledger_p50: float
    to_ledger_p99: float
    to_published_p50: float
    to_published_p99: float
    sender_behind_p99: float


async def measure(bench: Bench) -> Outcome:
    """Delays at a small load, and at half of what a worker was measured to do."""
    rate = bench.record.median("against", "worker", "events_per_second") or await bench.steady()
    outcome = Outcome()
    for name, pace in (("100 events/s", SMALL_LOAD), ("half load", rate / 2)):
        found = [await at_pace(bench, pace) for _ in range(bench.sizes.runs)]
        small = pace == SMALL_LOAD
        for what, goal in (
            ("to_ledger_p50", None),
            ("to_ledger_p99", Goal(at_most=100) if small else None),
            ("to_published_p50", None if small else Goal(at_most=50)),
            ("to_published_p99", None if small else Goal(at_most=250)),
        ):
            stretch = {"to_ledger": "event to ledger", "to_published": "commit to published"}[what[:-4]]
            values = [getattr(each, what) * 1_000 for each in found]
            outcome.rows.append(Row.of(f"{stretch} at {name}, {what[-3:]}", "ms", values, goal))
        outcome.details[name] = [asdict(each) for each in found]
    return outcome


async def at_pace(bench: Bench, per_second: float) -> Delays:
    """One worker, events of the usual shares but in order, at a pace, for so long."""
    sizes = bench.sizes
    async with one_worker(bench, "delays") as system:
        events = int(per_second * sizes.delay_seconds)
        begin = datetime.now(UTC) + timedelta(seconds=SETTLE_SECONDS + events / MADE_PER_SECOND)
        end = begin + timedelta(seconds=sizes.delay_seconds)
        workload = Workload(2, sizes.members, events, end, IN_ORDER, per_second)
        deliveries = await asyncio.to_thread(list, workload.traffic())
        sent = await asyncio.to_thread(send_on_time, system.bootstrap, system.prefix, deliveries)
        await system.drained(JOIN_SECONDS)
        found = await _delays(system, workload.start, per_second, sent)
        tell(str(found))
        return found


@asynccontextmanager
async def one_worker(bench: Bench, name: str) -> AsyncIterator[System]:
    """A worker that has its partitions, over topics and a database of its own, in which all members have joined."""
    stack = bench.stack
    prefix = f"{name}{uuid.uuid4().hex[:6]}."
    await stack.topics(prefix)
    dsn = stack.database(await bench.members())
    system = Ours(stack, stack.directory, "", prefix, 0).system(dsn)
    try:
        await join(system)
        yield system
    finally:
        system.stop_workers()
        stack.drop(dsn)
        await stack.remove_topics(prefix)


async def join(system: System, **settings: str) -> None:
    """Start a worker and wait until it has its partitions."""
    worker = system.start_worker(f"w-{uuid.uuid4().hex[:6]}", **settings)

    async def joined() -> bool:
        system.check_alive()
        return '"partitions_assigned"' in worker.output

    await until(joined, JOIN_SECONDS, "the worker has its partitions")


async def _delays(system: System, begin: datetime, per_second: float, sent: Sent) -> Delays:
    ((percentiles,),) = await system.sql(TO_LEDGER, begin)
    median, highest = percentiles
    rows: list[Any] = await system.sql(POSTED, begin)
    posted = {(row["program"], row["member_id"], row["version"]): row["at"].timestamp() for row in rows}
    found: list[float] = []
    for record in (await system.messages([OUT]))[OUT]:
        told = msgspec.json.decode(record.value)
        at = posted.get((told["program"], told["member_id"], told["version"]))
        if at is not None:
            found.append(record.timestamp / 1000 - at)
    found.sort()
    assert found, "nothing was published"
    behind = sent.behind_p99
    return Delays(per_second, sent.events, median, highest, found[len(found) // 2], found[len(found) * 99 // 100], behind)
