"""The whole ledger verified in chunks of accounts, by several processes at once, read-only and resumable.

What is looked for is a function of a chunk (`Look`): whether it is sound, or what a refold would move.

Chunks are handed out in the order of the accounts' ids, and `Looked.after` names the last account up to which everything was
looked at: an audit that was stopped goes on from there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from typing import Final, Generic, TypeVar
from uuid import UUID

from worker.decide.program import Program
from worker.persist import PostgresStore, StoreOptions, Terms, Violation
from worker.programs.registry import programs
from worker.upkeep.verify import check

_F = TypeVar("_F")
ACCOUNTS_AT_ONCE: Final = 500
LOOKED_THROUGH_AT_ONCE: Final = 5_000
"""How many heads one statement looks through for those written lately."""
_AHEAD: Final = 2  # chunks per process that wait to be looked at, so that none is idle
_NIL: Final = UUID(int=0)
_LAST: Final = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What to look at. `since`: only accounts that were written since then. `accounts`: only these, and nothing as a whole.
    `after`: leave out accounts up to this id. `processes`: how many look at once; 1: this one alone. `program`: only accounts of
    this one. `proposed`: a version of terms that waits for approval, as if it were approved.
    """

    since: datetime | None = None
    accounts: Sequence[UUID] | None = None
    after: UUID = _NIL
    processes: int = 1
    program: str | None = None
    proposed: Terms | None = None


@dataclass(frozen=True, slots=True)
class Looked(Generic[_F]):
    """A chunk that was looked at, all before it too: what was found, how many accounts it had, and the last one's id."""

    found: Sequence[_F]
    accounts: int
    after: UUID


Look = Callable[[PostgresStore, Mapping[str, Program], Sequence[UUID]], AsyncIterator[_F]]
"""What is found in some accounts, under the terms registered. Of a module's top level, so that another process can have it."""


async def verified(dsn: str, options: StoreOptions, asked: AuditRequest) -> AsyncIterator[Looked[Violation]]:
    """What is wrong with the ledger, chunk by chunk in the order of ids. The invariants that belong to no account come last.

    Raises the store's errors, also those that another process met.
    """
    async for each in look(dsn, options, asked, check):
        yield each
    if asked.accounts is None:
        async with await PostgresStore.open(dsn, options) as store:
            yield Looked([violation async for violation in store.verify_whole()], 0, _LAST)


async def look(dsn: str, options: StoreOptions, asked: AuditRequest, what: Look[_F]) -> AsyncIterator[Looked[_F]]:
    """Look at accounts, chunk by chunk in the order of ids. Raises the store's errors, also those that another process met."""
    async with await PostgresStore.open(dsn, options) as store:
        chunks = _chunks(store, asked)
        looked = _here(store, chunks, asked, what) if asked.processes == 1 else _elsewhere(dsn, options, chunks, asked, what)
        async for each in looked:
            yield each


async def _here(
    store: PostgresStore, chunks: AsyncIterator[Sequence[UUID]], asked: AuditRequest, what: Look[_F]
) -> AsyncIterator[Looked[_F]]:
    terms = {program.code: program for program in await programs(store, asked.proposed)}
    async for chunk in chunks:
        yield Looked([each async for each in what(store, terms, chunk)], len(chunk), chunk[-1])


async def _elsewhere(
    dsn: str, options: StoreOptions, chunks: AsyncIterator[Sequence[UUID]], asked: AuditRequest, what: Look[_F]
) -> AsyncIterator[Looked[_F]]:
    waiting: deque[tuple[Sequence[UUID], asyncio.Future[list[_F]]]] = deque()

    async def first() -> Looked[_F]:
        chunk, found = waiting.popleft()
        return Looked(await found, len(chunk), chunk[-1])

    with ProcessPoolExecutor(asked.processes, mp_context=get_context("spawn")) as pool:
        try:
            async for chunk in chunks:
                found = asyncio.get_running_loop().run_in_executor(pool, _in_a_process, dsn, options, chunk, asked.proposed, what)
                waiting.append((chunk, found))
                if len(waiting) >= asked.processes * _AHEAD:
                    yield await first()
            while waiting:
                yield await first()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


async def _chunks(store: PostgresStore, asked: AuditRequest) -> AsyncIterator[Sequence[UUID]]:
    if asked.accounts is not None:
        named = sorted(account for account in set(asked.accounts) if account > asked.after)
        for place in range(0, len(named), ACCOUNTS_AT_ONCE):
            yield named[place : place + ACCOUNTS_AT_ONCE]
        return
    found: list[UUID] = []
    after = asked.after
    while rows := await store.written(after, asked.since, LOOKED_THROUGH_AT_ONCE, asked.program):
        after = rows[-1][0]
        found += [account for account, wanted in rows if wanted]
        while len(found) >= ACCOUNTS_AT_ONCE:
            yield found[:ACCOUNTS_AT_ONCE]
            found = found[ACCOUNTS_AT_ONCE:]
    if found:
        yield found


_terms: dict[str, Program] = {}
"""Of a process that looks, which lives for one look at one ledger."""


def _in_a_process(
    dsn: str, options: StoreOptions, accounts: Sequence[UUID], proposed: Terms | None, what: Look[_F]
) -> list[_F]:
    return asyncio.run(_look_at(dsn, options, accounts, proposed, what))


async def _look_at(
    dsn: str, options: StoreOptions, accounts: Sequence[UUID], proposed: Terms | None, what: Look[_F]
) -> list[_F]:
    async with await PostgresStore.open(dsn, options) as store:
        if not _terms:
            _terms.update({program.code: program for program in await programs(store, proposed)})
        return [each async for each in what(store, _terms, accounts)]
