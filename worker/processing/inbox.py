"""A batch between decoding and folding: its events by what is to be done with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.events import TOPIC_OF, Event, Origin
from worker.decode import Record
from worker.persist.rows import Arrival, DeadLetter
from worker.processing.contests import Contested
from worker.processing.parked import record_of_parked
from worker.programs.catalogue import Refusal

Way = tuple[UUID, str]
"""Where an order leads: an account, and the order's id."""


@dataclass(slots=True)
class Inbox:
    """A batch after decoding."""

    records: dict[Origin, Record] = field(default_factory=dict)  # that became events
    orders: list[tuple[Event, str]] = field(default_factory=list)  # with their program, or OUTSIDE
    members: list[tuple[Event, str]] = field(default_factory=list)
    followers: list[Event] = field(default_factory=list)  # events that name their order alone
    waited: list[Event] = field(default_factory=list)  # that were parked until an order of this batch came
    parts: list[Arrival] = field(default_factory=list)  # orders into which others are split by this batch
    letters: list[DeadLetter] = field(default_factory=list)
    erased: dict[UUID, datetime] = field(default_factory=dict)  # accounts of people who were forgotten, up to when
    of_erased: set[Origin | None] = field(default_factory=set)  # orders of theirs
    gone: set[Way] = field(default_factory=set)  # ways of orders that still lead to an account which was erased, and so nowhere
    refused: set[Origin] = field(default_factory=set)  # records of events that are dead letters
    contested: list[Contested] = field(default_factory=list)  # orders that somebody else turns out to have placed too
    fences: Mapping[UUID, str] = field(default_factory=dict)  # accounts to be fenced, and why
    approved: bool = False  # another person let these commands go: no ceiling holds them
    held: Counter[str] = field(default_factory=Counter)  # commands held by this batch, by the ceiling that they are above
    keep_only: bool = False  # a trial: facts are kept, nothing is folded
    outcomes: Counter[str] = field(default_factory=Counter)

    def arrival_order(self) -> dict[Origin | None, tuple[Any, ...]]:
        """The order of arrival, by where events came from: as in the batch; what came before its order arrives after it, in
        business order, whether it was parked in a batch before or not."""
        by_batch: dict[Origin | None, int] = {origin: place for place, origin in enumerate(self.records)}
        brought: dict[str | None, int] = {}
        for event, _ in self.orders:
            if (place := by_batch.get(event.origin)) is not None:
                brought.setdefault(event.order_id, place)
        for event in (*self.waited, *self.followers):
            place = max(by_batch.get(event.origin, -1), brought.get(event.order_id, -1))
            for part in event.brings if place >= 0 else ():
                brought.setdefault(part, place)
        found: dict[Origin | None, tuple[Any, ...]] = {origin: (place, 0) for origin, place in by_batch.items()}
        # Of two that contradict each other the one that was parked came first.
        parked = {_name(event): event.key for event in self.waited}
        for number, events in enumerate((self.waited, self.followers)):
            for event in events:
                place = brought.get(event.order_id, -1)
                if place > by_batch.get(event.origin, -1):
                    found[event.origin] = (place, 1, parked.get(_name(event), event.key), number)
        return found

    def refuse(self, event: Event, why: Refusal, topic: Callable[[str], str]) -> None:
        """Make a dead letter of the record that an event came in, once for all accounts that refuse it; one that was parked
        before is written as a record again."""
        if event.origin in self.refused:
            return
        if event.origin is not None:
            self.refused.add(event.origin)
        record = self.records.get(event.origin) if event.origin is not None else None
        record = record or record_of_parked(event.as_sent(), topic)
        self.letters.append(DeadLetter(record, why.reason, why.detail, why.path, event.source))


def _name(event: Event) -> tuple[str, str, str | None]:
    return event.source, event.id, TOPIC_OF.get(event.type)
