"""Positions move by compare-and-set; the watermark and leases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.stores.examples import T0, Moved, Told, earned
from worker.persist import PositionLostError, Store

HOUR = timedelta(hours=1)


async def test_a_position_moves_from_where_it_was_left(store: Store) -> None:
    async with store.batch() as batch:
        assert await batch.move_positions([Moved(0, None, 10), Moved(1, None, 5)]) is None
    async with store.batch() as batch:
        await batch.move_positions([Moved(0, 10, 12, b"last")])
    found = await store.positions()
    assert list(found) == [("commerce.order", 0), ("commerce.order", 1)]
    assert (found["commerce.order", 0].next_offset, found["commerce.order", 0].digest) == (12, b"last")


@pytest.mark.parametrize("stale", [Moved(0, None, 12), Moved(0, 9, 12), Moved(0, 11, 12), Moved(1, 7, 9)])
async def test_a_zombie_loses_and_nothing_of_its_batch_is_kept(store: Store, stale: Moved) -> None:
    async with store.batch() as batch:
        await batch.move_positions([Moved(0, None, 10)])
    change = earned("M1", 1)

    async def be_a_zombie() -> None:
        async with store.batch() as batch:
            assert await batch.compare_and_set([change])
            await batch.write([change])
            await batch.move_positions([stale, Moved(2, None, 1)])

    with pytest.raises(PositionLostError) as lost:
        await be_a_zombie()
    assert lost.value.partitions == (("commerce.order", stale.partition),)
    assert [position.next_offset for position in (await store.positions()).values()] == [10]
    assert [dossier async for dossier in store.dossiers()] == []
    assert await store.backlog() == (0, None)


async def test_a_topic_made_again_is_read_from_its_beginning(store: Store) -> None:
    async with store.batch() as batch:
        await batch.move_positions([Moved(0, None, 500)])
    async with store.batch() as batch:
        await batch.move_positions([Moved(0, 500, 3)])
    assert (await store.positions())["commerce.order", 0].next_offset == 3


async def test_a_batch_that_raises_keeps_nothing(store: Store) -> None:
    async def fail() -> None:
        async with store.batch() as batch:
            await batch.move_positions([Moved(0, None, 10)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await store.positions() == {}


async def test_only_the_owner_of_a_partition_says_what_is_to_be_read(store: Store) -> None:
    async with store.batch() as batch:
        await batch.move_positions([Moved(0, None, 10)])
    await store.report_progress([Told(0, 10, at_end=True), Told(1, None)])
    await store.report_progress([Told(0, 9, oldest_time=T0 - HOUR), Told(0, None), Told(1, 4, at_end=True)][:1])
    await store.report_progress([Told(1, 4, at_end=True)])
    assert [(r.partition, r.at_end, r.oldest_time) for r in await store.readings()] == [(0, True, T0), (1, False, T0)]
    now = (await store.state()).now
    assert all(now - HOUR < r.reported_at <= now for r in await store.readings())


async def test_the_watermark_never_goes_back_and_comes_with_the_positions(store: Store) -> None:
    assert await store.watermark() is None
    assert await store.advance_watermark(T0) == T0
    assert await store.advance_watermark(T0 - HOUR) == T0
    async with store.batch() as batch:
        assert await batch.move_positions([Moved(0, None, 1)]) == T0
        assert await batch.move_positions([]) is None


async def test_a_lease_has_one_holder_until_it_ends(store: Store) -> None:
    assert await store.lease("relay", "one", 3600)
    assert not await store.lease("relay", "two", 3600)
    assert await store.lease("clock", "two", 3600)
    assert await store.lease("relay", "one", 0)  # prolonged to now: it ends at once
    assert await store.lease("relay", "two", 3600)
    await store.release("relay", "one")  # not its own any more
    assert not await store.lease("relay", "one", 3600)
    await store.release("relay", "two")
    assert await store.lease("relay", "one", 3600)
