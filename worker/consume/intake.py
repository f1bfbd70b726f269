"""Between Kafka and the pipeline: what was read waits here, per partition, until the pipeline asks for a batch.

Nothing here blocks the poll loop. A partition whose buffer is full is paused. One whose position is not certain (newly
assigned, its compare and set failed, its offset out of range) is emptied, paused and settled again: stored position, check, seek.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from worker import metrics
from worker.consume.batch import Batch, Move, PartitionKey, PartitionProgress
from worker.consume.consumer import to_record
from worker.consume.partition_buffer import BATCH_BYTES_MAX, PartitionBuffer, Step, take_in_step
from worker.consume.position_check import examine, goes_on
from worker.consume.positions import GapPolicy, Incident, PositionStore, ReadFrom, Stop
from worker.consume.progress import progress_of, read_to_end
from worker.consume.reader import Reader
from worker.decode.record import Record
from worker.log import get_logger

log = get_logger(__name__)

HELD_RECHECK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class IntakeOptions:
    """Bounds of batches, buffers and waits. The high-water marks are per partition; reading resumes at half of them. With many
    partitions each has its part of `total_bytes_max` only. A record above a bound in bytes goes alone."""

    batch_bytes_max: int = BATCH_BYTES_MAX
    buffer_records_max: int = 5_000
    buffer_bytes_max: int = 16 * 2**20
    total_bytes_max: int = 256 * 2**20
    step_tolerance_seconds: float = 60.0
    step_wait_seconds: float = 30.0
    gap_policy: GapPolicy = "stop"
    idle_move_seconds: float = 1.0
    answer_age_seconds_max: float = 5.0
    silence_seconds_max: float = 10.0
    settle_timeout_seconds: float = 30.0
    settle_backoff_seconds_max: float = 5.0


class Intake:
    """Buffers of the assigned partitions. One event loop, no threads; `next_batch` has one caller at a time."""

    def __init__(self, store: PositionStore, options: IntakeOptions, on_incident: Callable[[Incident], None]) -> None:
        """`on_incident` is told of gaps and replaced topics, besides the log and the metrics."""
        self._store = store
        self._options = options
        self._on_incident = on_incident
        self._reader: Reader | None = None
        self._buffers: dict[PartitionKey, PartitionBuffer] = {}
        self._step = Step(int(options.step_tolerance_seconds * 1000), int(options.step_wait_seconds * 1000))
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._closed = False
        self._first_at: float | None = None
        """Since when (monotonic) records wait here that no batch took; None while none do."""
        self._settling: set[asyncio.Task[None]] = set()
        self._moved_alone_at = 0.0
        self._opened_ms = 0
        self._advisory: dict[PartitionKey, int] = {}

    # --- for the pipeline

    async def next_batch(self, records_max: int, linger_seconds: float = 0.005) -> Batch | None:
        """The next records, at most `records_max`; as soon as a full batch is here or `linger_seconds` passed since the
        first came, be it before this was called. None once the intake is closed. May be cancelled: nothing is taken before it
        returns.
        """
        while not self._closed:
            self._changed.clear()
            now = time.monotonic()
            takeable = [buffer for buffer in self._buffers.values() if buffer.takeable]
            if takeable:
                wait = (self._first_at or now) + linger_seconds - now
                if wait <= 0 or self._fills_a_batch(takeable, records_max):
                    batch = self._take(records_max)
                    if batch.records:
                        return batch
                    wait = HELD_RECHECK_SECONDS
            else:
                wait = self._options.idle_move_seconds
                if now - self._moved_alone_at >= wait and (moves := self._moves_alone(now)):
                    return Batch((), moves)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()
        return None

    def settled(self, moves: Iterable[Move]) -> None:
        """The batch of these moves is committed: its records are read past now."""
        for move in moves:
            self._advisory[move.key] = move.next_offset
            if buffer := self._buffers.get(move.key):
                buffer.settle(move.next_offset)

    def lost(self, partitions: Iterable[PartitionKey]) -> None:
        """The compare-and-set of these positions failed: forget what is buffered, load the positions, seek."""
        keys = [key for key in partitions if key in self._buffers]
        metrics.positions_lost.inc(len(keys))
        self._begin(keys)

    def set_slowest(self, slowest: datetime | None) -> None:
        """The record time of the slowest partition of the other workers (one's own are merged here); None = none is behind."""
        slowest_ms = None if slowest is None else int(slowest.timestamp() * 1000)
        self._step.set_slowest(slowest_ms, _monotonic_ms())
        self._changed.set()

    @property
    def waiting(self) -> int:
        """Records that were read and wait to be taken."""
        return sum(len(buffer.records) for buffer in self._buffers.values())

    async def emptied(self, within_seconds: float) -> None:
        """Return as soon as no record waits to be taken, and after so many seconds at the latest."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                while self.waiting:
                    self._taken.clear()
                    await self._taken.wait()

    def progress(self) -> tuple[PartitionProgress, ...]:
        """How far each assigned partition is read and settled."""
        return tuple(progress_of(self._reader, buffer, self._options.answer_age_seconds_max) for buffer in self._buffers.values())

    @property
    def partition_bytes_max(self) -> int:
        """Bytes that may be buffered of one partition, and read in one go: so a buffer has at most twice as many."""
        return min(self._options.buffer_bytes_max, self._options.total_bytes_max // max(1, len(self._buffers)))

    def problems(self) -> tuple[str, ...]:
        """Why this worker is not reading all that it should, in words for the operator; empty when it is."""
        if not self._buffers:
            return ("no partition is assigned",)
        waiting = [f"{topic}[{n}]: loading its position" for (topic, n), at in self._buffers.items() if at.state == "settling"]
        stopped = [buffer.problem for buffer in self._buffers.values() if buffer.state == "stopped"]
        return (*waiting, *stopped, *self._silence())

    def _silence(self) -> tuple[str, ...]:
        """Whether Kafka answers: it does so several times a second, with or without records, unless all partitions are paused."""
        asked = [TopicPartition(*buffer.key) for buffer in self._buffers.values() if buffer.state == "open" and not buffer.full]
        if self._reader is None or not asked:
            return ()
        answers = [at for at in map(self._reader.answered_ms, asked) if at is not None]
        seconds = time.time() - max(self._opened_ms, *answers, 0) / 1000
        return (f"Kafka has not answered for {seconds:.0f} seconds",) if seconds > self._options.silence_seconds_max else ()

    def close(self) -> None:
        """No further batch is handed out."""
        self._closed = True
        self._changed.set()
        for task in self._settling:
            task.cancel()

    async def commit_advisory(self) -> None:
        """Tell Kafka's own group offsets what was settled, for lag dashboards. Best effort: nothing depends on it."""
        due = {TopicPartition(*key): offset for key, offset in self._advisory.items() if key in self._buffers}
        self._advisory.clear()
        if due and self._reader is not None:
            try:
                async with asyncio.timeout(self._options.answer_age_seconds_max):
                    await self._reader.commit(due)
            except (KafkaError, TimeoutError) as error:
                log.debug("advisory_commit_failed", error=type(error).__name__)

    # --- for the subscription

    def attach(self, reader: Reader) -> None:
        """A new consumer: nothing is known of the partitions of an earlier one."""
        self._reader = reader
        self._buffers.clear()

    def revoked(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self._buffers.pop((partition.topic, partition.partition), None)
        self._taken.set()
        metrics.partitions_assigned.set(len(self._buffers))

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Pause them at once, and load and check their positions beside the poll loop: heartbeats must go on."""
        keys = [(partition.topic, partition.partition) for partition in partitions]
        self._buffers = {key: buffer for key, buffer in self._buffers.items() if key in keys}
        self._begin(keys)
        metrics.partitions_assigned.set(len(self._buffers))

    def resettle(self, partitions: Iterable[TopicPartition]) -> None:
        """Positions that cannot be trusted (out of range, records lost on the way): begin again."""
        log.warning("partitions_begin_again", partitions=[f"{p.topic}[{p.partition}]" for p in partitions])
        self._begin([key for p in partitions if (key := (p.topic, p.partition)) in self._buffers])

    def doubted(self, partitions: Iterable[TopicPartition]) -> None:
        """Partitions that no broker was asked about for a while: looked at before they are read on."""
        for partition in partitions:
            if (buffer := self._buffers.get((partition.topic, partition.partition))) is not None and buffer.state == "open":
                self._pause(partition)
                self._look(buffer)

    def offer(self, raw: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Take over what one poll gave. Never blocks, never raises."""
        reader = self._reader
        if reader is None:
            return
        runs: dict[TopicPartition, list[Record]] = {}
        for record in raw:
            runs.setdefault(TopicPartition(record.topic, record.partition), []).append(to_record(record))
        for partition, run in runs.items():
            reader.in_hand.discard(partition)
            buffer = self._buffers.get((partition.topic, partition.partition))
            position = reader.position_now(partition)
            # A seek came after these were fetched: the position does not lie behind them.
            if buffer is None or buffer.state != "open" or position is None or position <= run[-1].offset:
                continue
            if run[0].offset < buffer.fetched:
                self._begin([buffer.key])
                continue
            buffer.put(run, position)
            self._first_at = self._first_at or time.monotonic()
            buffer.fetch_end = reader.readable_end(partition) or buffer.fetch_end
            if len(buffer.records) > self._options.buffer_records_max or buffer.buffered_bytes > self.partition_bytes_max:
                buffer.full = True
                self._pause(partition)
        metrics.records_buffered.set(sum(len(buffer.records) for buffer in self._buffers.values()))
        self._changed.set()

    # --- within

    def _take(self, records_max: int) -> Batch:
        buffers = list(self._buffers.values())
        self._refresh(buffers)
        records, runs = take_in_step(buffers, self._step, records_max, _monotonic_ms(), self._options.batch_bytes_max)
        self._taken.set()
        self._first_at = time.monotonic() if self.waiting else None
        moves = [buffer.move(run, self._at_end(buffer)) for buffer, run in runs]
        for buffer, _ in runs:
            if buffer.full and self._is_half_empty(buffer):
                self._look(buffer)
        return Batch(tuple(records), (*moves, *self._moves_alone(time.monotonic())) if records else ())

    def _moves_alone(self, now: float) -> tuple[Move, ...]:
        self._moved_alone_at = now
        buffers = list(self._buffers.values())
        self._refresh(buffers)
        return tuple(buffer.move((), self._at_end(buffer)) for buffer in buffers if buffer.moved_alone)

    def _refresh(self, buffers: Iterable[PartitionBuffer]) -> None:
        """Note positions that moved without records (markers, aborted transactions) and ends of empty partitions."""
        reader = self._reader
        if reader is None:
            return
        for buffer in buffers:
            partition = TopicPartition(*buffer.key)
            if buffer.state == "open" and not buffer.records and partition not in reader.in_hand:
                position = reader.position_now(partition)
                if position is not None and position >= buffer.fetched:
                    buffer.fetched = position
                buffer.fetch_end = reader.readable_end(partition) or buffer.fetch_end

    def _fills_a_batch(self, buffers: Collection[PartitionBuffer], records_max: int) -> bool:
        records, in_bytes = sum(len(each.records) for each in buffers), sum(each.buffered_bytes for each in buffers)
        return records >= records_max or in_bytes >= self._options.batch_bytes_max

    def _is_half_empty(self, buffer: PartitionBuffer) -> bool:
        few = len(buffer.records) <= self._options.buffer_records_max // 2
        return few and buffer.buffered_bytes <= self.partition_bytes_max // 2

    def _at_end(self, buffer: PartitionBuffer) -> bool:
        return read_to_end(self._reader, buffer, self._options.answer_age_seconds_max)

    def _begin(self, keys: Collection[PartitionKey]) -> None:
        buffers = [PartitionBuffer(key) for key in keys]
        if not buffers or self._closed:
            return
        for buffer in buffers:
            self._buffers[buffer.key] = buffer
            self._hold(TopicPartition(*buffer.key))
        self._beside(self._settle(buffers))

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    def _look(self, buffer: PartitionBuffer) -> None:
        """Read on a partition that is paused once it is known to be the same log. What waits of it can be taken meanwhile."""
        if not buffer.looked_at and not self._closed:
            buffer.full = buffer.looked_at = True
            self._beside(self._go_on(buffer))

    async def _go_on(self, buffer: PartitionBuffer) -> None:
        same, reader = False, self._reader
        if reader is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._options.settle_timeout_seconds):
                    same = await goes_on(reader, buffer.key, buffer.newest)
        if self._buffers.get(buffer.key) is not buffer:
            return
        if same:
            buffer.full = buffer.looked_at = False
            self._resume(TopicPartition(*buffer.key))
        else:
            self.resettle([TopicPartition(*buffer.key)])

    async def _settle(self, buffers: Collection[PartitionBuffer]) -> None:
        """Load, check and seek, until it worked or the buffers are gone."""
        backoff, reader = 0.1, self._reader
        assert reader is not None, "partitions are assigned by a consumer"
        while mine := [buffer for buffer in buffers if self._buffers.get(buffer.key) is buffer and buffer.state == "settling"]:
            try:
                async with asyncio.timeout(self._options.settle_timeout_seconds):
                    verdicts = await examine(reader, self._store, [buffer.key for buffer in mine], self._options.gap_policy)
            except Exception as error:  # noqa: BLE001  # the store and the broker fail in many ways, all are tried again
                log.warning("positions_not_loaded", error=type(error).__name__, detail=str(error)[:200], retry_seconds=backoff)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, self._options.settle_backoff_seconds_max)
                continue
            for buffer in mine:
                if self._buffers.get(buffer.key) is buffer:
                    self._open(buffer, *verdicts[buffer.key])
            self._changed.set()

    def _open(self, buffer: PartitionBuffer, verdict: ReadFrom | Stop, end: int) -> None:
        if verdict.incident is not None:
            kind = type(verdict.incident).__name__
            metrics.incidents.labels(kind=kind).inc()
            log.error("incident", kind=kind, detail=str(verdict.incident))
            self._on_incident(verdict.incident)
        if isinstance(verdict, Stop):
            buffer.state, buffer.problem = "stopped", str(verdict.incident)
            return
        if verdict.stored is None and verdict.offset > 0:
            # Nobody has read it before, so nothing is known to be lost; but who expects all of it should hear of it.
            log.warning("begins_late", topic=buffer.key[0], partition=buffer.key[1], removed=verdict.offset)
        buffer.stored = buffer.settled = verdict.stored
        buffer.digest, buffer.fetch_end = verdict.digest, end
        buffer.taken = buffer.fetched = verdict.offset
        buffer.state = "open"
        self._opened_ms = int(time.time() * 1000)
        with contextlib.suppress(IllegalStateError):  # taken away meanwhile: the listener cleans up
            reader = self._reader
            assert reader is not None, "partitions are assigned by a consumer"
            reader.seek(TopicPartition(*buffer.key), verdict.offset)
        self._resume(TopicPartition(*buffer.key))

    def _hold(self, partition: TopicPartition) -> None:
        """Pause; a position, any, is needed too: without one aiokafka fetches nothing of the other partitions either."""
        if self._reader is not None:
            with contextlib.suppress(IllegalStateError):
                self._reader.pause(partition)
                self._reader.seek(partition, 0)

    def _pause(self, partition: TopicPartition) -> None:
        if self._reader is not None:
            with contextlib.suppress(IllegalStateError):
                self._reader.pause(partition)

    def _resume(self, partition: TopicPartition) -> None:
        if self._reader is not None:
            with contextlib.suppress(IllegalStateError):
                self._reader.resume(partition)


def _monotonic_ms() -> int:
    return int(time.monotonic() * 1000)
