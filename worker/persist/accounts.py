"""Accounts: loading what a fold needs, and winning the right to write them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from worker.decide.change import FORGOTTEN, NOTHING, AccountChange, AccountRow, History, Loaded, StoredStep, Wanted
from worker.decide.state import CLOCK_RANK, FORMAT, Decision, Moment, awaited_by, blank
from worker.persist.chain import Begun, Chain, Chains
from worker.persist.encoding import (
    Row,
    Unreadable,
    decision_of,
    entry_of,
    event_of,
    item_of,
    lot_of,
    step_of,
)
from worker.persist.errors import AccountCollisionError
from worker.persist.heads import encode_head, head_of
from worker.persist.identity import shard_of
from worker.persist.link import Link

Columns = list[tuple[Any, ...]]


def columns(rows: Collection[tuple[Any, ...]]) -> Columns:
    """Rows as one array per column, for `unnest`. There must be at least one row."""
    return list(zip(*rows, strict=True))


def account_row(row: Row, unreadable: Unreadable) -> AccountRow:
    """The head row as the fold knows it; in place of a head that cannot be read an empty one."""
    head = blank()
    if row["member_id"] != FORGOTTEN:
        head = next((head for _, head in unreadable.decoded([row], "a head", head_of)), head)
    return AccountRow(
        row["account_id"],
        row["program"],
        row["member_id"],
        row["revision"],
        row["version"],
        row["epoch"],
        head,
        row["fenced"],
        row["forgotten_until"],
    )


def chain_of(row: Row) -> Chain:
    """The chain of a row of `account`."""
    return Chain(row["chain_length"], row["chain_head"])


def begun_of(row: Row) -> Begun:
    """A row of `chain_begun`."""
    before, chain = Chain(row["length_before"], row["head_before"]), Chain(row["length"], row["head"])
    return Begun(row["number"], before, row["accepted"], row["salt"], row["reason"], chain)


async def load(
    link: Link, wanted: Sequence[Wanted], names: Mapping[UUID, tuple[str, str]], chains: Chains, *, announced: bool = True
) -> dict[UUID, Loaded]:
    """Heads first: rows read later may be newer than the head, which then loses its race, but never older.

    `chains` notes those of the accounts.
    `announced`: False spares the question for verdicts read back after a restore, where it is known that there are none.
    """
    found = {w.account_id: Loaded(None, w.needs) for w in wanted}
    if len(found) != len(wanted):
        raise ValueError("an account is wanted twice in one load")
    unreadable = Unreadable()
    for row in await link.fetch("heads", list(found)) if found else ():
        loaded = found[row["account_id"]]
        loaded.row = account_row(row, unreadable)
        chains.read(row["account_id"], row["revision"], chain_of(row))
        name = (row["program"], row["member_id"])
        if row["member_id"] != FORGOTTEN and names.get(row["account_id"], name) != name:
            raise AccountCollisionError(row["account_id"])
    if announced and found:
        for account_id, rows in by_account(await link.fetch("all_announced", list(found))).items():
            found[account_id].announced = [decision_of(row) for row in rows]
    # An account without a head has no rows; if it gets some now, whoever folds it as new loses the race.
    there = [w for w in wanted if found[w.account_id].row is not None]
    await _load_seen(link, there, found)
    # Rows of one that is kept in another form cannot be read; it is folded anew before it takes anything.
    readable = [w for w in there if (head := found[w.account_id].row) is not None and head.head.format == FORMAT]
    for other in {w.account_id for w in there} - {w.account_id for w in readable}:
        found[other].needs = NOTHING
    await _load_items(link, readable, found, unreadable)
    await _load_lots(link, readable, found, unreadable)
    for account_id, why in unreadable.items():
        found[account_id].unreadable = why
    return found


async def _load_seen(link: Link, wanted: Sequence[Wanted], found: dict[UUID, Loaded]) -> None:
    keys = [(w.account_id, source, id_) for w in wanted for source, id_ in w.seen]
    if not keys:
        return
    seen: dict[UUID, dict[tuple[str, str], bytes]] = {}
    types: dict[UUID, dict[tuple[str, str], str]] = {}
    for row in await link.fetch("seen", *columns(keys)):
        seen.setdefault(row["account_id"], {})[row["source"], row["id"]] = row["digest"]
        types.setdefault(row["account_id"], {})[row["source"], row["id"]] = row["type"]
    for account_id, digests in seen.items():
        found[account_id].seen, found[account_id].seen_types = digests, types[account_id]


async def _load_items(link: Link, wanted: Sequence[Wanted], found: dict[UUID, Loaded], unreadable: Unreadable) -> None:
    keys = [(w.account_id, kind, key) for w in wanted for kind, key in w.needs.items]
    all_open = [w.account_id for w in wanted if w.needs.all_open]
    if not keys and not all_open:
        return
    named = columns(keys) if keys else [(), (), ()]
    for account_id, (name, item) in unreadable.decoded(await link.fetch("items", *named, all_open), "an item", item_of):
        found[account_id].items[name] = item


async def _load_lots(link: Link, wanted: Sequence[Wanted], found: dict[UUID, Loaded], unreadable: Unreadable) -> None:
    keys = [(w.account_id, origin) for w in wanted for origin in w.needs.origins]
    all_open = [w.account_id for w in wanted if w.needs.all_open]
    if not keys and not all_open:
        return
    named = columns(keys) if keys else [(), ()]
    for account_id, lot in unreadable.decoded(await link.fetch("lots", *named, all_open), "a lot", lot_of):
        found[account_id].lots[lot.ref] = lot


async def history(link: Link, since: Mapping[UUID, Moment]) -> dict[UUID, History]:
    """Steps, then what they name. All of it is read after the head, so a change in between makes the fold lose its race."""
    if not since:
        return {}
    unreadable = Unreadable()
    steps: dict[UUID, list[StoredStep]] = {account_id: [] for account_id in since}
    begin = columns([(account_id, *moment) for account_id, moment in since.items()])
    for account_id, step in unreadable.decoded(await link.fetch("steps_since", *begin), "a step", step_of):
        steps[account_id].append(step)
    named = [(id_, s.moment.source, s.moment.id) for id_, of in steps.items() for s in of if s.moment.rank != CLOCK_RANK]
    facts = by_account(await link.fetch("facts_named", *columns(named)) if named else ())
    decided = [(id_, *s.moment.name) for id_, of in steps.items() for s in of]
    decisions = by_account(await link.fetch("decisions_named", *columns(decided)) if decided else ())
    posted = [(id_, min(s.version for s in of), *since[id_]) for id_, of in steps.items() if of]
    entries = by_account(await link.fetch("entries_since", *columns(posted)) if posted else ())
    return {
        account_id: History(
            steps=steps[account_id],
            facts=[fact for _, fact in unreadable.decoded(facts.get(account_id, ()), "a fact", event_of)],
            decisions=[decision_of(row) for row in decisions.get(account_id, ())],
            entries=[entry_of(row) for row in entries.get(account_id, ())],
            since=moment,
            unreadable=unreadable.get(account_id),
        )
        for account_id, moment in since.items()
    }


def by_account(rows: Iterable[Row]) -> dict[UUID, list[Row]]:
    """The rows of each account, in their order."""
    found: dict[UUID, list[Row]] = {}
    for row in rows:
        found.setdefault(row["account_id"], []).append(row)
    return found


async def announce(link: Link, told: Sequence[tuple[UUID, Decision]]) -> int:
    """Keeps verdicts that were told, each once, for whoever folds the facts that asked; returns how many were not known."""
    rows = {(account_id, d.source, d.id): (account_id, d.source, d.id, d.verdict, d.points, d.reason) for account_id, d in told}
    return await link.execute("announce", *columns([*rows.values()])) if rows else 0


async def compare_and_set(link: Link, changes: Sequence[AccountChange], chains: Chains) -> set[UUID]:
    """Writes the heads that still stand at the revision expected, with the chains as they grow; returns whose they are."""
    if not changes:
        return set()
    # Whoever folds has loaded the account in this transaction.
    if unknown := chains.unknown(changes):
        for row in await link.fetch("chains", unknown):
            chains.read(row["account_id"], row["revision"], chain_of(row))
    rows = [
        (
            change.account_id,
            change.program,
            change.member_id,
            change.expected_revision + 1,
            change.version,
            change.epoch,
            shard_of(change.account_id),
            change.head.available,
            change.head.pending,
            change.head.held,
            change.head.arrears,
            change.head.next_due_at,
            awaited_by(change.head),
            change.fenced,
            encode_head(change.head),
            *chains.grow(change),
        )
        for change in changes
    ]
    return {row["account_id"] for row in await link.fetch("compare_and_set", *columns(rows))}
