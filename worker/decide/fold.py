"""The fold: facts in business order, with the clock's instants between them, each one step.

    account(t) = fold(terms, facts with business time <= t in business order, clock instants <= t)

At one instant the clock comes first, then facts by rank; a fact sees the state strictly before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import PurePath
from traceback import extract_tb
from typing import Final

from contracts.events import Event
from worker.decide import clock, early, hindsight, lives, orders, splitting, voiding
from worker.decide.account import Account
from worker.decide.errors import Defect, Late, NotLoaded
from worker.decide.fact_types import FACT_TYPES
from worker.decide.instants import next_after
from worker.decide.state import Moment, clock_moment
from worker.decide.step import Step

CLOCK_STEPS_MAX: Final = 100_000
"""More clock instants than this between two facts is a defect of the fold, not a history."""


def moment_of(event: Event) -> Moment:
    """An event's place in business order."""
    return Moment(*event.key)


def defect_of(error: Exception, where: str) -> Defect:
    """What a failure that nobody foresaw is kept and logged as: its kind and its place, and nothing of the data."""
    last = extract_tb(error.__traceback__)[-1]
    return Defect(f"{type(error).__name__} in {where} ({PurePath(last.filename).name}:{last.lineno})")


def fold(account: Account, facts: Iterable[Event], until: datetime | None = None) -> list[Step]:
    """Fold facts (in business order, none before the account's last moment) and the clock up to `until` into the account.

    A fact that was withdrawn is passed over, as if it had never come. Returns the steps, each with its before-image. Raises
    NotLoaded when rows are missing (the account is then to be loaded and folded anew) and Defect when the fold broke its rules.
    """
    steps: list[Step] = []
    counting = [fact for fact in facts if not _is_withdrawn(account, fact)]
    account.turning = hindsight.turning(counting)
    for fact in counting:
        run_clock(account, fact.time, steps)
        steps.append(_apply(account, fact))
    if until is not None:
        run_clock(account, until, steps)
    return steps


def _is_withdrawn(account: Account, fact: Event) -> bool:
    told = account.decided.get((fact.source, fact.id))
    return told is not None and told.withdraws


def _apply(account: Account, fact: Event) -> Step:
    account.begin(moment_of(fact), fact)
    try:
        if not lives.waits(account, fact):
            _handle(account, fact)
            clock.look(account)
    except (NotLoaded, Late, Defect):
        raise
    except Exception as error:
        raise defect_of(error, f"{fact.type} at {fact.time.isoformat()}") from error
    return account.finish()


def _handle(account: Account, fact: Event) -> None:
    """Do what a fact does, then what was told before that which it has brought to stand."""
    of_type = FACT_TYPES[type(fact.data)]
    was = splitting.before(account, fact.order_id)
    of_type.handle(account, fact.data)
    if was is not None:
        splitting.follow(account, was, fact.order_id or "")
    brought = of_type.brings(account, fact.data)
    if not brought and of_type.grants:
        brought = (voiding.name_of(account.cause),)
    for thing in brought:
        early.apply(account, thing, orders.of_name(thing) or fact.order_id, _handle)


def run_clock(account: Account, until: datetime, steps: list[Step]) -> None:
    """Take every clock instant up to `until` (inclusive) at which something changes, each as a step of its own."""
    for _ in range(CLOCK_STEPS_MAX):
        due = account.head.clock_due_at
        if due is None:
            return
        if account.head.last is not None:
            due = next_after(account.head.last, due)
        if due > until:
            return
        account.need_all_open()
        account.begin(clock_moment(due))
        try:
            clock.tick(account)
            clock.look(account)
        except (NotLoaded, Defect):
            raise
        except Exception as error:
            raise defect_of(error, f"the clock at {due.isoformat()}") from error
        # Asked before the step is closed: that nothing is due any more is noted in the head, and makes no step.
        changed = account.changed
        step = account.finish()
        if changed:
            steps.append(step)
    raise Defect(f"the clock does not come to rest before {until}")
