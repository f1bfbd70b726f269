"""A COMMIT whose answer is lost is settled by looking at the positions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest

from db.migrate import migrate
from tests.stores.examples import Moved, earned
from tests.stores.proxy import Proxy
from worker.local import Postgres
from worker.persist import OutcomeUnknownError, PositionLostError, PostgresStore, StoreOptions, UnavailableError
from worker.persist.link import snapshot

END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
)
OPTIONS = StoreOptions(role="loyalty_worker", settle_seconds=10, acquire_seconds=5, connect_seconds=5)


@pytest.fixture
async def proxy(database: str) -> AsyncIterator[Proxy]:
    """A line to the test's database."""
    async with Proxy(database) as line:
        yield line


@pytest.fixture
async def far_store(proxy: Proxy) -> AsyncIterator[PostgresStore]:
    """A store at the end of that line."""
    async with await PostgresStore.open(proxy.dsn, OPTIONS) as opened:
        yield opened


async def read_on(store: PostgresStore, from_offset: int | None, number: int) -> None:
    """A batch that moves a position and grants points."""
    async with store.batch() as batch:
        await batch.move_positions([Moved(0, from_offset, (from_offset or 0) + 10)])
        change = earned(f"M{number}", number)
        await batch.compare_and_set([change])
        await batch.write([change])


async def accounts(store: PostgresStore) -> int:
    return len([dossier async for dossier in store.dossiers()])


async def test_a_commit_that_took_effect_is_taken_for_kept(proxy: Proxy, far_store: PostgresStore) -> None:
    await read_on(far_store, None, 1)
    proxy.cut = "after"
    await read_on(far_store, 10, 2)
    assert (await far_store.positions())["commerce.order", 0].next_offset == 20
    assert await accounts(far_store) == 2


async def test_a_commit_that_was_not_heard_is_said_not_to_be_kept(proxy: Proxy, far_store: PostgresStore) -> None:
    await read_on(far_store, None, 1)
    proxy.cut = "before"
    with pytest.raises(UnavailableError):
        await read_on(far_store, 10, 2)
    assert await accounts(far_store) == 1
    await read_on(far_store, 10, 2)
    assert await accounts(far_store) == 2


async def test_a_first_commit_that_was_not_heard_is_said_not_to_be_kept(proxy: Proxy, far_store: PostgresStore) -> None:
    proxy.cut = "before"
    with pytest.raises(UnavailableError):
        await read_on(far_store, None, 1)
    assert await far_store.positions() == {}


async def test_partitions_that_moved_on_meanwhile_are_lost(
    proxy: Proxy, far_store: PostgresStore, worker_store: PostgresStore
) -> None:
    await read_on(worker_store, None, 1)

    proxy.cut = "before"

    async def overtaken() -> None:
        async with far_store.batch() as batch:
            await batch.move_positions([Moved(1, None, 1)])
            # As if the other partition had been moved by this batch too, and by another worker since.
            batch.moves.append(Moved(0, 5, 6))

    with pytest.raises(PositionLostError):
        await overtaken()


async def test_a_line_that_is_cut_when_a_connection_is_given_back_takes_nothing_back(
    proxy: Proxy, far_store: PostgresStore
) -> None:
    await read_on(far_store, None, 1)
    proxy.at = b"pg_advisory_unlock_all"  # what the pool says to a connection that is given back
    proxy.cut = "before"
    await read_on(far_store, 10, 2)
    assert (await far_store.positions())["commerce.order", 0].next_offset == 20
    assert await accounts(far_store) == 2


async def test_a_connection_ended_by_the_server_says_that_the_database_is_away(
    database: str, worker_store: PostgresStore
) -> None:
    """Postgres says a last word to a connection of which nothing was asked; asyncpg then calls it a mistake of its own."""
    raised: list[Exception] = []
    admin = await asyncpg.connect(database)
    try:
        for _ in range(40):
            try:
                async with worker_store.batch() as batch:
                    await batch.routes(["A"])
                    await admin.execute(END_OTHERS)
                    await batch.routes(["A"])
            except Exception as error:  # noqa: BLE001  # which one it is shall be seen
                raised.append(error)
    finally:
        await admin.close()
    assert len(raised) == 40
    assert {type(error) for error in raised} == {UnavailableError}


async def test_a_snapshot_whose_connection_breaks_says_that_the_database_is_away(database: str) -> None:
    reading, admin = await asyncpg.connect(database), await asyncpg.connect(database)

    async def look() -> None:
        async with snapshot(reading) as link:
            await admin.execute(END_OTHERS)
            await link.fetch("watermark")

    try:
        with pytest.raises(UnavailableError):
            await look()
    finally:
        await admin.close()


async def test_a_batch_without_positions_says_that_it_does_not_know(proxy: Proxy, far_store: PostgresStore) -> None:
    proxy.cut = "after"

    async def grant() -> None:
        async with far_store.batch() as batch:
            change = earned("M1", 1)
            await batch.compare_and_set([change])
            await batch.write([change])

    with pytest.raises(OutcomeUnknownError):
        await grant()
    assert await accounts(far_store) == 1


async def test_being_stopped_while_committing_waits_for_the_outcome(worker_store: PostgresStore) -> None:
    for _ in range(20):
        position = (await worker_store.positions()).get(("commerce.order", 0))
        begun = asyncio.Event()

        async def run(from_offset: int | None, begun: asyncio.Event) -> None:
            async with worker_store.batch() as batch:
                await batch.move_positions([Moved(0, from_offset, (from_offset or 0) + 1)])
                begun.set()

        from_offset = None if position is None else position.next_offset
        task = asyncio.create_task(run(from_offset, begun))
        await begun.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    # Nothing is left open: every connection can be used again.
    async with worker_store.batch() as batch:
        await batch.routes(["A"])


async def test_an_error_passed_over_in_a_batch_is_not_taken_for_success(worker_store: PostgresStore) -> None:
    async def careless() -> None:
        async with worker_store.batch() as batch:
            await batch.move_positions([Moved(0, None, 1)])
            try:
                await batch.move_positions([Moved(1, None, -5)])
            except Exception:  # noqa: BLE001 - whatever it is, the transaction is over
                return

    with pytest.raises(RuntimeError, match="passed over"):
        await careless()
    assert await worker_store.positions() == {}


async def test_behind_a_pooler_nothing_is_prepared(database: str) -> None:
    options = StoreOptions(statement_cache_size=0)
    async with await PostgresStore.open(database, options) as store:
        await read_on(store, None, 1)
        await read_on(store, 10, 2)
        assert await accounts(store) == 2


async def test_a_postgres_that_went_away_is_unavailable_and_used_again_when_it_is_back(
    own_postgres: Callable[..., Postgres],
) -> None:
    server = own_postgres()
    await asyncio.to_thread(migrate, server.dsn())
    async with await PostgresStore.open(server.dsn(), OPTIONS) as store:
        await read_on(store, None, 1)

        async def surprised() -> None:
            async with store.batch() as batch:
                await asyncio.to_thread(server.kill)
                await batch.routes(["A"])

        with pytest.raises(UnavailableError):
            await surprised()
        with pytest.raises(UnavailableError):
            await store.watermark()
        await asyncio.to_thread(server.restart)
        await read_on(store, 10, 2)
        assert await accounts(store) == 2
