"""Fixtures: commands as users type them, and a ledger that holds the example day."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.parts.postgres import DEFAULT_VERSION, Servers
from tests.parts.terms import PEOPLE, dsn_of
from tests.parts.topics import topic_of
from tests.stores.ends import settle
from worker.cli.main import app
from worker.cli.migration import bring_up
from worker.consume.batch import Batch
from worker.decode import Record
from worker.persist import PostgresStore
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.programs.registry import programs

ROOT = Path(__file__).parents[2]
DAY = ROOT / "contracts" / "examples" / "day.ndjson"
KEY = "a key of at least sixteen characters"
EVENING = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
"""When all events of the day have happened."""


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its stdout as one JSON document."""
        return json.loads(self.out)

    @property
    def mistakes(self) -> list[str]:
        """The lines on stderr, without the program's name."""
        return [line.removeprefix("loyalty: ") for line in self.err.splitlines()]


Run = Callable[..., Answer]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("simulate", "--at", ...)`: a command in this process; no settings but those given by `environment`."""
    for name in [name for name in os.environ if name.startswith("LOYALTY_")]:
        monkeypatch.delenv(name)

    def run_(*arguments: str | Path, environment: dict[str, str] | None = None) -> Answer:
        result = CliRunner().invoke(app, [str(each) for each in arguments], env=environment, prog_name="loyalty")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run_


@dataclass(frozen=True)
class Shop:
    """A ledger with some of the day in it; `environment` are the settings to reach it."""

    dsn: str

    @property
    def environment(self) -> dict[str, str]:
        return {"LOYALTY_POSTGRES_DSN": self.dsn, "LOYALTY_ACCOUNT_KEY": KEY, "LOYALTY_KAFKA_BOOTSTRAP": "127.0.0.1:1"}

    def as_person(self, person: str) -> dict[str, str]:
        """The settings of a person who registers or approves terms."""
        return {**self.environment, "LOYALTY_POSTGRES_DSN": dsn_of(self.dsn, person)}

    def deliver(self, lines: Sequence[bytes], watermark: datetime | None = EVENING) -> None:
        """Deliver events in one batch as a worker does, then let the clock run up to the watermark (None: more is to be read)."""
        asyncio.run(self._deliver(lines, watermark))

    async def _deliver(self, lines: Sequence[bytes], watermark: datetime | None) -> None:
        async with await PostgresStore.open(self.dsn) as store:
            catalogue = Catalogue(await programs(store))
            pipeline = Pipeline(store, catalogue, PipelineOptions(KEY.encode()), epoch=0, now=lambda: EVENING)
            if watermark is not None:
                pipeline.know(watermark)
            records = tuple(Record(topic_of(line), 0, place, 0, None, line, ()) for place, line in enumerate(lines))
            await pipeline.process(Batch(records, ()))
            if watermark is not None:
                await settle(store, pipeline, watermark)

    def now(self) -> datetime:
        """The database's clock."""

        async def ask() -> datetime:
            async with await PostgresStore.open(self.dsn) as store:
                return (await store.state()).now

        return asyncio.run(ask())


def correct(run: Run, shop: Shop, file: Path) -> None:
    """Have what is dated back in a terms file proposed by one person and approved by another."""
    anna, ben = (shop.as_person(person) for person in PEOPLE)
    assert run("program", "apply", file, "--reason", "it should have said this", environment=anna).code == 0
    code = run("program", "validate", file, "-o", "json").json[0]["program"]
    history = run("program", "history", code, "-o", "json", environment=ben).json
    (proposed,) = [each["hash"] for each in history if each["state"] == "proposed"]
    assert run("program", "approve", code, proposed, environment=ben).code == 0


def _bring_up(dsn: str) -> None:
    list(bring_up(dsn, KEY.encode()))


def _bring_up_full(dsn: str) -> None:
    _bring_up(dsn)
    Shop(dsn).deliver(DAY.read_bytes().splitlines())


@pytest.fixture
def shop(postgres_servers: Servers) -> Iterator[Shop]:
    """A migrated ledger with the shipped programs registered, and nothing in it."""
    yield Shop(postgres_servers.copy_database(DEFAULT_VERSION, "shop", "shop_template", _bring_up))
    postgres_servers.drop_database(DEFAULT_VERSION, "shop")


@pytest.fixture
def full_shop(postgres_servers: Servers) -> Iterator[Shop]:
    """The same with the whole day delivered."""
    yield Shop(postgres_servers.copy_database(DEFAULT_VERSION, "full_shop", "full_shop_template", _bring_up_full))
    postgres_servers.drop_database(DEFAULT_VERSION, "full_shop")
