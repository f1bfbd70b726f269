"""The whole service under test: topics of its own on a real Kafka, a database of its own, workers as processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from confluent_kafka import KafkaError, Message, Producer

from contracts.events import DLQ_SUFFIX, TOPICS_IN, TOPICS_OUT
from tests.flows.shop import Sent
from tests.parts.terms import FOR_A_TEST
from worker.local.process import Process
from worker.local.topics import create_topics
from worker.persist.postgres import PostgresStore
from worker.programs import registry
from worker.programs.terms_file import changed, read, shipped, versions

TOPIC_OF = {type_: topic for topic, types in TOPICS_IN.items() for type_ in types}
PROGRAMS = ("lenovo-pro", "belle-maison")
POLL_SECONDS = 0.05
ACCOUNT_KEY = "a key for tests, not a secret"


async def until(condition: Callable[[], Awaitable[bool]], seconds: float, what: str, why: Callable[[], str] = str) -> None:
    """Wait for a condition; fails the test when it takes longer, saying what it waited for, and `why` it is not there."""
    give_up = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"not within {seconds:g} s: {what}{why()}")
        await asyncio.sleep(POLL_SECONDS)


Place = tuple[str, int, int]
"""Topic without prefix, partition, offset."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A record to be sent as it is; `topic` without prefix."""

    topic: str
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    key: bytes | None = None


@dataclass(slots=True)
class Published:
    """What an independent consumer read: messages by topic, in the order of their partitions."""

    messages: dict[str, list[tuple[str, dict[str, object]]]] = field(default_factory=lambda: defaultdict(list))

    def first_versions(self) -> dict[str, list[int]]:
        """Of each account the versions of its balance-changed events in order of their first publication."""
        seen: dict[str, list[int]] = defaultdict(list)
        for key, data in self.messages["loyalty.balance-changed"]:
            version = data["version"]
            assert isinstance(version, int)
            if version not in seen[key][-50:] and (not seen[key] or version > seen[key][-1]):
                seen[key].append(version)
        return seen


@dataclass(slots=True)
class System:
    """Topics with a prefix of their own, a database, and the processes started on them. `kind`: how workers are started."""

    bootstrap: str
    dsn: str
    prefix: str
    directory: Path
    settings: dict[str, str] = field(default_factory=dict)
    replicas: int = 1
    kind: type[Process] = Process
    workers: list[Process] = field(default_factory=list)
    said: str = ""  # what the last command wrote to stderr

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a worker on this system. It runs the same build as this process (compiled or not), whatever lies beside
        the tests."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOYALTY_")},
            "LOYALTY_KAFKA_BOOTSTRAP": self.bootstrap,
            "LOYALTY_KAFKA_TOPICS_PREFIX": self.prefix,
            "LOYALTY_KAFKA_GROUP": f"{self.prefix}group",
            "LOYALTY_POSTGRES_DSN": self.dsn,
            "LOYALTY_ACCOUNT_KEY": ACCOUNT_KEY,
            "LOYALTY_WATERMARK_GRACE_SECONDS": "0",
            "LOYALTY_PROBE_HOST": "127.0.0.1",
            "LOYALTY_PROBE_PORT": "0",
            "LOYALTY_LOG_FORM": "json",
            "PYTHONPATH": os.pathsep.join(map(str, (Path(registry.__file__).parents[2], Path(__file__).parents[2]))),
            **self.settings,
        }

    async def prepare(
        self,
        partitions: Mapping[str, int] | None = None,
        programs: Iterable[str] = PROGRAMS,
        bytes_max: Mapping[str, int] | None = None,
    ) -> None:
        """Make the topics and register terms. `bytes_max`: the largest record of topics where that is not Kafka's default."""
        wanted = {topic: (partitions or {}).get(topic, 4) for topic in TOPICS_IN}
        wanted |= dict.fromkeys(TOPICS_OUT, 3)
        wanted |= {topic + DLQ_SUFFIX: 1 for topic in TOPICS_IN}
        for topic, size in (bytes_max or {}).items():
            await create_topics(
                self.bootstrap,
                {self.prefix + topic: wanted.pop(topic)},
                replicas=self.replicas,
                configs={"max.message.bytes": str(size)},
            )
        names = {self.prefix + topic: count for topic, count in wanted.items()}
        await create_topics(self.bootstrap, names, replicas=self.replicas)
        for code in programs:
            await self.register(code)

    async def register(self, code: str, changes: Mapping[str, object] | None = None) -> None:
        """Register the terms of a shipped program, with values changed by dotted path (another code makes another program)."""
        path = shipped()[code]
        values = changed(read(path.read_text(encoding="utf-8"), path.name), changes or {})
        async with self.store() as store:
            await registry.register(store, versions(values, path.name), FOR_A_TEST)

    @asynccontextmanager
    async def store(self) -> AsyncIterator[PostgresStore]:
        """The store, from outside the workers."""
        async with await PostgresStore.open(self.dsn) as store:
            yield store

    def start_worker(self, name: str, *, module: str = "worker", **settings: str) -> Process:
        """Start `loyalty run` as a process of its own. `module`: what runs it."""
        process = self.kind(
            name=name,
            command=(sys.executable, "-m", module, "run"),
            log=self.directory / f"{name}.log",
            environment={**self.environment, "LOYALTY_WORKER_ID": name, **settings},
        )
        process.start()
        self.workers.append(process)
        return process

    async def command(self, *arguments: str, code: int | None = 0, **settings: str) -> str:
        """Run a command of `loyalty` as an operator does; returns stdout, fails unless it ends with the code (None: any)."""
        environment = {**self.environment, **settings}
        done = await asyncio.to_thread(
            subprocess.run,
            (sys.executable, "-m", "worker", *arguments),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert code in (None, done.returncode), f"{arguments} ended with {done.returncode}: {done.stderr}"
        self.said = done.stderr
        return done.stdout

    def stop_workers(self) -> None:
        """Stop all that still run."""
        for worker in self.workers:
            worker.ask_to_stop()
        for worker in self.workers:
            worker.stop()

    async def publish(self, events: Iterable[Sent], key: Callable[[Sent], str | None], *, record_time: bool = False) -> int:
        """Publish events in the order given, keyed; with `record_time` under their business time. Returns how many."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=5, enable_idempotence=True)
        await producer.start()
        count = 0
        try:
            for event in events:
                name = key(event)
                await producer.send(
                    self.prefix + TOPIC_OF[event.type],
                    event.value(),
                    key=None if name is None else name.encode(),
                    headers=event.headers(),
                    timestamp_ms=int(event.time.timestamp() * 1000) if record_time else None,
                )
                count += 1
        finally:
            await producer.stop()
        return count

    def send(self, records: Iterable[Raw]) -> list[Place]:
        """Publish records as they are, each after the one before; returns where they stand."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "message.max.bytes": 16 * 2**20, "acks": "all", "linger.ms": 5})
        places: dict[int, Place] = {}
        sent = list(records)
        for number, record in enumerate(sent):

            def done(error: KafkaError | None, message: Message, number: int = number) -> None:
                assert error is None, error
                places[number] = (sent[number].topic, message.partition() or 0, message.offset() or 0)

            headers: list[tuple[str, str | bytes | None]] = [*record.headers]
            producer.produce(self.prefix + record.topic, record.value, record.key, headers=headers, on_delivery=done)
        producer.flush(30)
        return [places[number] for number in range(len(sent))]

    async def drained(self, seconds: float) -> None:
        """Wait until everything in the topics is read, everything due is done, and everything is published."""
        ends = await self._ends()
        since = time.time()
        missing = ""

        async def done() -> bool:
            nonlocal missing
            self.check_alive()
            async with self.store() as store:
                missing = await _missing(store, ends, since)
            return not missing

        def why() -> str:
            ends_of_logs = "\n".join(f"{worker.name}: {worker.output[-2000:]}" for worker in self.workers)
            return f", but {missing}\n{ends_of_logs}"

        await until(done, seconds, f"{sum(ends.values())} records read, published and due instants taken", why)

    async def _ends(self) -> dict[tuple[str, int], int]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap)
        await consumer.start()
        try:
            names = [self.prefix + topic for topic in TOPICS_IN]
            partitions = [TopicPartition(name, number) for name in names for number in await _partitions(consumer, name)]
            ends = await consumer.end_offsets(partitions)
            return {(partition.topic, partition.partition): end for partition, end in ends.items()}
        finally:
            await consumer.stop()

    def check_alive(self) -> None:
        """Fail with the log's end if a worker that should run does not."""
        for worker in self.workers:
            if worker.pid is not None and not worker.alive and worker not in self.ended:
                raise AssertionError(f"{worker.name} ended:\n{worker.output[-4000:]}")

    ended: list[Process] = field(default_factory=list)

    async def published(self, topics: Iterable[str] = tuple(TOPICS_OUT)) -> Published:
        """Everything in the published topics, by topic: key and data."""
        found = Published()
        for topic, records in (await self.messages(topics)).items():
            found.messages[topic] = [
                ((record.key or b"").decode(), msgspec.json.decode(record.value) if record.value else {}) for record in records
            ]
        return found

    async def dead_letters(self) -> list[ConsumerRecord]:
        """Every record in the DLQ topics."""
        found = await self.messages([topic + DLQ_SUFFIX for topic in TOPICS_IN])
        return [record for records in found.values() for record in records]

    async def messages(self, topics: Iterable[str] = tuple(TOPICS_OUT)) -> dict[str, list[ConsumerRecord]]:
        """Everything in topics, read by a consumer that knows nothing of the database."""
        found: dict[str, list[ConsumerRecord]] = {topic: [] for topic in topics}
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
        await consumer.start()
        try:
            names = {self.prefix + topic: topic for topic in found}
            partitions = [TopicPartition(name, n) for name in names for n in await _partitions(consumer, name)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            while any([await consumer.position(partition) < end for partition, end in ends.items()]):
                for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[names[partition.topic]] += records
        finally:
            await consumer.stop()
        return found

    async def sql(self, text: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of the database, as an operator would look at them."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetch(text, *arguments)
        finally:
            await connection.close()


async def _missing(store: PostgresStore, ends: Mapping[tuple[str, int], int], since: float) -> str:
    """What keeps the ledger from holding all that stands before these ends, with nothing due and nothing to be published."""
    positions = {key: position.next_offset for key, position in (await store.positions()).items()}
    read = {key: positions.get(key, 0) for key in ends}
    if behind := [f"{topic}[{n}] {read[topic, n]} of {end}" for (topic, n), end in ends.items() if read[topic, n] < end]:
        return f"read are only {', '.join(behind)}"
    watermark = await store.watermark()
    if watermark is None or watermark.timestamp() < since:
        return f"the watermark is {watermark}"
    if due := await store.due(range(64), watermark, 5):
        return f"at the watermark {watermark} there is due {', '.join(map(str, due))}"
    if (await store.snapshots()).waited_for:
        return "redemptions wait for their verdict"
    # Last: what took the last instant may have been committed after any earlier look.
    waiting, _ = await store.backlog()
    return f"{waiting} messages are not published" if waiting else ""


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    consumer._client.add_topic(topic)
    await consumer._client.force_metadata_update()
    return consumer.partitions_for_topic(topic) or set()
