"""Stories that are told again in other orders: what was told is kept, and comes to the same ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

from contracts.events import Event
from tests.rules.story import MEMBER, Story
from worker.decide.state import CLOCK_SOURCE
from worker.simulation.simulate import Simulation

Ledger = tuple[object, Mapping[tuple[str, str, str], int]]
"""A statement, and what was moved between two buckets under each rule."""


class Told(Story):
    """A story that keeps what was told, so that it can be told again."""

    def __init__(self, code: str, set: Mapping[str, Any] | None = None) -> None:  # noqa: A002 - as the terms call it
        super().__init__(code, set)
        self.events: list[Event] = []

    def tell(self, type_: str, at: str, recorded: str | None = None, id_: str | None = None, **data: Any) -> Event:
        """Deliver an event, and keep it."""
        event = super().tell(type_, at, recorded, id_, **data)
        self.events.append(event)
        return event

    def again(self, seed: int) -> Story:
        """The same events in another order, under the decisions that were told: verdicts, and what was paid out in money."""
        decisions = [each for ledger in self.simulation.ledgers.values() for each in ledger.decisions.values()]
        asked = {(each.source, each.id): each for each in decisions if each.source != CLOCK_SOURCE}
        paid = [each for each in decisions if each.source == CLOCK_SOURCE]
        story = Story(self.program.code)
        story.simulation = Simulation(self.program, told=asked, paid={MEMBER: paid})
        for each in Random(seed).sample(self.events, len(self.events)):
            story.simulation.deliver(each)
        return story


def ledger(story: Story, at: str, member: str = MEMBER) -> Ledger:
    """What a story has come to: the statement, and all movements net of what corrected them."""
    says = story.at(at, member).model_copy(update={"version": 0})
    moved: Counter[tuple[str, str, str]] = Counter()
    for entry in story.entries(member):
        there = entry.source < entry.target
        pair = (entry.source, entry.target) if there else (entry.target, entry.source)
        moved[*pair, entry.rule] += entry.points if there else -entry.points
    return says, {key: points for key, points in moved.items() if points}
