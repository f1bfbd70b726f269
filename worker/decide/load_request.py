"""What is asked for of an account's rows: a first guess, and more as the fold finds it missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.events import Event
from worker.decide.change import NOTHING, Needs
from worker.decide.errors import Late, NotLoaded
from worker.decide.needs import needs
from worker.decide.program import Program
from worker.decide.state import Moment


@dataclass(slots=True)
class LoadRequest:
    """Rows, and the moment from which on history is asked for (None: nothing comes late)."""

    needs: Needs = NOTHING
    since: Moment | None = None

    def facts(self, facts: Iterable[Event], program: Program | None) -> bool:
        """Ask for what these facts need; whether it had not all been asked for."""
        more = needs(facts, program)
        missing = not (more.items <= self.needs.items and more.origins <= self.needs.origins)
        self.needs = self.needs.joined(more)
        return missing

    def more(self, raised: NotLoaded | Late) -> None:
        """Ask for what the fold says that it needs too."""
        if isinstance(raised, Late):
            self.since = raised.since if self.since is None else min(self.since, raised.since)
            self.needs = self.needs.joined(Needs(all_open=True))  # the way back leads over every lot
        else:
            self.needs = self.needs.joined(raised.needs)
