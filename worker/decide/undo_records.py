"""What is kept to take a step back, given the account as the step left it."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import field

from worker.decide.record import Record
from worker.decide.state import Head, Item, ItemKey, Lot


class Splice(Record, frozen=True, array_like=True):
    """How a tuple was: what stands from `start` to `stop` in it now was `was`."""

    start: int
    stop: int
    was: tuple[str, ...] = ()


class Replaced(NamedTuple):
    """An item that a step replaced; None: it was not there."""

    key: ItemKey
    was: Item | None


class Undo(Record, frozen=True):
    """What takes one step back, given the account as the step left it: the head before it, and the rows it replaced.

    A head may hold every day of a year and hundreds of orders, so of its long fields stands here only what the step changed:
    of `windows` and `caps` the sums that were otherwise (None = not there), of `deliveries` the part. `head` has them empty.
    """

    head: Head
    lots: dict[str, Lot | None] = field(default_factory=dict)
    items: tuple[Replaced, ...] = ()
    windows: dict[str, int | None] = field(default_factory=dict)
    caps: dict[str, int | None] = field(default_factory=dict)
    deliveries: Splice | None = None
