"""Folding until the verdicts that are taken on the way agree with each other: nothing newly accepted in the past leaves less than
nothing since, and what was told again and accepted is waited for no longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from contracts.events import Event
from worker.decide.account import Account
from worker.decide.fold import fold
from worker.decide.state import Decision, Moment
from worker.decide.step import Step


def fold_covered(
    begin: Callable[[], Account],
    facts: Sequence[Event],
    until: datetime | None,
    announced: Mapping[tuple[str, str], Decision],
    last: Moment | None,
) -> tuple[Account, list[Step]]:
    """Fold facts into the account that `begin` makes, under the verdicts told. A redemption that nobody was told of yet is not
    accepted where that would leave less than nothing at an instant up to `last`, and waits no longer where its order, told again,
    is accepted; each time one is found, all is folded again."""
    refused: set[tuple[str, str]] = set()
    overtaken: dict[tuple[str, str], tuple[str, str]] = {}
    waiting_on: set[tuple[str, str]] = set()
    while True:
        account = begin()
        account.decided.update(announced)
        account.overdrawing, account.overtaken = refused, overtaken
        steps = fold(account, facts, until)
        more = {first: by for first, by in account.overtaking.items() if first not in overtaken and first not in waiting_on}
        if more:
            overtaken = {**overtaken, **more}
            continue
        # Once the first was refused, something between the two may have brought the order to stand.
        vain = {first for first, by in overtaken.items() if not _is_accepted(account.decided.get(by))}
        if vain:
            waiting_on |= vain
            overtaken = {first: by for first, by in overtaken.items() if first not in vain}
            continue
        found = _overdrawn(steps, account.decided.keys() - announced.keys(), last)
        if found is None:
            return account, steps
        refused, overtaken, waiting_on = refused | {found}, {}, set()


def _is_accepted(decision: Decision | None) -> bool:
    return decision is not None and decision.verdict == "accepted"


def _overdrawn(steps: Sequence[Step], new: set[tuple[str, str]], last: Moment | None) -> tuple[str, str] | None:
    """A redemption newly accepted in the past that leaves less than nothing at an instant folded since; the latest first."""
    if last is None or not new:
        return None
    lowest: int | None = None
    for step in reversed(steps):
        lowest = step.after.available if lowest is None else min(lowest, step.after.available)
        for answer in step.answers:
            decision = answer.decision
            key = (decision.source, decision.id)
            if key in new and decision.verdict == "accepted" and decision.points and step.moment < last and lowest < 0:
                return key
    return None
