"""A ledger that is spread over a Citus cluster is forgotten in, verified, rebuilt, and built anew.

Collected only where LOYALTY_TEST_CITUS names a cluster: `host:port` of the coordinator and of the other nodes, with commas, each
a Postgres with Citus preloaded that lets `postgres` in, and in between the nodes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from db.migrate import migrate
from tests.erasure.conftest import DAY, SECRETS, T0, Ledger, erasure, life, sent
from tests.erasure.scan import places_of
from tests.flows.system import ACCOUNT_KEY
from tests.upgrades.traffic import DUMPED_AT, fill
from worker.decide.state import Decision
from worker.local.sql import execute
from worker.persist import PostgresStore, StoreOptions
from worker.persist.transfer import Transfer
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.runtime.erasing import Eraser
from worker.upkeep.rebuild import rebuild
from worker.upkeep.rebuild_into import rebuild_into

NODES = os.environ["LOYALTY_TEST_CITUS"].split(",")
WORKER = "citus_test_worker"
ERASER = "citus_test_eraser"
END = T0 + 40 * DAY
OPTIONS = StoreOptions(planned_once=False)


def _dsn(node: str, name: str, user: str = "postgres") -> str:
    return f"postgresql://{user}@{node}/{name}?sslmode=disable"


def _drop(name: str) -> None:
    for node in NODES:
        execute(_dsn(node, "postgres"), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _make(name: str) -> None:
    """A migrated and empty ledger, spread over the nodes, as `db/citus.sql` says."""
    _drop(name)
    for node in NODES:
        execute(_dsn(node, "postgres"), f"CREATE DATABASE {name}")
        execute(_dsn(node, name), "CREATE EXTENSION citus")
    places = [tuple(node.split(":")) for node in NODES]
    (host, port), *others = places
    added = [f"SELECT citus_add_node('{host}', {port})" for host, port in others]
    execute(_dsn(NODES[0], name), f"SELECT citus_set_coordinator_host('{host}', {port})", *added)
    migrate(_dsn(NODES[0], name))
    execute(_dsn(NODES[0], name), (Path(__file__).parents[2] / "db" / "citus.sql").read_text(encoding="utf-8"))
    migrate(_dsn(NODES[0], name))
    for login, role in ((WORKER, "loyalty_worker"), (ERASER, "loyalty_eraser")):
        wanted = f"IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{login}')"
        execute(_dsn(NODES[0], name), f"DO $$ BEGIN {wanted} THEN CREATE ROLE {login} LOGIN IN ROLE {role}; END IF; END $$")


@pytest.fixture
def cluster() -> Iterator[str]:
    """Name of a ledger on the cluster."""
    _make("citus_ledger")
    yield "citus_ledger"
    _drop("citus_ledger")


@pytest.fixture
def another() -> Iterator[str]:
    """Name of one more."""
    _make("citus_other")
    yield "citus_other"
    _drop("citus_other")


async def _all(accounts: Sequence[UUID]) -> AsyncIterator[UUID]:
    for account in accounts:
        yield account


def test_a_person_is_forgotten_and_the_ledger_is_what_its_facts_say(cluster: str, another: str) -> None:
    asyncio.run(_forgotten(cluster, another))


async def _forgotten(cluster: str, another: str) -> None:
    await fill(_dsn(NODES[0], cluster), OPTIONS)
    sql = await asyncpg.connect(_dsn(NODES[0], cluster))
    async with (
        await PostgresStore.open(_dsn(NODES[0], cluster, WORKER), OPTIONS) as store,
        await PostgresStore.open(_dsn(NODES[0], cluster, ERASER), OPTIONS) as erasing,
    ):
        catalogue = Catalogue(await registry.programs(store))
        epoch = (await store.state()).epoch
        pipeline, eraser = (
            Pipeline(each, catalogue, PipelineOptions(ACCOUNT_KEY.encode()), epoch, now=lambda: DUMPED_AT + 100 * DAY)
            for each in (store, erasing)
        )
        ledger = Ledger(_dsn(NODES[0], cluster), store, pipeline, catalogue, sql)
        await ledger.deliver([*life(), erasure()])
        await ledger.clock(END)
        eraser.know(END)
        await ledger.publish()
        sums = await ledger.sums()
        assert await ledger.erase() == 0
        assert await Eraser(erasing, eraser.erase, 0).turn() == 1
        assert await ledger.sums() == sums
        assert {secret: await places_of(sql, secret) for secret in SECRETS} == {secret: {} for secret in SECRETS}
        accounts = [account for account, _ in await store.written(UUID(int=0), None, 1_000)]
        assert [
            each.defect for each in [e async for e in rebuild(store, catalogue, _all(accounts), END, epoch)] if each.defect
        ] == []
        assert await ledger.deliver([sent("return.received", 36, order_id="C1", lines="all")]) == {"applied": 1}
        assert await ledger.findings() == []
        assert await store.announce([(accounts[0], Decision("/shop", "never-seen", "accepted", 5))]) == 1
        async with await PostgresStore.open(_dsn(NODES[0], another), OPTIONS) as target:
            transfer = Transfer(store, target, "test")
            assert await transfer.begin() == len(accounts)
            parts = [part async for part in rebuild_into(transfer, catalogue, (await target.state()).epoch)]
        assert [difference for part in parts for difference in part.differences] == []
    await sql.close()
