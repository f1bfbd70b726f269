"""An account folded anew from its facts, whoever needs that: it is kept in another form, was fenced, or is checked.

What a release posts about the past is told before it happens. So an account that another release kept is gone on from as long as
this one's fold gives what was posted; if not, it is fenced until somebody has seen what would move, and moves it by a refold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from contracts.events import Event
from worker.decide.change import AccountChange, AccountRow, Refold
from worker.decide.errors import Defect
from worker.decide.fold import defect_of
from worker.decide.program import Program
from worker.decide.rebuild import Kept, rebuild_account
from worker.decide.refold import Clock
from worker.decide.state import Decision, Moment, is_current, withdrawal
from worker.persist.rows import Dossier

UNPROVEN: Final = "its facts are not those that were committed (`loyalty ledger verify` tells which)"
"""Why an account is not folded anew: what somebody wrote by hand would be as good as what was sent."""
AWAITS_REFOLD: Final = "awaits a refold"
"""How the reason of a fence begins that a refold ends (`loyalty ledger refold`)."""


def in_other_form(row: AccountRow | None) -> bool:
    """Whether an account has to be folded anew before this release can go on from it; a fenced one waits for an operator."""
    return row is not None and row.fenced is None and not is_current(row.head)


def waits(fenced: str | None) -> bool:
    """Whether an account that is `fenced` for this reason is so until its numbers were moved by a refold."""
    return fenced is not None and fenced.startswith(AWAITS_REFOLD)


def must_not_move(dossier: Dossier, program: Program, clock: Clock) -> None:
    """Raises Defect if this release gives other numbers for what was posted of the account, or cannot fold it."""
    change = refolded(dossier, program, clock, 0, Refold(""))
    if moves(change):
        row = dossier.row
        assert row is not None
        available, pending = change.head.available - row.head.available, change.head.pending - row.head.pending
        raise Defect(f"{AWAITS_REFOLD} that moves its points (available {available:+}, pending {pending:+})")


def moves(change: AccountChange) -> bool:
    """Whether a refold of an account moves anything that was posted or told."""
    return bool(change.entries or change.messages)


def refolded(dossier: Dossier, program: Program, clock: Clock, epoch: int, refold: Refold) -> AccountChange:
    """What was posted for the facts that were folded already, as this release gives it: only numbers that it gives otherwise
    differ. What came while the account was fenced is left for whoever frees it. Raises Defect, whatever goes wrong."""
    facts = [fact for fact in dossier.facts if (fact.source, fact.id) not in dossier.unfolded]
    still = Clock(until=None, certainty=clock.certainty)
    return folded_anew(replace(dossier, facts=facts), program, still, epoch, refold=refold)


def folded_anew(
    dossier: Dossier,
    program: Program,
    clock: Clock,
    epoch: int,
    fresh: Sequence[Event] = (),
    announced: Sequence[Decision] = (),
    after: Moment | None = None,
    refold: Refold | None = None,
    withdrawn: Sequence[Event] = (),
) -> AccountChange:
    """The account as its facts say, and `fresh` ones that are to be kept with it, under verdicts on them that were `announced`.

    Facts that are `withdrawn` now are left out. `after`, `refold`: as for `rebuild_account`. Raises Defect, whatever goes wrong.
    """
    assert dossier.row is not None
    if dossier.unreadable is not None:
        raise Defect(f"there is {dossier.unreadable}")
    if dossier.unproven:
        raise Defect(UNPROVEN)
    kept = Kept(
        row=dossier.row,
        facts=dossier.facts,
        decisions=dossier.decisions,
        postings=dossier.postings,
        lots=dossier.lot_names,
        items=dossier.item_names,
        announced=(*dossier.announced, *announced),
        withdrawals=[withdrawal(fact.source, fact.id) for fact in withdrawn],
    )
    try:
        return rebuild_account(program, kept, clock, epoch, fresh, after, refold)
    except (Defect, MemoryError):
        raise
    except Exception as error:
        raise defect_of(error, "rebuilding") from error
