"""One partition's buffer, and the merge of many: pure, time is an argument.

The merge takes records in the order of their own times, so that topics are read in step: it waits for a partition that is
behind, and holds back one that is far ahead of the slowest of the whole group. Both waits end (`step_wait_seconds`), so that a
partition without a leader, or a record with a nonsense time, can delay but never stop it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from worker.consume.batch import Move, PartitionKey, digest_of, size_of, time_of
from worker.decode.record import Record

NEVER_MS = 2**62
BATCH_BYTES_MAX: Final = 16 * 2**20
"""Bytes of a batch, if nothing else is said."""
BufferState = Literal["settling", "open", "stopped"]


@dataclass(slots=True)
class PartitionBuffer:
    """What is known of one assigned partition. One whose position became doubtful is replaced by a new
    one, never repaired: whoever holds the old object can tell that it is gone."""

    key: PartitionKey
    state: BufferState = "settling"
    problem: str = ""
    records: deque[Record] = field(default_factory=deque)
    sizes: deque[int] = field(default_factory=deque)
    buffered_bytes: int = 0
    full: bool = False
    """Nothing more is read of it for now."""
    looked_at: bool = False
    """It is being made sure that it is still the same log, to read on."""
    stored: int | None = None
    """The position that the database must hold when the next move is committed."""
    settled: int | None = None
    """The position that is committed, as far as is known here."""
    digest: bytes = b""
    taken: int = 0
    """Up to here everything was handed out."""
    fetched: int = 0
    """The consumer's position: everything readable below it is in `records` or was taken."""
    fetch_end: int = 0
    """Up to here can be read (the last stable offset), as of the last answer of the broker."""
    last_ms: int | None = None
    """Record time of the newest record ever put in."""
    unsettled: deque[tuple[int, int]] = field(default_factory=deque)
    """(next offset, oldest record time in ms) of moves that were handed out and not settled yet."""
    empty_since_ms: int | None = None
    head_since_ms: int | None = None

    @property
    def takeable(self) -> bool:
        return self.state == "open" and bool(self.records)

    @property
    def newest(self) -> bytes:
        """The digest of the last record that was read; empty: none was."""
        return digest_of(self.records[-1]) if self.records else self.digest

    @property
    def moved_alone(self) -> bool:
        """Did the position move past what holds no records?"""
        return self.state == "open" and not self.records and self.fetched > self.taken

    @property
    def starving(self) -> bool:
        """More can be read, but nothing is here yet: others should wait."""
        return self.state == "open" and not self.records and self.fetched < self.fetch_end

    def put(self, records: Iterable[Record], position: int) -> None:
        """Add what was read; `position` is the consumer's position after it."""
        for record in records:
            size = size_of(record.key, record.value, record.headers)
            self.records.append(record)
            self.sizes.append(size)
            self.buffered_bytes += size
            self.last_ms = record.timestamp_ms
        self.fetched = position

    def take(self) -> Record:
        self.buffered_bytes -= self.sizes.popleft()
        return self.records.popleft()

    def move(self, taken: Sequence[Record], at_end: bool) -> Move:
        """The move for the records just taken (none: only the position moved); the next one starts from it."""
        next_offset = self.fetched if not self.records else taken[-1].offset + 1
        if taken:
            self.digest = digest_of(taken[-1])
        move = Move(
            topic=self.key[0],
            partition=self.key[1],
            from_offset=self.stored,
            next_offset=next_offset,
            digest=self.digest,
            record_time=time_of(taken[-1].timestamp_ms) if taken else None,
            at_end=at_end and not self.records,
        )
        self.stored = self.taken = next_offset
        self.unsettled.append((next_offset, min((record.timestamp_ms for record in taken), default=NEVER_MS)))
        return move

    def settle(self, next_offset: int) -> None:
        """The move up to `next_offset` and those before it are committed."""
        while self.unsettled and self.unsettled[0][0] <= next_offset:
            self.settled, _ = self.unsettled.popleft()

    def overdue(self, wait_ms: int, now_ms: int) -> bool:
        """Was the first record passed over for the whole wait?"""
        return self.head_since_ms is not None and now_ms - self.head_since_ms >= wait_ms

    @property
    def oldest_ms(self) -> int | None:
        """The record time that is still to be read past, None when nothing waits here."""
        waiting = [oldest for _, oldest in self.unsettled if oldest != NEVER_MS]
        if self.records:
            waiting.append(self.records[0].timestamp_ms)
        return min(waiting, default=None)


@dataclass(slots=True)
class Step:
    """How far the merge may read now: `lead_ms` ahead of the slowest partition of the other workers, `wait_ms` at most.

    The lead is `tolerance_ms`, or twice what the slowest came on between two reports: workers that replay a long time together
    double their pace with every report until their own speed bounds it, and are close to each other again at the end.
    """

    tolerance_ms: int
    wait_ms: int
    slowest_ms: int | None = None
    slowest_since_ms: int = 0
    lead_ms: int = 0

    def set_slowest(self, slowest_ms: int | None, now_ms: int) -> None:
        if slowest_ms != self.slowest_ms:
            came_on = 0 if slowest_ms is None or self.slowest_ms is None else slowest_ms - self.slowest_ms
            self.lead_ms = max(self.tolerance_ms, 2 * came_on)
            self.slowest_ms = slowest_ms
            self.slowest_since_ms = now_ms

    def limit(self, buffers: Iterable[PartitionBuffer], now_ms: int) -> int:
        """Records up to this time (ms) may be taken; also notes since when buffers starve."""
        limit = NEVER_MS
        for buffer in buffers:
            if not buffer.starving:
                buffer.empty_since_ms = None
                continue
            if buffer.empty_since_ms is None:
                buffer.empty_since_ms = now_ms
            if now_ms - buffer.empty_since_ms < self.wait_ms:
                limit = min(limit, -1 if buffer.last_ms is None else buffer.last_ms)
        if self.slowest_ms is not None and now_ms - self.slowest_since_ms < self.wait_ms:
            limit = min(limit, self.slowest_ms + self.lead_ms)
        return limit


Run = tuple[PartitionBuffer, list[Record]]
"""A buffer and what was taken off it, in its order."""


def take_in_step(
    buffers: Sequence[PartitionBuffer], step: Step, records_max: int, now_ms: int, bytes_max: int = BATCH_BYTES_MAX
) -> tuple[list[Record], list[tuple[PartitionBuffer, list[Record]]]]:
    """Take up to `records_max` records off the buffers, oldest record time first, each buffer in its own order.

    They have at most `bytes_max` bytes together; a single record that has more goes alone.

    A first record that was passed over for the whole wait (held back, or of a time far in the future) goes before all
    others.

    Returns:
        The records in merged order, and for each buffer that gave something its own run of them.
    """
    limit = step.limit(buffers, now_ms)
    waiting = [buffer for buffer in buffers if buffer.takeable]
    heap = [(-1 if each.overdue(step.wait_ms, now_ms) else each.records[0].timestamp_ms, each.key, each) for each in waiting]
    heapq.heapify(heap)
    records: list[Record] = []
    room = bytes_max
    runs: dict[PartitionKey, Run] = {}
    while heap and len(records) < records_max:
        time_ms, key, buffer = heap[0]
        _, run = runs.setdefault(key, (buffer, []))
        if time_ms > limit:
            heapq.heappop(heap)
            continue
        room -= buffer.sizes[0]
        if records and room < 0:
            break
        record = buffer.take()
        records.append(record)
        run.append(record)
        if buffer.records:
            heapq.heapreplace(heap, (buffer.records[0].timestamp_ms, key, buffer))
        else:
            heapq.heappop(heap)
    for buffer in waiting:
        given = buffer.key in runs and runs[buffer.key][1]
        if given or not buffer.records:
            buffer.head_since_ms = None
        elif buffer.head_since_ms is None:
            buffer.head_since_ms = now_ms
    return records, [given for given in runs.values() if given[1]]
