"""On a cluster whoever erases may remove facts, so no worker does: what `roles.sql` grants there, on plain Postgres.

The database only believes that it has Citus; what Citus itself does to the statements is shown by `tests/stores/test_citus.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from db.migrate import migrate
from tests.cli.conftest import Run, run
from tests.cli.test_doctor import results
from tests.erasure.conftest import DAY, PERSON, T0, Ledger, erasure, life, pipeline
from tests.flows.system import ACCOUNT_KEY
from worker.local.sql import execute
from worker.persist import PostgresStore, StoreOptions

__all__ = ["run"]

NOBODY = "127.0.0.1:1"
CITUS = """
    INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    SELECT 4242, 'citus', oid, 'public'::regnamespace, false, '1' FROM pg_roles WHERE rolname = 'postgres'
"""
REMOVE = ("DELETE FROM fact WHERE account_id = $1", "DELETE FROM entry WHERE account_id = $1")
NOT_ASKED = "SELECT account_id FROM account WHERE account_id NOT IN (SELECT account_id FROM erasure) LIMIT 1"


@pytest.fixture
async def clustered(ledger: Ledger) -> AsyncIterator[Ledger]:
    """The ledger with the rights of a cluster."""
    execute(ledger.dsn, "SET allow_system_table_mods = on", CITUS)
    await asyncio.to_thread(migrate, ledger.dsn)
    yield ledger
    execute(ledger.dsn, "SET allow_system_table_mods = on", "DELETE FROM pg_extension WHERE extname = 'citus'")


async def _as(ledger: Ledger, role: str) -> Any:
    return await asyncpg.connect(ledger.dsn, server_settings={"role": role})


async def test_a_workers_login_removes_nothing_though_it_makes_the_setting(clustered: Ledger) -> None:
    """The attack: anybody may make the setting that the triggers ask for. Whoever has the right to remove succeeds."""
    account = await clustered.sql.fetchval(NOT_ASKED)
    for role, succeeds in (("loyalty_worker", False), ("loyalty_eraser", True)):
        connection = await _as(clustered, role)
        try:
            for statement in REMOVE:
                transaction = connection.transaction()
                await transaction.start()
                await connection.execute(f"SET LOCAL loyalty.erasing = '{account}'")
                if succeeds:
                    assert await connection.execute(statement, account) != "DELETE 0"
                else:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                        await connection.execute(statement, account)
                await transaction.rollback()
        finally:
            await connection.close()


async def test_workers_leave_erasing_to_the_login_that_may(clustered: Ledger) -> None:
    await clustered.deliver([*life(), erasure()])
    await clustered.clock(T0 + 40 * DAY)
    await clustered.publish()
    assert await clustered.erase() == 0
    sums = await clustered.sums()
    async with await PostgresStore.open(clustered.dsn, StoreOptions(role="loyalty_eraser")) as store:
        assert await store.may_erase()
        eraser = Ledger(clustered.dsn, store, pipeline(store, clustered.catalogue), clustered.catalogue, clustered.sql)
        assert await eraser.erase() == 1
    assert await clustered.nameless()
    assert await clustered.sums() == sums
    assert await clustered.findings() == []
    assert await clustered.sql.fetch("SELECT FROM account WHERE member_id = $1", PERSON) == []


async def test_the_command_erases_where_its_login_may(clustered: Ledger, run: Run) -> None:
    await clustered.deliver([*life(), erasure()])
    await clustered.clock(T0 + 40 * DAY)
    await clustered.publish()
    settings = {"LOYALTY_POSTGRES_DSN": clustered.dsn, "LOYALTY_ACCOUNT_KEY": ACCOUNT_KEY, "LOYALTY_KAFKA_BOOTSTRAP": NOBODY}

    async def erased_by(role: str) -> tuple[int, list[str]]:
        answer = await asyncio.to_thread(run, "ledger", "erase", environment={**settings, "LOYALTY_POSTGRES_ROLE": role})
        return answer.code, answer.mistakes

    async def told_by_doctor() -> str:
        return results(await asyncio.to_thread(run, "doctor", "-o", "json", environment=settings))["erasures"][0]

    assert await told_by_doctor() == "warn"
    assert await erased_by("loyalty_worker") == (2, ["this login may not erase: log in as one in loyalty_eraser (db/roles.sql)"])
    assert await erased_by("loyalty_eraser") == (0, ["1 person was forgotten"])
    assert await erased_by("loyalty_eraser") == (0, ["0 people were forgotten"])
    assert await told_by_doctor() == "ok"
