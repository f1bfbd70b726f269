"""A short version of the faults that `make soak` plays for hours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from tests.faults.chapter import Theatre
from tests.faults.parts import own_theatre
from tests.faults.torments import (
    Torment,
    broker_restarts,
    cut_connections,
    goings,
    kills,
    locks,
    postgres_restarts,
    rebalances,
    zombies,
)
from tests.parts.missing import cannot_run
from worker.local.choose import choose_real_kafka

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

EVENTS = 1_000
SECONDS = 6.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Theatre]:
    """One system for all chapters: what one leaves behind, the next one begins with."""
    choice = choose_real_kafka(pull=False)
    if isinstance(choice, str):
        cannot_run("faults of a real Kafka", choice, "install Java 17 and Maven, or start Docker")
    async with own_theatre(tmp_path_factory.mktemp("faults"), "faults.", 1) as made:
        yield made


@pytest.mark.parametrize(
    ("torments", "share", "counted"),
    [
        ((kills, zombies), 0.3, ("sigkills", "zombies", "answers_lost")),
        ((rebalances, goings, cut_connections, locks), 0.1, ("rebalances", "connections_cut", "locks_held")),
        ((postgres_restarts, broker_restarts), 0.0, ("postgres_restarts", "broker_restarts")),
    ],
    ids=["workers", "connections", "servers"],
)
async def test_whatever_breaks_the_ledger_ends_right(
    stage: Theatre, torments: Sequence[Torment], share: float, counted: Sequence[str]
) -> None:
    told = await stage.play(torments, 7, EVENTS, SECONDS, share)
    assert told.problems == []
    assert all(told.counts[what] > 0 for what in counted), told.counts
