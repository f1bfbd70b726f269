"""Migrations, the checked-in schema, and who may do what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import db
from db.migrate import MigrationError, applied, migrate, migrations, schema_version
from tests.stores.catalog import catalog
from tests.stores.examples import T0, earned
from tests.stores.test_accounts import post
from worker.persist import PostgresStore, TermsConflictError, TermsRightError, WrongKeyError
from worker.persist.queries import load_queries

pytestmark = pytest.mark.both_postgres
SCHEMA = Path(db.__file__).parent / "schema.sql"
FOREVER = ("fact", "decision", "entry", "program_terms")


@pytest.fixture
async def owner(database: str) -> AsyncIterator[Any]:
    """A connection with all rights."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def worker(database: str) -> AsyncIterator[Any]:
    """A connection with the rights of the worker."""
    connection = await asyncpg.connect(database, server_settings={"role": "loyalty_worker"})
    yield connection
    await connection.close()


async def test_the_checked_in_schema_is_what_the_migrations_make(owner: Any, empty_database: str) -> None:
    other = await asyncpg.connect(empty_database)
    try:
        await other.execute(SCHEMA.read_text())
        from_schema = await catalog(other)
    finally:
        await other.close()
    from_migrations = await catalog(owner)
    assert from_schema == from_migrations
    assert len(from_schema["columns"]) > 100


async def test_migrating_twice_and_at_once_is_the_same_as_once(empty_database: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(migrate, empty_database) for _ in range(3)))
    connection = await asyncpg.connect(empty_database)
    try:
        assert await applied(connection) == set(migrations())
    finally:
        await connection.close()


async def test_a_database_that_was_never_migrated_says_what_it_lacks(empty_database: str) -> None:
    async with await PostgresStore.open(empty_database) as store:
        assert schema_version() in await store.missing_migrations()
        await asyncio.to_thread(migrate, empty_database, only_before=True)
        assert await store.missing_migrations() == []


def test_migrations_say_when_they_may_run() -> None:
    assert {path.name.split("_")[1] for path in migrations().values()} <= {"before", "after"}


def test_a_database_that_cannot_be_entered_is_said(empty_database: str) -> None:
    with pytest.raises(MigrationError, match='role "stranger" does not exist'):
        migrate(empty_database.replace("postgres@", "stranger@"))


async def test_the_worker_cannot_change_what_is_for_ever(
    worker_store: PostgresStore, terms_store: PostgresStore, worker: Any, owner: Any
) -> None:
    await post(worker_store, earned("M1", 1))
    await terms_store.register_terms("scolar", b"h", T0.date(), b"{}")
    for table in FOREVER:
        for attempt in (f"UPDATE {table} SET account_id = account_id", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            statement = attempt.replace("account_id", "program") if table == "program_terms" else attempt
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                await worker.execute(statement)
            # Not even whoever owns the tables, by mistake.
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await owner.execute(statement)
        assert await owner.fetchval(f"SELECT count(*) FROM {table}") == 1


@pytest.mark.parametrize("table", ["account", "dead_letter", "position", "order_route", "watermark", "ledger_state"])
async def test_the_worker_cannot_remove_what_only_moves_on(worker: Any, table: str) -> None:
    for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await worker.execute(statement)


async def test_the_reader_reads_everything_and_writes_nothing(database: str, owner: Any) -> None:
    tables = [row["tablename"] for row in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    reader = await asyncpg.connect(database, server_settings={"role": "loyalty_reader"})
    try:
        for table in tables:
            await reader.fetch(f"SELECT * FROM {table}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await reader.execute(f"DELETE FROM {table}")
    finally:
        await reader.close()


async def test_every_table_of_accounts_begins_its_key_with_the_account(owner: Any) -> None:
    keys = await owner.fetch("""
        SELECT c.conrelid::regclass::text AS name, a.attname AS first
        FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'p' AND EXISTS (
            SELECT FROM pg_attribute b WHERE b.attrelid = c.conrelid AND b.attname = 'account_id')""")
    every = {"account", "fact", "decision", "entry", "lot", "item", "step", "outbox", "erasure", "announced"}
    assert {row["name"] for row in keys} == every
    assert {row["first"] for row in keys} == {"account_id"}


async def test_the_worker_only_reads_terms(worker_store: PostgresStore, worker: Any) -> None:
    with pytest.raises(TermsRightError):
        await worker_store.register_terms("scolar", b"h", T0.date(), b"{}")
    insert = "INSERT INTO program_terms (program, hash, effective_from, body) VALUES ('scolar', 'h', '2026-01-01', '{}')"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await worker.execute(insert)
    assert await worker_store.terms() == []


async def test_whoever_registers_terms_writes_nothing_else(database: str, owner: Any) -> None:
    tables = [row["tablename"] for row in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    connection = await asyncpg.connect(database, server_settings={"role": "loyalty_terms"})
    try:
        written = [
            table
            for table in tables
            for right in ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
            if await connection.fetchval("SELECT has_table_privilege($1, $2)", table, right)
        ]
    finally:
        await connection.close()
    assert written == ["program_terms"]


async def test_terms_are_registered_for_ever_under_their_hash(terms_store: PostgresStore) -> None:
    assert await terms_store.register_terms("scolar", b"2", T0.date().replace(year=2027), b"new")
    assert await terms_store.register_terms("scolar", b"1", T0.date(), b"old")
    assert not await terms_store.register_terms("scolar", b"1", T0.date(), b"old")
    with pytest.raises(TermsConflictError):
        await terms_store.register_terms("scolar", b"1", T0.date(), b"other")
    assert [(terms.hash, terms.body) for terms in await terms_store.terms()] == [(b"1", b"old"), (b"2", b"new")]


async def test_a_ledger_is_bound_to_the_key_of_its_account_ids(worker_store: PostgresStore) -> None:
    await worker_store.settle_key(b"check")
    await worker_store.settle_key(b"check")
    with pytest.raises(WrongKeyError):
        await worker_store.settle_key(b"other")
    assert (await worker_store.state()).epoch == 1


def test_two_statements_cannot_have_one_name() -> None:
    assert load_queries("-- name: a\nSELECT 1;\n\n-- about b\n-- name: b\nSELECT 2\n") == {"a": "SELECT 1", "b": "SELECT 2"}
    with pytest.raises(ValueError, match="named a"):
        load_queries("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;")
