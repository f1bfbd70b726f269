"""The ledger checks itself: the invariants as SQL, and every account folded anew from its facts.

`check` looks at some accounts or at all of them, one after the other; `audit` spreads a whole ledger over processes,
`sampling` looks at a few accounts a minute beside the worker. All of them only read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from typing import Any, Final
from uuid import UUID

import msgspec

from worker.decide.account import Account
from worker.decide.errors import Defect
from worker.decide.fold import fold, moment_of
from worker.decide.program import Program
from worker.decide.refold import net
from worker.decide.state import FORMAT, Entry, Head, Item, ItemKey, Moment, blank, is_current
from worker.decide.step import Step
from worker.persist.api import Store
from worker.persist.chain import AS_CHAINED, CHAINED, COMPLETE, HEAD
from worker.persist.rows import Dossier, Violation
from worker.processing.folding_anew import waits
from worker.upkeep.heads import LOOKS_AHEAD, comparable

REFOLD: Final = "refold_of_facts_is_state"
AWAITS: Final = "awaits_refold"
ENTRIES: Final = "refold_of_facts_is_posted"
FENCED: Final = "fenced"
FACTS_READ: Final = "facts_can_be_read"
SEALED: Final = "chains_go_on_from_the_seal"
SEALS_KEPT: Final = "seals_are_kept"
AS_SENT: Final = "facts_are_as_sent"
FROM_RECORD: Final = "facts_came_in_a_record"
ARRIVED: Final = "records_came_to_something"
_FROM_FACTS: Final = "the facts are right and what is kept beside them is not: rebuild the account (`loyalty ledger rebuild`)"
_WRITTEN_BY_HAND: Final = (
    "rows that no worker can change were changed or removed: find out who could (db/roles.sql), restore them from a backup"
)
_NOT_BY_A_WORKER: Final = (
    "somebody wrote or changed a fact: find out who could (db/roles.sql), restore the account from a backup. "
    "(A topic that was made anew says so of all facts from before.)"
)
_NOT_AS_COMMITTED: Final = (
    "somebody wrote, changed or removed facts by hand: find out who could (db/roles.sql), hold them against Kafka (`loyalty "
    "ledger verify --against-kafka`), restore the account from a backup"
)
_CURES: Final = {
    FENCED: "find the defect that is named, run a release that has it mended, then `loyalty ledger rebuild --fenced`",
    AWAITS: "`loyalty ledger refold` shows what this release gives otherwise than the one that posted it, `--apply` moves it",
    FACTS_READ: "a later release may have written it: run that one; else " + _WRITTEN_BY_HAND,
    "entries_carry_on": _WRITTEN_BY_HAND,
    "entries_are_gapless": _WRITTEN_BY_HAND,
    "entries_have_their_fact": _WRITTEN_BY_HAND,
    "decisions_have_their_fact": _WRITTEN_BY_HAND,
    "whole_nothing_without_account": _WRITTEN_BY_HAND,
    CHAINED: _NOT_AS_COMMITTED,
    AS_CHAINED: _NOT_AS_COMMITTED,
    COMPLETE: _NOT_AS_COMMITTED,
    HEAD: _NOT_AS_COMMITTED,
    SEALED: "after `loyalty ledger restored`: take a file from before the backup; else " + _NOT_AS_COMMITTED,
    SEALS_KEPT: "the database is another one than was sealed, or somebody who owns it wrote seals: find out who could",
    AS_SENT: _NOT_BY_A_WORKER,
    FROM_RECORD: _NOT_BY_A_WORKER,
    ARRIVED: "a fact or a dead letter was removed, or a position moved by hand: find out who could (db/roles.sql); send it again",
    "whole_nothing_waits_for_a_known_order": "a running worker drains these within seconds: start one, or see why it cannot",
}


def cure_of(violation: Violation) -> str:
    """What an operator does about a finding."""
    return _CURES.get(violation.invariant, _FROM_FACTS)


async def check(
    store: Store,
    programs: Mapping[str, Program],
    accounts: Collection[UUID] | None = None,
    progress: Callable[[int], None] = lambda _count: None,
) -> AsyncIterator[Violation]:
    """What is wrong with the ledger, as it is found. `progress` is told how many accounts were folded anew."""
    async for violation in store.verify(accounts):
        yield violation
    count = 0
    async for dossier in store.dossiers(accounts):
        for violation in of_account(dossier, programs):
            yield violation
        count += 1
        progress(count)


def of_account(dossier: Dossier, programs: Mapping[str, Program]) -> Iterator[Violation]:
    """What is wrong with one account beyond the invariants in SQL. A fenced one is one finding: it waits to be rebuilt."""
    for name, detail in _findings(dossier, programs):
        yield Violation(name, dossier.account_id, detail)


def _findings(dossier: Dossier, programs: Mapping[str, Program]) -> Iterator[tuple[str, str]]:
    row = dossier.row
    # What follows from facts that nobody sent is no finding of its own: folded anew they would be as good as any.
    faults = list(dossier.chain.faults()) if dossier.chain is not None else []
    yield from faults
    if faults and dossier.unreadable is not None:
        yield FACTS_READ, f"there is {dossier.unreadable}"
    if row is None or faults:
        return
    if row.fenced is not None:
        yield (AWAITS if waits(row.fenced) else FENCED), f"fenced: {row.fenced}"
        return
    if dossier.unreadable is not None:
        yield FACTS_READ, f"there is {dossier.unreadable}"
        return
    if dossier.torn is not None:
        yield REFOLD, f"there is {dossier.torn}"
        return
    if row.program not in programs:
        yield REFOLD, f"no terms of {row.program} are registered"
        return
    try:
        folded, steps = _refolded(dossier, programs[row.program])
    except Defect as defect:
        yield REFOLD, f"the facts cannot be folded: {defect}"
        return
    posted = net((stored.moment, stored.entry) for stored in dossier.entries)
    differences = list(_of_entries(posted, net((step.moment, entry) for step in steps for entry in step.entries)))
    moves = bool(differences) and not is_current(row.head)
    # What is kept in another form is not gone on from, but folded anew when it is touched next; so is what a refold moves.
    if row.head.format == FORMAT and not moves:
        yield from ((REFOLD, detail) for detail in _of_state(dossier, row.head, folded))
    yield from ((AWAITS if moves else ENTRIES, detail) for detail in differences)


def _of_state(dossier: Dossier, head: Head, folded: Account) -> Iterator[str]:
    yield from _of_head(head, folded)
    yield from _of_rows("lot", dossier.lots, folded.lots)
    yield from _of_rows("item", _by_name(dossier.items), _by_name(folded.items))


def _refolded(dossier: Dossier, program: Program) -> tuple[Account, list[Step]]:
    """An account and its steps, folded from nothing by all its facts and the verdicts recorded. Raises Defect."""
    assert dossier.row is not None
    last = dossier.row.head.last
    account = Account(program, blank(), {}, {}, complete=True)
    account.announced_only, account.began = True, dict(dossier.row.head.waiting)
    account.decided.update({(each.source, each.id): each for each in dossier.decisions})
    # After a fact the clock of that instant may still be due, so only a clock that was last is run up to it.
    until = last.at if last is not None and last.rank == 0 else None
    return account, fold(account, sorted(dossier.facts, key=moment_of), until)


def _by_name(items: Mapping[ItemKey, Item]) -> dict[str, Item]:
    return {" ".join(key): item for key, item in items.items()}


def _of_head(kept: Head, folded: Account) -> Iterator[str]:
    facts = comparable(folded.program, folded.head)
    for field, ours in comparable(folded.program, kept).items():
        theirs = facts[field]
        if field in LOOKS_AHEAD:
            if theirs is not None and (ours is None or ours > theirs):
                yield f"{field} is {_text(ours)}, the facts give {_text(theirs)}"
        elif ours != theirs:
            yield f"{field} is {_text(ours)}, the facts give {_text(theirs)}"


def _of_rows(what: str, kept: Mapping[str, Any], folded: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*kept, *folded}):
        ours, theirs = kept.get(name), folded.get(name)
        if ours is None:
            yield f"{what} {name}: is not there, the facts give one"
        elif theirs is None:
            yield f"{what} {name}: is there, the facts give none"
        elif ours != theirs:
            fields = [field for field in ours.__struct_fields__ if getattr(ours, field, None) != getattr(theirs, field, None)]
            both = (
                f"{field} is {_text(getattr(ours, field))}, the facts give {_text(getattr(theirs, field, None))}"
                for field in fields
            )
            yield f"{what} {name}: {'; '.join(both)}"


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _of_entries(posted: Counter[tuple[Moment, Entry]], folded: Counter[tuple[Moment, Entry]]) -> Iterator[str]:
    for moment, entry in sorted({*posted, *folded}, key=lambda each: (each[0], _text(each[1]))):
        ours, theirs = posted[moment, entry], folded[moment, entry]
        if ours != theirs:
            what = f"{entry.source} to {entry.target} ({entry.reason}, {entry.rule}, lot {entry.lot})"
            yield f"{moment.at.isoformat()} {moment.id or 'the clock'}: {what}: posted {ours}, the facts give {theirs}"
