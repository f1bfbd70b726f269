"""Topics that are not what they were: made anew, cut off by retention, read again from the beginning; never silently."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.flows.bad_records import gift, order
from tests.flows.comparison import sound
from tests.flows.probes import Probes
from tests.flows.system import Raw, System, until
from worker.local.ports import free_ports
from worker.local.topics import create_topics

TOPIC = "loyalty.command"
MEMBER = "M1"
WAIT_SECONDS = 30
FEW = {TOPIC: 1, "commerce.shipment": 1, "commerce.activity": 1, "commerce.return": 1, "commerce.cancel": 1, "commerce.order": 1}


def gifts(first: int, count: int, name: str = "old") -> list[Raw]:
    """One point each."""
    return [gift(MEMBER, 1, f"{name}-{number}") for number in range(first, first + count)]


async def available(system: System) -> int:
    rows = await system.sql("SELECT available FROM account WHERE member_id = $1", MEMBER)
    return int(rows[0]["available"]) if rows else 0


async def has(system: System, points: int) -> None:
    async def there() -> bool:
        system.check_alive()
        return await available(system) == points

    await until(there, WAIT_SECONDS, f"{points} points are there, not {await available(system)}")


@asynccontextmanager
async def admin(system: System) -> Any:
    client = AIOKafkaAdminClient(bootstrap_servers=system.bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def make_anew(system: System, records: Sequence[Raw]) -> None:
    """Delete the topic, make one of the same name, and fill it."""
    async with admin(system) as client:
        await client.delete_topics([system.prefix + TOPIC])

        async def gone() -> bool:
            (described,) = await client.describe_topics([system.prefix + TOPIC])
            return int(described["error_code"]) != 0

        await until(gone, WAIT_SECONDS, "the topic is gone")
    await create_topics(system.bootstrap, {system.prefix + TOPIC: 1})
    system.send(records)


@pytest.mark.parametrize("meanwhile", ["away", "reading"])
async def test_a_topic_made_anew_and_grown_past_the_position_is_read_from_its_beginning(system: System, meanwhile: str) -> None:
    """The first records of the new one have been read before: they change nothing, and all others count."""
    await system.prepare(FEW)
    system.send(gifts(0, 50))
    worker = system.start_worker("w1")
    await has(system, 50)
    if meanwhile == "away":
        worker.stop()
    await make_anew(system, gifts(40, 100))
    if meanwhile == "away":
        worker.start()
    await has(system, 140)
    await system.drained(WAIT_SECONDS)
    assert "TopicReplaced" in worker.output
    assert "the topic was made anew" in worker.output
    await sound(system)
    assert len(await system.sql("SELECT FROM fact")) == 140


async def test_a_topic_made_anew_while_its_partition_is_paused_is_read_from_its_beginning(system: System) -> None:
    """The database holds the worker up, so its buffer is full and no broker is asked about the partition."""
    await system.prepare(FEW)
    (port,) = free_ports(1)
    probes = Probes(port)
    system.send(gifts(0, 50))
    worker = system.start_worker("w1", LOYALTY_PROBE_PORT=str(port), LOYALTY_BATCH_BUFFER_RECORDS_MAX="10")
    await has(system, 50)
    held = await asyncpg.connect(system.dsn)
    try:
        async with held.transaction():
            await held.execute("LOCK TABLE fact IN ACCESS EXCLUSIVE MODE")
            system.send(gifts(50, 1))

            async def waits() -> bool:
                return bool(await system.sql("SELECT FROM pg_locks WHERE relation = 'fact'::regclass AND NOT granted"))

            await until(waits, WAIT_SECONDS, "the worker waits for the database")
            system.send(gifts(51, 40))

            async def full() -> bool:
                return await probes.metric("loyalty_records_buffered") > 10

            await until(full, WAIT_SECONDS, "the buffer is full")
            await make_anew(system, gifts(60, 140))
    finally:
        await held.close()
    await system.drained(WAIT_SECONDS)
    found = {row["id"] for row in await system.sql("SELECT id FROM fact")}
    assert {f"old-{number}" for number in range(60, 200)} <= found
    assert await available(system) == len(found)
    assert "TopicReplaced" in worker.output
    await sound(system)


async def test_a_first_read_of_a_topic_whose_beginning_was_removed_takes_what_is_there_and_says_so(system: System) -> None:
    await system.prepare(FEW)
    system.send(gifts(0, 50))
    async with admin(system) as client:
        await client.delete_records({TopicPartition(system.prefix + TOPIC, 0): RecordsToDelete(20)})
    worker = system.start_worker("w1")
    await has(system, 30)
    await system.drained(WAIT_SECONDS)
    (said,) = [line for line in worker.output.splitlines() if "begins_late" in line]
    assert '"removed": 20' in said
    await sound(system)


async def test_records_removed_before_they_were_read_stop_their_partition_until_an_operator_decides(system: System) -> None:
    await system.prepare(FEW)
    (port,) = free_ports(1)
    probes = Probes(port)
    system.send(gifts(0, 50))
    worker = system.start_worker("w1", LOYALTY_PROBE_PORT=str(port))
    await has(system, 50)
    worker.stop()
    system.send(gifts(50, 50))
    async with admin(system) as client:
        await client.delete_records({TopicPartition(system.prefix + TOPIC, 0): RecordsToDelete(70)})
    worker.start()

    async def told() -> bool:
        return any("20) were removed" in reason for reason in (await probes.reasons()).get("kafka", ()))

    await until(told, WAIT_SECONDS, "/ready says what is missing")
    assert "GapFound" in worker.output
    assert await probes.metric("loyalty_incidents_total", kind="GapFound") == 1
    system.send([order("O", "M2")])

    async def others_go_on() -> bool:
        return bool(await system.sql("SELECT FROM account WHERE member_id = 'M2'"))

    await until(others_go_on, WAIT_SECONDS, "the other topics are read")
    assert await available(system) == 50
    (row,) = await system.sql("SELECT next_offset FROM position WHERE topic = $1", system.prefix + TOPIC)
    assert row["next_offset"] == 50
    found = [each for each in json.loads(await system.command("doctor", "-o", "json", code=1)) if each["check"] == "gaps"]
    assert [(each["result"], "20) were removed" in each["found"]) for each in found] == [("fail", True)]
    assert "LOYALTY_KAFKA_GAP_POLICY=continue" in found[0]["to_do"]
    worker.stop()
    system.start_worker("w2", LOYALTY_KAFKA_GAP_POLICY="continue")
    system.ended.append(worker)
    await has(system, 80)
    await system.drained(WAIT_SECONDS)
    assert "GapFound" in system.workers[-1].output
    found = [each for each in json.loads(await system.command("doctor", "-o", "json")) if each["check"] == "gaps"]
    assert [each["result"] for each in found] == ["ok"]
    await sound(system)


async def test_reading_everything_again_changes_nothing(system: System) -> None:
    """Kafka's own offsets are not looked at; without positions of its own a worker reads all, and finds it known."""
    await system.prepare(FEW)
    system.send(gifts(0, 200))
    worker = system.start_worker("w1")
    await has(system, 200)
    await system.drained(WAIT_SECONDS)
    worker.stop()
    before = await _everything(system)
    told = {topic: len(records) for topic, records in (await system.messages()).items()}
    await system.sql("DELETE FROM position")
    (port,) = free_ports(1)
    worker = system.start_worker("w2", LOYALTY_PROBE_PORT=str(port))
    system.ended.append(system.workers[0])
    await system.drained(WAIT_SECONDS)
    assert await Probes(port).metric("loyalty_events_total", outcome="duplicate") == 200
    assert await _everything(system) == before
    assert {topic: len(records) for topic, records in (await system.messages()).items()} == told
    await sound(system)


async def _everything(system: System) -> list[list[tuple[Any, ...]]]:
    tables = ("account", "fact", "entry", "lot", "dead_letter")
    return [[tuple(row) for row in await system.sql(f"SELECT * FROM {table} ORDER BY 1, 2, 3")] for table in tables]
