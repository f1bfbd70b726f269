"""Snapshots of the topics' ends: numbered without a gap, passed for good, and who waits for one is found."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from tests.stores.examples import earned
from tests.stores.test_accounts import post
from worker.decide.state import Certainty, Waiting
from worker.persist import SHARDS, Store

ENDS = {("commerce.order", 0): 7, ("commerce.order", 1): None, ("commerce.member", 0): 0}


async def _certainty(store: Store) -> Certainty:
    async with store.batch() as batch:
        return await batch.certainty()


async def test_a_snapshot_is_taken_only_after_the_one_that_was_the_newest_when_its_listing_began(store: Store) -> None:
    assert await _certainty(store) == Certainty(0, 0)
    assert await store.take_snapshot(0, ENDS)
    assert not await store.take_snapshot(0, {}), "whoever listed before the newest was taken gets no number"
    assert not await store.take_snapshot(2, {})
    assert sum(await asyncio.gather(*(store.take_snapshot(1, ENDS) for _ in range(4)))) == 1
    found = await store.snapshots()
    assert found.certainty == Certainty(0, 2)
    assert [(each.number, dict(each.ends)) for each in found.open] == [(1, ENDS), (2, ENDS)]
    assert all(each.taken_at <= found.now for each in found.open)


async def test_what_is_passed_stays_passed_and_is_forgotten(store: Store) -> None:
    for number in range(3):
        assert await store.take_snapshot(number, ENDS)
    for number in (2, 1):
        await store.pass_snapshots(number)
        found = await store.snapshots()
        assert (found.certainty, [each.number for each in found.open]) == (Certainty(2, 3), [3])
    await store.pass_snapshots(3)
    assert await store.take_snapshot(3, ENDS), "numbers go on"


async def test_an_account_is_found_when_a_redemption_of_it_need_not_wait_any_more(store: Store) -> None:
    early, late, idle = earned("M1", 1), earned("M2", 1), earned("M3", 1)
    for change, since in ((early, 0), (late, 1)):
        assert change.head.last is not None
        change.head = replace(change.head, waiting=(Waiting(change.head.last, since), Waiting(change.head.last, since + 5)))
    await post(store, idle)
    assert not (await store.snapshots()).waited_for
    await post(store, early, late)
    assert (await store.snapshots()).waited_for
    for number, expected in enumerate([set(), {early.account_id}, {early.account_id, late.account_id}], 1):
        await store.take_snapshot(number - 1, ENDS)
        await store.pass_snapshots(number)
        assert {*await store.decidable(range(SHARDS), 10)} == expected
    assert len(await store.decidable(range(SHARDS), 1)) == 1
    assert await store.decidable([], 10) == []
