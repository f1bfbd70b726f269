"""Rows in a real Postgres that cannot be read: whose they are waits for an operator, everyone else goes on."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from tests.flows.system import ACCOUNT_KEY
from tests.parts.topics import TOPIC_OF_ALL
from tests.upgrades.traffic import DUMPED_AT, afterwards, fill
from worker.consume.batch import Batch
from worker.decide.state import FORMAT
from worker.decode import Record
from worker.persist import PostgresStore
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.upkeep import rebuild
from worker.upkeep.verify import check

END = DUMPED_AT + timedelta(days=20)
_BATCH = 60
_TOUCHED = """
    SELECT a.account_id FROM account a
    WHERE a.member_id = ANY($1) AND EXISTS (SELECT FROM lot WHERE lot.account_id = a.account_id)
    ORDER BY a.account_id
"""
_TORN = {
    "a head": ("UPDATE account SET head = $2 WHERE account_id = $1", json.dumps({"format": FORMAT, "last": 7}).encode()),
    "a lot": ("UPDATE lot SET doc = $2 WHERE account_id = $1", b"[7]"),
    "an item": ("UPDATE item SET doc = $2 WHERE account_id = $1", b"[7]"),
    "a fact": ("UPDATE fact SET type = $2 WHERE account_id = $1", "order.teleported"),
}
"""What a hand that should not have, a broken disk or a later release may have left."""


async def _tear(dsn: str, members: set[str]) -> dict[UUID, str]:
    """Make rows of four accounts unreadable that have news to come; returns which rows are whose."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("SET session_replication_role = replica")  # the triggers would refuse it
    accounts = [row["account_id"] for row in await connection.fetch(_TOUCHED, sorted(members))]
    torn = dict(zip(accounts, _TORN, strict=False))
    for account, what in torn.items():
        statement, value = _TORN[what]
        assert await connection.execute(statement, account, value) != "UPDATE 0"
    await connection.close()
    return torn


async def test_whose_rows_cannot_be_read_is_fenced_and_freed_if_the_facts_can_and_everyone_else_goes_on(database: str) -> None:
    await fill(database)
    news = afterwards()
    torn = await _tear(database, {each.member for each in news if each.member is not None})
    assert set(torn.values()) == set(_TORN)
    async with await PostgresStore.open(database) as store:
        catalogue = Catalogue(await registry.programs(store))
        programs = {code: catalogue.program(code) for code in catalogue.codes}
        pipeline = Pipeline(store, catalogue, PipelineOptions(ACCOUNT_KEY.encode()), epoch=1, now=lambda: END)
        found = {(each.account_id, each.detail.rpartition(":")[0]) async for each in check(store, programs)}
        assert {(account, f"there is {what} that cannot be read") for account, what in torn.items()} <= found
        assert {account for account, _ in found} == set(torn)
        for start in range(0, len(news), _BATCH):
            part = news[start : start + _BATCH]
            records = [
                Record(TOPIC_OF_ALL[each.type], 1, start + n, 0, None, each.value(), tuple(each.headers()))
                for n, each in enumerate(part)
            ]
            await pipeline.process(Batch(tuple(records), ()))
        fenced = {each.account_id: each.fenced async for each in _rows(store) if each.fenced is not None}
        assert set(fenced) <= set(torn)
        assert len(fenced) >= 3
        assert all(f"there is {torn[account]} that cannot be read" in why for account, why in fenced.items())

        async def these() -> Any:
            for account in torn:
                yield account

        freed = {each.account_id: each.defect async for each in rebuild.rebuild(store, catalogue, these(), END, 1)}
        left = {torn[account]: why for account, why in freed.items() if why is not None}
        assert left == {"a fact": "its facts are not those that were committed (`loyalty ledger verify` tells which)"}
        wrong = {each.account_id async for each in check(store, programs)}
        assert {torn[account] for account in wrong if account is not None} == {"a fact"}


async def _rows(store: PostgresStore) -> Any:
    async for dossier in store.dossiers():
        assert dossier.row is not None
        yield dossier.row
