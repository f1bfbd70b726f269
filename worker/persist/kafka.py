"""What the store knows of Kafka: positions, what is yet to be read, and messages to publish."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from worker.persist.accounts import columns
from worker.persist.encoding import outbox_row_of
from worker.persist.errors import PositionLostError
from worker.persist.identity import SHARDS
from worker.persist.link import Link
from worker.persist.rows import Move, OutboxRow, Partition, Position, Progress, Reading

NO_POSITION: Final = -1
NIL: Final = UUID(int=0)


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
