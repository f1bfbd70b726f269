"""Kafka goes away and comes back: nothing is lost, nothing has to be restarted by hand."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from aiokafka import AIOKafkaProducer

from tests.shell.conftest import Positions, TopicMaker, Worker, WorkerMaker, send, until
from tests.shell.test_publish_kafka import FAST, MemoryOutbox, Row
from worker.consume.intake import Intake, IntakeOptions
from worker.consume.positions import Incident
from worker.consume.subscription import Subscription, SubscriptionOptions
from worker.local import RealKafka
from worker.publish.producer import make_producer
from worker.publish.relay import Relay


async def test_worker_and_relay_go_on_after_the_broker_was_restarted(own_kafka: Callable[[], RealKafka]) -> None:
    kafka = await asyncio.to_thread(own_kafka)
    await kafka.create_topics({"in": 2, "out": 1})
    positions = Positions()
    incidents: list[Incident] = []
    intake = Intake(positions, IntakeOptions(), incidents.append)
    client = {"bootstrap_servers": kafka.bootstrap, "metadata_max_age_ms": 1_000}
    options = SubscriptionOptions(("in",), "g", client, session_timeout_ms=6_000, heartbeat_ms=500, stall_seconds=6)
    worker = Worker(positions, intake, Subscription(intake, options), incidents)
    store = MemoryOutbox()
    relay = Relay(store, lambda: make_producer(client), FAST, "w")
    relaying = asyncio.create_task(relay.run())
    worker.start()
    try:
        for round_ in ("before", "after"):
            producer = AIOKafkaProducer(**client)
            await producer.start()
            for partition in (0, 1):
                await send(producer, "in", [f"{round_}-{partition}-{number}" for number in range(100)], partition)
            await producer.stop()
            store.rows = [Row(uuid.uuid4(), 1, 0, "out", b"k", b"v") for _ in range(10)]
            count = 200 if round_ == "before" else 400
            await until(lambda count=count: len(worker.values) >= count and not store.rows, 60)  # type: ignore[misc]  # the count of this round
            if round_ == "before":
                store.rows = [Row(uuid.uuid4(), 1, 0, "out", b"k", b"v") for _ in range(10)]
                await asyncio.to_thread(kafka.restart)
        assert len(set(worker.values)) == 400
        assert worker.incidents == []
    finally:
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
        await worker.stop()


async def test_a_topic_that_is_missing_at_the_start_is_waited_for(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer
) -> None:
    topic = f"t-{uuid.uuid4().hex[:8]}"
    worker = make_worker([topic], Positions())
    worker.start()
    await until(lambda: f"missing topics, or no right to read them: {topic}" in worker.subscription.problem)
    await make_topic(1, name=topic)
    await send(producer, topic, ["a"])
    await until(lambda: worker.values == [b"a"])
    assert worker.subscription.problem == ""
