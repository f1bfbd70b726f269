"""What time it is: the database's time, whatever this machine's clock says; and how far clocks differ that must agree.

All workers ask one database, so all judge alike whether an event lies in the future, and messages carry its time. Between two
answers the monotonic clock goes on, which nobody sets. The broker's clock is known where a topic keeps the time of appending.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from worker import metrics
from worker.log import get_logger

log = get_logger(__name__)

Other = Literal["database", "broker"]
OTHERS: Final[tuple[Other, ...]] = ("database", "broker")


class FarClock:
    """A clock on another machine, as exactly as its answers tell: each lies between a question and its answer."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._at: datetime | None = None
        self._heard = 0.0

    def heard(self, asked: float, told: datetime) -> None:
        """It said `told` at some instant since `asked` (monotonic); what is known stays unless that contradicts it."""
        latest = told + timedelta(seconds=max(0.0, self._monotonic() - asked))
        known = self.now()
        self._at = told + (latest - told) / 2 if known is None else min(max(known, told), latest)
        self._heard = self._monotonic()

    def now(self) -> datetime | None:
        """What it says now; None if it never said anything."""
        return None if self._at is None else self._at + timedelta(seconds=self._monotonic() - self._heard)

    def behind(self, own: datetime) -> float | None:
        """By how many seconds it is behind what another clock says now (negative: ahead); None while it is not known."""
        now = self.now()
        return None if now is None else (own - now).total_seconds()


class Clocks:
    """This worker's own clock, the database's and the broker's."""

    def __init__(
        self,
        offset_seconds_max: float,
        own: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`offset_seconds_max`: by how much the own clock may differ from another before that is a problem."""
        self._max = offset_seconds_max
        self._own = own
        self._others = {other: FarClock(monotonic) for other in OTHERS}
        self._differs: set[Other] = set()

    def now(self) -> datetime:
        """The time to go by: the database's; this machine's own until the database has said anything."""
        return self._others["database"].now() or self._own()

    def heard(self, other: Other, asked: float, told: datetime) -> None:
        """The other clock said `told` at some instant since `asked` (of the monotonic clock)."""
        self._others[other].heard(asked, told)
        offset = self.offset(other)
        assert offset is not None
        metrics.clock_offset_seconds.labels(against=other).set(offset)
        if abs(offset) <= self._max:
            if other in self._differs:
                self._differs.discard(other)
                log.info("clock_agrees", against=other, offset_seconds=round(offset, 3))
        elif other not in self._differs:
            self._differs.add(other)
            log.error("clock_differs", against=other, offset_seconds=round(offset, 3), most_seconds=self._max)

    def offset(self, other: Other) -> float | None:
        """By how many seconds the own clock is ahead of another (negative: behind); None while that one is not known."""
        return self._others[other].behind(self._own())

    def problems(self) -> tuple[str, ...]:
        """From which clocks the own one differs too much, in words for the operator."""
        return tuple(self._problems())

    def _problems(self) -> Iterator[str]:
        for other in OTHERS:
            offset = self.offset(other)
            if offset is not None and abs(offset) > self._max:
                yield f"{differs(other, offset)}: set the clock that is wrong"


def differs(other: Other, offset: float) -> str:
    """An offset in words."""
    return f"this worker's clock is {abs(offset):.1f} s {'ahead of' if offset > 0 else 'behind'} the {other}'s"
