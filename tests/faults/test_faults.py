"""A short version of the faults that `make soak` plays for hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults import clock, disk
from tests.faults.chapter import Harness
from tests.faults.injections import (
    Injection,
    broker_restarts,
    clock_steps,
    cut_connections,
    full_disks,
    goings,
    kills,
    leader_moves,
    locks,
    postgres_restarts,
    rebalances,
    zombies,
)
from tests.faults.menu import CLUSTER_BROKERS
from tests.faults.parts import own_theatre
from tests.parts.missing import cannot_run
from worker.local.choose import choose_real_kafka
from worker.local.kafka_jars import missing as jars_missing

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

EVENTS = 500
SECONDS = 5.0
SEEDS = range(70, 74)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Harness]:
    """One system for all chapters: what one leaves behind, the next one begins with."""
    choice = choose_real_kafka(pull=False)
    if isinstance(choice, str):
        cannot_run("faults of a real Kafka", choice, "install Java 17 and Maven, or start Docker")
    async with own_theatre(tmp_path_factory.mktemp("faults"), "faults.", 1) as made:
        yield made


@pytest.mark.parametrize(
    ("injections", "share", "counted"),
    [
        ((kills,), 0.3, ("sigkills", "sigkills_at_work", "answers_lost")),
        # By themselves: among kills as dense as these hardly a worker lives long enough to be put to sleep.
        ((zombies,), 0.1, ("zombies",)),
        ((rebalances, goings, cut_connections, locks), 0.1, ("rebalances", "connections_cut", "locks_held")),
        ((postgres_restarts, broker_restarts), 0.0, ("postgres_restarts", "broker_restarts")),
        ((clock_steps, full_disks), 0.1, ("clock_steps", "disks_full")),
    ],
    ids=["kills", "zombies", "connections", "servers", "machines"],
)
async def test_whatever_breaks_the_ledger_ends_right(
    stage: Harness, injections: Sequence[Injection], share: float, counted: Sequence[str]
) -> None:
    for inject, why, remedy in (
        (clock_steps, clock.missing(), "install a C compiler"),
        (full_disks, disk.missing(), "run them as root, where a tmpfs may be mounted"),
    ):
        if inject in injections and why is not None:
            cannot_run("clocks that step and full disks", why, remedy)
    seen: Counter[str] = Counter()
    # On a busy machine a chapter of some seconds may be over before everything has broken that should.
    for seed in SEEDS:
        told = await stage.play(injections, seed, EVENTS, SECONDS, share)
        assert not told.problems, "\n".join(told.problems)
        seen += told.counts
        if all(seen[what] > 0 for what in counted):
            return
    raise AssertionError(f"something did not break: {seen}")


async def test_after_the_last_chapter_the_whole_ledger_is_verified(stage: Harness) -> None:
    told = await stage.play((), 9, 100, 0.5)
    assert not told.problems, "\n".join(told.problems)
    told = await stage.verify()
    assert not told.problems, "\n".join(told.problems)
    assert told.counts["accounts_verified"] > 0
    rows = await stage.system.sql(
        "UPDATE account SET available = available + 1 "
        "WHERE account_id = (SELECT account_id FROM account ORDER BY account_id LIMIT 1) RETURNING account_id"
    )
    damaged = str(rows[0]["account_id"])
    told = await stage.verify()
    assert told.problems
    assert all(damaged in problem for problem in told.problems)


async def test_leaders_that_move_leave_the_ledger_right(tmp_path: Path) -> None:
    if why := jars_missing():
        cannot_run("a Kafka of three brokers", why, "install Java 17 and Maven")
    async with own_theatre(tmp_path, "leaders.", 1, CLUSTER_BROKERS) as stage:
        told = await stage.play((leader_moves,), 3, EVENTS, SECONDS, 0.1)
    assert not told.problems, "\n".join(told.problems)
    assert told.counts["leader_moves"] > 0
