"""Routes of orders, and events that wait for their order."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.stores.examples import KEY, PROGRAM, arrival, earned, fact
from worker.decide.change import Wanted
from worker.decide.state import withdrawal
from worker.persist import Arrival, Route, Store, account_id

M1 = account_id(KEY, PROGRAM, "M1")
M2 = account_id(KEY, PROGRAM, "M2")


async def test_an_order_is_known_once_it_came(store: Store) -> None:
    async with store.batch() as batch:
        assert await batch.routes(["A", "B"]) == {}
        claimed = await batch.claim([arrival("A")], ["B"])
        assert claimed == {"A": Route("A", {PROGRAM: (M1,)}), "B": Route("B", {})}
    async with store.batch() as batch:
        found = await batch.routes(["A", "B", "C"])
        assert await batch.routes([]) == {}
    assert found == claimed
    assert found["A"].known
    assert not found["B"].known


async def test_every_account_that_brings_an_order_is_noted_once_and_a_guest_only_as_the_first(store: Store) -> None:
    async with store.batch() as batch:
        found = await batch.claim([arrival("A", "M1"), arrival("A", "M2"), arrival("A", None), arrival("A", "M1")], ["A"])
        assert found["A"].accounts == {PROGRAM: (M1, M2)}
    async with store.batch() as batch:
        found = await batch.claim([arrival("A", None), arrival("A", "M2"), arrival("B", None)], [])
    assert found["A"].accounts == {PROGRAM: (M1, M2)}
    async with store.batch() as batch:
        await batch.claim([arrival("B", "M2"), arrival("B", None)], [])
    async with store.batch() as batch:
        found = await batch.routes(["A", "B"])
    assert found["A"].accounts == {PROGRAM: (M1, M2)}
    assert found["B"].accounts == {PROGRAM: (None, M2)}


async def test_what_accounts_were_told_of_an_order_is_found_until_it_is_withdrawn(store: Store) -> None:
    change = earned("M1", 7)
    change.facts = [fact(1), fact(2, "B"), fact(3)]
    async with store.batch() as batch:
        await batch.compare_and_set([change])
        await batch.write([change])
    async with store.batch() as batch:
        assert await batch.about([(M1, "A"), (M2, "A")]) == {M1: [fact(1), fact(3)]}
        assert await batch.about([]) == {}


async def test_guests_and_outside_stores_have_a_route_without_account(store: Store) -> None:
    async with store.batch() as batch:
        found = await batch.claim([arrival("A", None), Arrival("B", "", None)], [])
    assert found == {"A": Route("A", {PROGRAM: (None,)}), "B": Route("B", {"": (None,)})}
    assert found["A"].known
    assert found["B"].known


async def test_one_order_id_may_be_of_two_programs(store: Store) -> None:
    async with store.batch() as batch:
        await batch.claim([arrival("A", "M1")], [])
    async with store.batch() as batch:
        found = await batch.claim([arrival("A", "M1", "puppy"), arrival("A", "M2", "ansage"), arrival("A", "M2")], [])
    assert found["A"].accounts == {
        PROGRAM: (M1, M2),
        "puppy": (account_id(KEY, "puppy", "M1"),),
        "ansage": (account_id(KEY, "ansage", "M2"),),
    }


async def test_what_was_parked_is_taken_once_in_business_order(store: Store) -> None:
    async with store.batch() as batch:
        await batch.claim([], ["A"])
        assert await batch.park([fact(2), fact(1), fact(3, "B"), fact(4, program=None), fact(5, program="puppy")]) == []
    async with store.batch() as batch:
        await batch.claim([arrival("A")], [])
        taken = await batch.take_parked([("A", PROGRAM)])
        assert taken == [fact(1), fact(2), fact(4, program=None)]
        assert await batch.take_parked([("A", PROGRAM)]) == []
        assert await batch.take_parked([]) == []
    async with store.batch() as batch:
        assert await batch.take_parked([("A", PROGRAM)]) == []
        assert await batch.take_parked([("A", "puppy")]) == [fact(5, program="puppy")]


async def test_what_is_parked_stays_if_the_batch_that_took_it_fails(store: Store) -> None:
    async with store.batch() as batch:
        await batch.claim([], ["A"])
        await batch.park([fact(1)])

    async def fail() -> None:
        async with store.batch() as batch:
            assert await batch.take_parked([("A", PROGRAM)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with store.batch() as batch:
        assert await batch.take_parked([("A", PROGRAM)]) == [fact(1)]


async def test_a_repeat_is_parked_once_and_a_contradiction_is_given_back(store: Store) -> None:
    other = fact(1, more=',"note":"not the same"')
    async with store.batch() as batch:
        await batch.claim([], ["A"])
        assert await batch.park([fact(1), fact(1), other]) == [other]
    async with store.batch() as batch:
        assert await batch.park([fact(1), other, fact(2)]) == [other]
        assert await batch.park([]) == []
    async with store.batch() as batch:
        assert await batch.park([other, other, fact(1)]) == [other, other], "each is a record that becomes a dead letter"
    async with store.batch() as batch:
        assert await batch.take_parked([("A", PROGRAM)]) == [fact(1), fact(2)]


async def test_an_event_without_an_order_cannot_be_parked(store: Store) -> None:
    alone = earned("M1", 1).facts[0]
    with pytest.raises(ValueError, match="names no order"):
        async with store.batch() as batch:
            await batch.park([type(alone).from_stored("s", "i", "member.erased", alone.time, None, None, b'{"member_id":"M"}')])


async def test_the_sweeper_finds_what_waits_for_a_known_order(store: Store) -> None:
    async with store.batch() as batch:
        await batch.claim([arrival("A")], ["B"])
        await batch.park([fact(1, "A"), fact(2, "A"), fact(3, "B")])
    assert await store.drainable(10) == [Route("A", {PROGRAM: (M1,)})]
    assert await store.drainable(0) == []


async def test_what_follows_orders_outside_alone_is_set_aside_until_a_program_has_one_or_it_is_let_go(store: Store) -> None:
    async with store.batch() as batch:
        await batch.claim([Arrival("A", "", None), Arrival("B", "", None)], ["C"])
        aside = [fact(1, "A", program=None), fact(2, "B", program=None)]
        await batch.park([*aside, fact(3, "A"), fact(4, "C", program=None)], {"A", "B"})
    assert await store.drainable(10) == []
    async with store.batch() as batch:
        assert await batch.take_parked([]) == []
        await batch.claim([arrival("B")], [])
        assert await batch.take_parked([("B", PROGRAM)]) == [aside[1]]
    later = (await store.state()).now + timedelta(hours=1)
    assert await store.let_go(later - timedelta(hours=2), 10) == 0
    assert [await store.let_go(later, 10) for _ in range(2)] == [1, 0]
    # What names a program, and what follows an order that nothing is known of, still waits.
    assert [(row.order_id, row.events) for row in await store.parked_since(later, 10)] == [("A", 1), ("C", 1)]


async def test_what_has_waited_long_is_listed_the_longest_first(store: Store) -> None:
    for number, order in enumerate(("B", "A", "A")):
        async with store.batch() as batch:
            await batch.claim([], [order])
            await batch.park([fact(number, order)])
    now = (await store.state()).now
    found = await store.parked_since(now + timedelta(hours=1), 10)
    assert [(row.order_id, row.events) for row in found] == [("B", 1), ("A", 2)]
    assert await store.parked_since(now - timedelta(hours=1), 10) == []
    assert len(await store.parked_since(now + timedelta(hours=1), 1)) == 1


async def test_what_followed_an_order_of_an_account_and_names_no_program_is_found_until_it_is_withdrawn(store: Store) -> None:
    change = earned("M1", 7)
    change.facts += [fact(2, program=None), fact(1, program=None), fact(3), fact(4, "B", program=None)]
    async with store.batch() as batch:
        assert await batch.nameless([(M1, "A")]) == {}
        await batch.compare_and_set([change])
        await batch.write([change])
    async with store.batch() as batch:
        assert await batch.nameless([(M1, "A"), (M2, "A"), (M1, "C")]) == {M1: [fact(1, program=None), fact(2, program=None)]}
        row = (await batch.load([Wanted(M1)]))[M1].row
        again = earned("M1", 8, row)
        again.decisions += [withdrawal("shop", "e1")]
        await batch.compare_and_set([again])
        await batch.write([again])
    async with store.batch() as batch:
        assert await batch.nameless([(M1, "A")]) == {M1: [fact(2, program=None)]}
        assert await batch.nameless([]) == {}
    (dossier,) = [each async for each in store.dossiers()]
    assert dossier.withdrawn.keys() == {("shop", "e1")}
