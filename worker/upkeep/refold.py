"""Numbers of the past that this release, or the terms registered now, give otherwise: whose they are, and moving them.

`moved` only reads. `apply` posts the differences of an account under one new version, in entries labelled with the version of the
fold, and frees the account if it was fenced for them. Run again, it moves nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from worker.decide.change import AccountChange, Refold
from worker.decide.errors import Defect
from worker.decide.program import Program
from worker.decide.refold import Clock
from worker.decide.state import Bucket, Reason
from worker.persist import PostgresStore
from worker.persist.api import Batch, Store
from worker.persist.errors import RefusedError
from worker.persist.rows import Dossier
from worker.processing.folding_anew import moves, refolded, waits
from worker.programs.catalogue import Catalogue
from worker.upkeep.rebuild import rebuild

_LOOK = Refold("")  # of a run that writes nothing
_STILL = Clock(until=None, certainty=None)


@dataclass(frozen=True, slots=True)
class Movement:
    """Points that go from one bucket to another. `at`: the moment of the past that is put right; `reason`: what it was for."""

    at: datetime
    reason: Reason
    rule: str
    points: int
    source: Bucket
    target: Bucket
    order_id: str | None


@dataclass(frozen=True, slots=True)
class Moved:
    """What a refold moves of one account: by how much its balances change, from which tier to which (None: none), and every
    movement. `fenced`: why the account takes no facts for now; `defect`: why it cannot be folded, and nothing is moved."""

    account_id: UUID
    program: str
    member_id: str
    available: int = 0
    pending: int = 0
    on_hold: int = 0
    previous_tier: str | None = None
    tier: str | None = None
    movements: tuple[Movement, ...] = ()
    fenced: str | None = None
    defect: str | None = None


async def moved(store: PostgresStore, programs: Mapping[str, Program], accounts: Sequence[UUID]) -> AsyncIterator[Moved]:
    """Of some accounts those of which a refold would move something, that wait for one, or that it cannot fold."""
    async for dossier in store.dossiers(accounts):
        if dossier.row is not None:
            found, change = _of_account(dossier, programs.get(dossier.row.program), _STILL, 0, _LOOK)
            if change is not None or found.defect is not None:
                yield found


async def apply(
    store: Store, catalogue: Catalogue, accounts: Sequence[UUID], until: datetime | None, epoch: int, refold: Refold
) -> list[Moved]:
    """Move what is to be moved of some accounts, in one transaction; then free those that were fenced for it, with the facts
    that came meanwhile. `until`: up to where their clock runs then."""
    found = await _move(store, catalogue, accounts, epoch, refold)
    freed = [account for account, each in found.items() if waits(each.fenced) and each.defect is None]
    async for each in rebuild(store, catalogue, _each(freed), until, epoch):
        if each.defect is not None:
            found[each.account_id] = replace(found[each.account_id], defect=each.defect)
    return list(found.values())


async def _move(
    store: Store, catalogue: Catalogue, accounts: Sequence[UUID], epoch: int, refold: Refold
) -> dict[UUID, Moved]:
    """Where Postgres refuses the data of a transaction, it is halved until the account at fault is found."""
    try:
        return await _attempt(store, catalogue, accounts, epoch, refold)
    except RefusedError as error:
        if len(accounts) > 1:
            middle = len(accounts) // 2
            first = await _move(store, catalogue, accounts[:middle], epoch, refold)
            return first | await _move(store, catalogue, accounts[middle:], epoch, refold)
        why = f"the database refuses what its fold makes: {error.why}"
    rows = [each.row async for each in store.dossiers(accounts) if each.row is not None]
    return {row.account_id: Moved(row.account_id, row.program, row.member_id, fenced=row.fenced, defect=why) for row in rows}


async def _attempt(
    store: Store, catalogue: Catalogue, accounts: Sequence[UUID], epoch: int, refold: Refold
) -> dict[UUID, Moved]:
    found: dict[UUID, Moved] = {}
    left = set(accounts)
    async with store.batch() as batch:
        changes: list[AccountChange] = []
        for _ in range(2):
            tried = await _tried(batch, catalogue, left, epoch, refold, found)
            won = await batch.compare_and_set([*tried.values()]) if tried else set()
            changes += [change for account, change in tried.items() if account in won]
            # Who was lost is locked now, so it is read as it stays.
            left = tried.keys() - won
            if not left:
                break
        assert not left, "lost twice, although they were locked"
        await batch.write(changes)
    return found


async def _tried(
    batch: Batch, catalogue: Catalogue, accounts: Iterable[UUID], epoch: int, refold: Refold, found: dict[UUID, Moved]
) -> dict[UUID, AccountChange]:
    clock = replace(_STILL, certainty=await batch.certainty())
    tried: dict[UUID, AccountChange] = {}
    for dossier in await batch.dossiers(sorted(accounts)):
        found.pop(dossier.account_id, None)
        if dossier.row is None:
            continue  # forgotten meanwhile
        program = catalogue.program(dossier.row.program) if dossier.row.program in catalogue.codes else None
        one, change = _of_account(dossier, program, clock, epoch, refold)
        if change is not None or one.defect is not None:
            found[dossier.account_id] = one
        if change is not None:
            tried[dossier.account_id] = change
    return tried


def _of_account(
    dossier: Dossier, program: Program | None, clock: Clock, epoch: int, refold: Refold
) -> tuple[Moved, AccountChange | None]:
    """What moves, and the change that moves it; None if nothing does. One that is fenced stays so until it is rebuilt."""
    row = dossier.row
    assert row is not None
    blank = Moved(row.account_id, row.program, row.member_id, fenced=row.fenced)
    if program is None:
        return replace(blank, defect=f"no terms of {row.program} are registered"), None
    try:
        change = refolded(dossier, program, clock, epoch, refold)
    except Defect as defect:
        return replace(blank, defect=str(defect)), None
    if not moves(change) and not waits(row.fenced):
        return blank, None
    change.fenced = row.fenced
    tier, previous = change.head.tier, row.head.tier
    found = replace(
        blank,
        # Of the entries: a head that is wrong says something else.
        available=_net(change, "available"),
        pending=_net(change, "pending"),
        on_hold=_net(change, "held"),
        previous_tier=previous.name if previous is not None else None,
        tier=tier.name if tier is not None else None,
        movements=tuple(
            Movement(
                each.moment.at,
                each.entry.reason,
                each.entry.rule,
                each.entry.points,
                each.entry.source,
                each.entry.target,
                each.entry.order_id,
            )
            for each in change.entries
        ),
    )
    return found, change


def _net(change: AccountChange, bucket: Bucket) -> int:
    """By how much the entries of a change move a bucket."""
    return sum(
        each.entry.points * ((each.entry.target == bucket) - (each.entry.source == bucket)) for each in change.entries
    )


async def _each(accounts: Sequence[UUID]) -> AsyncIterator[UUID]:
    for account in accounts:
        yield account
