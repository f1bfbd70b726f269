"""A verdict hangs on what arrived before it and on the clock, and not on where batches end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import combinations
from random import Random
from typing import Any

import pytest

from tests.flows.bad_records import raw
from tests.flows.system import Raw
from tests.parts.topics import WITH_OPENINGS
from tests.pipeline.harness import KEY, Harness
from tests.simulation.world import world
from tests.stores.ends import read_to_ends
from tests.stores.memory import MemoryStore
from worker.consume.batch import Batch
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.reading.statements import as_json, read

SEEDS = (*range(6), 9, 32)
"""Worlds; where what came together is folded at once, the last two come out otherwise."""
CUTS_DRAWN = 2
Verdicts = dict[str, tuple[str, int, str | None]]


def _told(type_: str, id_: str, at: str, **data: Any) -> Raw:
    return raw(type_, id_, {"member_id": "M", **data}, program="lenovo-pro", time=f"2026-{at}T10:00:00+09:00")


def _order(id_: str, at: str, points: int) -> Raw:
    lines = [{"line_id": "1", "sku": "A", "quantity": 1, "unit_price": 10_000, "tax": 1_000}]
    fields = {"order_id": "O-1", "store": "lenovo_pro_jp", "lines": lines, "payment_method": "credit_card", "points_used": points}
    return _told("order.placed", id_, at, **fields)


SECOND_TRY = [
    _told("member.enrolled", "1", "09-01"),
    _told("points.adjusted", "2", "10-01", points=100, reason="goodwill"),
    _order("3", "10-02", 200),
    _order("4", "10-03", 100),
    _told("points.adjusted", "5", "10-05", points=-50, reason="mistake"),
]
"""An order that is not covered, told again with fewer points while the first waits; and points taken away later."""


def _cuts(count: int) -> Iterator[tuple[int, ...]]:
    """Every way to cut so many records into batches, by the places where one ends."""
    inner = range(1, count)
    for size in range(count):
        for places in combinations(inner, size):
            yield (*places, count)


async def _verdicts(harness: Harness) -> Verdicts:
    return {each.id: (each.verdict, each.points, each.reason) for each in (await harness.dossier("M")).decisions}


@pytest.mark.parametrize("clock_after", [3, 4, 5])
async def test_a_second_telling_while_the_first_waits_has_one_verdict(clock_after: int) -> None:
    for cuts in _cuts(len(SECOND_TRY)):
        harness, start = Harness(), 0
        for end in sorted({*cuts, clock_after}):
            await harness.take(*SECOND_TRY[start:end])
            start = end
            if end == clock_after:
                await _settle(harness)
        await _settle(harness)
        assert await _verdicts(harness) == {"3": ("rejected", 200, "insufficient_points"), "4": ("accepted", 100, None)}, cuts


async def _settle(harness: Harness) -> None:
    """All is read."""
    await read_to_ends(harness.store)
    await harness.pipeline.run_due(await harness.store.decidable(range(64), 100), None)


# -- random lives


class _Played:
    """The messages of a world in one order of arrival, cut somehow; the clock comes at the same places of it."""

    def __init__(self, seed: int) -> None:
        self.world = world(seed)
        messages = list(self.world.messages)
        self.records = [message.record(0, number) for number, message in enumerate(messages)]
        rng = Random(seed)
        self.clocks = {rng.randrange(1, len(messages)): messages[rng.randrange(len(messages))].at for _ in range(3)}

    async def play(self, ends: Sequence[int]) -> tuple[Any, Any]:
        """Verdicts and statements."""
        end = self.world.end
        store = MemoryStore(clock=lambda: end)
        options = PipelineOptions(KEY, admission=WITH_OPENINGS)
        pipeline = Pipeline(store, Catalogue(self.world.programs.values()), options, epoch=1, now=lambda: end)
        start = 0
        for stop in sorted({*ends, *self.clocks, len(self.records)}):
            await pipeline.process(Batch(tuple(self.records[start:stop]), ()))
            start = stop
            if stop in self.clocks:
                await self._clock(store, pipeline, self.clocks[stop])
        for _ in range(4):
            await self._clock(store, pipeline, end)
        verdicts, statements = {}, {}
        async for dossier in store.dossiers():
            row = dossier.row
            assert row is not None
            name = f"{row.program}:{row.member_id}"
            assert row.fenced is None
            if row.head.contested:
                # What two programs' orders leave open counts until the second one comes, and what was promised meanwhile stands.
                continue
            verdicts[name] = {(each.source, each.id): (each.verdict, each.reason) for each in dossier.decisions}
            statements[name] = {**as_json(read(dossier, self.world.programs[row.program], end, "end")), "version": 0}
        return verdicts, statements

    @staticmethod
    async def _clock(store: MemoryStore, pipeline: Pipeline, at: datetime) -> None:
        pipeline.know(at)
        await read_to_ends(store)
        assert pipeline.watermark is not None
        await pipeline.run_due(sorted(store.tables.accounts), pipeline.watermark)


async def test_however_arrivals_are_cut_into_batches_verdicts_and_statements_are_the_same() -> None:
    asked = 0
    for seed in SEEDS:
        played, rng = _Played(seed), Random(seed)
        count = len(played.records)
        one_by_one = await played.play(range(1, count))
        asked += sum(map(len, one_by_one[0].values()))
        for _ in range(CUTS_DRAWN):
            cuts = sorted(rng.sample(range(1, count), min(count - 1, rng.choice([0, 2, 8, 30]))))
            found = await played.play(cuts)
            assert found[0] == one_by_one[0], f"seed {seed}, cut at {cuts}"
            assert found[1] == one_by_one[1], f"seed {seed}, cut at {cuts}"
    assert asked > len(SEEDS)
