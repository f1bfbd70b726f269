"""Dead letters on their way to the outbox: so many a second of one reason and source, however many wait; a flood is told of."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Final

from worker import metrics
from worker.log import get_logger
from worker.persist.api import OutboxStore
from worker.runtime.periodic import periodically

log = get_logger(__name__)

_PERIOD_SECONDS: Final = 1.0
_TELL_SECONDS: Final = 10.0


class DeadLetters:
    """Hands over beside the relay, which waits for nothing of it. The worker that publishes the first shard does it; if another
    one still does it too, for a moment, it takes other letters."""

    def __init__(self, store: OutboxStore, per_second: int, shards: Callable[[], Collection[int]]) -> None:
        """`per_second`: letters of one reason and source. `shards`: those whose messages this worker publishes."""
        self._store = store
        self._per_second = per_second
        self._shards = shards
        self._tell_at = 0.0

    async def run(self) -> None:
        """Go on until cancelled."""
        await periodically(self.turn, _PERIOD_SECONDS, log, "handing_over_failed")

    async def turn(self) -> None:
        """Hand over what may be published in a second; every ten seconds, tell what has to wait longer."""
        if 0 not in self._shards():
            _show({}, {})
            self._tell_at = 0.0
            return
        await self._store.hand_over_dead_letters(self._per_second)
        if time.monotonic() >= self._tell_at:
            self._tell_at = time.monotonic() + _TELL_SECONDS
            await self._tell()

    async def _tell(self) -> None:
        waiting = await self._store.waiting_dead_letters()
        letters = {each.reason: each.letters for each in waiting}
        seconds = {each.reason: each.seconds for each in waiting}
        _show(letters, seconds)
        if waiting:
            oldest = round(max(seconds.values()))
            log.warning("dead_letters_wait", waiting=letters, oldest_seconds=oldest, per_second=self._per_second)


def _show(letters: dict[str, int], seconds: dict[str, float]) -> None:
    metrics.dead_letters_waiting.clear()
    metrics.dead_letters_waiting_seconds.clear()
    for reason, count in letters.items():
        metrics.dead_letters_waiting.labels(reason=reason).set(count)
        metrics.dead_letters_waiting_seconds.labels(reason=reason).set(seconds[reason])
