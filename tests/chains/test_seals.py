"""Seals: who rewrites facts together with their chains is told by what was sealed before, and nobody rewrites that."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from contracts.events import TOPICS_OUT
from tests.erasure.conftest import DAY, PERSON, PROGRAM, T0, Ledger, erasure, life, sent
from worker.persist import PostgresStore, StoreOptions
from worker.persist.chain import BEGINNING, ChainedFact, chained, salts
from worker.persist.seals import MerkleTree, Seal
from worker.upkeep.sealing import AgainstFile, SealFileError, seal, to_line

TOPIC = "loyalty.ledger-digest"


def _root(leaves: Sequence[bytes]) -> bytes:
    """As RFC 6962, 2.1 defines it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + _root(leaves[:split]) + _root(leaves[split:])).digest()


@pytest.mark.parametrize("count", [*range(18), 63, 64, 65, 1_000])
def test_the_root_is_the_one_of_rfc_6962(count: int) -> None:
    tree, leaves = MerkleTree(), [str(number).encode() for number in range(count)]
    for leaf in leaves:
        tree.add(leaf)
    assert (tree.root(), tree.leaves) == (_root(leaves), count)


def test_a_leaf_and_a_node_never_have_the_same_hash() -> None:
    """The first bytes of the known trees of RFC 6962: of nothing, and of one empty leaf."""
    tree = MerkleTree()
    assert tree.root().hex().startswith("e3b0c44298fc1c14")
    tree.add(b"")
    assert tree.root().hex().startswith("6e340b9cffb37a98")


async def _sealed(ledger: Ledger) -> tuple[list[Seal], list[bytes]]:
    """Sealed by a login that may do no more than that; the lines of the file too."""
    lines: list[bytes] = []
    async with (
        await PostgresStore.open(ledger.dsn, StoreOptions(role="loyalty_sealer")) as store,
        store.connection() as connection,
    ):
        return await seal(connection, lines.append), lines


async def _against(ledger: Ledger, lines: list[bytes]) -> tuple[list[str], AgainstFile]:
    compared = AgainstFile(lambda: lines)
    compared.read()
    async with ledger.store.connection() as connection:
        return [f"{each.invariant}: {each.account_id}: {each.detail}" async for each in compared.compare(connection)], compared


async def _by_hand(ledger: Ledger, table: str, statement: str, *values: Any) -> None:
    """As the owner of the tables, with the triggers off."""
    await ledger.sql.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    await ledger.sql.execute(statement, *values)
    await ledger.sql.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


async def _rewrite(ledger: Ledger, account: UUID, facts: Sequence[ChainedFact]) -> None:
    """These facts, with a chain that is as it should be."""
    chain, proofs = chained(BEGINNING, [fact.content for fact in facts], salts())
    await ledger.sql.execute("ALTER TABLE fact DISABLE TRIGGER USER")
    for fact, proof in zip(facts, proofs, strict=True):
        name = (account, fact.content.source, fact.content.id)
        await ledger.sql.execute(
            "UPDATE fact SET place = $4, salt = $5, leaf = $6, body = $7 WHERE account_id = $1 AND source = $2 AND id = $3",
            *(*name, *proof, fact.content.body),
        )
    await ledger.sql.execute("ALTER TABLE fact ENABLE TRIGGER USER")
    await ledger.sql.execute("UPDATE account SET chain_length = $2, chain_head = $3 WHERE account_id = $1", account, *chain)


async def _facts(ledger: Ledger, account: UUID) -> list[ChainedFact]:
    chain = (await ledger.dossier(account)).chain
    assert chain is not None
    return sorted(chain.facts, key=lambda fact: fact.proof.place or 0)


async def test_a_ledger_that_goes_on_is_told_as_such_and_every_seal_is_published(ledger: Ledger) -> None:
    await ledger.deliver(life())
    first, lines = await _sealed(ledger)
    assert PROGRAM in {each.program for each in first}
    await ledger.deliver([sent("points.adjusted", 20, member_id=PERSON, points=5, reason="sorry")])
    found, compared = await _against(ledger, lines)
    assert found == []
    assert compared.chains == await ledger.sql.fetchval("SELECT count(*) FROM account")
    assert sum(each.facts for each in first) == await ledger.sql.fetchval("SELECT count(*) FROM fact") - 1
    second, more = await _sealed(ledger)
    assert [(each.number, each.previous) for each in second] == [(2, each.digest) for each in first]
    assert (await _against(ledger, lines))[0] == (await _against(ledger, more))[0] == []
    # The message is as the contract says, and a subscriber can work the digest out.
    rows = [row for row in await ledger.store.read(range(64), 10_000) if row.topic == TOPIC]
    told = [TOPICS_OUT[TOPIC].model_validate_json(row.value or b"") for row in rows]
    assert {(each.program, each.number, each.digest, each.previous) for each in told} == {  # type: ignore[union-attr]  # of its topic
        (each.program, each.number, each.digest.hex(), each.previous.hex() if each.previous else None)
        for each in (*first, *second)
    }
    assert all(each.is_whole for each in second)
    assert await ledger.findings() == []


async def test_facts_rewritten_together_with_their_chain_are_told_by_the_seal_alone(ledger: Ledger) -> None:
    await ledger.deliver(life())
    account = ledger.person()
    _, lines = await _sealed(ledger)
    facts = await _facts(ledger, account)
    place, gift = next((n, fact) for n, fact in enumerate(facts) if fact.content.type == "points.adjusted")
    forged = gift._replace(content=gift.content._replace(body=gift.content.body.replace(b'"points":900', b'"points":901')))
    await _rewrite(ledger, account, [*facts[:place], forged, *facts[place + 1 :]])
    assert not [each for each in await ledger.findings() if "chain" in each.split(":")[0]]
    (found,), _ = await _against(ledger, lines)
    assert found.startswith(f"chains_go_on_from_the_seal: {account}: up to place {len(facts)} it has other facts than seal 1")


async def test_facts_removed_together_with_their_chain_are_told_by_the_seal(ledger: Ledger) -> None:
    await ledger.deliver(life())
    account = ledger.person()
    _, lines = await _sealed(ledger)
    facts = await _facts(ledger, account)
    last = facts[-1].content
    await _by_hand(
        ledger, "fact", "DELETE FROM fact WHERE account_id = $1 AND source = $2 AND id = $3", account, last.source, last.id
    )
    await _rewrite(ledger, account, facts[:-1])
    (found,), _ = await _against(ledger, lines)
    assert found.startswith(f"chains_go_on_from_the_seal: {account}: ")


async def test_a_beginning_that_is_not_linked_to_what_was_before_stands_for_nothing(ledger: Ledger) -> None:
    """The worker's login may write beginnings, but none that leads to a head which was sealed."""
    await ledger.deliver(life())
    account = ledger.person()
    _, lines = await _sealed(ledger)
    chain = await ledger.sql.fetchrow("SELECT chain_length, chain_head FROM account WHERE account_id = $1", account)
    facts = await _facts(ledger, account)
    await _rewrite(ledger, account, [facts[1], facts[0], *facts[2:]])
    await ledger.sql.execute(
        "INSERT INTO chain_begun (account_id, number, length, head, length_before, head_before, accepted, reason) "
        "VALUES ($1, 1, $2, $3, $2, $3, '', 'because')",
        *(account, *chain),
    )
    (found,), _ = await _against(ledger, lines)
    assert found.startswith(f"chains_go_on_from_the_seal: {account}: ")


async def test_an_account_that_is_gone_is_told(ledger: Ledger) -> None:
    await ledger.deliver(life())
    _, lines = await _sealed(ledger)
    await ledger.sql.execute("DELETE FROM account WHERE account_id = $1", ledger.person())
    (found,), _ = await _against(ledger, lines)
    assert f"an account of {PROGRAM} with {len(life())} facts is gone" in found


async def test_a_person_who_was_forgotten_since_is_no_finding(ledger: Ledger) -> None:
    await ledger.deliver(life())
    _, lines = await _sealed(ledger)
    await ledger.deliver([erasure()])
    await ledger.clock(T0 + 40 * DAY)
    await ledger.publish()
    assert await ledger.erase() == 1
    found, compared = await _against(ledger, lines)
    assert (found, compared.erased) == ([], 1)
    _, after = await _sealed(ledger)
    assert (await _against(ledger, after))[0] == []


async def test_seals_that_were_rewritten_or_removed_are_told(ledger: Ledger) -> None:
    await ledger.deliver(life())
    _, lines = await _sealed(ledger)
    await _sealed(ledger)
    await _sealed(ledger)
    program = "program = 'lenovo-pro'"
    await _by_hand(ledger, "seal", f"UPDATE seal SET facts = facts + 1 WHERE {program} AND number = 3")
    assert (await _against(ledger, lines))[0] == ["seals_are_kept: None: seal 3 of lenovo-pro was removed or rewritten"]
    await _by_hand(ledger, "seal", f"DELETE FROM seal WHERE {program} AND number = 3")
    await _by_hand(ledger, "seal", f"UPDATE seal SET facts = facts + 1 WHERE {program} AND number = 1")
    assert (await _against(ledger, lines))[0] == ["seals_are_kept: None: seal 1 of lenovo-pro is not the one of the file"]


@pytest.mark.parametrize("what", ["a line less", "another head", "lines in another order", "no seal", "no JSON", "nothing"])
async def test_a_file_that_is_not_what_was_sealed_is_refused(ledger: Ledger, what: str) -> None:
    await ledger.deliver(life())
    seals, lines = await _sealed(ledger)
    head = lines[0]
    wrong = {
        "a line less": lines[1:],
        "another head": [head.replace(b'"head":"', b'"head":"00', 1)[:-5] + b'"}\n', *lines[1:]],
        "lines in another order": [lines[1], lines[0], *lines[2:]],
        "no seal": lines[:-1],
        "no JSON": [b"{\n", *lines],
        "nothing": [],
    }[what]
    assert to_line(seals[-1]) == lines[-1]
    with pytest.raises(SealFileError):
        AgainstFile(lambda: wrong).read()


async def test_nobody_but_the_sealer_adds_seals_and_the_sealer_does_nothing_else(ledger: Ledger) -> None:
    await ledger.deliver(life())
    await _sealed(ledger)
    again = "INSERT INTO seal (program, number, sealed_at, epoch, accounts, facts, root, previous, digest) "
    again += "SELECT program, number + 1, sealed_at, epoch, accounts, facts, root, digest, sha256(digest) FROM seal"
    sealer, worker = [
        await asyncpg.connect(ledger.dsn, server_settings={"role": role}) for role in ("loyalty_sealer", "loyalty_worker")
    ]
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await worker.execute(again)
        for statement in (
            "SELECT member_id FROM account",
            "SELECT body FROM fact",
            "SELECT value FROM outbox",
            "UPDATE seal SET facts = 0",
            "DELETE FROM seal",
            "UPDATE account SET chain_length = 0",
            "INSERT INTO outbox (account_id, version, ordinal, topic, epoch) VALUES (gen_random_uuid(), 1, 0, 'x', 1)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await sealer.execute(statement)
        # There is one chain of seals: nothing is put beside one that is there, and no name but the login's stands under it.
        with pytest.raises(asyncpg.UniqueViolationError):
            await sealer.execute(again.replace("number + 1", "number + 2") + "; " + again.replace("number + 1", "number + 3"))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await sealer.execute("INSERT INTO seal (program, sealed_by) VALUES ('x', 'somebody')")
    finally:
        await sealer.close()
        await worker.close()
    for statement in ("UPDATE seal SET facts = 0", "DELETE FROM seal", "TRUNCATE seal"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await ledger.sql.execute(statement)
