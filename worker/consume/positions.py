"""Where to read on after an assignment: what is stored, what the log still has, and what to make of a difference."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from worker.consume.batch import PartitionKey, digested_offset

GapPolicy = Literal["stop", "continue"]


@dataclass(frozen=True, slots=True)
class StoredPosition:
    """The position of one partition as the database has it: next offset, and the digest of the last record before it."""

    offset: int
    digest: bytes


class PositionStore(Protocol):
    """Where positions are kept; they are written by the commit of a batch alone."""

    async def load(self, partitions: Collection[PartitionKey]) -> Mapping[PartitionKey, StoredPosition]:
        """The stored positions; a partition that was never committed is missing. May raise: it is asked again."""
        ...


@dataclass(frozen=True, slots=True)
class LogState:
    """What Kafka has of one partition: `[start, end)` can be read; `found` is the digest of the record that lies now at
    the offset of the stored digest, None when there is none."""

    start: int
    end: int
    found: bytes | None


@dataclass(frozen=True, slots=True)
class GapFound:
    """Records were removed (retention) before they were read: `lost` offsets from `stored` on. An incident."""

    topic: str
    partition: int
    stored: int
    start: int

    @property
    def lost(self) -> int:
        return self.start - self.stored

    @property
    def told(self) -> str:
        """What happened, in words."""
        return (
            f"{self.topic}[{self.partition}]: offsets {self.stored} to {self.start - 1} ({self.lost}) were removed from Kafka "
            "before they were read"
        )

    def __str__(self) -> str:
        return f"{self.told}; set LOYALTY_KAFKA_GAP_POLICY=continue to go on without them"


@dataclass(frozen=True, slots=True)
class TopicReplaced:
    """The partition is not the one that was read: it is shorter than the stored position, or another record lies there.
    It is read from its beginning; what is known already is recognised by its facts."""

    topic: str
    partition: int
    stored: int
    end: int

    def __str__(self) -> str:
        return (
            f"{self.topic}[{self.partition}]: not the log that was read up to offset {self.stored} (it ends at {self.end}): "
            "the topic was made anew, it is read from its beginning"
        )


Incident = GapFound | TopicReplaced


@dataclass(frozen=True, slots=True)
class ReadFrom:
    """Read on from `offset`; `stored` is what the database holds (None: nothing), `digest` the one to keep."""

    offset: int
    stored: int | None
    digest: bytes
    incident: Incident | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Do not read: an operator has to decide."""

    incident: GapFound


def judge(key: PartitionKey, stored: StoredPosition | None, log: LogState, gap_policy: GapPolicy) -> ReadFrom | Stop:
    """Where to read one partition from. Pure.

    A topic that was made anew is told from one that goes on by its end (shorter than what was read) or, once it has grown
    past the stored position, by the last record read: another one lies at its offset. A record that is simply gone
    (retention, compaction) says nothing.
    """
    topic, partition = key
    if stored is None:
        return ReadFrom(log.start, None, b"")
    replaced = stored.offset > log.end or (bool(stored.digest) and log.found is not None and log.found != stored.digest)
    if replaced:
        return ReadFrom(log.start, stored.offset, b"", TopicReplaced(topic, partition, stored.offset, log.end))
    if stored.offset < log.start:
        gap = GapFound(topic, partition, stored.offset, log.start)
        return Stop(gap) if gap_policy == "stop" else ReadFrom(log.start, stored.offset, stored.digest, gap)
    return ReadFrom(stored.offset, stored.offset, stored.digest)


def offset_to_check(stored: StoredPosition, start: int, end: int) -> int | None:
    """The offset whose record tells whether this is still the same log; None when it cannot be read."""
    if not stored.digest:
        return None
    offset = digested_offset(stored.digest)
    return offset if start <= offset < end else None
