"""The ledger checks itself: the invariants as SQL, and every account folded anew from its facts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

import msgspec

from worker.decide.account import Account, Defect
from worker.decide.program import Program
from worker.persist.api import Store
from worker.persist.rows import Dossier, Violation
from worker.statements import of_facts

REFOLD = "refold_of_facts_is_state"
_LOOKS_AHEAD = frozenset({"clock_due_at", "next_due_at"})
"""When to look again may be kept earlier than need be; never later."""


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
        for detail in differences(dossier, programs):
            yield Violation(REFOLD, dossier.account_id, detail)
        count += 1
        progress(count)


def differences(dossier: Dossier, programs: Mapping[str, Program]) -> Iterator[str]:
    """Where an account's state is not what its facts say. A fenced account is one difference: it waits to be rebuilt."""
    row = dossier.row
    if row is None:
        if dossier.facts:
            yield f"{len(dossier.facts)} facts and no account"
        return
    if row.fenced is not None:
        yield f"fenced: {row.fenced}"
        return
    if row.program not in programs:
        yield f"no terms of {row.program} are registered"
        return
    last = row.head.last
    # After a fact the clock of that instant may still be due, so only a clock that was last is run up to it.
    until = last.at if last is not None and last.rank == 0 else None
    try:
        folded = of_facts(dossier, programs[row.program], until)
    except Defect as defect:
        yield f"the facts cannot be folded: {defect}"
        return
    yield from _of_head(row.head, folded)
    yield from _of_rows("lot", dossier.lots, folded.lots)
    yield from _of_rows("item", {" ".join(key): item for key, item in dossier.items.items()}, _named(folded))


def _named(account: Account) -> dict[str, Any]:
    return {" ".join(key): item for key, item in account.items.items()}


def _of_head(kept: msgspec.Struct, folded: Account) -> Iterator[str]:
    for field in kept.__struct_fields__:
        ours, theirs = getattr(kept, field), getattr(folded.head, field)
        if field in _LOOKS_AHEAD:
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
