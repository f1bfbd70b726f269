"""What leaves this folder: batches of records, and how the positions move when one is committed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from worker.decode.digests import position_digest
from worker.decode.record import Record

PartitionKey = tuple[str, int]
"""(topic, partition)"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET_BYTES = 8
_RECORD_BYTES = 200


@dataclass(frozen=True, slots=True)
class Move:
    """How the stored position of one partition moves with a batch.

    `from_offset` is the position that must be stored now (None: no position was ever stored), `next_offset` the one to
    store: the offset to read next, beyond transaction markers and gaps of compaction. `digest` names the last record read
    before it (see `digest_of`; empty while none was read). `record_time` is that record's own time, None when the move
    holds no record. `at_end`: with this move nothing that can be read is left behind.
    """

    topic: str
    partition: int
    from_offset: int | None
    next_offset: int
    digest: bytes
    record_time: datetime | None
    at_end: bool

    @property
    def key(self) -> PartitionKey:
        return self.topic, self.partition


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the order of their times (within a partition: of their offsets) and the moves to commit with them.

    A batch without records moves positions past what holds no records (aborted transactions, markers).
    """

    records: tuple[Record, ...]
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """How far one assigned partition is read *and settled*, for the table that the watermark is computed from.

    `position` is the consumer's position, `settled_offset` the committed one (None: nothing is stored or known yet).
    `oldest_time` is the record time that is still to be read past: of the oldest
    record taken or buffered, else of the last one read; None when nothing was read yet. `at_end`: everything up to the
    end offset is read and settled, and the end was asked for lately.
    """

    topic: str
    partition: int
    position: int | None
    settled_offset: int | None
    oldest_time: datetime | None
    at_end: bool


def digest_of(record: Record) -> bytes:
    """24 bytes that name a record: its offset (8, big endian) and its digest (16).

    The offset is kept because the stored position need not be the one after it: markers of transactions lie between.
    """
    return record.offset.to_bytes(_OFFSET_BYTES, "big") + position_digest(record)


def digested_offset(digest: bytes) -> int:
    """The offset within a digest made by `digest_of`."""
    return int.from_bytes(digest[:_OFFSET_BYTES], "big")


def time_of(timestamp_ms: int) -> datetime:
    """Record time as an instant; nonsense is clamped into what a datetime can hold."""
    try:
        return _EPOCH + timedelta(milliseconds=timestamp_ms)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if timestamp_ms > 0 else _EPOCH


def size_of(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> int:
    """Bytes that a record is counted with, here and in every bound: what it holds, and the objects that hold it."""
    size = _RECORD_BYTES + len(key or b"") + len(value or b"")
    for name, content in headers:
        size += len(name) + len(content or b"")
    return size
