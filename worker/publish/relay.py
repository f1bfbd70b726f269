"""The relay: reads committed messages, publishes them, removes what Kafka acknowledged.

Order: the messages of an account go out one after the other, and where one fails nothing later of that account counts as
published. A producer that failed once is thrown away before anything is sent again, so that nothing it still held can
overtake. At least once: what was published and not yet removed is published again after a crash.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    TopicAuthorizationFailedError,
)
from aiokafka.producer.message_accumulator import RecordMetadata

from worker import metrics
from worker.log import get_logger
from worker.publish.leases import Leases
from worker.publish.outbox import Headers, OutboxRow, OutboxStore, RowKey, key_of, smaller
from worker.publish.producer import abandon_producer, stop_producer

log = get_logger(__name__)

_REFUSALS: Final = (
    InvalidTimestampError,
    TopicAuthorizationFailedError,
    ClusterAuthorizationFailedError,
    PolicyViolationError,
)
"""What Kafka answers to this worker as it is: it would answer the same to a second try, and perhaps not to another worker."""
_LOG_APPEND_TIME: Final = 1
_TOO_LARGE: Final = "larger than its topic takes: raise the topic's max.message.bytes"


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """`shards` of the outbox are leased in `groups`; a worker takes its share of them.

    `topic_retry_seconds`: how often a topic that is not there is looked for. `stuck_seconds`: how long an account waits whose
    message its topic does not take. `refused_seconds`: how long a worker leaves publishing to others after Kafka refused it.
    """

    shards: int = 64
    groups: int = 4
    read_rows_max: int = 2_000
    idle_seconds_min: float = 0.05
    idle_seconds_max: float = 0.25
    lease_seconds: float = 10.0
    send_timeout_seconds: float = 30.0
    metadata_timeout_seconds: float = 5.0
    topic_retry_seconds: float = 1.0
    retry_seconds_min: float = 0.1
    retry_seconds_max: float = 5.0
    stuck_seconds: float = 30.0
    refused_seconds: float = 30.0


class Relay:
    """Publishes the outbox of the shards whose lease it holds."""

    def __init__(
        self,
        store: OutboxStore,
        make_producer: Callable[[], AIOKafkaProducer],
        options: RelayOptions,
        holder: str,
        share: Callable[[], float] = lambda: 1.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_append: Callable[[float, datetime], None] = lambda _sent, _at: None,
    ) -> None:
        """`holder` names this worker in the leases; `share` says which part of the whole load it carries (0 to 1).

        `now`: the time that messages carry. `on_append` hears what the broker's clock said of a message, and when (by the
        monotonic clock) that had been sent; only topics that keep the time of appending tell.
        """
        self._store = store
        self._make_producer = make_producer
        self._options = options
        self._now = now
        self._on_append = on_append
        self._producer: AIOKafkaProducer | None = None
        self._poked = asyncio.Event()
        self._publishing = asyncio.Lock()
        self._leases = Leases(store, holder, options.groups, options.lease_seconds, share)
        self._stuck: dict[UUID, float] = {}
        self._partitions: dict[str, int] = {}
        self._missing: dict[str, float] = {}
        self._suspects: set[RowKey] = set()
        self._refusal = ("", 0.0)

    @property
    def problem(self) -> str:
        """Why publishing is left to other workers, in words for the operator; empty while it is not."""
        why, until = self._refusal
        return why if time.monotonic() < until else ""

    def poke(self) -> None:
        """Something was committed: look at once."""
        self._poked.set()

    def owned_shards(self) -> tuple[int, ...]:
        """The shards that this relay publishes now."""
        groups = self._leases.held()
        return tuple(shard for shard in range(self._options.shards) if shard % self._options.groups in groups)

    async def run(self) -> None:
        """Publish until cancelled; what fails is tried again for ever."""
        idle, retry = self._options.idle_seconds_min, self._options.retry_seconds_min
        try:
            while True:
                try:
                    published = await self.publish_once()
                except Exception as error:  # noqa: BLE001  # the database and Kafka fail in many ways, all are tried again
                    metrics.publish_failures.inc()
                    log.warning("relay_failed", error=type(error).__name__, detail=str(error), retry_seconds=retry)
                    if isinstance(error, KafkaError):
                        await self._abandon()
                    await asyncio.sleep(retry)
                    retry = min(retry * 2, self._options.retry_seconds_max)
                    continue
                retry = self._options.retry_seconds_min
                if published or await self._wait(idle):
                    idle = self._options.idle_seconds_min
                else:
                    idle = min(idle * 2, self._options.idle_seconds_max)
        finally:
            await self._close()

    async def flush(self, timeout_seconds: float) -> bool:
        """Publish all that is committed in the owned shards; False if the time did not suffice. For the end of a worker."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while await self.publish_once():
                    pass
        except (TimeoutError, KafkaError) as error:
            log.warning("relay_not_flushed", error=type(error).__name__)
            return False
        return True

    async def publish_once(self) -> int:
        """Read, send and remove once; how many messages were published."""
        async with self._publishing:
            self._poked.clear()
            await self._leases.keep()
            shards = self.owned_shards()
            if not shards:
                return 0
            started = time.monotonic()
            rows = await self._store.read(shards, self._options.read_rows_max)
            rows = [row for row in rows if self._stuck.get(row.account_id, 0.0) <= started]
            if not rows:
                return 0
            # What was refused for its size goes alone, to tell which one it is and to send a pointer in its place.
            refused = {row.account_id for row in rows if key_of(row) in self._suspects}
            if refused:
                published = await self._send_alone([row for row in rows if row.account_id in refused])
            else:
                published = await self._send(rows)
            if published:
                await self._store.delete(published)
                _count(published, self._now())
            return len(published)

    # --- sending

    async def _send(self, rows: Sequence[Any]) -> list[Any]:
        """Send rows in order; returns those that count as published: acknowledged, and all before them of their account."""
        producer = await self._ready_producer()
        failed: set[UUID] = set()
        sent: list[tuple[OutboxRow, asyncio.Future[Any]]] = []
        for row in rows:
            if row.account_id in failed:
                continue
            if not await self._topic_exists(producer, row.topic):
                failed.add(row.account_id)
                continue
            sent.append((row, await self._hand_over(producer, row.topic, row.key, row.value, row.headers)))
        return await self._acknowledged(sent, failed)

    async def _send_alone(self, rows: Sequence[Any]) -> list[Any]:
        """Send rows one by one; what is too large for its topic goes out in a smaller form, if it has one."""
        published: list[Any] = []
        for row in rows:
            if self._waits(row):
                continue
            alone = [(row, await self._hand_over(await self._ready_producer(), row.topic, row.key, row.value, row.headers))]
            done = await self._acknowledged(alone, set())
            if not done and isinstance(_error_of(alone[0][1]), MessageSizeTooLargeError):
                done = await self._send_smaller(row)
                if self._waits(row):
                    continue
            if not done:
                break
            self._suspects.discard(key_of(row))
            published += done
        return published

    async def _send_smaller(self, row: OutboxRow) -> list[Any]:
        """Send what goes out for a row that is too large for its topic; where that is refused too, its account waits."""
        if (form := smaller(row)) is not None:
            metrics.published_smaller.labels(topic=row.topic).inc()
            log.warning("message_made_smaller", topic=row.topic, version=row.version, why=_TOO_LARGE)
            sent = await self._hand_over(await self._ready_producer(), row.topic, *form)
            if done := await self._acknowledged([(row, sent)], set()):
                return done
            if not isinstance(_error_of(sent), MessageSizeTooLargeError):
                return []
        self._set_aside(row, _TOO_LARGE)
        return []

    async def _hand_over(
        self, producer: AIOKafkaProducer, topic: str, key: bytes | None, value: bytes | None, headers: Headers
    ) -> asyncio.Future[Any]:
        """Give one message to the producer; what it refuses at once is an error of the future like any other."""
        if key is None and value is None:
            value = b""  # Kafka would take a record without both, this client does not
        try:
            async with asyncio.timeout(self._options.send_timeout_seconds):
                at = int(self._now().timestamp() * 1_000)
                future: asyncio.Future[Any] = await producer.send(topic, value, key=key, headers=list(headers), timestamp_ms=at)
        except (MessageSizeTooLargeError, TimeoutError) as error:
            future = asyncio.get_running_loop().create_future()
            future.set_exception(error)
        return future

    async def _acknowledged(self, sent: Sequence[tuple[OutboxRow, asyncio.Future[Any]]], failed: set[UUID]) -> list[Any]:
        began = time.monotonic()
        await self._answered(sent)
        published: list[Any] = []
        errors: list[BaseException] = []
        for row, future in sent:
            error = _error_of(future)
            if error is not None:
                failed.add(row.account_id)
                errors.append(error)
                if isinstance(error, MessageSizeTooLargeError):
                    self._suspects.add(key_of(row))
            elif row.account_id not in failed:
                published.append(row)
        if errors:
            metrics.publish_failures.inc(len(errors))
            log.warning("messages_not_published", count=len(errors), error=type(errors[0]).__name__)
            await self._abandon()
            if refusal := next((error for error in errors if isinstance(error, _REFUSALS)), None):
                await self._refused(refusal)
        elif sent:
            self._tell_broker_time(sent[-1][1].result(), began)
        return published

    async def _answered(self, sent: Sequence[tuple[OutboxRow, asyncio.Future[Any]]]) -> None:
        """Wait for Kafka's answers, not for a partition that is gone: the producer would send to that for ever."""
        give_up = time.monotonic() + self._options.send_timeout_seconds
        topics = {future: row.topic for row, future in sent}
        waiting = set(topics)
        while waiting and time.monotonic() < give_up:
            _, waiting = await asyncio.wait(waiting, timeout=self._options.topic_retry_seconds)
            if waiting and await self._are_gone({topics[future] for future in waiting}):
                return

    async def _refused(self, refusal: BaseException) -> None:
        """Kafka takes nothing that this worker sends: another may do better."""
        pause = self._options.refused_seconds
        self._refusal = f"Kafka refuses what this worker sends: {type(refusal).__name__}", time.monotonic() + pause
        log.error("publishing_refused", error=type(refusal).__name__, left_to_others_seconds=pause)
        await self._leases.give_up(pause)

    def _tell_broker_time(self, told: RecordMetadata, sent: float) -> None:
        if told.timestamp_type == _LOG_APPEND_TIME and told.timestamp is not None:
            self._on_append(sent, datetime.fromtimestamp(told.timestamp / 1_000, UTC))

    def _waits(self, row: OutboxRow) -> bool:
        return self._stuck.get(row.account_id, 0.0) > time.monotonic()

    def _set_aside(self, row: OutboxRow, why: str) -> None:
        """This account's messages wait; all others go on."""
        self._stuck[row.account_id] = time.monotonic() + self._options.stuck_seconds
        metrics.publish_failures.inc()
        log.error("account_not_published", account=str(row.account_id), topic=row.topic, version=row.version, why=why)

    async def _topic_exists(self, producer: AIOKafkaProducer, topic: str) -> bool:
        """Known topics are not asked for again; one that is missing is asked for now and then."""
        if topic in self._partitions:
            return True
        now = time.monotonic()
        if self._missing.get(topic, 0.0) > now:
            return False
        count = (await self._count_partitions(producer, [topic]))[topic]
        if count:
            self._partitions[topic] = count
            if self._missing.pop(topic, None) is not None:
                log.info("topic_there", topic=topic)
            return True
        metrics.publish_failures.inc()
        if topic not in self._missing:
            log.error("topic_missing", topic=topic, to_do="its accounts wait for it: loyalty topics create")
        self._missing[topic] = time.monotonic() + self._options.topic_retry_seconds
        return False

    async def _are_gone(self, topics: set[str]) -> bool:
        """Whether one of these topics is not there any more, or is another one with fewer partitions."""
        if self._producer is None:
            return False
        counts = await self._count_partitions(self._producer, topics)
        return any(count < self._partitions.get(topic, count) for topic, count in counts.items())

    async def _count_partitions(self, producer: AIOKafkaProducer, topics: Collection[str]) -> dict[str, int]:
        """How many partitions topics have now, 0 for one that is not there; as last heard if the brokers do not answer."""
        client = producer.client
        for topic in topics:
            client.add_topic(topic)
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(self._options.metadata_timeout_seconds):
                await client.force_metadata_update()
        return {topic: len(client.cluster.partitions_for_topic(topic) or ()) for topic in topics}

    # --- the producer

    async def _ready_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = self._make_producer()
            try:
                await producer.start()
            except BaseException:
                await abandon_producer(producer)
                raise
            self._producer = producer
        return self._producer

    async def _abandon(self) -> None:
        producer, self._producer = self._producer, None
        self._partitions.clear()
        if producer is not None:
            metrics.producers_replaced.inc()
            await abandon_producer(producer)

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop_producer(producer)
        try:
            await self._leases.give_up()
        except Exception as error:  # noqa: BLE001  # they run out by themselves
            log.debug("leases_not_released", error=type(error).__name__)

    async def _wait(self, seconds: float) -> bool:
        """Sleep until poked; True if poked."""
        try:
            async with asyncio.timeout(seconds):
                await self._poked.wait()
        except TimeoutError:
            return False
        return True


def _error_of(future: asyncio.Future[Any]) -> BaseException | None:
    return future.exception() if future.done() else TimeoutError("no acknowledgement in time")


def _count(published: Sequence[OutboxRow], now: datetime) -> None:
    for topic, count in Counter(row.topic for row in published).items():
        metrics.published.labels(topic=topic).inc(count)
    oldest = min(row.created_at for row in published)
    metrics.publish_delay_seconds.observe(max(0.0, (now - oldest).total_seconds()))
