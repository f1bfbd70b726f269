"""Members' lives on Postgres come out as `simulate` and one fold of sorted facts say, in any order and however they are cut."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import count

import pytest
import structlog

from tests.differential.lives import crowd
from tests.differential.run import PLAYS, Failure, Harness, harness, kind_of, replayed
from tests.parts.postgres import DEFAULT_VERSION, Servers
from tests.simulation.__main__ import quiet
from tests.simulation.planted import difference_not_posted

SECONDS = 20.0
_names = count(1)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    before = structlog.get_config()
    quiet()
    yield
    structlog.configure(**before)


@pytest.fixture
def addresses(postgres_servers: Servers) -> Iterator[Sequence[str]]:
    """A database for each play."""
    names = [f"differential_{next(_names)}" for _ in PLAYS]
    yield [postgres_servers.create_database(DEFAULT_VERSION, name) for name in names]
    for name in names:
        postgres_servers.drop_database(DEFAULT_VERSION, name)


async def test_lives_come_out_the_same_in_the_ledger_in_simulations_and_in_one_fold(addresses: Sequence[str]) -> None:
    began = time.monotonic()
    async with harness(addresses) as stages:
        for seed in count():
            made = crowd(seed, programs=3)
            for number, wrong in (await stages.compare(made, made.lives)).items():
                small = await stages.shrunk(made, made.lives[number], wrong[0])
                pytest.fail(f"{small.why}\n{small.command}")
            if time.monotonic() > began + SECONDS:
                break


async def test_a_life_that_comes_out_differently_is_made_small_and_replayed(addresses: Sequence[str]) -> None:
    async with harness(addresses) as stages:
        with difference_not_posted():
            small = await _first_failure(stages)
            assert small.tellings is not None
            assert len(small.tellings) <= 6
            assert small.kind in {kind_of(why) for why in await replayed(stages, small)}
        assert await replayed(stages, small) == []


async def _first_failure(stages: Harness) -> Failure:
    for seed in range(5):
        made = crowd(seed, programs=1)
        for number, wrong in (await stages.compare(made, made.lives)).items():
            return await stages.shrunk(made, made.lives[number], wrong[0])
    raise AssertionError("the defect is not found")
