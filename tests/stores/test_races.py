"""What holds when two workers do it at once: two connections to a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from tests.stores.examples import KEY, PROGRAM, Moved, arrival, earned, fact, member
from worker.decide.change import Wanted
from worker.persist import ContendedError, PositionLostError, PostgresStore, StoreOptions, account_id

pytestmark = pytest.mark.both_postgres

WAIT_SECONDS = 20.0
M1 = account_id(KEY, PROGRAM, "M1")


async def someone_waits(database: str, number: int = 1) -> None:
    """Returns when so many connections of this database wait for a lock."""
    connection = await asyncpg.connect(database)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            while await connection.fetchval(query) < number:
                await asyncio.sleep(0.005)
    finally:
        await connection.close()


async def arrive(store: PostgresStore, order: str, meanwhile: Callable[[], Awaitable[Any]] | None = None) -> int:
    """Brings an order and takes what waits for it; how much that was."""
    async with store.batch() as batch:
        await batch.claim([arrival(order)], [])
        taken = len(await batch.take_parked([(order, PROGRAM)]))
        if meanwhile is not None:
            await meanwhile()
    return taken


async def hear(store: PostgresStore, order: str, number: int, meanwhile: Callable[[], Awaitable[Any]] | None = None) -> int:
    """Hears about an order; 1 if it was there, 0 if the event was parked."""
    async with store.batch() as batch:
        route = (await batch.claim([], [order]))[order]
        if meanwhile is not None:
            await meanwhile()
        if route.known:
            return 1
        await batch.park([fact(number, order)])
        return 0


async def test_who_arrives_while_another_parks_waits_and_takes_it(worker_store: PostgresStore, database: str) -> None:
    arriving: list[asyncio.Task[int]] = []

    async def meanwhile() -> None:
        arriving.append(asyncio.create_task(arrive(worker_store, "A")))
        await someone_waits(database)

    assert await hear(worker_store, "A", 1, meanwhile) == 0
    assert await arriving[0] == 1
    assert await worker_store.drainable(10) == []


async def test_who_parks_while_another_arrives_waits_and_finds_it(worker_store: PostgresStore, database: str) -> None:
    hearing: list[asyncio.Task[int]] = []

    async def meanwhile() -> None:
        hearing.append(asyncio.create_task(hear(worker_store, "A", 1)))
        await someone_waits(database)

    assert await arrive(worker_store, "A", meanwhile) == 0
    assert await hearing[0] == 1
    assert await worker_store.drainable(10) == []


async def test_nothing_stays_parked_however_arrivals_and_news_interleave(worker_store: PostgresStore) -> None:
    for number in range(40):
        order = f"order-{number}"
        found = await asyncio.gather(
            hear(worker_store, order, 1), arrive(worker_store, order), hear(worker_store, order, 2), hear(worker_store, order, 3)
        )
        assert sum(found) == 3
    assert await worker_store.drainable(10) == []


async def test_who_waited_for_an_account_loses_reloads_and_cannot_lose_again(worker_store: PostgresStore, database: str) -> None:
    async def second() -> None:
        async with worker_store.batch() as batch:
            change = earned("M1", 2)
            assert await batch.compare_and_set([change]) == set()
            row = (await batch.load([Wanted(M1)]))[M1].row
            assert row is not None
            assert row.revision == 1
            again = earned("M1", 2, row)
            assert await batch.compare_and_set([again]) == {M1}
            await batch.write([again])

    async with worker_store.batch() as batch:
        change = earned("M1", 1)
        assert await batch.compare_and_set([change]) == {M1}
        await batch.write([change])
        waiting = asyncio.create_task(second())
        await someone_waits(database)
    await waiting
    (dossier,) = [dossier async for dossier in worker_store.dossiers()]
    assert dossier.row is not None
    assert (dossier.row.revision, dossier.row.head.available) == (2, 20)


async def test_losers_are_locked_against_a_third(worker_store: PostgresStore, database: str) -> None:
    async with worker_store.batch() as batch:
        change = earned("M1", 1)
        await batch.compare_and_set([change])
        await batch.write([change])

    async def third() -> set[Any]:
        async with worker_store.batch() as batch:
            row = (await batch.load([Wanted(M1)]))[M1].row
            return await batch.compare_and_set([earned("M1", 3, row)])

    async with worker_store.batch() as batch:
        assert await batch.compare_and_set([earned("M1", 2)]) == set()
        waiting = asyncio.create_task(third())
        await someone_waits(database)
        row = (await batch.load([Wanted(M1)]))[M1].row
        again = earned("M1", 2, row)
        assert await batch.compare_and_set([again]) == {M1}
        await batch.write([again])
    assert await waiting == set()


async def test_batches_over_the_same_accounts_never_deadlock(worker_store: PostgresStore) -> None:
    members = [member(number) for number in range(50)]
    ids = {account_id(KEY, PROGRAM, name): name for name in members}

    async def run(number: int) -> None:
        order = members if number % 2 else members[::-1]
        async with worker_store.batch() as batch:
            wanted = [Wanted(account_id(KEY, PROGRAM, name)) for name in order]
            loaded = await batch.load(wanted)
            changes = [earned(ids[a], number, found.row) for a, found in loaded.items()]
            won = await batch.compare_and_set(changes)
            lost = [change.account_id for change in changes if change.account_id not in won]
            loaded = await batch.load([Wanted(a) for a in lost])
            again = [earned(ids[a], number, found.row) for a, found in loaded.items()]
            assert await batch.compare_and_set(again) == set(lost)
            await batch.write([change for change in changes if change.account_id in won] + again)

    await asyncio.gather(*(run(number) for number in range(1, 9)))
    heads = [dossier.row.head async for dossier in worker_store.dossiers() if dossier.row is not None]
    assert [head.available for head in heads] == [80] * 50
    assert [violation async for violation in worker_store.verify()] == []


async def test_a_new_owner_waits_for_a_zombie_that_still_commits_and_then_loses(
    worker_store: PostgresStore, database: str
) -> None:
    async def take_over() -> None:
        async with worker_store.batch() as batch:
            await batch.move_positions([Moved(0, None, 7)])

    async with worker_store.batch() as batch:
        await batch.move_positions([Moved(0, None, 10)])
        waiting = asyncio.create_task(take_over())
        await someone_waits(database)
    with pytest.raises(PositionLostError):
        await waiting
    assert (await worker_store.positions())["commerce.order", 0].next_offset == 10


async def test_a_lock_is_not_waited_for_without_end(database: str) -> None:
    options = StoreOptions(role="loyalty_worker", lock_seconds=0.05)
    async with await PostgresStore.open(database, options) as store:

        async def impatient() -> None:
            async with store.batch() as batch:
                await batch.compare_and_set([earned("M1", 2)])

        async with store.batch() as batch:
            await batch.compare_and_set([earned("M1", 1)])
            with pytest.raises(ContendedError):
                await impatient()


async def test_a_lease_ends_by_the_clock_of_the_database(worker_store: PostgresStore, database: str) -> None:
    assert await worker_store.lease("relay", "one", 3600)
    connection = await asyncpg.connect(database)
    try:
        # What the database's clock would do in an hour.
        await connection.execute("UPDATE lease SET until = until - interval '1 hour'")
    finally:
        await connection.close()
    assert await worker_store.lease("relay", "two", 3600)
    assert not await worker_store.lease("relay", "one", 3600)
