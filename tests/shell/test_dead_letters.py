"""Dead letters go out so many a second, by one worker at a time, and a flood of them is told of."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from structlog.testing import capture_logs

from tests.stores.examples import record
from tests.stores.memory import MemoryStore
from worker import metrics
from worker.persist import DeadLetter
from worker.runtime import dead_letters
from worker.runtime.dead_letters import DeadLetters

ALL = range(64)
PER_SECOND = 10


class Clock:
    """Monotonic seconds that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    told = Clock()
    with patch.object(dead_letters, "time", SimpleNamespace(monotonic=told)):
        yield told


async def flooded(count: int) -> MemoryStore:
    store = MemoryStore()
    async with store.batch() as batch:
        await batch.dead_letter([DeadLetter(record(n), "not_json", "x", source="/flooder") for n in range(count)])
    return store


def told() -> dict[str, float]:
    """What the gauge of waiting letters says, by reason."""
    (family,) = metrics.dead_letters_waiting.collect()
    return {sample.labels["reason"]: sample.value for sample in family.samples}


async def test_so_many_go_out_at_each_turn_the_first_at_the_first(clock: Clock) -> None:
    store = await flooded(25)
    letters = DeadLetters(store, PER_SECOND, lambda: ALL)
    out = []
    for _ in range(4):
        await letters.turn()
        out.append(len(store.tables.outbox))
    assert out == [10, 20, 25, 25]


async def test_a_flood_is_told_every_ten_seconds_until_it_is_over(clock: Clock) -> None:
    store = await flooded(12 * PER_SECOND)
    letters = DeadLetters(store, PER_SECOND, lambda: ALL)
    with capture_logs() as lines:
        for clock.now in range(100, 125):
            await letters.turn()
    assert [line["waiting"] for line in lines] == [{"not_json": 110}, {"not_json": 10}]  # at the first second and the eleventh
    assert all(line["event"] == "dead_letters_wait" and "/flooder" not in str(line) for line in lines)
    assert told() == {}


async def test_the_worker_that_publishes_the_first_shard_hands_over_and_tells_and_no_other(clock: Clock) -> None:
    store = await flooded(3 * PER_SECOND)
    mine = [0, 4]
    letters = DeadLetters(store, PER_SECOND, lambda: mine)
    await letters.turn()
    assert told() == {"not_json": 2 * PER_SECOND}
    mine.remove(0)
    await letters.turn()
    assert told() == {}
    assert len(store.tables.outbox) == PER_SECOND
    mine.append(0)
    await letters.turn()
    assert told() == {"not_json": PER_SECOND}
