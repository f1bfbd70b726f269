"""A few statements on a local database from code that is not asynchronous."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import asyncpg

CONNECT_SECONDS = 10.0


def execute(dsn: str, *statements: str) -> None:
    """Run statements one by one, each in a transaction of its own. Raises asyncpg's errors, OSError if nobody answers.

    Works whether an event loop runs in this thread or not: it uses a thread of its own.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, _execute(dsn, statements)).result()


async def _execute(dsn: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
