"""The large ledgers that the bench measures on are made right: copies take events, and what should be due is due."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain

import asyncpg
import pytest

from tests.bench.filling import copy_accounts, more_entries, originals
from tests.bench.month_end import KINDS, Kind, first_of_month, folded, months_before
from tests.bench.stack import batches, pipeline
from tests.bench.workload import PROGRAMS, Workload, member_name, records
from tests.parts.terms import FOR_A_TEST
from worker.persist.identity import SHARDS
from worker.persist.postgres import PostgresStore
from worker.programs import registry
from worker.programs.terms_file import read, shipped, versions

END = datetime(2025, 6, 1, tzinfo=UTC)
MEMBERS = len(PROGRAMS)
INSTANT = datetime.fromisoformat("2026-11-01T00:00:00+09:00")


async def _register(dsn: str) -> None:
    async with await PostgresStore.open(dsn) as store:
        for code in PROGRAMS:
            path = shipped()[code]
            await registry.register(store, versions(read(path.read_text(encoding="utf-8"), path.name), path.name), FOR_A_TEST)


async def _fill(dsn: str, copies: int) -> None:
    """So many copies of members with some traffic."""
    await _register(dsn)
    workload = Workload(1, MEMBERS, 200, END, series="past")
    async with await PostgresStore.open(dsn) as store, pipeline(store) as run:
        for batch in batches(records(chain(workload.joining(), workload.traffic()))):
            assert not (await run.process(batch)).outcomes["dead_letter"]
    connection = await asyncpg.connect(dsn)
    try:
        found = await originals(connection, [member_name(number) for number in range(MEMBERS)])
        await copy_accounts(dsn, found, range(MEMBERS, MEMBERS + copies))
    finally:
        await connection.close()


async def test_copies_take_events_of_their_members(database: str) -> None:
    await _fill(database, 10)
    after = Workload(2, MEMBERS + 10, 1, datetime(2025, 6, 2, tzinfo=UTC), series="after")
    orders = [after.one_order(number, after.start) for number in range(MEMBERS + 10)]
    async with await PostgresStore.open(database) as store, pipeline(store) as run:
        (batch,) = batches(records(iter(orders), 1))
        done = await run.process(batch)
    assert done.outcomes["applied"] == len(orders)
    assert not done.outcomes["dead_letter"]
    connection = await asyncpg.connect(database)
    try:
        accounts = await connection.fetch("SELECT program, member_id, version FROM account WHERE fenced IS NULL")
    finally:
        await connection.close()
    assert len(accounts) == MEMBERS + 10  # nobody got a second account, so the copies have the ids of their members
    assert {row["program"] for row in accounts} == set(PROGRAMS)


async def test_entries_are_multiplied(database: str) -> None:
    await _fill(database, 3)
    connection = await asyncpg.connect(database)
    try:
        there = await connection.fetchval("SELECT count(*) FROM entry")
        assert await more_entries(connection, 7 * there) == 7 * there
        assert await connection.fetchval("SELECT count(*) FROM entry") == 7 * there
    finally:
        await connection.close()


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
async def test_everyone_is_due_at_the_month_end_and_done_after_it(kind: Kind, database: str) -> None:
    await _register(database)
    await folded(database, kind, INSTANT, MEMBERS)
    async with await PostgresStore.open(database) as store, pipeline(store) as run:
        due = await store.due(range(SHARDS), INSTANT, 100)
        assert {each.due_at for each in due} == {INSTANT}
        assert await run.run_due([each.account_id for each in due], INSTANT) == MEMBERS
        assert await store.due(range(SHARDS), INSTANT, 100) == []


def test_a_month_begins_in_the_zone_of_the_program() -> None:
    assert first_of_month(datetime(2026, 10, 31, 15, 0, tzinfo=UTC)) == INSTANT
    assert first_of_month(datetime(2026, 10, 31, 14, 59, tzinfo=UTC)) == datetime.fromisoformat("2026-10-01T00:00:00+09:00")


def test_months_are_counted_over_the_turn_of_the_year() -> None:
    assert months_before(INSTANT, 12) == datetime.fromisoformat("2025-11-01T00:00:00+09:00")
    assert months_before(datetime.fromisoformat("2026-01-01T00:00:00+09:00"), 6) == datetime.fromisoformat(
        "2025-07-01T00:00:00+09:00"
    )
