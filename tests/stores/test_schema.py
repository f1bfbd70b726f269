"""Migrations, the checked-in schema, and who may do what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import db
from db.migrate import MigrationError, applied, migrate, migrations, schema_version
from tests.parts.terms import PEOPLE, dsn_of
from tests.stores.catalog import catalog
from tests.stores.examples import earned
from tests.stores.test_accounts import post
from worker.persist import ConstraintError, PostgresStore, RefusedError, SameLoginError, TermsRightError, WrongKeyError
from worker.persist.queries import load_queries

pytestmark = pytest.mark.both_postgres
SCHEMA = Path(db.__file__).parent / "schema.sql"
FOREVER = ("fact", "decision", "entry", "program_terms", "terms_approval", "chain_begun")
BEGUN, LATER, AHEAD = "2024-01-01T00:00:00+09:00", "2024-06-01T00:00:00+09:00", "2199-01-01T00:00:00+09:00"
ORIGIN = (b"d" * 32, "for a test")


def terms(program: str, begins: str, **values: object) -> bytes:
    """The body of a version, as far as the database looks at it."""
    return json.dumps({"program": program, "effective_from": begins, **values}).encode()


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


@asynccontextmanager
async def _connected(database: str, person: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(dsn_of(database, person))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _people(database: str) -> AsyncIterator[tuple[PostgresStore, PostgresStore]]:
    """The stores of two people who answer for terms."""
    anna, ben = (dsn_of(database, person) for person in PEOPLE)
    async with await PostgresStore.open(anna) as first, await PostgresStore.open(ben) as second:
        yield first, second


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
    database: str, worker_store: PostgresStore, terms_store: PostgresStore, worker: Any, owner: Any
) -> None:
    await post(worker_store, earned("M1", 1))
    await terms_store.register_terms(terms("scolar", BEGUN), *ORIGIN)
    anna, ben = (dsn_of(database, person) for person in PEOPLE)
    async with await PostgresStore.open(anna) as proposing, await PostgresStore.open(ben) as approving:
        await proposing.register_terms(terms("scolar", LATER), *ORIGIN)
        await approving.approve_terms((await approving.terms())[-1])
    await worker.execute(
        "INSERT INTO chain_begun (account_id, number, length, head, length_before, head_before, accepted, reason) "
        "SELECT account_id, 1, 1, '', 1, '', '', 'for a test' FROM account"
    )
    counts = {"program_terms": 2}
    for table in FOREVER:
        for attempt in (f"UPDATE {table} SET account_id = account_id", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            statement = attempt.replace("account_id", "program") if table in ("program_terms", "terms_approval") else attempt
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                await worker.execute(statement)
            # Not even whoever owns the tables, by mistake.
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await owner.execute(statement + (" CASCADE" if statement.startswith("TRUNCATE") else ""))
        assert await owner.fetchval(f"SELECT count(*) FROM {table}") == counts.get(table, 1)


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
    every = {"account", "fact", "decision", "entry", "lot", "item", "step", "outbox", "erasure", "announced", "chain_begun"}
    every |= {"held_command", "command_verdict"}
    assert {row["name"] for row in keys} == every
    assert {row["first"] for row in keys} == {"account_id"}


async def test_the_worker_only_reads_terms(worker_store: PostgresStore, worker: Any) -> None:
    with pytest.raises(TermsRightError):
        await worker_store.register_terms(terms("scolar", BEGUN), *ORIGIN)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await worker.execute("INSERT INTO program_terms (body, file_digest, reason) VALUES ('{}', '', '')")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await worker.execute("INSERT INTO terms_approval (program, hash, applied_at, applied_by) VALUES ('', '', now(), '')")
    assert await worker_store.terms() == []


async def test_whoever_registers_terms_writes_nothing_else_and_says_nothing_that_is_the_databases_word(database: str) -> None:
    async with _connected(database, "anna") as anna:
        written = await anna.fetch("""
            SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT a.attisdropped
                AND has_column_privilege(c.oid, a.attnum, 'INSERT, UPDATE')""")
        removing = await anna.fetch("""
            SELECT relname FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND has_table_privilege(oid, 'DELETE, TRUNCATE')""")
    approval = {("terms_approval", column) for column in ("program", "hash", "applied_at", "applied_by")}
    assert {tuple(row) for row in written} == {("program_terms", each) for each in ("body", "file_digest", "reason")} | approval
    assert removing == []


async def test_terms_are_registered_for_ever_under_what_their_body_says(terms_store: PostgresStore) -> None:
    old, new = terms("scolar", BEGUN), terms("scolar", AHEAD)
    assert await terms_store.register_terms(new, *ORIGIN) is False
    assert await terms_store.register_terms(old, *ORIGIN) is False
    assert await terms_store.register_terms(old, *ORIGIN) is None
    rows = await terms_store.terms()
    assert [(row.program, row.hash, row.body) for row in rows] == [("scolar", sha256(body).digest(), body) for body in (old, new)]
    assert [row.effective_from.isoformat() for row in rows] == ["2024-01-01", "2199-01-01"]
    assert {(row.file_digest, row.reason, row.applied_by, row.approved_by) for row in rows} == {(*ORIGIN, "postgres", None)}


@pytest.mark.parametrize("origin", [(b"", "why"), (b"d" * 31, "why"), (b"d" * 32, " ")])
async def test_terms_without_a_reason_or_a_digest_are_refused(terms_store: PostgresStore, origin: tuple[bytes, str]) -> None:
    with pytest.raises(ConstraintError):
        await terms_store.register_terms(terms("scolar", BEGUN), *origin)
    assert await terms_store.terms() == []


@pytest.mark.parametrize("begins", [20991231, "20991231", "2099-12-31", "2099-12-31T00:00:00", "infinity", "tomorrow", None])
async def test_a_beginning_that_can_be_read_in_two_ways_is_refused(terms_store: PostgresStore, begins: object) -> None:
    """A number is a day ahead to Postgres, and a second of 1970 to whoever reads it as a time of Unix."""
    with pytest.raises(RefusedError):
        await terms_store.register_terms(json.dumps({"program": "scolar", "effective_from": begins}).encode(), *ORIGIN)
    assert await terms_store.terms() == []


async def test_what_is_dated_back_counts_when_another_login_has_approved_it(database: str, worker_store: PostgresStore) -> None:
    async with _people(database) as (anna, ben):
        assert await anna.register_terms(terms("scolar", BEGUN), *ORIGIN) is False
        assert await anna.register_terms(terms("scolar", BEGUN, better=True), *ORIGIN) is False  # nobody was folded under it
        await post(worker_store, earned("M1", 1))
        assert await anna.register_terms(terms("scolar", AHEAD), *ORIGIN) is False
        assert await anna.register_terms(terms("scolar", LATER), *ORIGIN) is True
        assert await anna.register_terms(terms("scolar", BEGUN), *ORIGIN) is True  # also what it was before
        (again, late) = [each for each in await worker_store.terms() if each.counts_since is None]
        assert (again.begins_at, late.begins_at) == (datetime.fromisoformat(BEGUN), datetime.fromisoformat(LATER))
        with pytest.raises(SameLoginError, match="anna"):
            await anna.approve_terms(late)
        with pytest.raises(TermsRightError):
            await worker_store.approve_terms(late)
        await ben.approve_terms(late)
        await ben.approve_terms(late)
        (approved,) = [each for each in await worker_store.terms() if each.begins_at == late.begins_at]
        assert (approved.applied_by, approved.approved_by, approved.counts_since) == ("anna", "ben", approved.approved_at)


async def test_nobody_approves_under_another_name(database: str, worker_store: PostgresStore) -> None:
    async with _people(database) as (anna, _), _connected(database, "anna") as login:
        await anna.register_terms(terms("scolar", BEGUN), *ORIGIN)
        await post(worker_store, earned("M1", 1))
        await anna.register_terms(terms("scolar", LATER), *ORIGIN)
        (late,) = [each for each in await anna.terms() if each.counts_since is None]
        name = (late.program, late.hash, late.applied_at)
        insert = "INSERT INTO terms_approval (program, hash, applied_at, applied_by"
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await login.execute(f"{insert}) VALUES ($1, $2, $3, 'ben')", *name)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(f"{insert}, approved_by) VALUES ($1, $2, $3, 'anna', 'ben')", *name)
        for statement in ("SET SESSION AUTHORIZATION ben", "SET ROLE ben"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await login.execute(statement)
        assert [each for each in await anna.terms() if each.counts_since is None] == [late]


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
