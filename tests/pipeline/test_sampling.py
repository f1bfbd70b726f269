"""Beside the work, accounts are looked at; one that is not what its facts say is set aside, and the others go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.flows.system import ACCOUNT_KEY
from tests.parts.terms import correct
from tests.parts.topics import TOPIC_OF_ALL
from tests.upgrades.traffic import DUMPED_AT, events, fill
from worker import metrics
from worker.consume.batch import Batch
from worker.decode import Record
from worker.persist import SHARDS, PostgresStore, Violation, account_id, shard_of
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.programs.terms_file import read, shipped, versions
from worker.runtime.sampling import Sampler, SamplerOptions
from worker.runtime.sweeper import Sweeper
from worker.upkeep.rebuild import rebuild
from worker.upkeep.verify import ENTRIES, REFOLD


@dataclass
class Ledger:
    """A ledger with the traffic of the dump in it, and a worker's parts on it."""

    store: PostgresStore
    pipeline: Pipeline
    catalogue: Catalogue
    sql: Any

    def sampler(self, shards: range = range(SHARDS), fences: int = 10) -> Sampler:
        options = SamplerOptions(accounts_per_minute=60, fences_per_hour_max=fences)
        return Sampler(self.store, self.catalogue, self.pipeline.fence, options, shards=lambda: shards)


@pytest.fixture
async def ledger(database: str) -> AsyncIterator[Ledger]:
    await fill(database)
    sql = await asyncpg.connect(database)
    async with await PostgresStore.open(database) as store:
        catalogue = Catalogue(await registry.programs(store))
        pipeline = Pipeline(store, catalogue, PipelineOptions(ACCOUNT_KEY.encode()), epoch=1, now=lambda: DUMPED_AT)
        yield Ledger(store, pipeline, catalogue, sql)
    await sql.close()


async def _round(sampler: Sampler) -> list[Violation]:
    """What is found until every account was looked at; it begins anywhere."""
    return [violation for _ in range(2) for violation in await sampler.turn(1_000)]


def _looked_at() -> float:
    return metrics.REGISTRY.get_sample_value("loyalty_verify_accounts_total") or 0


async def test_every_account_of_its_shards_is_looked_at_in_turn(ledger: Ledger) -> None:
    ids = [row["account_id"] for row in await ledger.sql.fetch("SELECT account_id FROM account")]
    for shards in (range(SHARDS), range(20, 41)):
        sampler = ledger.sampler(shards)
        mine = {account for account in ids if shard_of(account) in shards}
        seen = [account for _ in range(2 * len(ids)) for account in await sampler._next(1)]
        assert len(mine) > 3
        assert set(seen) == mine
        assert seen[: len(mine)] == seen[len(mine) : 2 * len(mine)]  # round and round, none left out
    before = _looked_at()
    assert not await ledger.sampler().turn(len(ids))
    assert 0 < _looked_at() - before <= len(ids)


async def test_an_account_that_is_wrong_is_set_aside_and_the_others_go_on(ledger: Ledger) -> None:
    sent = events()
    enrolled = [event for event in sent if event.type == "member.enrolled"]
    wrong, right = enrolled[0], enrolled[1]
    ids = {event.id: account_id(ACCOUNT_KEY.encode(), event.program or "", event.member or "") for event in (wrong, right)}
    await ledger.sql.execute("UPDATE account SET available = available + 7 WHERE account_id = $1", ids[wrong.id])
    found = metrics.REGISTRY.get_sample_value("loyalty_verify_findings_total", {"invariant": "balances_are_sums_of_lots"}) or 0
    sampler = ledger.sampler()
    for _ in range(3):
        await sampler.turn(1_000)
    again = metrics.REGISTRY.get_sample_value("loyalty_verify_findings_total", {"invariant": "balances_are_sums_of_lots"})
    assert again == found + 1  # set aside once, then it waits
    rows = await ledger.sql.fetch("SELECT account_id, fenced FROM account WHERE fenced IS NOT NULL")
    assert [(row["account_id"], row["fenced"][:13]) for row in rows] == [(ids[wrong.id], "found wrong: ")]
    await Sweeper(ledger.store, ledger.pipeline, ledger.catalogue).turn()
    assert metrics.REGISTRY.get_sample_value("loyalty_accounts_fenced_now") == 1
    versions = dict(await ledger.sql.fetch("SELECT account_id, version FROM account"))
    news = [
        replace(each, type="points.adjusted", id=f"new-{each.id}", time=DUMPED_AT - timedelta(hours=1)) for each in (wrong, right)
    ]
    news = [replace(each, data={"member_id": each.member, "points": 5, "reason": "sorry"}) for each in news]
    records = [Record(TOPIC_OF_ALL[each.type], 0, n, 0, None, each.value(), tuple(each.headers())) for n, each in enumerate(news)]
    await ledger.pipeline.process(Batch(tuple(records), ()))
    after = dict(await ledger.sql.fetch("SELECT account_id, version FROM account"))
    assert after[ids[right.id]] > versions[ids[right.id]]
    assert after[ids[wrong.id]] == versions[ids[wrong.id]]
    kept = await ledger.sql.fetchval("SELECT count(*) FROM fact WHERE account_id = $1 AND id LIKE 'new-%'", ids[wrong.id])
    assert kept == 1


async def test_if_everyone_is_wrong_only_a_few_are_set_aside(ledger: Ledger) -> None:
    await ledger.sql.execute("UPDATE account SET available = available + 7")
    count = await ledger.sql.fetchval("SELECT count(*) FROM account")
    sampler = ledger.sampler(fences=2)
    found = [violation for _ in range(3) for violation in await sampler.turn(1_000)]
    assert len({violation.account_id for violation in found}) == count
    assert await ledger.sql.fetchval("SELECT count(*) FROM account WHERE fenced IS NOT NULL") == 2


async def test_an_account_that_was_mended_meanwhile_is_not_set_aside(ledger: Ledger) -> None:
    wrong = await ledger.sql.fetchval("SELECT account_id FROM account WHERE available > 0 ORDER BY account_id LIMIT 1")
    await ledger.sql.execute("UPDATE account SET available = available + 7 WHERE account_id = $1", wrong)

    async def one() -> AsyncIterator[UUID]:
        yield wrong

    async def fence(account: UUID, why: str, revision: int) -> bool:
        (rebuilt,) = [each async for each in rebuild(ledger.store, ledger.catalogue, one(), DUMPED_AT, 1)]
        assert (account, rebuilt.defect) == (wrong, None)
        return await ledger.pipeline.fence(account, why, revision)

    options = SamplerOptions(accounts_per_minute=60, fences_per_hour_max=10)
    sampler = Sampler(ledger.store, ledger.catalogue, fence, options, shards=lambda: range(SHARDS))
    assert {violation.account_id for violation in await _round(sampler)} == {wrong}
    assert await ledger.sql.fetchval("SELECT count(*) FROM account WHERE fenced IS NOT NULL") == 0
    assert not await _round(ledger.sampler())


async def test_terms_that_are_corrected_set_nobody_aside(ledger: Ledger, database: str) -> None:
    code = "lenovo-pro"
    text = shipped()[code].read_text(encoding="utf-8").replace('- rate: "0.01"', '- rate: "0.02"')
    await correct(database, versions(read(text, code), code))
    ledger.catalogue.replace(await registry.programs(ledger.store))
    found = await _round(ledger.sampler())
    assert {violation.invariant for violation in found} == {REFOLD, ENTRIES}
    assert len({violation.account_id for violation in found}) > 3
    assert await ledger.sql.fetchval("SELECT count(*) FROM account WHERE fenced IS NOT NULL") == 0
    # What no terms can make right is set aside all the same.
    wrong = next(violation.account_id for violation in found)
    await ledger.sql.execute("UPDATE account SET available = available + 7 WHERE account_id = $1", wrong)
    await _round(ledger.sampler())
    assert [row["account_id"] for row in await ledger.sql.fetch("SELECT account_id FROM account WHERE fenced <> ''")] == [wrong]
