"""Forgetting a person: the account moves to an id that nobody can work out, and its facts keep nothing personal.

The ledger stays whole: the same facts in the same order under the same names, so folding them anew gives the same account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from contracts.events.erasure import without_person
from contracts.events.event import digest_of
from worker.decide.change import nameless
from worker.decide.lives import Told, ended_at, of_next
from worker.decide.orders import content_of
from worker.decide.state import blank
from worker.persist.accounts import columns
from worker.persist.chain import AccountChain
from worker.persist.dossiers import of_accounts
from worker.persist.encoding import Row, encode, event_of
from worker.persist.identity import shard_of
from worker.persist.link import Link
from worker.persist.orders import claim
from worker.persist.rows import Erasure


async def ask(link: Link, asked: Mapping[UUID, datetime]) -> None:
    """Notes that these accounts are to be erased, for what happened up to an instant of business time."""
    if asked:
        await link.execute("ask_erasures", *columns(sorted(asked.items())))


async def erased(link: Link, accounts: Sequence[UUID]) -> dict[UUID, datetime]:
    """Which of these accounts were erased, and up to which business time."""
    rows = await link.fetch("erased", accounts) if accounts else ()
    return {row["account_id"]: row["done_until"] for row in rows}


async def erase(link: Link, account: UUID) -> Erasure | None:
    """Moves what happened up to the erasure that was asked for to a random id, in a transaction. None: not now, or it is done.

    What is left under the old id is of the next life; if anything is, its facts and those that were moved are to be folded anew.
    Locks as a batch does, orders first; what is still to be published waits for nobody else, so it is published first.
    """
    heads = await link.fetch("heads", [account])
    rows = await link.fetch("all_facts", [account], None)
    known = {row["order_id"] for row in rows if row["order_id"] is not None}
    await claim(link, (), sorted(known.union(*map(_brings, rows))))
    revision = await link.value("lock_account", account)
    changed = not heads or revision != heads[0]["revision"]
    until = await link.value("lock_erasure", account) if not changed else None
    if until is None or await link.value("unpublished", account):
        return None
    left = of_next([_told(row) for row in rows], until)
    later = {(each.source, each.id) for each in left}
    facts = [row for row in rows if (row["source"], row["id"]) not in later]
    placed_later = {each.order_id for each in left if each.type == "order.placed"}
    named = {row["order_id"] for row in facts if row["order_id"] is not None}
    orders = sorted(named.union(*map(_brings, facts)) - placed_later)
    whole = await _chain(link, account) if left else None
    to = uuid4()
    bodies = [without_person(row["type"], row["body"]) for row in facts]
    digests = [digest_of(f["type"], f["business_at"], f["program"], body) for f, body in zip(facts, bodies, strict=True)]
    names = ([row["source"] for row in facts], [row["id"] for row in facts])
    await link.value("erase_account", account, to, *names, bodies, digests)
    for what in ("lots", "items", "steps"):
        await link.execute(f"copy_{what}", account, to)
        await link.execute(f"remove_{what}", account)
    await link.execute("forget_held", account, until)
    await _rewrite(link, to, _contents(facts, bodies))
    await link.execute("move_routes", account, to, orders)
    await link.execute("move_account", account, to, nameless(to), shard_of(to))
    await link.execute("empty_account", account, encode(blank()))
    if whole is not None:
        await _part_chain(link, whole, (to, account))
    await link.execute("erasure_done", account, ended_at((each.type, each.at) for each in left))
    return Erasure(to, heads[0]["member_id"], goes_on=bool(left))


def _told(row: Row) -> Told:
    return Told(row["source"], row["id"], row["type"], row["business_at"], row["order_id"], _brings(row))


def _brings(row: Row) -> tuple[str, ...]:
    """The parts of the order that a fact splits."""
    return event_of(row).brings if row["type"] == "order.split" else ()


async def _part_chain(link: Link, whole: AccountChain, lives: Iterable[UUID]) -> None:
    """Begins the chains of both lives anew, each linked to the whole one, unless that had faults."""
    for life in lives:
        begun = (await _chain(link, life)).parted(whole)
        if begun is not None:
            kept = (begun.number, *begun.chain, *begun.before, begun.accepted, begun.salt, begun.reason)
            await link.execute("begin_chain", life, *kept)
            await link.execute("set_chain", life, *begun.chain)


async def _chain(link: Link, account: UUID) -> AccountChain:
    (dossier,) = await of_accounts(link, [account], None)
    assert dossier.chain is not None
    return dossier.chain


def _contents(facts: Sequence[Row], bodies: Sequence[bytes]) -> dict[bytes, bytes]:
    """Digests of what orders said, which a guess at the member's id could be tried on, and those of what they say now."""
    pairs = zip(facts, bodies, strict=True)
    return {
        content_of(row["body"]).encode(): content_of(body).encode() for row, body in pairs if row["type"] in ("order.placed",)
    }


async def _rewrite(link: Link, account: UUID, contents: Mapping[bytes, bytes]) -> None:
    """Puts the new digests in place of the old ones, wherever the account keeps them."""

    def renewed(doc: bytes) -> bytes:
        for old, new in contents.items():
            doc = doc.replace(old, new)
        return doc

    items = [(row["kind"], row["key"], row["doc"]) for row in await link.fetch("all_items", [account])]
    changed = [(kind, key, new) for kind, key, doc in items if (new := renewed(doc)) != doc]
    if changed:
        await link.execute("rewrite_items", account, *columns(changed))
    steps = [(tuple(row)[:4], row["before"]) for row in await link.fetch("all_steps", account)]
    undone = [(*moment, new) for moment, before in steps if (new := renewed(before)) != before]
    if undone:
        await link.execute("rewrite_steps", account, *columns(undone))
