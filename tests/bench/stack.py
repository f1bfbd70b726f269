"""A real Kafka and a real Postgres on this machine, durable as in production, and databases that begin alike."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import psutil
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Producer

from contracts.events import DLQ_SUFFIX, TOPICS_IN, TOPICS_OUT
from db.migrate import migrate
from tests.bench.connecting import connected
from tests.bench.workload import BEFORE, PROGRAMS, Delivery, records
from tests.flows.shop import Sent
from tests.flows.system import ACCOUNT_KEY, TOPIC_OF
from tests.parts.terms import FOR_A_TEST
from worker.consume.batch import Batch, Move, digest_of, time_of
from worker.decode import Record
from worker.local import LocalKafka, LocalPostgres
from worker.local.sql import execute
from worker.local.topics import create_topics
from worker.persist.identity import key_check
from worker.persist.postgres import PostgresStore
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.programs.terms_file import read, shipped, versions
from worker.settings.groups import BatchSettings

POSTGRES = {
    "shared_preload_libraries": "pg_stat_statements",
    "shared_buffers": f"{psutil.virtual_memory().total // 4 // 2**20}MB",  # as everybody is advised
    # No checkpoint within a round: each begins right after one.
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
}
PARTITIONS = 4
BATCH_RECORDS = BatchSettings().records_max
_numbers = itertools.count(1)

Key = Callable[[Sent], str | None]


def by_member(event: Sent) -> str | None:
    """The key that puts all events of a member on one partition number."""
    return event.member


def by_order(event: Sent) -> str | None:
    """The key that puts all events of an order on one partition number; members' own events are keyed by member."""
    return event.order_id or event.member


@dataclass(slots=True)
class Stack:
    """Both servers, and what was made on them. `directory` must lie on a disk whose fsync counts."""

    directory: Path
    postgres: LocalPostgres = field(init=False)
    kafka: LocalKafka = field(init=False)

    def __post_init__(self) -> None:
        self.postgres = LocalPostgres(self.directory / "postgres", settings=POSTGRES)
        self.kafka = LocalKafka(self.directory / "kafka")

    def start(self, *, kafka: bool = True) -> None:
        """Start what is needed."""
        self.postgres.start()
        execute(self.postgres.dsn("template1"), "CREATE EXTENSION pg_stat_statements")
        if kafka:
            self.kafka.start()

    def stop(self) -> None:
        """Stop both and take their data away."""
        self.kafka.stop()
        self.kafka.remove_data()
        self.postgres.stop()
        self.postgres.remove_data()

    # -- databases

    async def template(self, name: str, history: Iterable[Delivery]) -> str:
        """Make a database with the programs registered and a history applied, to begin rounds from; returns its name."""
        dsn = self.empty(name)
        with ThreadPoolExecutor(max_workers=1) as thread:  # migrate() runs an event loop of its own
            thread.submit(migrate, dsn).result()
        async with await PostgresStore.open(dsn) as store:
            await store.settle_key(key_check(ACCOUNT_KEY.encode()))
            for code in PROGRAMS:
                path = shipped()[code]
                await registry.register(store, versions(read(path.read_text(encoding="utf-8"), path.name), path.name), FOR_A_TEST)
            async with pipeline(store) as run:
                for batch in batches(records(iter(history), BEFORE)):
                    outcomes = (await run.process(batch)).outcomes
                    assert not outcomes["dead_letter"], f"a history that breaks the contract: {outcomes}"
        await self.sql(dsn, "TRUNCATE outbox, position, reading")
        await self.sql(dsn, "VACUUM ANALYZE")
        return name

    def empty(self, name: str) -> str:
        """An empty database of this name, in place of any other; returns its address."""
        execute(self.postgres.dsn(), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
        return self.postgres.dsn(name)

    def database(self, template: str, name: str | None = None) -> str:
        """A database as the template is, right after a checkpoint; returns its address."""
        name = name or f"round_{next(_numbers)}"
        execute(
            self.postgres.dsn(),
            f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
            f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy",
            "CHECKPOINT",
        )
        return self.postgres.dsn(name)

    def drop(self, dsn: str) -> None:
        """Take a database of a round away."""
        name = dsn.rpartition("/")[2].partition("?")[0]
        execute(self.postgres.dsn(), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def sql(self, dsn: str, text: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of a statement of the bench's own."""
        async with connected(dsn) as connection:
            return await connection.fetch(text, *arguments)

    # -- topics

    async def topics(self, prefix: str) -> None:
        """All topics under a prefix. What is published carries the time at which the broker appended it."""
        await create_topics(self.kafka.bootstrap, {prefix + topic: PARTITIONS for topic in TOPICS_IN})
        out = [*TOPICS_OUT, *(topic + DLQ_SUFFIX for topic in TOPICS_IN)]
        times = {"message.timestamp.type": "LogAppendTime"}
        await create_topics(self.kafka.bootstrap, {prefix + topic: PARTITIONS for topic in out}, configs=times)

    async def remove_topics(self, prefix: str) -> None:
        """Delete all topics under a prefix."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
        finally:
            await admin.close()

    def publish(self, prefix: str, deliveries: Iterable[Delivery], key: Key = by_member) -> int:
        """Send deliveries in their order, with their times; returns how many."""
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap, "acks": "all", "linger.ms": 20})
        count = 0
        for delivery in deliveries:
            event, name = delivery.event, key(delivery.event)
            headers: list[tuple[str, str | bytes | None]] = [*event.headers()]
            while True:
                try:
                    producer.produce(
                        prefix + TOPIC_OF[event.type],
                        event.value(),
                        None if name is None else name.encode(),
                        headers=headers,
                        timestamp=int(delivery.at.timestamp() * 1000),
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
            count += 1
        left = producer.flush(60)
        assert left == 0, f"{left} records were not taken by Kafka"
        return count


@asynccontextmanager
async def pipeline(store: PostgresStore) -> AsyncIterator[Pipeline]:
    """The pipeline of a worker, without Kafka."""
    catalogue = Catalogue(await registry.programs(store))
    yield Pipeline(store, catalogue, PipelineOptions(account_key=ACCOUNT_KEY.encode()), (await store.state()).epoch)


def batches(found: list[Record], size: int = BATCH_RECORDS) -> list[Batch]:
    """Records cut into batches as the intake would: with the moves of their partitions."""
    positions: dict[tuple[str, int], int] = {}
    cut: list[Batch] = []
    for start in range(0, len(found), size):
        part = found[start : start + size]
        last = {(record.topic, record.partition): record for record in part}
        moves = []
        for key, record in last.items():
            after = record.offset + 1
            moves.append(Move(*key, positions.get(key), after, digest_of(record), time_of(record.timestamp_ms), False))
            positions[key] = after
        cut.append(Batch(tuple(part), tuple(moves)))
    return cut


def fsyncs_per_second(directory: Path, seconds: float = 1.0) -> float:
    """How often a page of 8 KiB reaches the disk one after the other (write, fdatasync): the machine's pace of lone commits."""
    path = directory / "fsync"
    page = os.urandom(8192)
    count, started = 0, time.perf_counter()
    with path.open("wb") as file:
        while time.perf_counter() - started < seconds:
            os.pwrite(file.fileno(), page, count % 64 * 8192)
            os.fdatasync(file.fileno())
            count += 1
    path.unlink()
    return count / (time.perf_counter() - started)


def now() -> datetime:
    """The instant that a workload ends at: a little ago, for nothing may come from the future."""
    return datetime.now(UTC).replace(microsecond=0)
