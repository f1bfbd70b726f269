"""Dead letters go out so many a second, by one worker at a time, and a flood of them is told of."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from tests.stores.examples import record
from tests.stores.memory import MemoryStore
from worker import metrics
from worker.persist import DeadLetter
from worker.publish import dead_letters
from worker.publish.dead_letters import DeadLetters

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


async def test_however_often_it_is_a_workers_turn_so_many_go_out_in_a_second(clock: Clock) -> None:
    store = await flooded(1_000)
    letters = DeadLetters(store, PER_SECOND)
    for tenth in range(51):
        clock.now = 100 + tenth / 10
        await letters.turn()
        assert len(store.tables.outbox) <= PER_SECOND * (tenth // 10 + 1)
    assert len(store.tables.outbox) == 6 * PER_SECOND


async def test_the_first_letters_go_out_at_once(clock: Clock) -> None:
    store = await flooded(PER_SECOND)
    await DeadLetters(store, PER_SECOND).turn()
    assert len(store.tables.outbox) == PER_SECOND


async def test_a_flood_is_told_every_ten_seconds_until_it_is_over(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    store = await flooded(12 * PER_SECOND)
    letters = DeadLetters(store, PER_SECOND)
    for clock.now in range(100, 125):
        await letters.turn()
    logged = capsys.readouterr()
    lines = [line for line in (logged.out + logged.err).splitlines() if "dead_letters_wait" in line]
    assert len(lines) == 2  # at the first second, when 110 are left, and at the eleventh, when 10 are
    assert all("not_json" in line and "/flooder" not in line for line in lines)
    assert told() == {}


async def test_a_worker_that_hands_over_no_more_tells_no_more(clock: Clock) -> None:
    letters = DeadLetters(await flooded(3 * PER_SECOND), PER_SECOND)
    await letters.turn()
    assert told() == {"not_json": 2 * PER_SECOND}
    letters.leave()
    assert told() == {}
