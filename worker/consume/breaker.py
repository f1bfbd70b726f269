"""A breaker per partition: a flood of broken records (a producer's broken release) pauses it. Pure, time is an argument.

Broken records are kept one by one in any case; the breaker keeps thousands of them from drowning the good ones of later, and
gets an operator's attention. Nothing is thrown away: the partition's records stay in Kafka.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from worker.consume.batch import PartitionKey

BreakerState = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """When a partition is paused, and for how long.

    share_max: share of broken records within the window beyond which it opens. records_min: fewer records in the window
    never open it. probe_records: how many are tried after the pause; if too many of them are broken it opens again, for
    twice as long, up to `pause_seconds_max`.
    """

    share_max: float = 0.5
    window_seconds: float = 60.0
    records_min: int = 100
    pause_seconds: float = 30.0
    pause_seconds_max: float = 900.0
    probe_records: int = 20


@dataclass(slots=True)
class _Partition:
    window: deque[tuple[datetime, int, int]] = field(default_factory=deque)
    state: BreakerState = "closed"
    opened_at: datetime | None = None
    pause_seconds: float = 0.0


class Breaker:
    """The breakers of all partitions of one worker."""

    def __init__(self, rule: BreakerRule) -> None:
        self._rule = rule
        self._partitions: dict[PartitionKey, _Partition] = {}

    def observe(self, key: PartitionKey, records: int, broken: int, now: datetime) -> BreakerState:
        """Count what one committed batch held of a partition (`broken` of `records`), and say what state that leads to."""
        part = self._partitions.setdefault(key, _Partition())
        if part.state == "half_open" and records:
            if self._too_many(records, broken):
                self._open(part, now, min(part.pause_seconds * 2, self._rule.pause_seconds_max))
            else:
                self._partitions[key] = part = _Partition()
            return part.state
        part.window.append((now, records, broken))
        oldest = now - timedelta(seconds=self._rule.window_seconds)
        while part.window[0][0] < oldest:
            part.window.popleft()
        seen = sum(records for _, records, _ in part.window)
        if part.state == "closed" and seen >= self._rule.records_min and self._too_many(seen, sum(b for _, _, b in part.window)):
            self._open(part, now, self._rule.pause_seconds)
        return part.state

    def allowance(self, key: PartitionKey, now: datetime) -> int | None:
        """How many records a batch may take of the partition: None = no bound, 0 = it is paused."""
        part = self._partitions.get(key)
        if part is None or part.state == "closed":
            return None
        assert part.opened_at is not None, "a breaker that is not closed was opened"
        if part.state == "open" and now - part.opened_at >= timedelta(seconds=part.pause_seconds):
            part.state = "half_open"
        return self._rule.probe_records if part.state == "half_open" else 0

    def open_partitions(self) -> tuple[PartitionKey, ...]:
        """Partitions that are paused or probed; the worker is not ready while there are any."""
        return tuple(sorted(key for key, part in self._partitions.items() if part.state != "closed"))

    def forget(self, key: PartitionKey) -> None:
        """The partition belongs to another worker now."""
        self._partitions.pop(key, None)

    def _too_many(self, records: int, broken: int) -> bool:
        return broken > self._rule.share_max * records

    def _open(self, part: _Partition, now: datetime, pause_seconds: float) -> None:
        part.state, part.opened_at, part.pause_seconds = "open", now, pause_seconds
        part.window.clear()
