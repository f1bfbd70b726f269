"""Rows of another form in a real Postgres: not read, folded anew when they are touched, and verified meanwhile."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from tests.flows.system import ACCOUNT_KEY
from tests.parts.postgres import Servers
from tests.parts.topics import TOPIC_OF_ALL
from tests.stores.ends import settle
from tests.upgrades.traffic import DUMPED_AT, afterwards, fill
from worker.consume.batch import Batch
from worker.decide.state import FORMAT
from worker.decode import Record
from worker.local.sql import execute
from worker.persist import SHARDS, PostgresStore
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.reading import statements
from worker.runtime.sampling import Sampler, SamplerOptions
from worker.upkeep.verify import check

END = DUMPED_AT + timedelta(days=20)
_BATCH = 60
_VERSIONS = {"version": 0}


@pytest.fixture
async def twins(database: str, postgres_servers: Servers, postgres_version: int) -> AsyncIterator[tuple[str, str]]:
    """Two ledgers with the same in them; the first one's rows are of a form that this release cannot read."""
    control = postgres_servers.create_database(postgres_version, "old_form_control")
    for dsn in (database, control):
        await fill(dsn)
    connection = await asyncpg.connect(database)
    for row in await connection.fetch("SELECT account_id, head FROM account"):
        head = {**json.loads(row["head"]), "format": FORMAT + 1, "enrolled_at": "of another form"}
        await connection.execute(
            "UPDATE account SET head = $2 WHERE account_id = $1", row["account_id"], json.dumps(head).encode()
        )
    for row in await connection.fetch("SELECT account_id, origin, part, doc FROM lot"):
        doc = json.dumps({**json.loads(row["doc"]), "granted_at": "of another form"}).encode()
        await connection.execute("UPDATE lot SET doc = $4 WHERE (account_id, origin, part) = ($1, $2, $3)", *tuple(row)[:3], doc)
    for table, column in (("item", "doc"), ("step", "before")):
        assert await connection.execute(f"UPDATE {table} SET {column} = '[7]'") != "UPDATE 0"
    await connection.close()
    yield database, control
    execute(database, "DROP DATABASE old_form_control WITH (FORCE)")


async def _goes_on(dsn: str) -> dict[tuple[str, str], Any]:
    """What comes afterwards, with the clock; returns every statement of a ledger that is sound before and after."""
    async with await PostgresStore.open(dsn) as store:
        catalogue = Catalogue(await registry.programs(store))
        programs = {code: catalogue.program(code) for code in catalogue.codes}
        pipeline = Pipeline(store, catalogue, PipelineOptions(ACCOUNT_KEY.encode()), epoch=1, now=lambda: END)
        assert [each async for each in check(store, programs)] == []
        sampler = Sampler(store, catalogue, pipeline.fence, SamplerOptions(), shards=lambda: range(SHARDS))
        assert [*await sampler.turn(1_000), *await sampler.turn(1_000)] == []
        news = afterwards()
        for start in range(0, len(news), _BATCH):
            part = news[start : start + _BATCH]
            records = [
                Record(TOPIC_OF_ALL[each.type], 1, start + n, 0, None, each.value(), tuple(each.headers()))
                for n, each in enumerate(part)
            ]
            await pipeline.process(Batch(tuple(records), ()))
        pipeline.know(END)
        await settle(store, pipeline, END)
        assert [each async for each in check(store, programs)] == []
        found: dict[tuple[str, str], Any] = {}
        async for dossier in store.dossiers():
            row = dossier.row
            assert row is not None
            told = statements.read(dossier, programs[row.program], END)
            found[row.program, row.member_id] = (told.model_copy(update=_VERSIONS), row.head.format, row.fenced)
        return found


async def test_a_ledger_of_another_form_goes_on_as_one_of_this_form_does(twins: tuple[str, str]) -> None:
    other, control = [await _goes_on(dsn) for dsn in twins]
    forms = {name: each[1] for name, each in other.items()}
    assert sum(form == FORMAT for form in forms.values()) > len(forms) / 2
    for name, (told, _, fenced) in control.items():
        assert (other[name][0], other[name][2]) == (told, fenced), name
