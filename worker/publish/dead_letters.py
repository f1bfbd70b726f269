"""Dead letters on their way to the outbox: so many a second of one reason and source, however many wait; a flood is told of."""

from __future__ import annotations

import time
from typing import Final

from worker import metrics
from worker.log import get_logger
from worker.publish.outbox import OutboxStore

log = get_logger(__name__)

_PERIOD_SECONDS: Final = 1.0
_TELL_SECONDS: Final = 10.0


class DeadLetters:
    """Takes its turns on one worker at a time; a turn of another one at the same moment takes other letters."""

    def __init__(self, store: OutboxStore, per_second: int) -> None:
        """`per_second`: letters of one reason and source."""
        self._store = store
        self._per_second = per_second
        self._due = 0.0
        self._tell_at = 0.0

    async def turn(self) -> None:
        """Hand over what may be published in this second; every ten seconds, tell what has to wait longer."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _PERIOD_SECONDS
        await self._store.hand_over_dead_letters(self._per_second)
        if now >= self._tell_at:
            self._tell_at = now + _TELL_SECONDS
            await self._tell()

    def leave(self) -> None:
        """The turns are another worker's, and so is telling."""
        if self._tell_at:
            self._tell_at = 0.0
            metrics.dead_letters_waiting.clear()
            metrics.dead_letters_waiting_seconds.clear()

    async def _tell(self) -> None:
        waiting = await self._store.waiting_dead_letters()
        metrics.dead_letters_waiting.clear()
        metrics.dead_letters_waiting_seconds.clear()
        for each in waiting:
            metrics.dead_letters_waiting.labels(reason=each.reason).set(each.letters)
            metrics.dead_letters_waiting_seconds.labels(reason=each.reason).set(each.seconds)
        if waiting:
            log.warning(
                "dead_letters_wait",
                waiting={each.reason: each.letters for each in waiting},
                oldest_seconds=round(max(each.seconds for each in waiting)),
                per_second=self._per_second,
            )
