"""The invariants of one account in memory, under the names that `db/invariants.sql` gives them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.stores.memory_tables import Account, Tables
from worker.decide.change import PostedEntry, nameless
from worker.decide.instants import next_after
from worker.decide.refold import net
from worker.decide.state import CLOCK_RANK, CLOCK_SOURCE
from worker.persist import Violation

OWN = ("available", "pending", "held")


def violations(account: Account, tables: Tables) -> Iterator[Violation]:
    """What breaks an invariant in one account."""
    for name, detail in (*_entries(account), *_lots(account), *_rest(account, tables)):
        yield Violation(name, account.row.account_id, detail)


def _entries(account: Account) -> Iterator[tuple[str, str]]:
    head = account.row.head
    balances: dict[str, int] = defaultdict(int)
    lines: dict[int, list[int]] = defaultdict(list)
    strangers: list[PostedEntry] = []
    for _, posted in sorted(account.entries, key=lambda row: (row[1].version, row[1].line)):
        entry = posted.entry
        lines[posted.version].append(posted.line)
        for bucket, change, after in (
            (entry.source, -entry.points, posted.source_after),
            (entry.target, entry.points, posted.target_after),
        ):
            balances[bucket] += change
            if after != balances[bucket] and (after is not None or bucket in OWN):
                yield "entries_carry_on", f"version {posted.version} line {posted.line}: {bucket} {after}"
        if posted.moment.rank != CLOCK_RANK and (posted.moment.source, posted.moment.id) not in account.facts:
            strangers.append(posted)
    forgotten = account.row.member_id == nameless(account.row.account_id)
    moved = net((posted.moment, posted.entry) for posted in strangers)
    for posted in strangers:
        # Of the life after an erasure, posted before word of the erasure came, and taken back.
        if not forgotten or any(points for (moment, _), points in moved.items() if moment == posted.moment):
            yield "entries_have_their_fact", f"version {posted.version} line {posted.line}"
    for version, numbers in lines.items():
        if version > account.row.version or numbers[-1] - numbers[0] + 1 != len(numbers):
            yield "entries_are_gapless", f"version {version}: {numbers}"
    if [balances[bucket] for bucket in OWN] != [head.available, head.pending, head.held]:
        yield "balances_are_sums_of_entries", f"{dict(balances)}, head {head}"


def _lots(account: Account) -> Iterator[tuple[str, str]]:
    head = account.row.head
    lots = account.lots.values()
    if (sum(lot.available for lot in lots), sum(lot.pending for lot in lots)) != (head.available + head.arrears, head.pending):
        yield "balances_are_sums_of_lots", f"{lots}, head {head}"
    for lot in lots:
        if lot.pending + lot.available + lot.lapsed > lot.points:
            yield "lots_hold_no_more_than_granted", lot.ref
        if lot.available and lot.lapses_at is not None and head.last is not None and lot.lapses_at <= head.last.at:
            yield "lapsed_lots_are_empty", lot.ref


def _rest(account: Account, tables: Tables) -> Iterator[tuple[str, str]]:
    row = account.row
    for key in {key for key in account.decisions if key[0] != CLOCK_SOURCE} - account.facts.keys():
        yield "decisions_have_their_fact", str(key)
    for step in account.steps.values():
        if step.version > row.version + 1:
            yield "steps_are_within_version", str(step.moment)
    for account_id, version, _ in tables.outbox:
        if account_id == row.account_id and version > row.version:
            yield "outbox_is_within_version", str(version)
    for (kind, name), item in account.items.items():
        due_at, last = row.head.next_due_at, row.head.last
        if row.fenced is not None or item.due_at is None:
            continue
        if due_at is None or due_at > (item.due_at if last is None else next_after(last, item.due_at)):
            yield "nothing_due_is_forgotten", f"{kind} {name}"
