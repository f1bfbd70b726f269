"""What several orders bring together: sums of a period, the third shop, every tenth piece."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.terms.earning import DayOfMonth
from contracts.terms.values import Days, Name, Part, Period, Points, Rate, RuleId, When


class Step(Part):
    """What it brings that a measure comes to `at`: so many `points`, or a `rate` on the amount of all that counted."""

    at: Points
    points: Points | None = None
    rate: Rate | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.points is None) == (self.rate is None):
            raise ValueError("a step brings either points or a rate")
        return self


class Every(Part):
    """So many `points` for every full `per` of the measure."""

    per: Annotated[int, Field(ge=1)]
    points: Points


class Challenge(Part):
    """Points for what the orders of a period come to together. Of the steps that are reached the highest one counts.

    `of`: what is measured, over the lines for which `when` holds: their amount, pieces, the points that their orders earned, how
    many orders, different days, stores or products, or a unit in which lines are told (`measures`: litres, nights); of orders
    that come to a `minimum` each. `entry`: an activity by which
    the member has to enter, at any time in the period. `granted`: as soon as it is reached, or when the period is over
    (`days_after` its end, `on` a day of a month). What comes back later, or is told late, is settled then: the difference is
    posted.
    """

    id: Name
    rule: RuleId
    kind: Name = "regular"
    period: Period
    when: When = When()
    of: Name = "amount"
    minimum: Points = 0
    tax: Literal["exclusive", "inclusive"] = "exclusive"
    points_used: Literal["gross", "net"] = "gross"
    counted_at: Literal["order", "payment", "shipment", "delivery"] = "order"
    returns: Literal["deducted", "ignored"] = "deducted"
    steps: tuple[Step, ...] = ()
    every: Every | None = None
    points_max: Points | None = None
    entry: Name | None = None
    granted: Literal["reached", "period_end"] = "period_end"
    days_after: Days = 0
    on: DayOfMonth | None = None

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.period.order or self.period.rolling_days is not None:
            raise ValueError("a challenge is about periods that follow each other, not about an order or the last days")
        if self.period.always and self.granted == "period_end":
            raise ValueError("all time never ends: write granted: reached")
        return self
