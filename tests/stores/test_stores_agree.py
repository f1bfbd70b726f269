"""The store that simulations run on answers every request as Postgres does: with what was asked for, and nothing else."""

from __future__ import annotations

import os

import pytest

from tests.stores.alike import Alike
from tests.stores.memory import MemoryStore
from worker.persist import PostgresStore

REQUESTS = int(os.environ.get("STORES_REQUESTS", "2000"))
SEED = int(os.environ.get("STORES_SEED", "1"))


@pytest.mark.timeout(0 if REQUESTS > 10_000 else 120)
async def test_both_stores_answer_random_requests_about_random_accounts_alike(worker_store: PostgresStore) -> None:
    alike = Alike(MemoryStore(), worker_store, SEED)
    await alike.play(REQUESTS)
    assert min(alike.kinds.values()) > 0, alike.kinds
