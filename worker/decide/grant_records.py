"""What several orders or other events have come to: grants that may be taken back, tallies of challenges, and vouchers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import field

from worker.decide.order_records import Spent
from worker.decide.record import Kept, Record


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


class Voucher(Kept, frozen=True):
    """What was issued once, and what has become of it `since`.

    `points`: of which it was made, `spent`: the lots that they came from; `withdraws`: it goes where they are taken back.
    `used_on`: the order that it was used on; `gives_back`: it comes back where that is cancelled. `due_at`: when it lapses.
    """

    voucher_id: str
    name: str
    rule: str
    since: datetime
    status: Literal["open", "used", "given_back", "lapsed", "voided", "withdrawn"] = "open"
    value: int | None = None
    item: str | None = None
    expires_on: date | None = None
    points: int = 0
    spent: tuple[Spent, ...] = ()
    withdraws: bool = False
    used_on: str | None = None
    gives_back: bool = False
    due_at: datetime | None = None

    @property
    def usable(self) -> bool:
        """Whether it can be used."""
        return self.status in ("open", "given_back")
