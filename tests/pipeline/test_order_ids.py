"""One id for orders of several programs and of stores outside: what follows them goes where it belongs, in whatever order all of
it comes and wherever batches end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import combinations, permutations, product
from pathlib import Path

import pytest

from tests.flows.bad_records import NOW, gift, order, raw
from tests.flows.system import Raw
from tests.parts.topics import topic_of
from tests.pipeline.harness import Harness, programs
from worker.decide.explain import Known, explain
from worker.runtime.sweeper import PARKED_DAYS_MAX, Sweeper
from worker.upkeep import verify

A, B = "belle-maison", "puppy"
OUTSIDE = "outside"
FOLLOWERS = "followers"
NAMES: tuple[str | None, ...] = (A, B, "a-program-of-nobody", None)
"""What an event about the order says its program is."""
HISTORIES = Path(__file__).parent / "histories"

Coming = tuple[str, str | None]
"""An order that comes, and its member (None: a guest); or FOLLOWERS."""


def told(coming: Coming, order_id: str) -> list[Raw]:
    """The records of something that comes."""
    what, member = coming
    if what == FOLLOWERS:
        return [raw("order.paid", f"{order_id}-{name}", {"order_id": order_id}, program=name) for name in NAMES]
    if what == OUTSIDE:
        return [order(order_id, "M", f"order-{order_id}-outside", store="a_shop_of_nobody")]
    fields = {**json.loads(order(order_id, member).value or b""), "store": "bellemaison" if what == A else "puppy_online"}
    return [raw("order.placed", f"order-{order_id}-{what}", fields, program=what)]


def arrivals() -> Iterator[tuple[Coming, ...]]:
    """All sets of orders that can come under one id."""
    for chosen in product((None, (OUTSIDE, None)), (None, (A, "M"), (A, None)), (None, (B, "M"), (B, None))):
        yield tuple(each for each in chosen if each is not None)


def cuttings(count: int) -> Iterator[list[int]]:
    """All ways to cut so many into batches: where each batch ends."""
    for cuts in range(count):
        for inner in combinations(range(1, count), cuts):
            yield [*inner, count]


def right(coming: Sequence[Coming]) -> list[str]:
    """Where the followers end, whatever comes first: in an account of a program, parked, dropped, or dead letters."""
    orders = {what: member for what, member in coming if what in (A, B)}

    def of(program: str) -> str:
        if program not in orders:
            return "parked"
        return program if orders[program] is not None else "dropped"

    if len(orders) > 1:
        nameless = "ambiguous_order"
    else:
        # What names no program and follows a guest alone is kept for another program's order.
        nameless = next((program for program, member in orders.items() if member is not None), "parked")
    return [of(A), of(B), "unknown_program", nameless]


async def ended(harness: Harness, order_id: str) -> list[str]:
    """Where the followers are found."""
    found = dict.fromkeys((f"{order_id}-{name}" for name in NAMES), "dropped")
    async for dossier in harness.store.dossiers():
        assert dossier.row is not None
        counting = (fact.id for fact in dossier.facts if (fact.source, fact.id) not in dossier.withdrawn)
        found |= {id_: dossier.row.program for id_ in counting if id_ in found}
    found |= {id_: "parked" for of, _, id_ in harness.store.tables.parked if of == order_id}
    for letter in harness.store.tables.dead_letters.values():
        id_ = (dict(letter.record.headers).get("ce_id") or b"").decode() or json.loads(letter.record.value or b"")["id"]
        found |= {id_: letter.reason} if id_ in found else {}
    return list(found.values())


async def test_followers_end_in_the_right_place_in_every_order_and_every_cutting() -> None:
    number = 0
    for coming in arrivals():
        for sequence in permutations((*coming, (FOLLOWERS, None))):
            for ends in cuttings(len(sequence)):
                number += 1
                order_id = f"O{number}"
                harness = Harness()
                start = 0
                for end in ends:
                    await harness.take(*(record for each in sequence[start:end] for record in told(each, order_id)))
                    start = end
                assert await ended(harness, order_id) == right(coming), (sequence, ends)
                assert await harness.store.drainable(10) == [], (sequence, ends)
                assert [each async for each in verify.check(harness.store, programs())] == [], (sequence, ends)
    assert number > 600


async def test_what_an_account_took_is_taken_out_of_its_balance_and_explained_and_told_as_a_dead_letter() -> None:
    """The goods leave before the second order comes: they earn, and that is corrected, as if nobody had told of them."""
    sent = {"order_id": "O", "lines": "all"}
    named = [raw("shipment.dispatched", f"named-{program}", sent, program=program) for program in (None, B)]
    records = [*told((A, "M"), "O"), *told((B, "N"), "O"), *named]
    found = set()
    corrected = 0
    for sequence in permutations(records):
        for ends in cuttings(len(sequence)):
            harness, start = Harness(), 0
            for end in ends:
                harness.store.clock = partial(lambda number: NOW + timedelta(seconds=number), end)
                await harness.take(*sequence[start:end])
                start = end
            await harness.until(NOW)
            assert harness.letters() == ["ambiguous_order"]
            accounts = [dossier async for dossier in harness.store.dossiers()]
            for dossier in accounts:
                assert dossier.row is not None
                program = programs()[dossier.row.program]
                facts = [
                    Known(fact, at, dossier.withdrawn.get((fact.source, fact.id)))
                    for fact, at in zip(dossier.facts, dossier.recorded, strict=True)
                ]
                explained = explain(program, facts, dossier.decisions, dossier.postings, NOW)
                head = dossier.row.head
                assert explained.balances == (head.available, head.pending, head.held)
                assert all(each.known for each in explained.postings)
                assert all(each.working is not None for each in explained.postings if not each.posting.correction)
                corrected += sum(each.posting.correction for each in explained.postings)
            statements = [(await harness.statement(member)).model_copy(update={"version": 0}) for member in "MN"]
            found.add(tuple(each.model_dump_json() for each in statements))
    assert len(found) == 1
    assert corrected


@pytest.mark.parametrize("name", ["order_of_nobody", "outside_order"])
async def test_a_history_earns_the_same_in_every_order(name: str) -> None:
    lines = [line for line in (HISTORIES / f"{name}.ndjson").read_text().splitlines() if line]
    records = [
        Raw(topic_of(line.encode()), line.encode(), (("content-type", b"application/cloudevents+json"),)) for line in lines
    ]
    program = next(said for line in lines if (said := json.loads(line).get("program")))
    found = set()
    for sequence in permutations(records):
        for ends in ([len(sequence)], list(range(1, len(sequence) + 1))):
            harness, start = Harness(), 0
            for end in ends:
                await harness.take(*sequence[start:end])
                start = end
            await harness.until(NOW)
            (dossier,) = [each async for each in harness.store.dossiers()]
            assert dossier.row is not None
            found.add((dossier.row.program, dossier.row.head.available + dossier.row.head.pending))
            assert harness.letters() == []
    assert found == {(program, 50 if name == "order_of_nobody" else 1000)}


async def test_what_follows_an_order_outside_alone_is_set_aside_and_let_go_in_time() -> None:
    now = NOW
    harness = Harness()
    harness.store.clock = lambda: now
    sweeper = Sweeper(harness.store, harness.pipeline, harness.catalogue)
    await harness.take(*told((OUTSIDE, None), "O"), *told((FOLLOWERS, None), "O"))
    await sweeper.turn()
    assert await ended(harness, "O") == ["parked", "parked", "unknown_program", "parked"]
    now += timedelta(days=PARKED_DAYS_MAX, seconds=1)
    await sweeper.turn()
    # Those that name a program wait for its order, and are told of as parked too long.
    assert await ended(harness, "O") == ["parked", "parked", "unknown_program", "dropped"]


async def test_a_redemption_that_waits_is_decided_though_something_later_is_taken_out_meanwhile() -> None:
    harness = Harness()
    asked = {**json.loads(order("W", "M").value or b""), "store": "bellemaison", "points_used": 100}
    await harness.take(raw("order.placed", "asked", asked, program=A))
    await harness.take(*told((A, "M"), "O"), *told((FOLLOWERS, None), "O"))
    await harness.take(*told((B, "N"), "O"))
    assert harness.letters() == ["ambiguous_order", "unknown_program"]
    await harness.until(NOW)
    verdicts = {each.order_id: each.redemption for each in (await harness.statement("M")).orders}
    assert verdicts["W"] is not None
    assert verdicts["W"].decision == "rejected"


async def test_the_last_that_is_known_of_a_member_without_a_tier_can_be_taken_out() -> None:
    harness = Harness()
    paid = raw("order.paid", "paid", {"order_id": "O"}, time=(NOW + timedelta(minutes=1)).isoformat())
    await harness.take(gift("N", 10, "gift", B), *told((B, "N"), "O"), paid)
    await harness.take(*told((A, "M"), "O"))
    assert harness.letters() == ["ambiguous_order"]
    assert (await harness.statement("N")).findings == ()
