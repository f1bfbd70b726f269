"""Attacks on a ledger on Postgres: what is written by hand is told, no rebuild makes it sound, taking it over leaves a trace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.erasure.conftest import DAY, PERSON, T0, Ledger, erasure, life, sent
from worker.persist.chain import PARTED
from worker.upkeep import rebuild
from worker.upkeep.rebuild import Rebuilt
from worker.upkeep.verify import check, cure_of

pytestmark = pytest.mark.both_postgres

COLUMNS = (
    "account_id, source, id, type, business_at, rank, program, order_id, digest, body, traceparent, "
    "topic, partition, record_offset"
)
GIFT = "type = 'points.adjusted' AND account_id = $1"
FORGE = f"""
    INSERT INTO fact ({COLUMNS}, place, salt, leaf)
    SELECT account_id, source, 'forged', type, business_at + interval '1 hour', rank, program, order_id, digest, body,
        traceparent, topic, partition, record_offset, {{place}}, salt, leaf
    FROM fact WHERE {GIFT}
"""
BY_THE_WORKER = {
    "a fact inserted": (FORGE.format(place="NULL"), "points.adjusted 'forged' of '/shop' is in no chain"),
    "a fact inserted behind the last": (
        FORGE.format(place="(SELECT chain_length + 1 FROM account WHERE account_id = $1)"),
        "points.adjusted 'forged' of '/shop' is in no chain",
    ),
    "a fact inserted at the place of another": (FORGE.format(place="place"), "is taken by points.adjusted"),
    "the head rewritten": ("UPDATE account SET chain_head = sha256(chain_head) WHERE account_id = $1", "do not lead to the head"),
    "the chain cut": ("UPDATE account SET chain_length = chain_length - 1 WHERE account_id = $1", "is in no chain"),
}
BY_THE_OWNER = {
    "a body changed": (
        "UPDATE fact SET body = convert_to(replace(convert_from(body, 'UTF8'), '\"points\":900', '\"points\":9000'), 'UTF8') "
        f"WHERE {GIFT}",
        "is not what was chained: it was changed",
    ),
    "a fact removed": (f"DELETE FROM fact WHERE {GIFT}", "empty: what stood there was removed"),
    "two facts swapped": (
        "UPDATE fact f SET place = o.place FROM fact o WHERE f.account_id = $1 AND o.account_id = $1 "
        "AND ((f.type, o.type) = ('points.adjusted', 'points.held') OR (o.type, f.type) = ('points.adjusted', 'points.held'))",
        "was moved there from place",
    ),
    "a salt taken away": (f"UPDATE fact SET salt = NULL WHERE {GIFT}", "is not what was chained"),
}


async def _as_worker(ledger: Ledger, statement: str, *values: Any) -> None:
    worker = await asyncpg.connect(ledger.dsn, server_settings={"role": "loyalty_worker"})
    try:
        await worker.execute(statement, *values)
    finally:
        await worker.close()


async def _as_owner(ledger: Ledger, statement: str, *values: Any) -> None:
    """By hand, with the triggers off."""
    await ledger.sql.execute("ALTER TABLE fact DISABLE TRIGGER fact_append_only")
    await ledger.sql.execute(statement, *values)
    await ledger.sql.execute("ALTER TABLE fact ENABLE TRIGGER fact_append_only")


async def _rebuilt(ledger: Ledger, account: UUID, accept: str | None = None) -> Rebuilt:
    async def one() -> AsyncIterator[UUID]:
        yield account

    rebuilding = rebuild.rebuild(ledger.store, ledger.catalogue, one(), None, 1, accept=accept)
    (result,) = [each async for each in rebuilding]
    return result


async def _lived(ledger: Ledger) -> UUID:
    """The person's account after half of their life, delivered in several batches, a repeat and a late event among them."""
    events = life()
    await ledger.deliver([*events[:2], *events[3:6]])
    await ledger.deliver([events[2], events[3], events[6]])
    await ledger.deliver(events[7:])
    assert await ledger.findings() == []
    return ledger.person()


async def _cures(ledger: Ledger) -> set[str]:
    programs = {code: ledger.catalogue.program(code) for code in ledger.catalogue.codes}
    return {cure_of(each) async for each in check(ledger.store, programs)}


@pytest.mark.parametrize("what", [*BY_THE_WORKER, *BY_THE_OWNER])
async def test_what_is_written_by_hand_is_told_and_no_rebuild_makes_it_sound(ledger: Ledger, what: str) -> None:
    account = await _lived(ledger)
    statement, told = (BY_THE_WORKER | BY_THE_OWNER)[what]
    before = (await ledger.dossier(account)).row
    await (_as_worker if what in BY_THE_WORKER else _as_owner)(ledger, statement, account)
    found = await ledger.findings()
    assert any(told in finding for finding in found), found
    assert not any("rebuild" in cure for cure in await _cures(ledger))
    left = await _rebuilt(ledger, account)
    assert left.defect == "its facts are not those that were committed (`loyalty ledger verify` tells which)"
    assert (await ledger.dossier(account)).row == before
    assert await ledger.findings() == found


async def test_what_is_taken_over_is_kept_with_who_and_why_and_what_comes_later_is_proven(ledger: Ledger) -> None:
    account = await _lived(ledger)
    before = await ledger.sql.fetchrow("SELECT chain_length, chain_head FROM account WHERE account_id = $1", account)
    await _as_worker(ledger, FORGE.format(place="NULL"), account)
    assert (await _rebuilt(ledger, account, accept="the shop confirms it")).defect is None
    assert await ledger.findings() == []
    (row,) = await ledger.sql.fetch("SELECT * FROM chain_begun")
    assert (row["account_id"], row["length_before"], row["head_before"]) == (account, *before)
    assert (row["reason"], row["begun_by"], row["number"]) == ("the shop confirms it", "postgres", 1)
    await ledger.deliver([sent("points.adjusted", 20, member_id=PERSON, points=5, reason="sorry")])
    assert await ledger.findings() == []
    await _as_owner(ledger, "UPDATE fact SET body = '{}' WHERE id = 'forged'")
    changed, unreadable = await ledger.findings()
    assert "are not those that were taken over" in changed
    assert "there is a fact that cannot be read" in unreadable
    assert (await _rebuilt(ledger, account)).defect is not None


async def test_an_account_that_was_taken_over_is_erased_as_any(ledger: Ledger) -> None:
    account = await _lived(ledger)
    await _as_worker(ledger, FORGE.format(place="NULL"), account)
    await _rebuilt(ledger, account, accept="the shop confirms it")
    await ledger.deliver([erasure()])
    await ledger.clock(T0 + 40 * DAY)
    await ledger.publish()
    assert await ledger.erase() == 1
    assert await ledger.findings() == []
    (row,) = await ledger.sql.fetch("SELECT account_id, salt FROM chain_begun")
    assert (row["account_id"], row["salt"]) == ((await ledger.nameless())["account_id"], None)


async def _proofs(ledger: Ledger, account: UUID) -> Sequence[Any]:
    found: Sequence[Any] = await ledger.sql.fetch(
        "SELECT place, salt, leaf FROM fact WHERE account_id = $1 ORDER BY place", account
    )
    return found


async def test_an_erased_account_keeps_its_leaves_and_no_salt_and_stays_sound(ledger: Ledger) -> None:
    account = await _lived(ledger)
    await ledger.deliver([erasure()])
    await ledger.clock(T0 + 40 * DAY)
    await ledger.publish()
    before, (chain,) = await _proofs(ledger, account), await _chains(ledger, account)
    assert await ledger.erase() == 1
    nameless = (await ledger.nameless())["account_id"]
    after = await _proofs(ledger, nameless)
    assert [row["leaf"] for row in after] == [row["leaf"] for row in before]
    assert {row["salt"] for row in after} == {None}
    assert await _chains(ledger, nameless) == [chain]
    assert await _chains(ledger, account) == [(0, bytes(32))]
    assert await ledger.findings() == []
    # What comes later is proven, and a person who comes back begins a chain of their own.
    back = sent("member.enrolled", 41, member_id=PERSON)
    late = sent("return.received", 42, order_id="C2", lines=[{"line_id": "1", "quantity": 1}])
    await ledger.deliver([back, late])
    assert await _chains(ledger, account) != [(0, bytes(32))]
    assert (await _proofs(ledger, nameless))[-1]["salt"] is not None
    assert await ledger.findings() == []
    await _as_owner(ledger, "UPDATE fact SET leaf = sha256(leaf) WHERE account_id = $1 AND place = 2", nameless)
    (found,) = await ledger.findings()
    assert found.startswith("chain_leads_to_its_head: ")


async def _parted(ledger: Ledger) -> tuple[UUID, UUID]:
    """The person joined again before they were forgotten: the ids of the life that ended and of the next."""
    await ledger.deliver([erasure(), sent("member.enrolled", 31, member_id=PERSON)])
    await ledger.clock(T0 + 40 * DAY)
    await ledger.publish()
    assert await ledger.erase() == 1
    return (await ledger.nameless())["account_id"], ledger.person()


@pytest.mark.parametrize("life_of", ["the life that ended", "the next life"])
async def test_both_lives_of_an_account_that_was_parted_are_proven(ledger: Ledger, life_of: str) -> None:
    whole = await _chains(ledger, await _lived(ledger))
    lives = dict(zip(("the life that ended", "the next life"), await _parted(ledger), strict=True))
    assert await ledger.findings() == []
    rows = await ledger.sql.fetch("SELECT account_id, length_before, reason FROM chain_begun")
    assert {row["account_id"] for row in rows} == set(lives.values())
    assert {row["length_before"] for row in rows} == {whole[0][0] + 2}
    assert {row["reason"] for row in rows} == {PARTED}
    removed = "DELETE FROM fact WHERE account_id = $1 AND type IN ('points.adjusted', 'member.enrolled')"
    await _as_owner(ledger, removed, lives[life_of])
    assert any("are not those that were taken over" in found for found in await ledger.findings())


async def test_what_was_written_by_hand_stays_told_where_an_account_is_parted(ledger: Ledger) -> None:
    account = await _lived(ledger)
    await _as_worker(ledger, FORGE.format(place="NULL"), account)
    ended, _ = await _parted(ledger)
    assert any("points.adjusted 'forged' of '/shop' is in no chain" in found for found in await ledger.findings())
    assert await ledger.sql.fetchval("SELECT count(*) FROM chain_begun WHERE account_id = $1", ended) == 0


async def _chains(ledger: Ledger, account: UUID) -> list[tuple[int, bytes]]:
    rows = await ledger.sql.fetch("SELECT chain_length, chain_head FROM account WHERE account_id = $1", account)
    return [tuple(row) for row in rows]


async def test_facts_stand_in_the_order_in_which_they_were_committed(ledger: Ledger) -> None:
    account = await _lived(ledger)
    rows = await ledger.sql.fetch("SELECT id, place, recorded_at FROM fact WHERE account_id = $1 ORDER BY place", account)
    assert [row["place"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["recorded_at"] for row in rows] == sorted(row["recorded_at"] for row in rows)
    assert len(rows) == len(life())  # the repeat is no fact
    assert [row["id"] for row in rows] != [event.id for event in life()]  # the late one stands where it came


