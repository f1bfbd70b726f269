"""Workers that read a real Kafka, and small parts that stand for the database."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from worker.consume.batch import Batch, PartitionKey
from worker.consume.intake import Intake, IntakeOptions
from worker.consume.positions import Incident, StoredPosition
from worker.consume.subscription import Subscription, SubscriptionOptions

WAIT_SECONDS = 30.0


async def until(condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {seconds} s")
        await asyncio.sleep(0.01)


@dataclass
class Positions:
    """Stored positions in memory, moved by compare-and-set as the database does it."""

    stored: dict[PartitionKey, StoredPosition] = field(default_factory=dict)
    failures: int = 0

    async def load(self, partitions: Collection[PartitionKey]) -> Mapping[PartitionKey, StoredPosition]:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the database is away")
        return {key: self.stored[key] for key in partitions if key in self.stored}

    def commit(self, batch: Batch) -> bool:
        """Move all positions or none."""
        for move in batch.moves:
            known = self.stored.get(move.key)
            if (None if known is None else known.offset) != move.from_offset:
                return False
        for move in batch.moves:
            self.stored[move.key] = StoredPosition(move.next_offset, move.digest)
        return True


@dataclass
class Worker:
    """A consumer with its intake and a loop that commits what it gives, as the pipeline does."""

    positions: Positions
    intake: Intake
    subscription: Subscription
    incidents: list[Incident]
    values: list[bytes] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    lost_batches: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def drain(self) -> None:
        while (batch := await self.intake.next_batch(500)) is not None:
            if self.positions.commit(batch):
                self.values += [record.value or b"" for record in batch.records]
                self.batches.append(batch)
                self.intake.settled(batch.moves)
            else:
                self.lost_batches += 1
                self.intake.lost([move.key for move in batch.moves])

    def paused(self) -> set[TopicPartition]:
        """Partitions about which no broker is asked now."""
        consumer = self.subscription._consumer
        return set() if consumer is None else set(consumer.paused())

    def start(self, drain: bool = True) -> None:
        self.tasks.append(asyncio.create_task(self.subscription.run()))
        if drain:
            self.tasks.append(asyncio.create_task(self.drain()))

    async def stop(self) -> None:
        self.intake.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()


WorkerMaker = Callable[..., Worker]


@pytest.fixture
async def make_worker(bootstrap: str) -> AsyncIterator[WorkerMaker]:
    """Makes workers: `make_worker(topics, positions, group=…, **options of the intake)`."""
    workers: list[Worker] = []

    def make(
        topics: Collection[str], positions: Positions, group: str = "", stall_seconds: float = 30.0, **options: object
    ) -> Worker:
        incidents: list[Incident] = []
        intake = Intake(positions, IntakeOptions(**options), incidents.append)  # type: ignore[arg-type]  # named by the test
        subscription = Subscription(
            intake,
            SubscriptionOptions(
                topics=tuple(topics),
                group=group or f"g-{uuid.uuid4().hex[:8]}",
                client={"bootstrap_servers": bootstrap, "metadata_max_age_ms": 1_000},
                session_timeout_ms=6_000,
                heartbeat_ms=500,
                watch_seconds=0.1,
                stall_seconds=stall_seconds,
            ),
        )
        workers.append(Worker(positions, intake, subscription, incidents))
        return workers[-1]

    yield make
    for worker in workers:
        await worker.stop()


TopicMaker = Callable[..., Awaitable[str]]


@pytest.fixture
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def make_topic(admin: AIOKafkaAdminClient) -> TopicMaker:
    """Makes topics of a fresh name: `await make_topic(partitions, name=…, **settings)`."""

    async def make(partitions: int = 1, name: str = "", **settings: str) -> str:
        name = name or f"t-{uuid.uuid4().hex[:8]}"
        configs = {key.replace("_", "."): value for key, value in settings.items()}
        while True:
            answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
            if answer.topic_errors[0][1] == 0:
                break
            await asyncio.sleep(0.02)  # a topic of this name is still being deleted
        while any(part["leader"] < 0 for part in (await admin.describe_topics([name]))[0]["partitions"]):
            await asyncio.sleep(0.02)
        return name

    return make


@pytest.fixture
async def producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    client = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", metadata_max_age_ms=1_000)
    await client.start()
    yield client
    await client.stop()


async def send(
    producer: AIOKafkaProducer, topic: str, values: Collection[str], partition: int = 0, timestamp_ms: int | None = None
) -> None:
    """Send values to one partition, in order."""
    futures = [await producer.send(topic, value.encode(), partition=partition, timestamp_ms=timestamp_ms) for value in values]
    await asyncio.gather(*futures)
