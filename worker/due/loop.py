"""The due loop: finds accounts whose next instant has come, or whose redemptions need not wait any more, and hands them on, in
chunks, leaving room for events.

It decides nothing: what an instant does is the fold's, and that an account is done shows in its next instant, which the same
commit moves. So nothing is claimed: what a worker that died had in hand is found again, and two that take the same account
meet in the compare-and-set of its head.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from worker import metrics
from worker.due.pace import due_until, pause_seconds
from worker.log import get_logger

log = get_logger(__name__)


class DueAccount(Protocol):
    """An account and the instant that has come."""

    @property
    def account_id(self) -> UUID: ...


class DueStore(Protocol):
    """What the loop asks of the database."""

    async def due(self, shards: Collection[int], until: datetime, limit: int) -> Sequence[Any]:
        """Up to `limit` accounts (`DueAccount`) of these shards whose next instant is at or before `until`."""
        ...

    async def decidable(self, shards: Collection[int], limit: int) -> Sequence[UUID]:
        """Up to `limit` accounts of these shards with a redemption that waits and may be refused now."""
        ...


Process = Callable[[Sequence[UUID], datetime | None], Awaitable[object]]
"""Takes all instants of these accounts up to a time, and what waits there, and commits; an account that is not done is found
again."""


@dataclass(frozen=True, slots=True)
class DueOptions:
    """`share_max` (0 to 1]: how much of the time due accounts may take while events wait."""

    grace_seconds: float = 30.0
    accounts_max: int = 1_000
    share_max: float = 0.5
    idle_seconds: float = 1.0
    retry_seconds_max: float = 30.0


class DueLoop:
    """Takes due instants of the shards that this worker has."""

    def __init__(
        self,
        store: DueStore,
        process: Process,
        options: DueOptions,
        *,
        shards: Callable[[], Collection[int]],
        watermark: Callable[[], datetime | None],
        events_first: Callable[[float], Awaitable[object]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`shards`: those that are this worker's now. `watermark`: the last one known. `events_first` returns when no
        records wait for the pipeline any more, and after so many seconds at the latest."""
        self._store = store
        self._process = process
        self._options = options
        self._shards = shards
        self._watermark = watermark
        self._events_first = events_first
        self._clock = clock
        self._poked = asyncio.Event()

    def poke(self) -> None:
        """The watermark moved, or more has been read: look at once."""
        self._poked.set()

    async def run(self) -> None:
        """Take due instants until cancelled; what fails is tried again for ever."""
        retry = self._options.idle_seconds
        while True:
            self._poked.clear()
            try:
                await self.take_all()
                retry = wait = self._options.idle_seconds
            except Exception as error:  # noqa: BLE001  # the database fails in many ways, all are tried again
                metrics.due_failures.inc()
                log.warning("due_failed", error=type(error).__name__, detail=str(error), retry_seconds=retry)
                self._poked.clear()
                wait, retry = retry, min(retry * 2, self._options.retry_seconds_max)
            try:
                async with asyncio.timeout(wait):
                    await self._poked.wait()
            except TimeoutError:
                continue

    async def take_all(self) -> int:
        """Take what is due now, chunk by chunk; how many accounts that were."""
        count = 0
        before: set[UUID] = set()
        while True:
            until = due_until(self._watermark(), self._clock(), timedelta(seconds=self._options.grace_seconds))
            shards = self._shards()
            if not shards:
                return count
            started = time.monotonic()
            accounts = await self._store.decidable(shards, self._options.accounts_max)
            due = await self._store.due(shards, until, self._options.accounts_max) if until is not None else ()
            accounts = [*dict.fromkeys((*accounts, *(each.account_id for each in due)))]
            if not accounts:
                return count
            if before.issuperset(accounts):
                # Nothing got done: these wait for somebody (a lost race, a fence); asking again at once would only burn time.
                log.debug("due_not_done", count=len(accounts))
                return count
            await self._process(accounts, until)
            before = set(accounts)
            count += len(accounts)
            metrics.due_accounts.inc(len(accounts))
            await asyncio.sleep(0)
            await self._events_first(pause_seconds(time.monotonic() - started, self._options.share_max))
