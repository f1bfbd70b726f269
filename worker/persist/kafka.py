"""What the store knows of Kafka: positions, records that broke the contract, and messages to publish."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from contracts.events import DLQ_SUFFIX
from worker.persist.accounts import columns
from worker.persist.encoding import dead_letter_headers, encode, outbox_row_of, record_digest
from worker.persist.errors import PositionLostError
from worker.persist.identity import SHARDS, partition_account
from worker.persist.link import Link, names_of
from worker.persist.rows import DeadLetter, Move, OutboxRow, Partition, Position, Progress, Reading

NO_POSITION: Final = -1
NIL: Final = UUID(int=0)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RECORD_AT_MAX: Final = datetime(9999, 1, 1, tzinfo=UTC)
_DEAD: Final = names_of("account_id version ordinal topic key value epoch headers")


async def move_positions(link: Link, moves: Sequence[Move]) -> datetime | None:
    """Moves all of them or raises PositionLostError; returns the watermark."""
    if not moves:
        return None
    rows = [(m.topic, m.partition, _from(m), m.next_offset, m.digest, m.record_time) for m in moves]
    moved = await link.fetch("move_positions", *columns(rows))
    lost = {(m.topic, m.partition) for m in moves} - {(row["topic"], row["partition"]) for row in moved}
    if lost:
        raise PositionLostError(sorted(lost))
    watermark: datetime | None = moved[0]["watermark"]
    return watermark


def _from(move: Move) -> int:
    return NO_POSITION if move.from_offset is None else move.from_offset


async def outcome(link: Link, moves: Sequence[Move]) -> Literal["kept", "dropped", "lost"]:
    """What became of a transaction whose COMMIT got no answer, by the positions that it moved; waits if it is still at it.

    "lost": the positions are somewhere else, so another worker has them.
    """
    rows = await link.fetch("settle_positions", *columns(sorted((m.topic, m.partition) for m in moves)))
    there = {(row["topic"], row["partition"]): (row["from_offset"], row["next_offset"], row["digest"]) for row in rows}
    states = [(there.get((m.topic, m.partition)), m) for m in moves]
    if all(at == (_from(m), m.next_offset, m.digest) for at, m in states):
        return "kept"
    if all((None if at is None else at[1]) == m.from_offset for at, m in states):
        return "dropped"
    return "lost"


async def positions(link: Link) -> dict[Partition, Position]:
    """Every position there is."""
    found = [Position(**dict(row)) for row in await link.fetch("positions")]
    return {(position.topic, position.partition): position for position in found}


async def report_progress(link: Link, rows: Sequence[Progress]) -> None:
    """Says what partitions have yet to read."""
    if rows:
        told = [(p.topic, p.partition, p.settled_offset, p.at_end, p.oldest_time) for p in rows]
        await link.execute("report_progress", *columns(told))


async def readings(link: Link) -> list[Reading]:
    """What every partition has yet to read, as last reported."""
    return [Reading(**dict(row)) for row in await link.fetch("readings")]


async def dead_letter(link: Link, letters: Sequence[DeadLetter], value_bytes_max: int) -> int:
    """Keeps the records and queues them for their DLQ topic, each once; returns how many are new."""
    if not letters:
        return 0
    by_key = {(d.record.topic, d.record.partition, d.record.offset, record_digest(d.record)): d for d in letters}
    rows = [
        (*key, _record_at(d.record.timestamp_ms), d.reason, d.detail, d.record.key, d.record.value, encode(d.record.headers))
        for key, d in sorted(by_key.items(), key=lambda item: item[0])
    ]
    new = await link.fetch("dead_letters", *columns(rows))
    messages = []
    for row in new:
        topic, partition, offset, digest = name = (row["topic"], row["partition"], row["record_offset"], row["digest"])
        letter = by_key[name]
        too_large = _size(letter) > value_bytes_max
        headers = dead_letter_headers(letter, pointer=too_large)
        key, value = (None, b"") if too_large else (letter.record.key, letter.record.value)
        ordinal = int.from_bytes(digest[:4], "big") >> 1  # a topic made again may have another record at this offset
        account = partition_account(topic, partition)
        messages.append((account, offset, ordinal, topic + DLQ_SUFFIX, key, value, 0, encode(headers)))
    if messages:
        await link.append("outbox", _DEAD, messages)
    return len(messages)


def _size(letter: DeadLetter) -> int:
    record = letter.record
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.value or b"") + len(record.key or b"") + headers


def _record_at(timestamp_ms: int) -> datetime | None:
    """The record's time as far as Postgres can hold it: producers may send any 64 bits."""
    try:
        at = _EPOCH + timedelta(milliseconds=timestamp_ms)
    except OverflowError:
        return None
    return at if at < _RECORD_AT_MAX else None


async def read_outbox(link: Link, shards: Collection[int], after: UUID, limit: int) -> list[OutboxRow]:
    """Up to `limit` messages of these shards, from the account after `after` on and then from the beginning."""
    rows: list[OutboxRow] = []
    for low, high in _turns(spans(shards), after):
        fetched = await link.fetch("outbox_range", low, high, limit - len(rows))
        rows.extend(outbox_row_of(row) for row in fetched)
        if len(rows) >= limit:
            break
    return rows


def spans(shards: Iterable[int]) -> list[tuple[UUID, UUID]]:
    """The ranges of ids (from exclusive, to inclusive) that the shards cover, neighbours joined, lowest first."""
    ends: list[tuple[int, int]] = []
    for shard in sorted(set(shards)):
        if ends and ends[-1][1] == shard - 1:
            ends[-1] = (ends[-1][0], shard)
        else:
            ends.append((shard, shard))
    width = 1 << 128 - (SHARDS - 1).bit_length()
    return [(UUID(int=max(0, first * width - 1)), UUID(int=(last + 1) * width - 1)) for first, last in ends]


def _turns(ranges: list[tuple[UUID, UUID]], after: UUID) -> list[tuple[UUID, UUID]]:
    """The ranges in the order of reading: what lies after `after` first, then what lies up to it."""
    later = [(max(low, after), high) for low, high in ranges if high > after]
    earlier = [(low, min(high, after)) for low, high in ranges if low < after]
    return later + earlier


async def delete_outbox(link: Link, rows: Sequence[OutboxRow]) -> None:
    """Removes what was published."""
    if rows:
        await link.execute("outbox_delete", *columns(sorted((row.account_id, row.version, row.ordinal) for row in rows)))


def next_shards(shards: Collection[int], after: int) -> list[list[int]]:
    """The shards in two groups to be asked in turn: those after `after`, then the others."""
    ordered = sorted(set(shards))
    groups = [[s for s in ordered if s > after], [s for s in ordered if s <= after]]
    return [group for group in groups if group]
