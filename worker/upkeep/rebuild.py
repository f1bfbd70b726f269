"""Accounts folded anew from their facts: those that are fenced, those an operator names, those kept in another form.

Workers may run meanwhile: an account is written only if it is still as it was read; whoever comes second reads it again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from worker.decide.change import AccountChange, Wanted
from worker.decide.errors import Defect
from worker.decide.program import Program
from worker.decide.refold import Clock
from worker.decide.state import Certainty, is_current
from worker.persist import PostgresStore
from worker.persist.api import Store
from worker.persist.chain import Begun
from worker.persist.errors import RefusedError
from worker.persist.rows import Dossier
from worker.processing.folding_anew import UNPROVEN, folded_anew, must_not_move
from worker.programs.catalogue import Catalogue
from worker.upkeep.heads import LOOKS_AHEAD, comparable

ACCOUNTS_AT_ONCE: Final = 50
"""How many accounts are read, folded and written in one transaction."""
LOOKED_THROUGH_AT_ONCE: Final = 5_000
"""How many heads one statement looks through for those of a program."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of one account. `fenced`: why it was; `defect`: why it is left as it was (None: it was rebuilt).

    `facts`: how many there are; `entries`: corrections posted; `version`: the public one, `announced` if it is new.
    `available` and `pending`: by how much the balances changed.
    """

    account_id: UUID
    program: str
    fenced: str | None
    defect: str | None
    facts: int = 0
    entries: int = 0
    version: int = 0
    announced: bool = False
    available: int = 0
    pending: int = 0


def differs(dossier: Dossier, program: Program) -> bool:
    """Whether a rebuild would change anything of an account, its clock standing still, or could not be done at all."""
    row = dossier.row
    assert row is not None
    try:
        change = folded_anew(dossier, program, Clock(until=None, certainty=Certainty(0, 0)), row.epoch)
    except Defect:
        return True
    before, after = ({**comparable(program, head), **dict.fromkeys(LOOKS_AHEAD)} for head in (row.head, change.head))
    lots = {name: lot for name, lot in change.lots.items() if lot is not None}
    items = {name: item for name, item in change.items.items() if item is not None}
    return bool(change.entries or change.decisions) or (before, lots, items) != (after, dossier.lots, dossier.items)


async def rebuild(
    store: Store,
    catalogue: Catalogue,
    accounts: AsyncIterator[UUID],
    until: datetime | None,
    epoch: int,
    *,
    preview: bool = False,
    accept: str | None = None,
) -> AsyncIterator[Rebuilt]:
    """Fold accounts anew and commit them, a few at a time; those that cannot be folded stay as they are.

    `until`: up to where the clock runs (None: not beyond where it was). `preview`: nothing is written. `accept`: why facts that
    are not those that were committed are taken over all the same (None: such an account stays as it is). May be interrupted and
    run again: an account that was rebuilt is not changed by it.
    """
    async for group in groups(accounts, ACCOUNTS_AT_ONCE):
        for each in await _rebuild(_Rebuild(store, catalogue, until, epoch, preview, accept), group):
            yield each


async def groups(accounts: AsyncIterator[UUID], size: int) -> AsyncIterator[list[UUID]]:
    """The accounts in groups of a size."""
    group: list[UUID] = []
    async for account in accounts:
        group.append(account)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


async def fenced(store: Store) -> AsyncIterator[UUID]:
    """Every account that is fenced, by id."""
    after = UUID(int=0)
    while found := await store.fenced(after, ACCOUNTS_AT_ONCE):
        for account in found:
            yield account
        after = found[-1]


async def of_program(store: PostgresStore, program: str, after: UUID) -> AsyncIterator[UUID]:
    """Every account of a program behind an id, by id."""
    while rows := await store.written(after, None, LOOKED_THROUGH_AT_ONCE, program):
        for account, wanted in rows:
            if wanted:
                yield account
        after = rows[-1][0]


@dataclass(frozen=True, slots=True)
class _Rebuild:
    store: Store
    catalogue: Catalogue
    until: datetime | None
    epoch: int
    preview: bool
    accept: str | None


async def _rebuild(what: _Rebuild, accounts: Sequence[UUID]) -> list[Rebuilt]:
    """One transaction; where Postgres refuses its data it is halved until the account at fault is found."""
    try:
        return await _attempt(what, accounts)
    except RefusedError as error:
        if len(accounts) > 1:
            middle = len(accounts) // 2
            return [*await _rebuild(what, accounts[:middle]), *await _rebuild(what, accounts[middle:])]
        why = f"the database refuses what its fold makes: {error.why}"
    async for dossier in what.store.dossiers(accounts):
        return [_left(dossier, why)]
    return []


async def _attempt(what: _Rebuild, accounts: Sequence[UUID]) -> list[Rebuilt]:
    found: dict[UUID, Rebuilt] = {}
    failed: dict[UUID, int] = {}
    left: Collection[UUID] = accounts
    async with what.store.batch() as batch:
        clock = Clock(what.until, await batch.certainty())
        changes: list[AccountChange] = []
        for _ in range(2):
            tried: list[AccountChange] = []
            for dossier in await batch.dossiers(left):
                begun = taken_over(dossier, what.accept)
                if isinstance(begun, Begun):
                    batch.begin_chain(dossier.account_id, begun)
                found[dossier.account_id], change = _one(what, clock, dossier, begun)
                if change is None and dossier.row is not None:
                    failed[dossier.account_id] = dossier.row.revision
                if change is not None and not what.preview:
                    tried.append(change)
            won = await batch.compare_and_set(tried) if tried else set()
            changes += [change for change in tried if change.account_id in won]
            # Who was lost is locked now, so it is read as it stays.
            left = {change.account_id for change in tried} - won
            if not left:
                break
        assert not left, "lost twice, although they were locked"
        await batch.write(changes)
        # One that was written, or erased, while it was read may have been read in two states that do not go together.
        loaded = await batch.load([Wanted(account) for account in failed])
    again = [account for account, each in loaded.items() if each.row is not None and each.row.revision != failed[account]]
    found.update({each.account_id: each for each in (await _rebuild(what, again) if again else ())})
    return list(found.values())


def taken_over(dossier: Dossier, why: str | None) -> Begun | Defect | None:
    """The chain that an account goes on with if its facts are taken over though they are not those that were committed; a defect
    if they are not, or cannot be. None: they are what was committed."""
    if dossier.row is None or not dossier.unproven:
        return None
    assert dossier.chain is not None
    if why is None:
        return Defect(UNPROVEN)
    try:
        return dossier.chain.begun_anew(why)
    except Defect as defect:
        return defect


def _one(
    what: _Rebuild, clock: Clock, dossier: Dossier, begun: Begun | Defect | None
) -> tuple[Rebuilt, AccountChange | None]:
    row = dossier.row
    if row is None:
        return _left(dossier, "there is no such account"), None
    if isinstance(begun, Defect):
        return _left(dossier, str(begun)), None
    if begun is not None:
        dossier = dossier.begun(begun)
    try:
        program = what.catalogue.program(row.program)
        if not is_current(row.head):
            must_not_move(dossier, program, clock)
        change = folded_anew(dossier, program, clock, what.epoch)
    except KeyError:
        return _left(dossier, f"no terms of {row.program} are registered"), None
    except Defect as defect:
        return _left(dossier, str(defect)), None
    result = Rebuilt(
        account_id=row.account_id,
        program=row.program,
        fenced=row.fenced,
        defect=None,
        facts=len(dossier.facts),
        entries=len(change.entries),
        version=change.version,
        announced=change.version > row.version,
        available=change.head.available - row.head.available,
        pending=change.head.pending - row.head.pending,
    )
    return result, change


def _left(dossier: Dossier, why: str) -> Rebuilt:
    row = dossier.row
    return Rebuilt(
        account_id=dossier.account_id,
        program=row.program if row is not None else "",
        fenced=row.fenced if row is not None else None,
        defect=why,
        facts=len(dossier.facts),
    )
