"""The pipeline on a real database, batch by batch: what it costs, and that the cut of the batches does not matter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.events import Event
from contracts.statement import Statement
from tests.flows.bad_records import HOUR, NOW, gift, order, shipped
from tests.flows.system import PROGRAMS, Raw, System
from tests.parts.kafka import TopicNames
from tests.stores.ends import read_to_ends
from tests.stores.measured import statements as statements_sent
from worker.consume.batch import Batch, Move
from worker.decode import Limits, Record, decode
from worker.persist.identity import account_id
from worker.persist.postgres import PostgresStore
from worker.persist.rows import Arrival
from worker.processing.pipeline import Done, Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.reading import statements
from worker.upkeep import verify

KEY = b"a key for tests, not a secret"
IN_ORDER_MAX = 17
LATE_MAX = 42  # 20 in three rounds of loading; one asks who was erased


@dataclass(slots=True)
class Harness:
    """A pipeline that is handed records as if they had come from one partition."""

    system: System
    store: PostgresStore
    pipeline: Pipeline
    offset: int = 0

    async def take(self, records: Sequence[Raw]) -> Done:
        """One batch."""
        at = int(NOW.timestamp() * 1000)
        read = [
            Record(each.topic, 0, self.offset + number, at, each.key, each.value, tuple(each.headers))
            for number, each in enumerate(records)
        ]
        start, self.offset = self.offset, self.offset + len(read)
        move = Move("commerce.order", 0, start or None, self.offset, b"", NOW, at_end=True)
        return await self.pipeline.process(Batch(tuple(read), (move,)))

    async def all_is_known(self) -> None:
        """The watermark comes to now, all topics are read to their ends, and the clock runs."""
        until = datetime.now(UTC)
        self.pipeline.know(until)
        await read_to_ends(self.store)
        due = {each.account_id for each in await self.store.due(range(64), until, 1000)}
        await self.pipeline.run_due(due | {*await self.store.decidable(range(64), 1000)}, until)

    async def statement(self, member: str) -> Statement:
        """The member's statement; the ledger is verified."""
        programs = {program.code: program for program in await registry.programs(self.store)}
        assert [violation async for violation in verify.check(self.store, programs)] == []
        async for dossier in self.store.dossiers():
            if dossier.row is not None and dossier.row.member_id == member:
                return statements.read(dossier, programs[dossier.row.program], NOW, "now")
        raise AssertionError(f"{member} has no account")


@pytest.fixture
async def harness(database: str, topics: TopicNames, tmp_path: Path) -> AsyncIterator[Harness]:
    """A pipeline on a database of this test's own."""
    system = System("", database, topics.prefix, tmp_path)
    for code in PROGRAMS:
        await system.register(code)
    async with system.store() as store:
        catalogue = Catalogue(await registry.programs(store))
        options = PipelineOptions(KEY, topic=lambda name: system.prefix + name)
        # As a worker does before its first batch: from then on the store knows that nothing was read back after a restore.
        state = await store.state()
        yield Harness(system, store, Pipeline(store, catalogue, options, state.epoch))


def _day(member: str, tag: str) -> list[Raw]:
    """Every way through the pipeline, for one member: late, early, parked, a guest's, broken, twice."""
    return [
        gift(member, 500, f"gift-{member}-{tag}"),
        order(f"{member}-{tag}", member, points_used=10),
        shipped(f"{member}-{tag}", f"ship-{member}-{tag}", time=NOW - HOUR / 2),
        shipped(f"{member}-{tag}-next", f"early-{member}-{tag}", time=NOW - HOUR / 3),
        order(f"{member}-{tag}-guest", None),
        Raw("commerce.order", b"broken", (), b"key"),
        gift(member, 500, f"gift-{member}-{tag}"),
    ]


async def test_a_batch_takes_as_many_statements_for_one_event_as_for_five_hundred(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.take([gift("M", 1, "warm")])
    for names in (["M"], [f"M{number}" for number in range(500)]):
        await harness.take([gift(name, 100, f"first-{name}") for name in names])
    with statements_sent(monkeypatch) as one:
        await harness.take([gift("M", 1, "one", time=NOW)])
    with statements_sent(monkeypatch) as many:
        await harness.take([gift(f"M{number}", 1, f"many-{number}", time=NOW) for number in range(500)])
    assert len(one) == len(many) <= IN_ORDER_MAX


async def test_a_mixed_batch_takes_as_many_statements_for_one_member_as_for_a_hundred(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"M{number}" for number in range(100)]
    await harness.take([record for name in [*names, "M"] for record in _day(name, "first")])
    with statements_sent(monkeypatch) as one:
        await harness.take(_day("M", "one"))
    with statements_sent(monkeypatch) as many:
        await harness.take([record for name in names for record in _day(name, "many")])
    assert len(one) == len(many) <= LATE_MAX


REJECTED = order("DEAR", "M", "first", NOW - HOUR, points_used=400)
AGAIN = order("DEAR", "M", "again", NOW - HOUR / 2, points_used=40)


@pytest.mark.parametrize("cuts", [[[REJECTED, AGAIN]], [[REJECTED], [AGAIN]]], ids=["one batch", "two batches"])
@pytest.mark.parametrize("known_between", [True, False], ids=["told between", "told at the end"])
async def test_an_order_sent_again_after_a_rejection_counts_however_the_batches_are_cut(
    harness: Harness, cuts: list[list[Raw]], known_between: bool
) -> None:
    await harness.take([gift("M", 100, "gift", time=NOW - 2 * HOUR)])
    for cut in cuts:
        done = await harness.take(cut)
        assert not done.outcomes["dead_letter"]
        if known_between:
            await harness.all_is_known()
    await harness.all_is_known()
    (found,) = (await harness.statement("M")).orders
    assert found.redemption is not None
    assert (found.redemption.decision, found.points_used) == ("accepted", 40)


async def test_of_two_parked_events_with_one_id_the_first_counts_when_the_order_comes(harness: Harness) -> None:
    lines = [{"sku": "S", "quantity": 1}]
    first = shipped("A", "ship", time=NOW - HOUR / 2, lines=lines)
    other = shipped("A", "ship", time=NOW - HOUR / 3)
    assert not (await harness.take([first])).outcomes["dead_letter"]
    done = await harness.take([other, order("A", "M", lines=[{"sku": "S", "quantity": 2, "unit_price": 1000, "tax": 200}])])
    assert done.outcomes["dead_letter"] == 1
    await harness.all_is_known()
    (found,) = (await harness.statement("M")).orders
    assert found.points_credited == 5  # one of the two pieces was sent


@pytest.mark.parametrize("swept", [False, True], ids=["drained by its order", "drained by the sweeper"])
async def test_a_parked_event_whose_id_its_account_knows_already_is_a_dead_letter_with_its_content(
    harness: Harness, swept: bool
) -> None:
    await harness.take([order("A", "M"), shipped("A", "same id", time=NOW - HOUR / 2)])
    await harness.take([shipped("B", "same id", time=NOW - HOUR / 3)])
    if swept:
        # The order comes as if whoever brought it had not seen what waits.
        async with harness.store.batch() as batch:
            await batch.claim([Arrival("B", "belle-maison", account_id(KEY, "belle-maison", "M"))], [])
        assert await harness.pipeline.drain(await harness.store.drainable(10)) == 1
    else:
        await harness.take([order("B", "M")])
    (letter,) = await harness.system.sql("SELECT * FROM dead_letter")
    # Where it stood, though it waited.
    assert (letter["topic"], letter["record_offset"]) == ("commerce.shipment", 2)
    assert (letter["reason"], letter["key"]) == ("conflict", b"B")
    again = decode(Record("t", 0, 0, 0, None, letter["value"], ()), NOW, Limits())
    assert isinstance(again, Event)
    assert (again.id, again.time, again.order_id) == ("same id", NOW - HOUR / 3, "B")
    assert await harness.system.sql("SELECT * FROM parked") == []
