"""Source and id name an event of a topic: who guesses those of another topic's event, and says something else under them first,
takes nothing from it. Whichever comes first, and wherever batches end, both count, and repeats of both are repeats.
"""

from __future__ import annotations

from itertools import combinations, pairwise, permutations
from typing import Any

import pytest

from contracts.events import Event
from tests.flows.bad_records import HOUR, NOW, ORDER, gift, order, raw, shipped
from tests.flows.system import Raw
from tests.pipeline.harness import KEY, PROGRAM, Harness, programs
from tests.stores.ends import settle
from worker.consume.batch import Batch, Move
from worker.decode import Limits, Record, decode
from worker.persist import PostgresStore
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.reading.statements import read
from worker.simulation.simulate import Simulation
from worker.upkeep import verify

COMMAND = gift("M", 1_000, "7", time=NOW - HOUR)
GUESSED: dict[str, Raw] = {
    "an activity": raw("survey.won", "7", {"member_id": "M", "survey_id": "S", "points": 3}, program=PROGRAM),
    "an order": order("O", "M", "7", NOW - 2 * HOUR),
    "what follows an order": shipped("O", "7", NOW - HOUR / 2),
}
EARNS = {"an activity": 0, "an order": 0, "what follows an order": 5}
FIRST = order("O", "M", "first", NOW - 2 * HOUR)


@pytest.mark.parametrize("guess", GUESSED)
async def test_a_command_counts_though_its_source_and_id_were_used_on_another_topic(guess: str) -> None:
    for records in permutations([COMMAND, GUESSED[guess], *([FIRST] if guess == "what follows an order" else [])]):
        for cuts in range(len(records)):
            for inner in combinations(range(1, len(records)), cuts):
                harness = Harness()
                for start, end in pairwise([0, *inner, len(records)]):
                    await harness.take(*records[start:end])
                await harness.take(*records)
                assert harness.letters() == []
                says = await harness.statement("M")
                assert says.available + says.pending == 1_000 + EARNS[guess], (records, inner)
                # The terms know no surveys.
                assert [each.code for each in says.findings] == (["activity_not_offered"] if guess == "an activity" else [])


async def test_within_a_topic_the_later_one_is_a_conflict() -> None:
    harness = Harness()
    await harness.take(GUESSED["an activity"], COMMAND)
    await harness.take(gift("M", 5, "7"))
    survey = {"member_id": "M", "survey_id": "S", "points": 9}
    await harness.take(raw("survey.won", "7", survey, program=PROGRAM))
    assert harness.letters() == ["conflict", "conflict"]
    assert (await harness.statement("M")).available == 1_000


async def test_what_waits_for_an_order_does_not_take_the_id_of_another_topic() -> None:
    cancelled = raw("order.cancelled", "7", {"order_id": "O", "reason": "x", "lines": "all"}, time=(NOW - HOUR / 4).isoformat())
    for records in permutations([cancelled, shipped("O", "7", NOW - HOUR / 2), FIRST]):
        for batches in ([records], [[each] for each in records]):
            harness = Harness()
            for batch in batches:
                await harness.take(*batch)
            await harness.take(*records)
            assert harness.letters() == []
            assert not harness.store.tables.parked
            types = {fact.type for fact in (await harness.dossier("M")).facts}
            assert types == {"order.placed", "order.cancelled", "shipment.dispatched"}


async def test_subscribers_are_told_the_source_that_was_sent() -> None:
    harness = Harness()
    await harness.take(GUESSED["an activity"])
    await harness.take(COMMAND)
    messages = [row.value for row in harness.store.tables.outbox.values() if row.topic == "loyalty.balance-changed"]
    assert all(b'"source":"/shop"' in (value or b"") for value in messages)


async def test_a_contested_order_is_copied_once_to_an_account_that_keeps_its_events_apart() -> None:
    review = raw("review.posted", "7", {"member_id": "M", "review_id": "R", "sku": "S"}, program=PROGRAM)
    claim = raw("order.claimed", "claim", {"order_id": "O", "member_id": "M"}, program=PROGRAM, time=NOW.isoformat())
    other = order("O", "N", "other", NOW - 2 * HOUR)
    found = set()
    for records in permutations([review, FIRST, other, shipped("O", "7", NOW - HOUR / 2), claim]):
        harness = Harness()
        for each in records:
            await harness.take(each)
        await harness.take(*records)
        assert harness.letters() == []
        says = [await harness.statement(member) for member in "MN"]
        found.add(tuple((each.available + each.pending, len(each.findings)) for each in says))
    assert found == {((5, 1), (0, 2))}, "the terms know no reviews, and the order is somebody else's"


async def test_it_holds_on_postgres_and_in_simulations(database: str) -> None:
    async with await PostgresStore.open(database) as store:
        pipeline = Pipeline(store, Catalogue(programs().values()), PipelineOptions(KEY), epoch=1, now=lambda: NOW)
        simulation = Simulation(programs()[PROGRAM])
        records = [*GUESSED.values(), COMMAND, shipped("P", "8"), raw("order.cancelled", "8", CANCEL), PARKED, *GUESSED.values()]
        for number, each in enumerate(records):
            record = Record(each.topic, number, 0, int(NOW.timestamp() * 1000), each.key, each.value, tuple(each.headers))
            await pipeline.process(Batch((record,), (Move(each.topic, number, None, 1, b"", NOW, at_end=True),)))
            event = decode(record, NOW, Limits())
            assert isinstance(event, Event)
            simulation.deliver(event, NOW)
        pipeline.know(NOW)
        await settle(store, pipeline, NOW)
        simulation.run_clock(NOW)
        assert [each async for each in verify.check(store, programs())] == []
        (dossier,) = [each async for each in store.dossiers()]
        ours = read(dossier, programs()[PROGRAM], NOW, "now").model_copy(update={"version": 0})
        (theirs,) = [each.model_copy(update={"version": 0}) for each in simulation.statements(NOW, "now")]
        assert ours == theirs
        assert len(dossier.facts) == 7
        async with store.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM dead_letter") == 0


CANCEL: dict[str, Any] = {"order_id": "P", "reason": "x", "lines": "all"}
PARKED = raw("order.placed", "later", {**ORDER, "order_id": "P", "member_id": "M"}, time=(NOW - 3 * HOUR).isoformat())
