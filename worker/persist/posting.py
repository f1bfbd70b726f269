"""Writing the rows of the accounts that a batch has won."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from worker.decide.change import AccountChange
from worker.decide.lot_name import lot_place
from worker.persist.accounts import columns
from worker.persist.chain import Chains, Content, Proof
from worker.persist.encoding import encode
from worker.persist.link import Link, names_of

Rows = list[tuple[Any, ...]]

FACT: Final = ("account_id", *Content._fields, "recorded_at", *Proof._fields)
CHAIN_BEGUN: Final = names_of("account_id number length head length_before head_before accepted salt reason")
DECISION: Final = names_of("account_id source id verdict points reason recorded_at")
ENTRY: Final = names_of(
    "account_id version line business_at rank source id recorded_at reason points from_bucket to_bucket from_after to_after"
    " kind lot expires_on order_id rule correction refold"
)
STEP: Final = names_of("account_id business_at rank source id version before")
LOT: Final = names_of("account_id origin part kind points pending available lapsed expires_on lapses_at doc")
ITEM: Final = names_of("account_id kind key due_at doc")
OUTBOX: Final = names_of("account_id version ordinal topic key value epoch program effective_at traceparent created_at")


async def write(link: Link, changes: Sequence[AccountChange], chains: Chains) -> None:
    """Everything of the changes but their heads, which must have been won in this transaction.

    The time of recording is taken from the database now, under the locks of all these accounts: on one account it never runs
    backwards, and all rows of one change carry the same.
    """
    if not changes:
        return
    recorded_at = await link.value("clock")
    await _append(link, "fact", FACT, _facts(changes, recorded_at, chains))
    await _append(link, "chain_begun", CHAIN_BEGUN, _begun(changes, chains))
    await _append(link, "decision", DECISION, _decisions(changes, recorded_at))
    await _append(link, "entry", ENTRY, _entries(changes, recorded_at))
    await _lots(link, changes)
    await _items(link, changes)
    await _steps(link, changes)
    await _append(link, "outbox", OUTBOX, _messages(changes, recorded_at))


async def _append(link: Link, table: str, names: Sequence[str], rows: Rows) -> None:
    if rows:
        await link.append(table, names, rows)


def _facts(changes: Sequence[AccountChange], recorded_at: datetime, chains: Chains) -> Rows:
    return [
        (c.account_id, *content, recorded_at, *proof) for c in changes if c.facts for content, proof in chains.grown(c).facts
    ]


def _begun(changes: Sequence[AccountChange], chains: Chains) -> Rows:
    return [
        (c.account_id, b.number, *b.chain, *b.before, b.accepted, b.salt, b.reason)
        for c in changes
        if (b := chains.grown(c).begun) is not None
    ]


def _decisions(changes: Sequence[AccountChange], recorded_at: datetime) -> Rows:
    return [(c.account_id, d.source, d.id, d.verdict, d.points, d.reason, recorded_at) for c in changes for d in c.decisions]


def _entries(changes: Sequence[AccountChange], recorded_at: datetime) -> Rows:
    return [
        (
            *(c.account_id, p.version, p.line, *p.moment, recorded_at),
            *(p.entry.reason, p.entry.points, p.entry.source, p.entry.target, p.source_after, p.target_after),
            *(p.entry.kind, p.entry.lot, p.entry.expires_on, p.entry.order_id, p.entry.rule, p.correction, p.refold),
        )
        for c in changes
        for p in c.entries
    ]


def _messages(changes: Sequence[AccountChange], recorded_at: datetime) -> Rows:
    return [
        (
            *(c.account_id, m.version, m.ordinal, m.topic, m.key.encode(), m.data),
            *(c.epoch, c.program, m.effective_at, m.traceparent, recorded_at),
        )
        for c in changes
        for m in c.messages
    ]


async def _lots(link: Link, changes: Sequence[AccountChange]) -> None:
    new: Rows = []
    kept: Rows = []
    gone: Rows = []
    for c in changes:
        not_there = frozenset(c.new_lots)
        for ref, lot in c.lots.items():
            if lot is not None:
                row = (
                    *(c.account_id, lot.origin, lot.part, lot.kind, lot.points, lot.pending, lot.available, lot.lapsed),
                    *(lot.expires_on, lot.lapses_at, encode(lot)),
                )
                (new if ref in not_there else kept).append(row)
            elif ref not in not_there:
                gone.append((c.account_id, *lot_place(ref)))
    await _replace(link, "lot", LOT, gone=gone, kept=kept, new=new)


async def _items(link: Link, changes: Sequence[AccountChange]) -> None:
    new: Rows = []
    kept: Rows = []
    gone: Rows = []
    for c in changes:
        not_there = frozenset(c.new_items)
        for name, item in c.items.items():
            if item is not None:
                (new if name in not_there else kept).append((c.account_id, *name, item.due_at, encode(item)))
            elif name not in not_there:
                gone.append((c.account_id, *name))
    await _replace(link, "item", ITEM, gone=gone, kept=kept, new=new)


async def _replace(link: Link, table: str, names: Sequence[str], *, gone: Rows, kept: Rows, new: Rows) -> None:
    if gone:
        await link.execute(f"drop_{table}s", *columns(gone))
    if kept:
        await link.execute(f"put_{table}s", *columns(kept))
    await _append(link, table, names, new)


async def _steps(link: Link, changes: Sequence[AccountChange]) -> None:
    undone = [(c.account_id, *c.undone_from) for c in changes if c.undone_from is not None]
    if undone:
        await link.execute("undo_steps", *columns(undone))
    rows = [(c.account_id, *s.moment, s.version, encode(s.before)) for c in changes for s in c.steps]
    await _append(link, "step", STEP, rows)
