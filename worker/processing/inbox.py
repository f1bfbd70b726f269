"""A batch between decoding and folding: its events by what is to be done with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.events import Event
from worker.decode import Record
from worker.persist.rows import DeadLetter
from worker.processing.parked import record_of_parked


@dataclass(slots=True)
class Inbox:
    """A batch after decoding."""

    records: dict[int, Record] = field(default_factory=dict)  # by the identity of the event it became
    orders: list[tuple[Event, str]] = field(default_factory=list)  # with their program, or OUTSIDE
    members: list[tuple[Event, str]] = field(default_factory=list)
    followers: list[Event] = field(default_factory=list)  # events that name their order alone
    waited: list[Event] = field(default_factory=list)  # that were parked until an order of this batch came
    letters: list[DeadLetter] = field(default_factory=list)
    erased: dict[UUID, datetime] = field(default_factory=dict)  # accounts of people who were forgotten, up to when
    of_erased: set[int] = field(default_factory=set)  # orders of theirs, by the identity of the event
    gone: set[UUID] = field(default_factory=set)  # accounts that were erased; a route that still leads there leads nowhere
    fences: Mapping[UUID, str] = field(default_factory=dict)  # accounts to be fenced, and why
    keep_only: bool = False  # a trial: facts are kept, nothing is folded
    outcomes: Counter[str] = field(default_factory=Counter)

    def arrival_order(self) -> dict[int, tuple[Any, ...]]:
        """The order of arrival, by the identity of the event: as in the batch; what came before its order arrives after it, in
        business order, whether it was parked in a batch before or not."""
        by_batch = {identity: place for place, identity in enumerate(self.records)}
        brought: dict[str | None, int] = {}
        for event, _ in self.orders:
            if (place := by_batch.get(id(event))) is not None:
                brought.setdefault(event.order_id, place)
        found: dict[int, tuple[Any, ...]] = {identity: (place, 0) for identity, place in by_batch.items()}
        # Of two that contradict each other the one that was parked came first.
        parked = {(event.source, event.id): event.key for event in self.waited}
        for number, events in enumerate((self.waited, self.followers)):
            for event in events:
                place = brought.get(event.order_id, -1)
                if place > by_batch.get(id(event), -1):
                    found[id(event)] = (place, 1, parked.get((event.source, event.id), event.key), number)
        return found

    def refuse(self, event: Event, reason: str, detail: str, topic: Callable[[str], str]) -> None:
        """Make a dead letter of the record that an event came in; one that was parked before is written as a record again."""
        # Taken out, for the event is let go of now, and another one may get its identity.
        record = self.records.pop(id(event), None) or record_of_parked(event, topic)
        self.letters.append(DeadLetter(record, reason, detail, source=event.source))
