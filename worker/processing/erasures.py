"""Erasures: an account is parted where a life of it ended, and a batch that looked before sees that it has to look again.

What the member did up to the erasure goes on under a name that says nothing; what came later is folded as a fresh account, in the
transaction that parts them. So at no time are there facts without an account, nor two lives in one for good.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from msgspec.structs import replace

from contracts.events import Event
from worker import metrics
from worker.decide.arrivals import change_by
from worker.decide.change import EVERYTHING, FORGOTTEN, AccountChange, AccountRow, Loaded, nameless
from worker.decide.errors import Defect
from worker.decide.fold import defect_of
from worker.decide.program import Program
from worker.decide.refold import Clock, compute_change
from worker.decide.state import Decision, Moment, is_current
from worker.log import get_logger
from worker.persist.api import Batch
from worker.persist.errors import ErasedMeanwhileError
from worker.persist.rows import Dossier, Erasure
from worker.processing.folding_anew import folded_anew
from worker.programs.catalogue import Catalogue

log = get_logger(__name__)


async def fold_lives(
    batch: Batch, catalogue: Catalogue, account_id: UUID, erasure: Erasure, clock: Clock, epoch: int, fence: str | None = None
) -> None:
    """Fold both lives of an account that was parted in this batch, each from its own facts, and write them. One that cannot be
    folded is fenced, or both for the reason given (`fence`)."""
    found = {each.account_id: each for each in await batch.dossiers([account_id, erasure.nameless])}
    ended, fresh = found[erasure.nameless], found[account_id]
    assert ended.row is not None
    assert fresh.row is not None
    changes = [_begun(fresh, fresh.row, erasure.member_id, catalogue, clock, epoch, fence)]
    changes[0].head = replace(changes[0].head, contested=ended.row.head.contested)
    if ended.row.fenced is None and is_current(ended.row.head):
        # One that is fenced, or is kept in another form, is folded from its facts before it is gone on from.
        changes.append(_ended(ended, ended.row, catalogue, clock, epoch, fence))
    won = await batch.compare_and_set(changes)
    assert len(won) == len(changes), "lost an account that is locked"
    await batch.write(changes)


def _ended(
    dossier: Dossier, row: AccountRow, catalogue: Catalogue, clock: Clock, epoch: int, fence: str | None
) -> AccountChange:
    """The life that ended, without the steps of what waited in it."""
    try:
        program = _program(catalogue, row, fence)
        return folded_anew(dossier, program, Clock(until=None, certainty=clock.certainty), epoch)
    except Defect as defect:
        return _fenced(row, row.member_id, epoch, str(defect))


def _begun(
    dossier: Dossier, row: AccountRow, member_id: str, catalogue: Catalogue, clock: Clock, epoch: int, fence: str | None
) -> AccountChange:
    """The next life, as if its facts had come now, in the order in which they came."""
    try:
        program = _program(catalogue, row, fence)
        if dossier.unreadable is not None:
            raise Defect(f"there is {dossier.unreadable}")
        return _folded(dossier, row, member_id, program, clock, epoch)
    except Defect as defect:
        why = str(defect)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  # as in every fold of a batch: whatever one account makes us do wrong
        why = str(defect_of(error, "posting"))
    return _fenced(row, member_id, epoch, why)


def _folded(
    dossier: Dossier, row: AccountRow, member_id: str, program: Program, clock: Clock, epoch: int
) -> AccountChange:
    came = sorted(zip(dossier.recorded, dossier.facts, strict=True), key=lambda each: (each[0], each[1].key))
    recorded = {(each.source, each.id) for each in dossier.decisions}
    known = {(fact.source, fact.id) for fact in dossier.facts}
    stands = (*dossier.decisions, *(each for each in dossier.announced if (each.source, each.id) in known))

    def fold(facts: Sequence[Event], told: Sequence[Decision], after: Moment | None) -> AccountChange | None:
        given = (program, row.account_id, member_id, Loaded(row, EVERYTHING), facts, clock)
        return compute_change(*given, announced=(*stands, *told), after=after, epoch=epoch)

    change = change_by([fact for _, fact in came], row.head, clock, None, fold)
    assert change is not None, "facts that change nothing"
    folded = {step.moment.name for step in change.steps}
    change.facts = []
    change.decisions = [each for each in change.decisions if (name := (each.source, each.id)) in folded and name not in recorded]
    return change


def _program(catalogue: Catalogue, row: AccountRow, fence: str | None) -> Program:
    """Raises Defect for an account that is to be fenced."""
    if fence is not None:
        raise Defect(fence)
    try:
        return catalogue.program(row.program)
    except KeyError:
        raise Defect(f"no terms of {row.program} are registered") from None


def _fenced(row: AccountRow, member_id: str, epoch: int, why: str) -> AccountChange:
    log.error("account_fenced", account=str(row.account_id), program=row.program, why=why)
    metrics.accounts_fenced.inc()
    given = (row.account_id, row.program, member_id, row.revision, row.version, max(row.epoch, epoch), row.head)
    return AccountChange(*given, fenced=why)



async def look_again(
    batch: Batch, facts: Mapping[UUID, Sequence[Event]], loaded: Mapping[UUID, Loaded], named: Collection[UUID]
) -> None:
    """Raise ErasedMeanwhileError where a batch looked for who is erased, or for whose an order is, before an erasure.

    `facts`: of each account, those that are new; `named`: accounts whose member the batch names. Asks nothing of accounts of
    which nobody was forgotten.
    """
    suspects = {
        account_id: row
        for account_id, each in loaded.items()
        if (row := each.row) is not None and row.forgotten_until is not None and row.member_id != nameless(account_id)
    }
    if not any(facts.get(account_id) for account_id in suspects):
        return
    routes = await batch.routes({fact.order_id or "" for each in suspects for fact in facts[each] if fact.follows})
    for account_id, row in suspects.items():
        until = row.forgotten_until
        assert until is not None
        nowhere: set[str] = set()
        for fact in facts[account_id]:
            order_id = fact.order_id or ""
            if not fact.follows:
                moved = fact.time <= until
            else:
                moved = account_id not in routes[order_id].members
                if row.member_id == FORGOTTEN and account_id not in named:
                    nowhere.add(order_id)
            if moved:
                raise ErasedMeanwhileError(account_id)
        if nowhere:
            raise ErasedMeanwhileError(account_id, nowhere)
