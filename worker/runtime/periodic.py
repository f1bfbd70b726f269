"""Jobs that run beside the work, a turn after every period, for as long as the worker does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from structlog.stdlib import BoundLogger

from worker.persist.errors import StoreError


async def periodically(turn: Callable[[], Awaitable[object]], period_seconds: float, log: BoundLogger, failure: str) -> None:
    """A turn after every period, until cancelled. A database that is away is logged as `failure`, and tried again."""
    while True:
        await asyncio.sleep(period_seconds)
        try:
            await turn()
        except StoreError as error:
            log.warning(failure, error=type(error).__name__)
