"""A Kafka of this machine, real and stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import UnknownTopicOrPartitionError

from tests.parts.kafka import TopicNames
from tests.parts.missing import cannot_run
from worker.local import Kafka, LocalKafka, MockKafka, PartFailed, RealKafka
from worker.local.kafka_jars import missing
from worker.local.topics import create_topics
from worker.local.watchdog import wait_gone

WAIT_SECONDS = 60.0


async def write(bootstrap: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    async with asyncio.timeout(WAIT_SECONDS), producer:
        await producer.send_and_wait(topic, value)


async def read(bootstrap: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with asyncio.timeout(WAIT_SECONDS), consumer:
        value: bytes | None = (await consumer.getone()).value
        return value


async def describe(bootstrap: str, topic: str) -> dict[str, Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([topic])
    finally:
        await admin.close()
    return dict(described)


async def test_topics_have_the_partitions_that_were_asked_for(kafka: Kafka, topics: TopicNames) -> None:
    await kafka.create_topics({topics("wide"): 5, topics("narrow"): 1})
    assert len((await describe(kafka.bootstrap, topics("wide")))["partitions"]) == 5
    assert len((await describe(kafka.bootstrap, topics("narrow")))["partitions"]) == 1


async def test_a_topic_that_is_there_stays_as_it_is(kafka: Kafka, topics: TopicNames) -> None:
    await kafka.create_topics({topics("orders"): 1})
    await write(kafka.bootstrap, topics("orders"), b"order")
    await kafka.create_topics({topics("orders"): 1})
    assert await read(kafka.bootstrap, topics("orders")) == b"order"


async def test_a_topic_is_not_made_by_being_named(kafka: Kafka, topics: TopicNames) -> None:
    for _ in range(2):
        described = await describe(kafka.bootstrap, topics("nobody-made-this"))
        assert described["error_code"] == UnknownTopicOrPartitionError.errno


async def test_records_stay_however_long_ago_their_time_is(own_kafka: Callable[[], RealKafka]) -> None:
    """A broker looks every five minutes for what is older than a week by its own time, as all events of a replayed year are."""
    server = own_kafka()
    await server.create_topics({"orders": 1})
    admin = AIOKafkaAdminClient(bootstrap_servers=server.bootstrap)
    await admin.start()
    try:
        (told,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "orders")])
    finally:
        await admin.close()
    values = {entry[0]: entry[1] for entry in told.resources[0][4]}
    assert values["retention.ms"] == "-1"


async def test_a_topic_with_a_wrong_setting_is_refused_in_words(kafka: Kafka, topics: TopicNames) -> None:
    with pytest.raises(PartFailed, match="wrong"):
        await create_topics(kafka.bootstrap, {topics("wrong"): 1}, configs={"max.message.bytes": "many"})


@pytest.mark.parametrize("ending", ["restart", "crash"])
async def test_what_was_acknowledged_is_there_after_a(
    ending: str, own_kafka: Callable[[], RealKafka], monkeypatch: pytest.MonkeyPatch
) -> None:
    if ending == "restart":  # under an id that begins with a hyphen, as one of 64 does
        monkeypatch.setattr("worker.local.kafka.uuid", SimpleNamespace(uuid4=lambda: UUID(int=0xF8 << 120)))
    server = own_kafka()
    await server.create_topics({"orders": 1})
    await write(server.bootstrap, "orders", b"order")
    if ending == "restart":
        server.restart()
    else:
        server.kill()
        server.start()
    assert await read(server.bootstrap, "orders") == b"order"


async def test_three_brokers_outlive_the_loss_of_one(kafka_cluster: LocalKafka) -> None:
    await kafka_cluster.create_topics({"orders": 3})
    kafka_cluster.kill_broker(0)
    await write(kafka_cluster.bootstrap, "orders", b"order")
    kafka_cluster.start_broker(0)
    assert await read(kafka_cluster.bootstrap, "orders") == b"order"
    assert len(kafka_cluster.pids) == 3


def test_stop_leaves_no_process(tmp_path: Path) -> None:
    if why := missing():
        cannot_run("a Kafka from its jars", why, "install Java 17 and Maven")
    with LocalKafka(tmp_path) as kafka:
        brokers = [psutil.Process(pid) for pid in kafka.pids]
    assert brokers
    assert wait_gone(brokers, 10) == []


async def test_the_stand_in_takes_and_gives_records(tmp_path: Path) -> None:
    with MockKafka(tmp_path) as kafka:
        await kafka.create_topics({"orders": 1})
        await write(kafka.bootstrap, "orders", b"order")
        assert await read(kafka.bootstrap, "orders") == b"order"
        assert kafka.pid is not None
        process = psutil.Process(kafka.pid)
    assert wait_gone([process], 10) == []
