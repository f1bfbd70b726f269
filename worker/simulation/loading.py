"""A change of one account that is loaded little by little, as the fold asks for its rows. The worker does the same for all the
accounts of a batch at once (`worker/processing/folding.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from contracts.events import Event
from worker.decide.change import AccountChange, History, Loaded, Needs
from worker.decide.errors import Defect, Late, NotLoaded
from worker.decide.load_request import LoadRequest
from worker.decide.needs import ROUNDS_MAX
from worker.decide.program import Program
from worker.decide.refold import Clock, compute_change
from worker.decide.state import Decision, Moment


class Rows(Protocol):
    """One account as something keeps it."""

    @property
    def account_id(self) -> UUID: ...
    @property
    def member_id(self) -> str: ...
    def load(self, needs: Needs) -> Loaded: ...
    def history(self, since: Moment) -> History: ...


def change_of(
    rows: Rows,
    program: Program,
    facts: Sequence[Event],
    clock: Clock,
    announced: Sequence[Decision],
    loaded: Loaded | None = None,
) -> AccountChange | None:
    """What facts and clock change; None: nothing. `announced`: verdicts that the world has been told. `loaded`: what the facts
    need, where it was loaded already. Raises Defect."""
    asked = LoadRequest()
    asked.facts(facts, program)
    for _ in range(ROUNDS_MAX):
        history = rows.history(asked.since) if asked.since is not None else None
        if history is not None:
            asked.facts(history.facts, program)
        at_hand = loaded or rows.load(asked.needs)
        at_hand.announced = announced
        try:
            return compute_change(program, rows.account_id, rows.member_id, at_hand, facts, clock, history)
        except (NotLoaded, Late) as raised:
            asked.more(raised)
            loaded = None
    raise Defect(f"the fold asks for rows without end: {asked}")
