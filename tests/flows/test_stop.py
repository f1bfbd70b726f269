"""Stopping: in good order, at once, and by force; whoever goes on ends with the same ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg

from contracts.events import TOPICS_IN
from tests.flows.comparison import same_as_simulated, sound
from tests.flows.probes import Probes
from tests.flows.shop import Sent, Shop
from tests.flows.system import System, until
from worker.local.ports import free_ports
from worker.local.process import Process
from worker.runtime.app import AT_ONCE_EXIT_CODE

GRACE_SECONDS = 25
SESSION_SECONDS = 120
"""How long Kafka would wait for a worker that did not say goodbye: far longer than this test waits."""
PARTITIONS = 2


def _shop(seed: int, count: int) -> list[Sent]:
    return Shop(seed, datetime.now(UTC) - timedelta(days=60), 59).events(count // 12, count)


async def _read(system: System) -> int:
    system.check_alive()
    async with system.store() as store:
        return sum(position.next_offset for position in (await store.positions()).values())


async def _more_than(system: System, records: int) -> None:
    async def read() -> bool:
        return await _read(system) > records

    await until(read, 60, f"{records} records read")


async def _exit_code(system: System, worker: Process, seconds: float) -> int | None:
    system.ended.append(worker)

    async def ended() -> bool:
        return not worker.alive

    await until(ended, seconds, f"{worker.name} has ended")
    return worker.stop()


@asynccontextmanager
async def _ledger_locked(system: System) -> AsyncIterator[None]:
    """Nobody can commit a batch meanwhile."""
    connection = await asyncpg.connect(system.dsn)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE fact IN SHARE MODE")
            yield
    finally:
        await connection.close()


async def test_a_worker_that_is_told_to_stop_under_load_commits_publishes_and_ends_well(system: System) -> None:
    await system.prepare(dict.fromkeys(TOPICS_IN, PARTITIONS))
    events = _shop(11, 6000)
    await system.publish(events, key=lambda event: event.order_id)
    worker = system.start_worker("w1", LOYALTY_BATCH_RECORDS_MAX="100")
    await _more_than(system, 1000)
    began = time.monotonic()
    worker.ask_to_stop()
    assert await _exit_code(system, worker, GRACE_SECONDS) == 0
    assert time.monotonic() - began < GRACE_SECONDS
    read = await _read(system)
    assert read < len(events)
    async with system.store() as store:
        assert (await store.backlog())[0] == 0
    assert await system.sql("SELECT name FROM lease WHERE name LIKE 'outbox%' AND until > clock_timestamp()") == []


async def test_partitions_go_over_at_once_and_the_ledger_ends_as_simulated_however_workers_end(system: System) -> None:
    await system.prepare(dict.fromkeys(TOPICS_IN, PARTITIONS))
    events = _shop(12, 6000)
    # A third each time, so that there is something left to read however fast workers are.
    parts = [events[start : start + 2000] for start in range(0, len(events), 2000)]

    async def publish_more() -> None:
        await system.publish(parts.pop(0), key=lambda event: event.order_id)

    await publish_more()
    (port,) = free_ports(1)
    small = {"LOYALTY_BATCH_RECORDS_MAX": "100"}
    first = system.start_worker("w1", **small, LOYALTY_KAFKA_SESSION_TIMEOUT_SECONDS=str(SESSION_SECONDS))
    second = system.start_worker("w2", **small, LOYALTY_KAFKA_SESSION_TIMEOUT_SECONDS="6", LOYALTY_PROBE_PORT=str(port))

    async def assigned(count: int) -> bool:
        system.check_alive()
        return await Probes(port).metric("loyalty_partitions_assigned") == count

    await until(lambda: assigned(len(TOPICS_IN) * PARTITIONS // 2), 30, "each worker has half of the partitions")
    first.ask_to_stop()
    assert await _exit_code(system, first, GRACE_SECONDS) == 0
    await until(lambda: assigned(len(TOPICS_IN) * PARTITIONS), SESSION_SECONDS / 6, "the other has all of them")

    async with _ledger_locked(system):
        await publish_more()

        async def held_up() -> bool:
            return await system.sql("SELECT FROM pg_locks WHERE NOT granted AND relation = 'fact'::regclass") != []

        # A batch under way cannot end now, so that the worker is still stopping when it is told again.
        await until(held_up, 30, "a batch of w2 is held up")
        second.ask_to_stop()

        async def stopping() -> bool:
            return '"stopping"' in second.output

        await until(stopping, 10, "w2 has heard that it should stop")
        second.ask_to_stop()
        assert await _exit_code(system, second, 2) == AT_ONCE_EXIT_CODE

    await publish_more()
    assert not parts
    third = system.start_worker("w3", **small, LOYALTY_KAFKA_SESSION_TIMEOUT_SECONDS="6")
    await _more_than(system, await _read(system) + 500)
    third.kill()
    system.ended.append(third)
    system.start_worker("w4")
    await system.drained(90)
    await asyncio.to_thread(same_as_simulated, await sound(system), events)
