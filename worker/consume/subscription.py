"""The subscription: FastStream's batch subscriber over our consumer, its rebalances, and a watch over both.

FastStream 0.7 would decode headers before anything can be caught, commit for us, and create topics; all of that is off.
Its handler only puts records into the intake.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber
from faststream.message import StreamMessage

from worker import metrics
from worker.consume.batch import PartitionKey
from worker.consume.consumer import StrictConsumer
from worker.consume.intake import Intake
from worker.log import get_logger

log = get_logger(__name__)

RawRecords = tuple[ConsumerRecord[Any, Any], ...]


@dataclass(frozen=True, slots=True)
class SubscriptionOptions:
    """What is read and how. `client` are aiokafka's options of the connection (`bootstrap_servers`, security).

    `fetch_wait_ms`: how long a broker may gather news, up to `fetch_bytes_min` of all partitions that it is asked about. It
    is asked one thing at a time, and what was asked while busy partitions still had records here is about quiet ones only: the
    busy ones then wait as long for theirs. An answer for every few records would take a third of a core at 900 events/s.
    `poll_wait_ms`: how long a poll waits for the first record, `poll_rest_ms`: how long FastStream sleeps after an empty one.
    """

    topics: tuple[str, ...]
    group: str
    client: Mapping[str, Any]
    poll_records_max: int = 2_000
    poll_wait_ms: int = 500
    poll_rest_ms: int = 1
    fetch_wait_ms: int = 20
    fetch_bytes_min: int = 16 * 2**10
    partition_fetch_bytes_max: int = 4 * 2**20
    session_timeout_ms: int = 10_000
    heartbeat_ms: int = 3_000
    poll_interval_ms_max: int = 300_000
    stall_seconds: float = 30.0
    watch_seconds: float = 1.0
    restart_backoff_seconds_max: float = 5.0


class Subscription:
    """Keeps one consumer of the group reading into an intake."""

    def __init__(self, intake: Intake, options: SubscriptionOptions) -> None:
        self._intake = intake
        self._options = options
        self._broker, self._subscriber = _build(intake, options)
        self._consumer: StrictConsumer | None = None
        self._seen: dict[TopicPartition, tuple[int | None, float]] = {}
        self._compared_at = 0.0
        self.problem = "not started"
        """Why there is no consumer, in words for the operator; empty while there is one."""

    async def run(self) -> None:
        """Read until cancelled; then leave the group. Failures to connect are tried again for ever, and logged."""
        backoff = 0.2
        try:
            while True:
                try:
                    await self._start()
                    backoff, self.problem = 0.2, ""
                    reason = await self._watch()
                    self.problem = f"the consumer is replaced: {reason}"
                    log.error("consumer_restarts", reason=reason)
                    metrics.consumer_restarts.labels(reason=reason).inc()
                except (KafkaError, OSError) as error:
                    self.problem = f"Kafka: {error}"
                    log.warning("kafka_not_ready", error=type(error).__name__, detail=str(error), retry_seconds=backoff)
                    await asyncio.sleep(backoff)
                    backoff = min(backoff * 2, self._options.restart_backoff_seconds_max)
                await self._stop()
        finally:
            await self._stop()

    def partitions(self) -> frozenset[PartitionKey]:
        """All partitions of the topics, whoever reads them, as far as the consumer knows; empty without a consumer."""
        consumer = self._consumer
        if consumer is None:
            return frozenset()
        return frozenset((topic, n) for topic in self._options.topics for n in consumer.partitions_for_topic(topic) or ())

    async def _start(self) -> None:
        await self._broker.connect()
        config = self._broker.config.broker_config
        config.builder = partial(self._consumer_of, **cast("partial[Any]", config.builder).keywords)
        await self._broker.start()

    def _consumer_of(self, **options: Any) -> StrictConsumer:
        consumer = StrictConsumer(
            on_lost=self._intake.resettle,
            on_doubt=self._intake.doubted,
            poll_bytes_max=lambda: self._intake.partition_bytes_max,
            poll_wait_ms=self._options.poll_wait_ms,
            **{**options, **self._options.client},
        )
        self._consumer = consumer
        self._seen.clear()
        self._intake.attach(consumer)
        return consumer

    async def _stop(self) -> None:
        if self._consumer is not None:
            self._intake.revoked(self._consumer.assignment())
            self._consumer = None
        await self._broker.stop()

    async def _watch(self) -> metrics.RestartReason:
        """Return when the consumer has to be replaced."""
        while True:
            await asyncio.sleep(self._options.watch_seconds)
            await self._intake.commit_advisory()
            consumer, now = self._consumer, time.monotonic()
            if consumer is None:
                continue
            if consumer.failing_since is not None and now - consumer.failing_since > self._options.stall_seconds:
                return "failing"
            if await self._stalled(consumer, now):
                return "stalled"

    async def _stalled(self, consumer: StrictConsumer, now: float) -> bool:
        """Is there a partition that stands still though Kafka answers and has more of it?"""
        if now - self._compared_at < self._options.stall_seconds / 3:
            return False
        self._compared_at = now
        reading = sorted(consumer.assignment() - consumer.paused())
        try:
            async with asyncio.timeout(self._options.stall_seconds / 3):
                ends = await consumer.end_offsets(reading)
        except (KafkaError, TimeoutError):
            return False
        for partition in reading:
            position = consumer.position_now(partition)
            known, since = self._seen.get(partition, (None, now))
            at_end = position is not None and position >= ends[partition]
            self._seen[partition] = (position, now if at_end or position != known else since)
        self._seen = {partition: self._seen[partition] for partition in reading}
        return any(now - since > self._options.stall_seconds for _, since in self._seen.values())


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Rebalances. aiokafka swallows what a listener raises, so these only mark; the work is done beside them."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        log.info("partitions_revoked", count=len(revoked))
        self._intake.revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        log.info("partitions_assigned", partitions=sorted(f"{p.topic}[{p.partition}]" for p in assigned))
        self._intake.assigned(assigned)


def _build(intake: Intake, options: SubscriptionOptions) -> tuple[KafkaBroker, BatchSubscriber]:
    broker = KafkaBroker(
        options.client["bootstrap_servers"],
        consumer_only=True,
        allow_auto_create_topics=False,
        apply_types=False,
        logger=logging.getLogger("faststream.kafka"),
        log_level=logging.DEBUG,
    )
    subscriber = broker.subscriber(
        *options.topics,
        batch=True,
        group_id=options.group,
        listener=_Listener(intake),
        ack_policy=AckPolicy.MANUAL,
        no_reply=True,
        parser=_parse,
        decoder=_decode,
        max_records=options.poll_records_max,
        batch_timeout_ms=options.poll_rest_ms,
        fetch_max_wait_ms=options.fetch_wait_ms,
        fetch_min_bytes=options.fetch_bytes_min,
        max_partition_fetch_bytes=options.partition_fetch_bytes_max,
        # The stored position decides where to begin: with any other value aiokafka would skip over a gap in silence.
        auto_offset_reset="none",
        isolation_level="read_committed",
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=options.session_timeout_ms,
        heartbeat_interval_ms=options.heartbeat_ms,
        max_poll_interval_ms=options.poll_interval_ms_max,
        include_in_schema=False,
    )

    async def take_over(records: RawRecords) -> None:
        intake.offer(records)

    subscriber(take_over)
    return broker, subscriber


async def _parse(message: RawRecords) -> StreamMessage[RawRecords]:
    """The records as they came: nothing is decoded here, so nothing can fail."""
    return cast("StreamMessage[RawRecords]", KafkaAckableMessage(raw_message=message, body=message, consumer=_NoCommit()))


async def _decode(message: StreamMessage[RawRecords]) -> Sequence[ConsumerRecord[Any, Any]]:
    return message.raw_message


class _NoCommit:
    """Stands for the consumer in FastStream's message: positions are committed in the database, never by a message."""

    async def commit(self) -> None:
        raise AssertionError("positions are committed with the ledger")

    def seek(self, partition: TopicPartition, offset: int) -> None:
        raise AssertionError("the intake seeks")
