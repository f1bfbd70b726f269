"""How long it takes, while events come at a steady pace: from the event to the ledger, and from the ledger to whoever listens.

An event is due at its business time, whether the sender could keep up or not; so a stall counts for every event that it held up.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Producer

from tests.bench.ours import Ours
from tests.bench.stack import Stack
from tests.bench.workload import Delivery, Mix, Workload
from tests.flows.system import TOPIC_OF, System, until

OUT = "loyalty.balance-changed"
IN_ORDER = Mix(late=0, duplicates=0)
TICK_SECONDS = 0.002
SETTLE_SECONDS = 3.0
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
    there until the broker had appended the message that tells of it (the commit lies within)."""

    events_per_second: float
    events: int
    to_ledger_p50: float
    to_ledger_p99: float
    to_published_p50: float
    to_published_p99: float


async def measure(stack: Stack, directory: Path, template: str, members: int, per_second: float, seconds: float) -> Delays:
    """One worker, events of the usual shares but in order, at a pace, for so long."""
    prefix = f"delays{uuid.uuid4().hex[:6]}."
    await stack.topics(prefix)
    dsn = stack.database(template)
    system = Ours(stack, directory, template, prefix, 0).system(dsn)
    try:
        worker = system.start_worker(f"delays-{uuid.uuid4().hex[:6]}")

        async def joined() -> bool:
            system.check_alive()
            return '"partitions_assigned"' in worker.output

        await until(joined, JOIN_SECONDS, "the worker has its partitions")
        events = int(per_second * seconds)
        begin = datetime.now(UTC) + timedelta(seconds=SETTLE_SECONDS)
        workload = Workload(2, members, events, begin + timedelta(seconds=seconds), IN_ORDER, per_second)
        await asyncio.to_thread(_send, stack.kafka.bootstrap, prefix, list(workload.traffic()))
        await system.drained(JOIN_SECONDS)
        return await _delays(system, workload.start, per_second, events)
    finally:
        system.stop_workers()
        stack.drop(dsn)
        await stack.remove_topics(prefix)


def _send(bootstrap: str, prefix: str, deliveries: list[Delivery]) -> None:
    """Send each event when its time has come."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0})
    for delivery in deliveries:
        event, due = delivery.event, delivery.at.timestamp()
        while (wait := due - time.time()) > 0:
            producer.poll(0)
            time.sleep(min(wait, TICK_SECONDS))
        headers: list[tuple[str, str | bytes | None]] = [*event.headers()]
        producer.produce(prefix + TOPIC_OF[event.type], event.value(), (event.member or "").encode(), headers=headers)
    producer.flush(JOIN_SECONDS)


async def _delays(system: System, begin: datetime, per_second: float, events: int) -> Delays:
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
    return Delays(per_second, events, median, highest, found[len(found) // 2], found[len(found) * 99 // 100])
