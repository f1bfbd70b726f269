"""Stores to hold to the contract: in memory, and on each supported version of Postgres."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from itertools import count

import pytest

from tests.parts.postgres import VERSIONS, Servers
from tests.parts.terms import dsn_of
from tests.stores.memory import MemoryStore
from worker.local.sql import execute
from worker.persist import PostgresStore, Store, StoreOptions

collect_ignore = [] if os.environ.get("LOYALTY_TEST_CITUS") else ["test_citus.py"]
MEMORY = "memory"
WORKER = StoreOptions(role="loyalty_worker", dead_letter_bytes_max=1_000)
_numbers = count(1)


@pytest.fixture(params=[MEMORY, *VERSIONS], ids=[MEMORY, *(f"postgres{version}" for version in VERSIONS)])
async def store(request: pytest.FixtureRequest, postgres_servers: Servers) -> AsyncIterator[Store]:
    """An empty store of each kind; on Postgres with no more rights than the worker has."""
    if request.param == MEMORY:
        yield MemoryStore(dead_letter_bytes_max=WORKER.dead_letter_bytes_max)
        return
    name = f"store_{next(_numbers)}"
    dsn = postgres_servers.create_database(request.param, name)
    async with await PostgresStore.open(dsn, WORKER) as opened:
        yield opened
    execute(postgres_servers.get(request.param).dsn(), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def terms_store(database: str) -> AsyncIterator[PostgresStore]:
    """A store on Postgres with the rights of whoever registers terms."""
    async with await PostgresStore.open(database, StoreOptions(role="loyalty_terms")) as opened:
        yield opened


@pytest.fixture
async def approver(database: str) -> AsyncIterator[PostgresStore]:
    """A store on Postgres as olga sees it, who decides about held commands."""
    async with await PostgresStore.open(dsn_of(database, "olga", "loyalty_approver")) as opened:
        yield opened


@pytest.fixture
async def worker_store(database: str) -> AsyncIterator[PostgresStore]:
    """A store on Postgres with the rights of the worker."""
    async with await PostgresStore.open(database, WORKER) as opened:
        yield opened
