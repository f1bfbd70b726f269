"""aiokafka's consumer, made to say what it would hide.

It differs in this: positions and ends can be read without waiting; one record can be read at an offset; missing topics are
told of at once; an offset out of range is reported and not silently skipped over; records that were handed out and did not
arrive are reported, and so is a partition that the broker did not know for a moment; and a header whose *name* is not UTF-8,
on which aiokafka 0.14 raises for ever, is read with the bad bytes written as `\\xNN`. A poll is bounded in bytes, not only in
records. A batch that is too large to be uncompressed is one record that holds it as it came. This file and `codecs.py` are the
only ones that touch aiokafka's inner parts.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    LeaderNotAvailableError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import _MemoryRecordsPy

from worker.consume.batch import size_of
from worker.consume.codecs import BatchTooLarge
from worker.decode.record import BATCH_HEADER, Record

ONE_RECORD_WAIT_MS = 100
HEADERS_SINCE_FORMAT = 2
UNASKED_SECONDS_MAX = 2.0
LOG_APPEND_TIME = 1
"""After so long without an answer about it a partition may be another one of the same name, grown past the position."""
UNKNOWN_CODES = (UnknownTopicOrPartitionError.errno, 100, 103)
"""Answers to a fetch after which the topic may be another one of the same name; the last two are unknown and other topic ids."""


class StrictConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka ships no types
    """A consumer of committed records that tells `on_lost` of partitions whose position cannot be trusted any more.

    Needs `isolation_level="read_committed"` and `auto_offset_reset="none"`: where to begin is decided by the stored
    positions alone.
    """

    def __init__(
        self,
        *topics: str,
        on_lost: Callable[[Collection[TopicPartition]], None],
        on_doubt: Callable[[Collection[TopicPartition]], None],
        poll_bytes_max: Callable[[], int],
        poll_wait_ms: int,
        **options: Any,
    ) -> None:
        """`on_doubt`: told of partitions that no broker was asked about for a while, before what came now is given out.
        `poll_bytes_max`: a poll ends with the record with which it has that many bytes; `poll_wait_ms`: it waits so long for
        the first one, at least.
        """
        super().__init__(*topics, **options)
        self._on_lost = on_lost
        self._on_doubt = on_doubt
        self._known_at: dict[TopicPartition, float] = {}  # monotonic time at which it was last known to be the same log
        self._poll_bytes_max = poll_bytes_max
        self._poll_wait_ms = poll_wait_ms
        self.failing_since: float | None = None
        """Monotonic time (seconds) since when every poll failed; None while polls succeed."""
        self.in_hand: set[TopicPartition] = set()
        """Partitions whose records a poll gave out and nobody took over yet: their position runs ahead."""

    async def start(self) -> None:
        """As the parent's. The client is listened to: where a topic was deleted and made again, the parent would go on at its
        position in the new one, and pass over all that lies before.

        Raises:
            KafkaError: the cluster cannot be reached, or a topic is missing.
        """
        await super().start()
        self._client.send = partial(self._send_and_listen, self._client.send)

    async def _send_and_listen(self, send: Callable[..., Awaitable[Any]], node: int, request: Any, **options: Any) -> Any:
        response = await send(node, request, **options)
        if isinstance(request, FetchRequest):
            told = [(TopicPartition(topic, part[0]), part[1]) for topic, parts in response.topics for part in parts]
            # Those that are asked about by hand are being looked at already.
            asked, now = [(partition, code) for partition, code in told if partition not in self.paused()], time.monotonic()
            if unknown := [partition for partition, code in asked if code in UNKNOWN_CODES]:
                self._on_lost(unknown)
            answered = [partition for partition, code in asked if code == 0]
            if doubted := [each for each in answered if now - self._known_at.get(each, now) > UNASKED_SECONDS_MAX]:
                self._on_doubt(doubted)
            self._known_at.update(dict.fromkeys(answered, now))
        return response

    def resume(self, *partitions: TopicPartition) -> None:
        """As the parent's. Whoever resumes has made sure that it is the same log."""
        self._known_at.update(dict.fromkeys(partitions, time.monotonic()))
        super().resume(*partitions)

    async def getmany(self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None) -> Any:
        """As the parent's, but what concerns one partition does not fail the poll.

        Raises:
            KafkaError: coordination or authorization failed.
        """
        if self.in_hand:
            self._on_lost(list(self.in_hand))
            self.in_hand.clear()
        try:
            wait_ms = max(timeout_ms, self._poll_wait_ms)
            records = await self._getmany_with_bad_headers(*partitions, timeout_ms=wait_ms, max_records=max_records)
        except NoOffsetForPartitionError:
            records = {}  # the seek to the stored position is on its way
        except OffsetOutOfRangeError as error:
            self._on_lost(list(error.args[0]))
            records = {}
        except KafkaError:
            if self.failing_since is None:
                self.failing_since = time.monotonic()
            raise
        self.failing_since = None
        self.in_hand.update(records)
        return records

    def position_now(self, partition: TopicPartition) -> int | None:
        """The position without waiting; None when the partition is not assigned or its position not known."""
        state = self._state(partition)
        return state.position if state is not None and state.has_valid_position else None

    def readable_end(self, partition: TopicPartition) -> int | None:
        """The end of committed records, as of the last answer of the broker; None before the first."""
        state = self._state(partition)
        return None if state is None else state.lso

    def log_end(self, partition: TopicPartition) -> int | None:
        """The end of the log with transactions still open, as of the last answer of the broker; None before the first."""
        state = self._state(partition)
        return None if state is None else state.highwater

    def answered_ms(self, partition: TopicPartition) -> int | None:
        """When the broker last answered a fetch (ms since 1970); None before the first answer."""
        state = self._state(partition)
        return None if state is None else state.timestamp

    async def record_at(self, partition: TopicPartition, offset: int) -> Record | None:
        """The record at an offset, None when there is none. The consumer's position stays where it is.

        Raises:
            KafkaError: the broker could not be asked.
        """
        result = await self._fetch_by_hand(partition, offset, max_bytes=1)
        try:
            first = next(result, None)
        finally:
            _let_go(result)  # of a whole batch
        return None if first is None or first.offset != offset else to_record(first)

    async def _wait_topics(self) -> None:
        """Tell at once that a topic is missing: the parent would ask for it ten times a second, until a request times out.

        Raises:
            UnknownTopicOrPartitionError: with the names of the topics.
        """
        await self._client.force_metadata_update()
        known = self._client.cluster
        missing = sorted(topic for topic in self.subscription() if known.partitions_for_topic(topic) is None)
        if missing:
            raise UnknownTopicOrPartitionError(f"missing topics, or no right to read them: {', '.join(missing)}")

    def _state(self, partition: TopicPartition) -> Any:
        subscription = self._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return None
        return subscription.assignment.state_value(partition)

    async def _getmany_with_bad_headers(self, *partitions: TopicPartition, timeout_ms: int, max_records: int | None) -> Any:
        try:
            return await self._getmany_of_bounded_size(*partitions, timeout_ms=timeout_ms, max_records=max_records)
        except (UnicodeDecodeError, BatchTooLarge, CorruptRecordException) as error:
            # The compiled reader raises the first, the one in Python wraps it in the last.
            if not isinstance(error.__cause__ or error, UnicodeDecodeError | BatchTooLarge):
                raise
            await self._read_again_with_care()
            return await self._getmany_of_bounded_size(*partitions, timeout_ms=timeout_ms, max_records=max_records)

    async def _getmany_of_bounded_size(self, *partitions: TopicPartition, timeout_ms: int, max_records: int | None) -> Any:
        _room.set(_Room(self._poll_bytes_max()))
        return await super().getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)

    async def _read_again_with_care(self) -> None:
        """Replace what was fetched and not yet handed out by the same records, read by the careful reader."""
        assignment = self._subscription.subscription.assignment
        for partition in list(self._fetcher._records):
            position = self.position_now(partition)
            if position is None or not isinstance(self._fetcher._records[partition], _BoundedResult):
                continue
            careful = await self._fetch_by_hand(partition, position, max_bytes=self._max_partition_fetch_bytes)
            if self.position_now(partition) == position and assignment.active:
                self._fetcher._records[partition] = _BoundedResult(
                    partition, assignment=assignment, partition_records=careful, backoff=self._fetcher._prefetch_backoff
                )

    async def _fetch_by_hand(self, partition: TopicPartition, offset: int, max_bytes: int) -> PartitionRecords:
        """The records from an offset on; Kafka answers with at least one batch, however small `max_bytes` is."""
        leader = self._client.cluster.leader_for_partition(partition)
        if leader is None or leader == -1:
            raise LeaderNotAvailableError(partition)
        request = FetchRequest(
            ONE_RECORD_WAIT_MS,
            1,
            self._fetch_max_bytes,
            READ_COMMITTED,
            [(partition.topic, [(partition.partition, offset, max_bytes)])],
            rack_id="",
        )
        response = await self._client.send(leader, request)
        _, error_code, _, *rest = response.topics[0][1][0]
        if error_code != 0:
            raise for_code(error_code)(partition)
        aborted = rest[2] if response.API_VERSION >= 11 else rest[-2]
        return PartitionRecords(partition, _CarefulRecords(rest[-1]), aborted, offset, None, None, True, READ_COMMITTED)


@dataclass(slots=True)
class _Room:
    """Bytes that the poll of this task may still take."""

    left: int


_room: ContextVar[_Room | None] = ContextVar("room of a poll", default=None)  # None: of a consumer that is not ours


class _BoundedResult(FetchResult):  # type: ignore[misc]  # aiokafka ships no types
    """What was fetched of one partition, given out until the poll has its bytes: the parent's counts records alone, and a few
    megabytes as they were fetched may be gigabytes uncompressed. The rest stays for the next poll."""

    _partition_records: PartitionRecords | None

    def getall(self, max_records: int | None = None) -> list[ConsumerRecord[Any, Any]]:
        room = _room.get()
        if room is None:
            return list(super().getall(max_records))
        if room.left <= 0 or not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        taken = []
        for record in self._partition_records or ():
            taken.append(record)
            room.left -= size_of(record.key, record.value, record.headers)
            if room.left <= 0 or len(taken) == max_records:
                self._update_position()
                return taken
        self._update_position()
        self._partition_records = None
        return taken

    def check_assignment(self, tp: TopicPartition) -> bool:
        """As the parent's, which drops what was fetched if the partition was paused or moved."""
        fetched = self._partition_records
        kept = bool(super().check_assignment(tp))
        if not kept:
            _let_go(fetched)
        return kept

    def __del__(self) -> None:
        _let_go(self._partition_records)


def _let_go(fetched: PartitionRecords | None) -> None:
    """Free what is not going to be given out. It refers to itself, with a whole batch uncompressed, and the worker lets the
    collector of such circles look rarely: some hundred megabytes would wait for it."""
    if fetched is not None:
        fetched._records_iterator = None


assert hasattr(fetcher, "FetchResult"), "aiokafka gives out records otherwise than it did"
fetcher.FetchResult = _BoundedResult


class _CarefulSlice(bytes):
    """Bytes of one field; header names are the only ones that get decoded."""

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")


class _OwnName(str):
    """The name of a header that no sender can have sent, whatever it is called."""

    __slots__ = ()


class _CarefulBuffer(bytearray):
    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        return _CarefulSlice(part) if isinstance(index, slice) else part


class _CarefulBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # final for type checkers only
    _buffer: bytearray

    def __iter__(self) -> Iterator[_DefaultRecordPy]:
        try:
            super().__iter__()  # uncompresses
        except BatchTooLarge:
            return iter((self._stand_in(),))
        self._buffer = _CarefulBuffer(self._buffer)
        return self

    def _stand_in(self) -> _DefaultRecordPy:
        """One record in place of all: at the last one's offset, so that reading goes on behind the batch."""
        content = bytes(memoryview(self._buffer)[self._pos :])
        about = f"{self.base_offset} to {self.next_offset - 1}, codec {self.compression_type}".encode()
        return _DefaultRecordPy(
            self.next_offset - 1, self.max_timestamp, self.timestamp_type, None, content, [(_OwnName(BATCH_HEADER), about)]
        )


class _CarefulRecords(_MemoryRecordsPy):  # type: ignore[misc]  # final for type checkers only
    """Batches whose header names may be any bytes; formats older than Kafka 0.11 have no headers."""

    def next_batch(self, *bounds: int) -> Any:
        part = self._next_slice
        if part is None or part[self.MAGIC_OFFSET] < HEADERS_SINCE_FORMAT:
            return super().next_batch(*bounds)
        self._cache_next()
        return _CarefulBatch(part)


def to_record(raw: ConsumerRecord[Any, Any]) -> Record:
    """A record as the rest of the worker knows it. Never raises."""
    return Record(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        timestamp_ms=raw.timestamp,
        key=raw.key,
        value=raw.value,
        headers=raw.headers,
        appended=raw.timestamp_type == LOG_APPEND_TIME,
        is_batch=bool(raw.headers) and isinstance(raw.headers[0][0], _OwnName),
    )
