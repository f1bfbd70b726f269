"""Points set aside: by hand, or reserved for an order that is to come; and everything revoked for cause."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import Any

from tests.oracle.records import Grant, Reservation


class Holding(ABC):
    """What the naive rules know of points that cannot be used for a while."""

    HOLD_SECONDS, HOLD_SECONDS_MAX = 1_800, 86_400
    minimum, maximum = 1, 10**9
    excluded_store = "none"
    grants: list[Grant]
    revoked: int

    def __init__(self) -> None:
        self.held: list[tuple[Grant, int]] = []
        self.reservations: dict[str, Reservation] = {}

    @abstractmethod
    def available(self) -> int:
        """Points that can be used."""

    @abstractmethod
    def in_order_of_use(self) -> list[Grant]:
        """Usable grants, the one that is used first first."""

    @abstractmethod
    def take_from(self, grants: list[Grant], points: int) -> list[tuple[Grant, int]]:
        """Take points out of grants, and say which."""

    @abstractmethod
    def return_to(self, grant: Grant, points: int) -> None:
        """Points come back to the grant that they were taken from."""

    @abstractmethod
    def is_member(self, at: datetime) -> bool:
        """Whether points may be used."""

    # -- by hand

    def hold(self, points: int) -> None:
        """Not more than there is."""
        self.held += self.take_from(self.in_order_of_use(), min(points, max(self.available(), 0)))

    def release(self, points: int) -> None:
        """What was set aside first comes back first."""
        kept = []
        for grant, part in self.held:
            some = min(points, part)
            points -= some
            self.return_to(grant, some)
            kept.append((grant, part - some))
        self.held = [(grant, part) for grant, part in kept if part]

    def on_hold(self) -> int:
        return sum(part for _, part in self.held)

    def revoke_all(self) -> None:
        """Everything there is: pending, usable, and set aside by hand."""
        for grant in self.grants:
            if grant.pending:
                self.revoked += grant.points
                grant.points = 0
        left = max(self.available(), 0)
        self.revoked += left
        for grant, part in self.take_from(self.in_order_of_use(), left):
            grant.voided += part
        self.revoked += self.on_hold()
        for grant, part in self.held:
            grant.voided += part
        self.held.clear()

    # -- reserved

    def reserve(self, at: datetime, data: dict[str, Any]) -> None:
        """Set aside for a time, if they are there and an order could use them."""
        points = data["points"]
        refused = (
            not self.is_member(at)
            or data["store"] == self.excluded_store
            or not self.minimum <= points <= self.maximum
            or points > self.available()
        )
        seconds = min(data.get("expires_in_seconds") or self.HOLD_SECONDS, self.HOLD_SECONDS_MAX)
        taken = [] if refused else self.take_from(self.in_order_of_use(), points)
        ends_at = at + timedelta(seconds=seconds)
        status = "refused" if refused else "held"
        self.reservations[data["redemption_id"]] = Reservation(points, data["store"], ends_at, taken, status)

    def give_up(self, redemption_id: str, status: str = "given up") -> None:
        """They can be used again, if they have not lapsed meanwhile."""
        reservation = self.reservations[redemption_id]
        if reservation.status == "held":
            reservation.status = status
            for grant, part in reservation.taken:
                self.return_to(grant, part)

    def end_reservations(self, at: datetime) -> None:
        """Those whose time is over."""
        over = [(each.ends_at, name) for name, each in self.reservations.items() if each.status == "held" and each.ends_at <= at]
        for _, name in sorted(over):
            self.give_up(name, "ended")

    def reserved(self) -> int:
        return sum(each.points for each in self.reservations.values() if each.status == "held")
