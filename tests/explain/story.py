"""Stories whose postings are explained: told like those of the rules, with each fact recorded when it was delivered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from contracts.events import Event
from tests.rules.story import MEMBER, Story, instant
from worker.decide.explain import Known, Posting, explain
from worker.decide.fold import moment_of
from worker.decide.state import Moment
from worker.reading.explain import Language, Told, tell


class ExplainedStory(Story):
    """A story that keeps when everything was recorded."""

    def __init__(self, code: str, set: Mapping[str, Any] | None = None) -> None:  # noqa: A002 - as the terms call it
        super().__init__(code, set)
        self.known: list[Known] = []
        self.postings: list[Posting] = []
        self._moments: list[Moment] = []

    def tell(self, type_: str, at: str, recorded: str | None = None, id_: str | None = None, **data: Any) -> Event:
        """Deliver an event and note what was posted then."""
        event = super().tell(type_, at, recorded, id_, **data)
        self._note(instant(recorded or at), event)
        return event

    def _note(self, recorded_at: datetime, event: Event | None = None) -> None:
        late = event is not None and any(moment_of(event) < each for each in self._moments)
        if event is not None:
            self.known.append(Known(event, recorded_at))
            self._moments.append(moment_of(event))
        for ledger in self.simulation.ledgers.values():  # one member's
            for stored in ledger.entries[len(self.postings) :]:
                line = len(self.postings)
                self.postings.append(Posting(line, line, recorded_at, stored.moment, stored.entry, late))
                self._moments.append(stored.moment)

    def told(self, at: str, language: Language = "en", order_id: str | None = None, member: str = MEMBER) -> Told:
        """The account explained at an instant."""
        until = instant(at)
        self.simulation.run_clock(until)
        self._note(until)
        decisions = list(self.simulation.ledgers[member].decisions.values())
        found = explain(self.program, self.known, decisions, self.postings, until)
        return tell(self.program, found, member, until, language, order_id)

    def how(self, title: str, at: str, language: Language = "en") -> list[str]:
        """The lines of the one posting of that title."""
        (found,) = [each for each in self.told(at, language).postings if each.title == title]
        return [*found.how, *(f"! {line}" for line in found.late)]
