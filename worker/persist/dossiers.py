"""Reading whole accounts, for statements, explaining, rebuilding and verifying."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final
from uuid import UUID

from worker.decide.change import nameless
from worker.decide.lot_name import lot_name
from worker.decide.state import FORMAT
from worker.persist.accounts import account_row, begun_of, by_account, chain_of
from worker.persist.chain import BEGINNING, AccountChain, ChainedFact, Content, Proof
from worker.persist.encoding import Row, Unreadable, decision_of, entry_of, event_of, item_of, lot_of, posting_of
from worker.persist.kafka import NIL
from worker.persist.link import Link, snapshot
from worker.persist.rows import Dossier

if TYPE_CHECKING:
    from worker.persist.link import Connection

ACCOUNTS_AT_ONCE: Final = 200
"""How many accounts are read in one snapshot: bounds the memory, whatever is asked for."""


async def read(connection: Connection, accounts: Collection[UUID] | None, known_at: datetime | None) -> AsyncIterator[Dossier]:
    """The accounts' dossiers by account id, in groups of one snapshot each."""
    async for group in account_groups(connection, accounts, ACCOUNTS_AT_ONCE):
        async with snapshot(connection) as link:
            found = await of_accounts(link, group, known_at)
        for dossier in found:
            yield dossier


async def account_groups(connection: Connection, accounts: Collection[UUID] | None, size: int) -> AsyncIterator[list[UUID]]:
    """The accounts asked for, or all there are, sorted, in groups of a size."""
    if accounts is not None:
        ordered = iter(sorted(set(accounts)))
        while group := list(islice(ordered, size)):
            yield group
        return
    after = NIL
    while group := [row["account_id"] for row in await Link(connection).fetch("accounts_after", after, size)]:
        yield group
        after = group[-1]


async def of_accounts(link: Link, group: Sequence[UUID], known_at: datetime | None) -> list[Dossier]:
    """The accounts' dossiers in the order asked for, the heads read first.

    Lots and items of an account that is kept in another form cannot be read: they are left out, all but their names.
    """
    unreadable, torn = Unreadable(), Unreadable()
    rows = await link.fetch("heads", group)
    heads = {row["account_id"]: account_row(row, torn) for row in rows}
    chains = {row["account_id"]: chain_of(row) for row in rows}
    other = {account_id for account_id, head in heads.items() if head.head.format != FORMAT}
    facts = by_account(await link.fetch("all_facts", group, known_at))
    decisions = by_account(await link.fetch("all_decisions", group, known_at))
    entries = by_account(await link.fetch("all_entries", group, known_at))
    announced = by_account(await link.fetch("all_announced", group))
    fenced = [account_id for account_id, head in heads.items() if head.fenced is not None]
    unfolded = by_account(await link.fetch("unfolded_facts", fenced)) if fenced else {}
    lots = by_account(await link.fetch("all_lots", group))
    begun = {row["account_id"]: begun_of(row) for row in await link.fetch("chains_begun", group)}
    items = by_account(await link.fetch("all_items", group))

    def readable(rows: Mapping[UUID, Sequence[Row]], account_id: UUID) -> Sequence[Row]:
        return rows.get(account_id, ()) if account_id not in other else ()

    return [
        Dossier(
            row=heads.get(account_id),
            account_id=account_id,
            facts=[fact for _, fact in unreadable.decoded(facts.get(account_id, ()), "a fact", event_of)],
            decisions=[decision_of(row) for row in decisions.get(account_id, ())],
            entries=[entry_of(row) for row in entries.get(account_id, ())],
            lots={lot.ref: lot for _, lot in torn.decoded(readable(lots, account_id), "a lot", lot_of)},
            items=dict(named for _, named in torn.decoded(readable(items, account_id), "an item", item_of)),
            recorded=[row["recorded_at"] for row in facts.get(account_id, ())],
            postings=[posting_of(row) for row in entries.get(account_id, ())],
            lot_names=[lot_name(row["origin"], row["part"]) for row in lots.get(account_id, ())],
            announced=[decision_of(row) for row in announced.get(account_id, ())],
            item_names=[(row["kind"], row["key"]) for row in items.get(account_id, ())],
            unfolded=frozenset((row["source"], row["id"]) for row in unfolded.get(account_id, ())),
            withdrawn={
                (row["source"], row["id"]): row["recorded_at"]
                for row in decisions.get(account_id, ())
                if decision_of(row).withdraws
            },
            unreadable=unreadable.get(account_id),
            torn=torn.get(account_id),
            chain=AccountChain(
                chains.get(account_id, BEGINNING),
                [_chained(row) for row in facts.get(account_id, ())],
                begun.get(account_id),
                erased=account_id in heads and heads[account_id].member_id == nameless(account_id),
            )
            if known_at is None
            else None,
        )
        for account_id in group
    ]


def _chained(row: Row) -> ChainedFact:
    return ChainedFact(
        Content(*(row[name] for name in Content._fields)), Proof(row["place"], row["salt"], row["leaf"]), row["recorded_at"]
    )
