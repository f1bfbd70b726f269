"""What goes over Kafka in the demo: sending the day, waiting until it is drained, and reading what was published."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from contracts.counting import counted
from contracts.events import DLQ_SUFFIX, TOPICS_IN, TOPICS_OUT
from worker.cli.demo.day import Sent
from worker.local import PartFailed
from worker.persist import SHARDS, PostgresStore
from worker.settings import KafkaSettings

DRAINED_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.1
READ_WAIT_MS: Final = 1_000


async def send(settings: KafkaSettings, records: Iterable[Sent]) -> datetime:
    """Send records in order, each acknowledged by all; returns a time not before the last one's."""
    async with AIOKafkaProducer(**settings.client_options("loyalty-demo-shop"), acks="all", linger_ms=5) as producer:
        waiting = [
            await producer.send(settings.topic(each.topic), each.value, key=each.key, headers=each.headers) for each in records
        ]
        await asyncio.gather(*waiting)
    return datetime.now(UTC)


async def drained(settings: KafkaSettings, store: PostgresStore, sent_at: datetime, alive: Callable[[], bool]) -> None:
    """Wait until all that was sent is in the ledger, what was due has happened, and all of it is published."""
    why = ""
    async with _reader(settings, "loyalty-demo-watch") as consumer:
        try:
            async with asyncio.timeout(DRAINED_SECONDS):
                while why := await _undrained(settings, store, consumer, sent_at):
                    if not alive():
                        raise PartFailed("the worker ended before all was read; see its log")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise PartFailed(f"the worker is not done after {DRAINED_SECONDS:g} s: {why}") from None


async def _undrained(settings: KafkaSettings, store: PostgresStore, consumer: AIOKafkaConsumer, sent_at: datetime) -> str:
    """What is not done yet; empty when all is."""
    partitions = await _partitions(consumer, [settings.topic(name) for name in TOPICS_IN])
    ends = await consumer.end_offsets(partitions)
    positions = await store.positions()
    for part, end in ends.items():
        position = positions.get((part.topic, part.partition))
        if end and (position is None or position.next_offset < end):
            return f"{part.topic}[{part.partition}] is read to {position.next_offset if position else 0} of {end}"
    watermark = await store.watermark()
    if watermark is None or watermark < sent_at:
        return "the watermark has not passed the last record"
    if await store.drainable(1) or await store.due(range(SHARDS), watermark, 1):
        return "something is due"
    waiting, _ = await store.backlog()
    return f"{counted(waiting, 'message waits', 'messages wait')} to be published" if waiting else ""


@dataclass(slots=True)
class Published:
    """What an independent reader finds: data by topic in the order read, the dead letters, and gaps in the versions."""

    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    dead: list[DeadRecord] = field(default_factory=list)

    @property
    def accounts(self) -> dict[tuple[str, str], list[int]]:
        """The versions announced by balance-changed, by account, in the order read."""
        found: dict[tuple[str, str], list[int]] = {}
        for data in self.events["loyalty.balance-changed"]:
            found.setdefault((data["program"], data["member_id"]), []).append(data["version"])
        return found

    @property
    def gapless(self) -> bool:
        """Whether every account's versions are 1, 2, 3, ... with repeats left out."""
        return all(list(dict.fromkeys(seen)) == list(range(1, max(seen) + 1)) for seen in self.accounts.values())


@dataclass(frozen=True, slots=True)
class DeadRecord:
    """A record of a dead-letter topic."""

    topic: str
    value: bytes | None
    headers: dict[str, str]


async def read_published(settings: KafkaSettings) -> Published:
    """Everything on the topics out and for dead letters, from the beginning to the end, by a reader without a group."""
    published = Published({name: [] for name in TOPICS_OUT})
    names = {settings.topic(name): name for name in TOPICS_OUT}
    dead = [settings.topic(name) + DLQ_SUFFIX for name in TOPICS_IN]
    async with _reader(settings, "loyalty-demo-subscriber") as consumer:
        partitions = await _partitions(consumer, [*names, *dead])
        ends = {part: end for part, end in (await consumer.end_offsets(partitions)).items() if end}
        if not ends:
            return published
        consumer.assign(list(ends))
        await consumer.seek_to_beginning()
        async with asyncio.timeout(DRAINED_SECONDS):
            while any([await consumer.position(part) < end for part, end in ends.items()]):
                for part, records in (await consumer.getmany(timeout_ms=READ_WAIT_MS)).items():
                    for record in records:
                        if part.topic in names:
                            published.events[names[part.topic]].append(json.loads(record.value))
                        else:
                            headers = {name: value.decode(errors="replace") for name, value in record.headers}
                            published.dead.append(DeadRecord(part.topic, record.value, headers))
    return published


@asynccontextmanager
async def _reader(settings: KafkaSettings, name: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **settings.client_options(name), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> list[TopicPartition]:
    """All partitions of these topics; asking for a topic's metadata the first time goes to the cluster."""
    known = await consumer._client.fetch_all_metadata()
    return [TopicPartition(topic, number) for topic in topics for number in sorted(known.partitions_for_topic(topic) or ())]
