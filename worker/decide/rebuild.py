"""One account folded anew from nothing: what its facts and recorded decisions say, and the postings that bring its ledger there.

For an account whose snapshot cannot be gone on from: its fold had failed, or it is kept in another form. Nothing of the
snapshot is read, so nothing that is wrong with it lives on. The ledger is not rewritten: the difference is posted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from contracts.events import Event
from worker.decide import messages, vouchers
from worker.decide.account import Account
from worker.decide.change import AccountChange, AccountRow, Refold, StoredStep
from worker.decide.covering import fold_covered
from worker.decide.explain import Posting
from worker.decide.fold import moment_of
from worker.decide.program import Program
from worker.decide.refold import Clock, corrections, net, number, taken_over_quietly
from worker.decide.state import Bucket, Decision, Head, ItemKey, Moment, blank
from worker.decide.step import Step
from worker.decide.undo import undo_of

BEGINNING: Final = Moment(datetime.min.replace(tzinfo=UTC), 0, "", "")
"""Before everything: steps from here on are all steps."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of an account for ever, and the names of the rows that are to be replaced.

    `decisions` were told to the world and stand; `postings` in the order in which they were posted.
    `announced`: verdicts told before the database was restored, which stand as well, though they are not recorded.
    `withdrawals`: of facts that do not count from now on.
    """

    row: AccountRow
    facts: Sequence[Event]
    decisions: Sequence[Decision]
    postings: Sequence[Posting]
    lots: Collection[str] = ()
    items: Collection[ItemKey] = ()
    announced: Sequence[Decision] = ()
    withdrawals: Sequence[Decision] = ()


def rebuild_account(
    program: Program,
    kept: Kept,
    clock: Clock,
    epoch: int = 0,
    fresh: Sequence[Event] = (),
    after: Moment | None = None,
    refold: Refold | None = None,
) -> AccountChange:
    """The account as its facts say, up to the later of the clock and its last moment, and no longer fenced.

    `fresh`: facts that are to be kept with the change; `after`: how far was folded when the last of them came, if that is later
    than what is kept. What was posted otherwise is corrected under one new version; if nothing
    was, subscribers hear nothing. `refold`: the corrections are labelled as its, and no verdict is taken: what waits goes on
    waiting, so that nothing moves but by another fold or other terms. Raises Defect if the facts cannot be folded.
    """
    row, last = kept.row, kept.row.head.last
    recorded = {(each.source, each.id): each for each in kept.decisions}
    announced = {(each.source, each.id): each for each in (*kept.announced, *kept.withdrawals)} | recorded
    facts = sorted((*kept.facts, *fresh), key=lambda fact: fact.key)
    folded = max((each for each in (last, after) if each is not None), default=None)
    until = max((at for at in (clock.until, folded.at if folded is not None else None) if at is not None), default=None)

    def begin() -> Account:
        account = Account(program, blank(), {}, {}, complete=True)
        account.certainty = clock.certainty
        account.began = dict(row.head.waiting)
        account.announced_only = refold is not None
        return account

    account, steps = fold_covered(begin, facts, until, announced, folded)
    new = account.decided.keys() - recorded.keys()
    change = AccountChange(
        account_id=row.account_id,
        program=program.code,
        member_id=row.member_id,
        expected_revision=row.revision,
        version=row.version,
        epoch=max(row.epoch, epoch),
        head=replace(account.head, contested=row.head.contested),
        facts=sorted(fresh, key=lambda fact: fact.key),
        decisions=[*kept.withdrawals, *(account.decided[name] for name in (each.moment.name for each in steps) if name in new)],
        lots={**dict.fromkeys(kept.lots), **account.lots},
        items={**dict.fromkeys(kept.items), **account.items},
        undone_from=BEGINNING,
        late=sum(last is not None and moment_of(fact) < last for fact in fresh),
    )
    _post(program, change, kept, facts, steps, refold)
    _number_steps(change, kept.postings, steps)
    return change


def _post(
    program: Program,
    change: AccountChange,
    kept: Kept,
    facts: Sequence[Event],
    steps: Sequence[Step],
    refold: Refold | None,
) -> None:
    """What was folded minus what was posted, under one version; and what subscribers do not know yet."""
    # What subscribers were told is what was posted; the head may say otherwise.
    posted = _balances(kept.postings)
    before = replace(kept.row.head, available=posted.available, pending=posted.pending, held=posted.held)
    folded = net((step.moment, entry) for step in steps for entry in step.entries)
    rows = corrections(folded, net((posting.moment, posting.entry) for posting in kept.postings))
    quiet = taken_over_quietly(change, kept.postings, steps)
    if not quiet:
        waited = next((fact for fact in facts if before.last is None or moment_of(fact) > before.last), None)
        cause = refold or waited
        others = vouchers.since(kept.items, change, steps, before.last)
        told = messages.of_refold(program, change, before, change.version + 1, steps, rows, cause, vouchers=others)
        change.messages.extend(told)
        change.version += bool(change.messages)
    label = refold.fold if refold is not None else None
    change.entries.extend(number(change.version, posted, rows, correction=not quiet, refold=label))


def _balances(postings: Sequence[Posting]) -> Head:
    """What the entries come to, which the head may not say."""
    sums: dict[Bucket, int] = dict.fromkeys(("pending", "available", "held", "lapsed", "forfeited", "revoked"), 0)
    for posting in postings:
        for bucket, points in ((posting.entry.source, -posting.entry.points), (posting.entry.target, posting.entry.points)):
            if bucket in sums:
                sums[bucket] += points
    return Head(
        available=sums["available"],
        pending=sums["pending"],
        held=sums["held"],
        lapsed=sums["lapsed"],
        forfeited=sums["forfeited"],
        revoked=sums["revoked"],
    )


def _number_steps(change: AccountChange, postings: Sequence[Posting], steps: Sequence[Step]) -> None:
    """Give each step the first version that anything after the step before it was posted under: whoever folds again from a
    moment finds all that was ever posted for it, and for moments that are gone."""
    posted = sorted(
        [*((each.moment, each.version) for each in postings), *((each.moment, each.version) for each in change.entries)]
    )
    first, place = change.version, len(posted)
    stored: list[StoredStep] = []
    for place_of_step in range(len(steps) - 1, -1, -1):
        step = steps[place_of_step]
        previous = steps[place_of_step - 1].moment if place_of_step else BEGINNING
        while place and posted[place - 1][0] > previous:
            place -= 1
            first = min(first, posted[place][1])
        stored.append(StoredStep(step.moment, first, undo_of(step.before, step.after)))
    change.steps.extend(reversed(stored))
