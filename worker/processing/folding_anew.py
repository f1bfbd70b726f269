"""An account folded anew from its facts, whoever needs that: it is kept in another form, was fenced, or is checked."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.events import Event
from worker.decide.account import Defect
from worker.decide.change import AccountChange, AccountRow
from worker.decide.fold import defect_of
from worker.decide.program import Program
from worker.decide.rebuild import Kept, rebuild_account
from worker.decide.refold import Clock
from worker.decide.state import FORMAT, Decision, Moment
from worker.persist.rows import Dossier


def in_other_form(row: AccountRow | None) -> bool:
    """Whether an account has to be folded anew before this release can go on from it; a fenced one waits for an operator."""
    return row is not None and row.fenced is None and row.head.format != FORMAT


def folded_anew(
    dossier: Dossier,
    program: Program,
    clock: Clock,
    epoch: int,
    fresh: Sequence[Event] = (),
    told: Sequence[Decision] = (),
    after: Moment | None = None,
) -> AccountChange:
    """The account as its facts say, and `fresh` ones that are to be kept with it, under verdicts about them that were `told`.
    `after`: as for `rebuild_account`. Raises Defect, whatever goes wrong."""
    assert dossier.row is not None
    if dossier.unreadable is not None:
        raise Defect(f"there is {dossier.unreadable}")
    kept = Kept(
        row=dossier.row,
        facts=dossier.facts,
        decisions=dossier.decisions,
        postings=dossier.postings,
        lots=dossier.lot_names,
        items=dossier.item_names,
        announced=(*dossier.announced, *told),
    )
    try:
        return rebuild_account(program, kept, clock, epoch, fresh, after)
    except (Defect, MemoryError):
        raise
    except Exception as error:
        raise defect_of(error, "rebuilding") from error
