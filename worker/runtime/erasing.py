"""Beside the work: people who asked to be forgotten are erased, once everything sent about them before has had time to arrive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from worker import metrics
from worker.log import get_logger
from worker.persist import PostgresStore, UnavailableError
from worker.persist.errors import StoreError
from worker.runtime.periodic import periodically

log = get_logger(__name__)

PERIOD_SECONDS: Final = 5.0
ACCOUNTS_AT_ONCE: Final = 100


class Eraser:
    """Every worker may do it: two that take the same account meet at its row, and the second finds it done."""

    def __init__(self, store: PostgresStore, erase: Callable[[UUID], Awaitable[bool]], wait_seconds: float) -> None:
        """`erase`: forgets one person; False: not now. `wait_seconds`: how far the watermark must have passed the erasure."""
        self._store = store
        self._erase = erase
        self._wait = timedelta(seconds=wait_seconds)

    async def run(self) -> None:
        """Go on until cancelled."""
        await periodically(self.turn, PERIOD_SECONDS, log, "erasing_failed")

    async def turn(self) -> int:
        """Erase the accounts whose time has come; returns how many. One that cannot be erased now is tried again later."""
        watermark = await self._store.watermark()
        if watermark is None:
            return 0
        count = 0
        for account in await self._store.erasures_due(watermark - self._wait, ACCOUNTS_AT_ONCE):
            try:
                erased = await self._erase(account)
            except UnavailableError:
                raise
            except StoreError as error:
                log.warning("erasing_failed", error=type(error).__name__)
                continue
            if erased:
                count += 1
                metrics.accounts_erased.inc()
        if count:
            log.info("members_erased", count=count)  # and not who they were, nor what they are called now
        return count
