"""What the fold keeps of a member's standing in the tiers."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import field

from worker.decide.record import Record


class GivenTier(Record, frozen=True):
    """A level that was given for some time, by a rule: `until` is the first day on which it holds no longer."""

    tier: str
    until: date
    rule: str


class Tier(Record, frozen=True):
    """Standing in the program's tiers: the level in force, and what later reviews need to know.

    `own`: the level that the member has by what counts, where it is not the one in force, because a higher one was `given`.
    `kept_until`: the first day on which the own level holds no longer to which somebody fell, though nothing reached it.
    """

    name: str
    since: datetime | None = None
    lost: int = 0  # levels lost to inactivity, which a purchase may restore
    counted_for_good: date | None = None  # date of the last purchase that counted and is called off no more
    counted_on: dict[str, date] = field(default_factory=dict)  # of the latest that may be called off yet, by order
    last_ordered_on: date | None = None  # date of the last order that was not called off, though it may not count yet
    open_orders: tuple[date, ...] = ()  # dates of orders not called off that may not count yet, later than what counts for good
    inactive_periods: int = 0  # inactivity periods already answered by a step down
    own: str | None = None
    given: tuple[GivenTier, ...] = ()
    kept_until: date | None = None

    @property
    def last_counted_on(self) -> date | None:
        """Date of the last purchase that counted, for the inactivity rule."""
        return max((*self.counted_on.values(), *filter(None, (self.counted_for_good,))), default=None)
