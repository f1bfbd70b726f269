"""Snapshots of the ends of all partitions: when all that was there has been read, and when the next is to be taken. Pure.

A redemption that is not covered may be refused once everything was read that was there before it was sent, however long ago it
happened. Business times cannot tell that, for a stream may come late by any time; ends can. Under a lease one worker numbers
snapshots of the ends of *all* partitions, also those that others read and that were added since. Number k + 1 is kept only if k
was the newest when its listing began. A redemption keeps the number n that was the newest in the transaction in which it began
to wait. Snapshot n + 1 may have been listed before; the listing of n + 2 began after n + 1 was kept, so after that transaction
read n, and all that was acknowledged before the redemption was sent lies below the ends of n + 2. Positions are committed with
what was read, so once all of them have reached these ends, all of it is in the ledger.

Nothing waits for ever: a partition that has not moved for the longest wait (no owner, stopped by a gap, its topic gone) counts as
passed, and so does one whose end Kafka did not say, that long after. One that catches up, from however far, is waited for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from worker.consume.batch import PartitionKey

OPEN_AT_ONCE: Final = 4
"""So many snapshots may be open however soon they follow each other."""
SPREAD: Final = 8
"""Beyond that, the next is taken when the newest is this part of the oldest one's age old: while a partition catches up for
hours, some dozens are open, and a verdict comes at most by this part of its wait later."""
LOOK_SECONDS: Final = 0.1
"""How often it is looked whether a snapshot is passed that was taken a moment ago."""
UNKNOWN_SECONDS: Final = 2.0
"""A snapshot for which Kafka did not say all ends is followed by another one this soon."""


class Taken(Protocol):
    """A snapshot: `ends` by partition, None where Kafka did not say; `taken_at` by the clock of the database, after the
    listing."""

    @property
    def number(self) -> int: ...
    @property
    def taken_at(self) -> datetime: ...
    @property
    def ends(self) -> Mapping[PartitionKey, int | None]: ...


class Committed(Protocol):
    """The position of a partition, and when it was last committed, by the clock of the database."""

    @property
    def next_offset(self) -> int: ...
    @property
    def updated_at(self) -> datetime: ...


def newest_passed(
    snapshots: Iterable[Taken], positions: Mapping[PartitionKey, Committed], now: datetime, longest_wait: timedelta
) -> int | None:
    """The number of the newest snapshot whose ends all positions have reached, None if there is none; `now` as the times are.

    Those before it are passed with it: ends only grow, but where a topic was made anew, and then nothing is left of what they
    say.
    """

    def passed(snapshot: Taken) -> bool:
        floor = now - longest_wait
        for key, end in snapshot.ends.items():
            at = positions.get(key)
            if end is not None and (0 if at is None else at.next_offset) >= end:
                continue
            moved_at = snapshot.taken_at if at is None or end is None else max(snapshot.taken_at, at.updated_at)
            if moved_at > floor:
                return False
        return True

    return max((snapshot.number for snapshot in snapshots if passed(snapshot)), default=None)


def may_take(snapshots: Sequence[Taken], now: datetime) -> bool:
    """Whether the next snapshot may be taken while these, by number, are open."""
    if len(snapshots) < OPEN_AT_ONCE:
        return True
    newest, oldest = now - snapshots[-1].taken_at, now - snapshots[0].taken_at
    if newest * SPREAD >= oldest:
        return True
    return None in snapshots[-1].ends.values() and newest.total_seconds() >= UNKNOWN_SECONDS


def look_again_seconds(snapshots: Sequence[Taken], now: datetime) -> float:
    """When to look again whether these, by number, are passed: soon while they are young, then so seldom that a verdict comes
    later by no more than its part of the wait."""
    age = (now - snapshots[0].taken_at).total_seconds() if snapshots else 0.0
    return max(LOOK_SECONDS, age / SPREAD)


def to_reach(
    listed: Mapping[PartitionKey, tuple[int, int] | None], positions: Mapping[PartitionKey, Committed]
) -> dict[PartitionKey, int | None]:
    """The ends that positions have to reach, given the bounds of each log ([start, end), None = not told) and positions from
    before.

    Nothing has to be reached where there is nothing to read: such a partition may have no position. A position behind the end is
    of a log that was there before the topic was made anew, and says nothing of this one.
    """
    ends: dict[PartitionKey, int | None] = {}
    for key, bounds in listed.items():
        if bounds is None:
            ends[key] = None
            continue
        start, end = bounds
        at = positions.get(key)
        replaced = at is not None and at.next_offset > end
        ends[key] = 0 if start == end else None if replaced else end
    return ends
