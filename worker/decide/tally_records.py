"""Records of what the orders of a period bring together (immutable)."""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from worker.decide.record import Kept, Record


class Contribution(Record, frozen=True):
    """What an order contributes to a tally: the amount, itself, its pieces, its points, and the values of which there are
    different ones. `rated`: the amounts of its lines by the rate that is theirs, where a step has several ("step.row")."""

    amount: int = 0
    orders: int = 0
    pieces: int = 0
    points: int = 0
    values: tuple[str, ...] = ()
    rated: tuple[tuple[str, int], ...] = ()


class Grant(Record, frozen=True):
    """Points that an activity or a challenge brought, by the lot into which they came, and the rule by which
    they are taken back."""

    origin: str
    part: str
    points: int
    rule: str


class Tally(Kept, frozen=True):
    """What the orders of one period have come to for one challenge, under the terms of the first of them.

    `values`: of what is counted by its difference, how many orders have each. `entered`: the member takes part, where that is
    asked. `settled`: what it brings is due; `granted`: the points that it has brought, and `grants` the newest of the lots into
    which they came.
    """

    name: str
    challenge: str
    terms: str
    amount: int = 0
    orders: int = 0
    pieces: int = 0
    points: int = 0
    values: dict[str, int] = field(default_factory=dict)
    rated: dict[str, int] = field(default_factory=dict)
    entered: bool = False
    settled: bool = False
    granted: int = 0
    grants: tuple[Grant, ...] = ()
    due_at: datetime | None = None
