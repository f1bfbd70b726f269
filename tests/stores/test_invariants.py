"""The invariants find what is wrong with a ledger, and nothing in one that is sound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from tests.stores.examples import earned, fact
from tests.stores.memory import MemoryStore
from tests.stores.test_accounts import post
from worker.decide.change import AccountChange
from worker.persist import PostgresStore, Store

# Each damage as the owner of the database could do it, and the invariants that see it.
DAMAGES = {
    "UPDATE account SET available = available + 1": {
        "balances_are_sums_of_entries",
        "balances_are_sums_of_lots",
        "heads_agree_with_columns",
    },
    "UPDATE account SET version = 0": {"entries_are_gapless", "outbox_is_within_version"},
    "UPDATE step SET version = version + 2": {"steps_are_within_version"},
    "UPDATE lot SET available = available - 1": {"balances_are_sums_of_lots", "lots_agree_with_columns"},
    "UPDATE lot SET lapsed = 1": {"lots_agree_with_columns", "lots_hold_no_more_than_granted"},
    "UPDATE lot SET lapses_at = '2000-01-01Z'": {"lots_agree_with_columns", "lapsed_lots_are_empty"},
    "DELETE FROM lot": {"balances_are_sums_of_lots"},
    "UPDATE entry SET points = points + 1": {"balances_are_sums_of_entries", "entries_carry_on"},
    "UPDATE entry SET line = 5 WHERE line = 1": {"entries_are_gapless"},
    "DELETE FROM fact": {"entries_have_their_fact", "decisions_have_their_fact"},
    "UPDATE account SET next_due_at = NULL": {"heads_agree_with_columns", "nothing_due_is_forgotten"},
    "UPDATE account SET waits_for = 7": {"heads_agree_with_columns"},
    "DELETE FROM account": {"whole_nothing_without_account"},
    "UPDATE order_route SET programs = '{scolar}', account_ids = '{null}'": {"whole_nothing_waits_for_a_known_order"},
}


@pytest.fixture
async def owner(database: str) -> AsyncIterator[Any]:
    """A connection that the triggers do not stop."""
    connection = await asyncpg.connect(database)
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()


def two_lines() -> AccountChange:
    """A change with two entries."""
    change = earned("M1", 1)
    (posted,) = change.entries
    half = replace(posted.entry, points=posted.entry.points // 2)
    change.entries = [
        type(posted)(1, line, posted.moment, half, None, half.points * (line + 1), correction=False) for line in (0, 1)
    ]
    return change


@pytest.mark.both_postgres
@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_found(worker_store: PostgresStore, owner: Any, damage: str) -> None:
    change = two_lines()
    await post(worker_store, change, earned("M2", 1))
    async with worker_store.batch() as batch:
        await batch.claim([], ["A"])
        await batch.park([fact(1, "A")])
    assert await _found(worker_store) == set()
    await owner.execute(damage)
    assert await _found(worker_store) == DAMAGES[damage]
    if not any(name.startswith("whole") for name in DAMAGES[damage]):
        only = [violation async for violation in worker_store.verify([change.account_id])]
        assert {violation.account_id for violation in only} == {change.account_id}


async def test_the_store_in_memory_sees_damage_too() -> None:
    store = MemoryStore()
    change = two_lines()
    await post(store, change)
    assert await _found(store) == set()
    account = store.tables.accounts[change.account_id]
    account.lots.clear()
    assert await _found(store) == {"balances_are_sums_of_lots"}
    account.facts.clear()
    account.entries.pop()
    assert await _found(store) == {
        "balances_are_sums_of_lots",
        "balances_are_sums_of_entries",
        "decisions_have_their_fact",
        "entries_have_their_fact",
    }


async def _found(store: Store) -> set[str]:
    found = [violation async for violation in store.verify()]
    assert all(violation.detail for violation in found)
    return {violation.invariant for violation in found}
