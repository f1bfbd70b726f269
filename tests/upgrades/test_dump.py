"""A database as an earlier release wrote it: brought up to date it says the same, and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from db.migrate import migrate
from tests.flows.comparison import StoredAccounts, same_as_simulated
from tests.flows.shop import Sent
from tests.flows.system import ACCOUNT_KEY, PROGRAMS
from tests.parts.topics import TOPIC_OF_ALL
from tests.stores.ends import settle
from tests.upgrades.release import releases, restore
from tests.upgrades.traffic import DUMPED_AT, afterwards, events, out_of_order
from worker.consume.batch import Batch
from worker.decode import Record
from worker.persist import PostgresStore
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.reading import statements
from worker.upkeep.verify import check

pytestmark = pytest.mark.both_postgres


async def _books(store: PostgresStore, catalogue: Catalogue) -> StoredAccounts:
    """What the ledger says, of which nothing may be wrong."""
    programs = {code: catalogue.program(code) for code in catalogue.codes}
    assert [violation async for violation in check(store, programs)] == []
    books = StoredAccounts(DUMPED_AT)
    async for dossier in store.dossiers():
        assert dossier.row is not None
        books.verdicts |= {(each.source, each.id): each for each in dossier.decisions}
        said = statements.read(dossier, programs[dossier.row.program], DUMPED_AT, "now")
        books.statements[dossier.row.program][dossier.row.member_id] = said
    return books


async def _deliver(pipeline: Pipeline, sent: Sequence[Sent]) -> None:
    for place in range(0, len(sent), 50):
        part = sent[place : place + 50]
        records = [
            Record(TOPIC_OF_ALL[each.type], 1, place + n, 0, None, each.value(), tuple(each.headers()))
            for n, each in enumerate(part)
        ]
        await pipeline.process(Batch(tuple(records), ()))


@pytest.mark.parametrize("release", releases())
async def test_a_ledger_of_an_earlier_release_says_the_same_and_goes_on(empty_database: str, release: str) -> None:
    restore(release, empty_database)
    async with await PostgresStore.open(empty_database) as store:
        missing = await store.missing_migrations()
        await asyncio.to_thread(migrate, empty_database)
        assert await store.missing_migrations() == []
        # Those of the earlier release: terms that were published stay in force.
        programs = await registry.programs(store)
        catalogue = Catalogue(programs)
        assert set(catalogue.codes) == set(PROGRAMS)
        before = await _books(store, catalogue)
        assert sum(len(each) for each in before.statements.values()) > 15
        same_as_simulated(before, events(), registered=programs)
        pipeline = Pipeline(store, catalogue, PipelineOptions(ACCOUNT_KEY.encode()), epoch=1, now=lambda: DUMPED_AT)
        await _deliver(pipeline, out_of_order(afterwards()))
        pipeline.know(DUMPED_AT)
        await settle(store, pipeline, DUMPED_AT)
        same_as_simulated(await _books(store, catalogue), [*events(), *afterwards()], registered=programs)
    sql = await asyncpg.connect(empty_database)
    try:
        applied = {row["version"] for row in await sql.fetch("SELECT version FROM schema_migrations")}
    finally:
        await sql.close()
    assert set(missing) <= applied


def test_the_first_dump_is_kept() -> None:
    assert "0.1.0-before-erasure" in releases()
