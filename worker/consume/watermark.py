"""The watermark: up to which record time all news has been read. Pure; one lease holder computes it for the group.

Every partition has a *reading*: now where it was read to its end, else the oldest record time still to be read past. The
watermark is the lowest reading, and never goes back. It must never stall either, so a partition cannot hold it for ever:

- one that nobody reported on for the longest wait (unowned, no longer subscribed) counts no more; who takes over the
  computation, or was away itself, first watches for as long: after a common rest all reports are old;
- one whose reading lies more than the longest wait behind, and did not come nearer to now within the longest wait (paused,
  stuck, a producer that writes 1970 into every record), counts as if it were the longest wait behind. One that catches up,
  from however far, comes nearer and is waited for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from worker.consume.batch import PartitionKey


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """One row of the table of all partitions; `reported_at` is by the clock of the database.

    `oldest_time` None and not `at_end`: nothing is known yet, so nothing has been read past.
    """

    topic: str
    partition: int
    reported_at: datetime
    at_end: bool
    oldest_time: datetime | None


@dataclass(frozen=True, slots=True)
class Approach:
    """How near to now a partition came, and when it last came nearer."""

    lag: timedelta
    since: datetime


@dataclass(frozen=True, slots=True)
class Watermark:
    """The watermark, and what its next computation needs to know. `time` None: nothing was ever read.

    `watching_since`: since when this holder computes without a break, `computed_at`: the last time it did.
    """

    time: datetime | None = None
    watching_since: datetime | None = None
    computed_at: datetime | None = None
    approaches: Mapping[PartitionKey, Approach] = field(default_factory=dict)


def advance(
    rows: Iterable[PartitionRow],
    now: datetime,
    longest_wait: timedelta,
    previous: Watermark,
    expected: Iterable[PartitionKey] = (),
) -> Watermark:
    """The watermark at `now` (the database's clock) from the rows of all partitions.

    `expected` are the partitions that there are: one without a row was never read, and is waited for like any other. A holder
    that takes over begins with `Watermark()` or an old one of its own: what was waited out before is waited for once more.
    """
    floor = now - longest_wait
    watching_since, known = now, {}
    if previous.watching_since is not None and previous.computed_at is not None and previous.computed_at >= floor:
        watching_since, known = previous.watching_since, dict(previous.approaches)
    by_key = {(row.topic, row.partition): row for row in rows}
    approaches: dict[PartitionKey, Approach] = {}
    readings: list[datetime | None] = []
    for key in {*by_key, *expected}:
        row = by_key.get(key)
        if row is not None and row.reported_at < floor and watching_since <= floor:
            continue
        reading = None if row is None else _reading(row, now)
        if reading is None or reading < floor:
            approaches[key] = approach = _approach(reading, now, known.get(key))
            if now - approach.since >= longest_wait:
                reading = floor
        # Where nothing is known, what is still to come may be as old as anything: the watermark stays.
        readings.append(previous.time if reading is None else reading)
    read = [reading for reading in readings if reading is not None]
    lowest = min(read) if read and len(read) == len(readings) else previous.time
    if lowest is not None and previous.time is not None:
        lowest = max(lowest, previous.time)
    return Watermark(lowest, watching_since, now, approaches)


def slowest(rows: Iterable[PartitionRow], now: datetime, longest_wait: timedelta) -> datetime | None:
    """The record time of the slowest partition that is being read, None when none is behind; for reading in step."""
    behind = [row.oldest_time for row in rows if not row.at_end and row.reported_at >= now - longest_wait]
    return min((time for time in behind if time is not None), default=None)


def _reading(row: PartitionRow, now: datetime) -> datetime | None:
    if row.at_end:
        return min(row.reported_at, now)
    return None if row.oldest_time is None else min(row.oldest_time, now)


def _approach(reading: datetime | None, now: datetime, known: Approach | None) -> Approach:
    """A partition has come nearer when its lag is at least as much shorter as the time that passed since it last had:
    it reads two hours of news in an hour, or faster."""
    lag = timedelta.max if reading is None else now - reading
    if known is None:
        return Approach(lag, now)
    if lag < known.lag and known.lag - lag >= now - known.since:
        return Approach(lag, now)
    return known
