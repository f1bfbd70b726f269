"""Records that are few and large: what a worker holds at once is bounded in bytes, and its probes answer."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psutil
from aiokafka import AIOKafkaProducer

from tests.flows.bad_records import HOUR, NOW, raw
from tests.flows.probes import Probes
from tests.flows.system import System, until
from worker.local.ports import free_ports

RECORDS: Final = 300
MEMBERS: Final = 20
NOTE: Final = "x" * 1_000_000
"""A field that nobody knows; it is kept. Kafka has these records compressed to next to nothing."""
GROWTH_BYTES_MAX: Final = 256 * 2**20
"""Memory of a worker beyond what it has at rest: the records alone have more bytes."""
PROBE_SECONDS_MAX: Final = 2.0
"""On a machine that is busy with other things."""


async def _publish(system: System) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=system.bootstrap,
        compression_type="zstd",
        max_batch_size=16 * 2**20,
        max_request_size=64 * 2**20,
        linger_ms=200,
    )
    await producer.start()
    try:
        for number in range(RECORDS):
            given: dict[str, Any] = {"member_id": f"M{number % MEMBERS}", "points": 1, "reason": "gift", "note": NOTE}
            at = (NOW - HOUR + timedelta(seconds=number)).isoformat()
            record = raw("points.adjusted", f"gift-{number}", given, program="belle-maison", time=at)
            topic, headers = system.prefix + record.topic, list(record.headers)
            # In order for each member: what comes late is folded again with all that followed it, large or not.
            await producer.send(topic, record.value, key=given["member_id"].encode(), headers=headers)
    finally:
        await producer.stop()


def _peak_bytes(pid: int) -> int:
    """The most memory that a process ever had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


async def test_large_records_are_taken_a_few_at_a_time_while_the_probes_answer(system: System) -> None:
    await system.prepare()
    (port,) = free_ports(1)
    probes = Probes(port)
    worker = system.start_worker("large", LOYALTY_PROBE_PORT=str(port))
    await until(probes.ready, 30, "the worker reads")
    assert worker.pid is not None
    at_rest = psutil.Process(worker.pid).memory_info().rss
    await _publish(system)
    slowest, answers = 0.0, 0
    drained = asyncio.create_task(system.drained(120))
    while not drained.done():
        started = time.monotonic()
        status, _ = await probes.get("/live")
        slowest, answers = max(slowest, time.monotonic() - started), answers + (status == 200)
        await asyncio.wait({drained}, timeout=0.02)
    await drained
    grown = _peak_bytes(worker.pid) - at_rest
    (row,) = await system.sql("SELECT count(*), sum(length(body)) AS bytes FROM fact")
    assert (row["count"], row["bytes"] > RECORDS * len(NOTE)) == (RECORDS, True)
    (row,) = await system.sql("SELECT count(*) FROM dead_letter")
    assert row["count"] == 0
    assert grown < GROWTH_BYTES_MAX, f"{grown / 2**20:.0f} MiB"
    assert answers > 0
    assert slowest < PROBE_SECONDS_MAX, f"{slowest:.1f} s"
    assert await probes.metric("loyalty_batches_total") >= RECORDS * len(NOTE) / (16 * 2**20)
