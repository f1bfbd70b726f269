"""Rows that a fact reaches for and does not name are found as they stand, on every store: the ledger is that of `simulate`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.flows.system import Raw
from tests.parts.topics import WITH_OPENINGS, topic_of
from tests.pipeline.harness import KEY
from tests.stores.memory import MemoryStore
from worker.consume.batch import Batch, Move
from worker.decide.program import Program
from worker.decode import Limits, Record, decode
from worker.persist import PostgresStore, Store
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.programs.terms_file import load, shipped
from worker.reading.statements import as_json, read
from worker.simulation.simulate import Simulation
from worker.upkeep import verify

HISTORIES = Path(__file__).parent / "histories"
AFTER = datetime(2026, 11, 20, tzinfo=UTC)
STRUCTURED = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)
BACK_LATER: dict[str, Any] = {
    "calendar": {"days_after": "exact"},
    "reversal.used_points": [{"rule": "LEN-18", "outcome": "back", "days": 3}],
}


def batches(name: str) -> list[list[Raw]]:
    """The records of a history, which an empty line parts into batches."""
    lines = (HISTORIES / f"{name}.ndjson").read_bytes().splitlines()
    return [
        [Raw(topic_of(line), line, STRUCTURED, b"key") for line in group] for there, group in groupby(lines, key=bool) if there
    ]


def records(raws: Sequence[Raw], start: int) -> tuple[Record, ...]:
    at = int(AFTER.timestamp() * 1000)
    return tuple(Record(r.topic, 0, start + n, at, r.key, r.value, tuple(r.headers)) for n, r in enumerate(raws))


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """An empty store of each kind."""
    if request.param == "memory":
        yield MemoryStore(clock=lambda: AFTER)
        return
    async with await PostgresStore.open(request.getfixturevalue("database")) as opened:
        yield opened


async def statement_of(store: Store, program: Program, history: Sequence[Sequence[Raw]], until: datetime) -> dict[str, Any]:
    """The statement after a history was taken in batches, with the clock after each; nothing was refused, the ledger is sound."""
    pipeline = Pipeline(store, Catalogue([program]), PipelineOptions(KEY, admission=WITH_OPENINGS), epoch=1, now=lambda: AFTER)
    taken = 0
    for raws in history:
        end = taken + len(raws)
        move = Move("commerce.order", 0, taken or None, end, b"", AFTER, at_end=True)
        done = await pipeline.process(Batch(records(raws, taken), (move,)))
        assert (done.outcomes["applied"], done.outcomes["dead_letter"]) == (len(raws), 0)
        taken = end
        pipeline.know(until)
        await pipeline.run_due([each.account_id for each in await store.due(range(64), until, 1000)], until)
    assert [each async for each in verify.check(store, {program.code: program})] == []
    (dossier,) = [each async for each in store.dossiers()]
    assert dossier.row is not None
    assert dossier.row.fenced is None
    return {**as_json(read(dossier, program, until, "now")), "version": 0}


def simulated(program: Program, history: Sequence[Sequence[Raw]], until: datetime) -> dict[str, Any]:
    """The statement of `simulate`."""
    simulation = Simulation(program)
    for record in records([raw for raws in history for raw in raws], 0):
        event = decode(record, AFTER, Limits())
        simulation.deliver(event, AFTER)  # type: ignore[arg-type]  # all of them are accepted
    simulation.run_clock(until)
    (found,) = simulation.statements(until, "now")
    return {**as_json(found), "version": 0}


async def lapsed_of_lot(store: Store) -> list[int]:
    (dossier,) = [each async for each in store.dossiers()]
    return [lot.lapsed for lot in dossier.lots.values()]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("closed-lot-return", "lenovo-pro"),
        ("closed-lot-cancel", "lenovo-pro"),
        ("closed-lot-released", "lenovo-pro"),
        ("closed-lot-overwritten", "belle-maison"),
    ],
)
async def test_points_that_come_back_to_a_lapsed_lot_lapse_with_it(store: Store, name: str, code: str) -> None:
    program = load(shipped()[code])
    history = batches(name)
    found = await statement_of(store, program, history, AFTER)
    assert found == simulated(program, history, AFTER)
    assert (found["available"], found["on_hold"]) == (0, 0)
    assert await lapsed_of_lot(store) == [59]


async def test_points_that_come_back_by_the_clock_to_a_lapsed_lot_lapse_with_it(store: Store) -> None:
    program = load(shipped()["lenovo-pro"], BACK_LATER)
    history = batches("closed-lot-return")
    found = await statement_of(store, program, history, AFTER)
    assert found == simulated(program, history, AFTER)
    assert await lapsed_of_lot(store) == [59]


async def test_points_of_a_pool_that_ended_before_the_balance_was_taken_over_lapse(store: Store) -> None:
    program = load(shipped()["scolar"], {"expiry.pool.prolonged_by": ["order"]})
    history = batches("opening-pool-in-the-past")
    found = await statement_of(store, program, history, AFTER)
    assert found == simulated(program, history, AFTER)
    assert found["available"] == 0
    assert await lapsed_of_lot(store) == [1000]
