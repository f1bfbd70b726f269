"""What several orders bring together: sums of a period, the third shop, every tenth piece."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from contracts.terms.earning import DayOfMonth, RateRow
from contracts.terms.values import Days, Name, Part, Period, Points, Rate, RuleId, Share, When

_BEYOND_WHAT: Final = "beyond is for what is above points_max: write that too"


class StepRate(RateRow):
    """A rate on the amount of the lines that counted and for which no row before it holds; up to so many points of a period
    (`points_max`), of which only a share goes on `beyond`."""

    points_max: Points | None = None
    beyond: Share | None = None

    @model_validator(mode="after")
    def _beyond_what(self) -> Self:
        if self.beyond is not None and self.points_max is None:
            raise ValueError(_BEYOND_WHAT)
        return self


class Step(Part):
    """What it brings that a measure comes to `at`: so many `points`, a `rate` on the amount of all that counted, or `rates` by
    line."""

    at: Points
    points: Points | None = None
    rate: Rate | None = None
    rates: tuple[StepRate, ...] = ()

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.points is not None) + (self.rate is not None) + bool(self.rates) != 1:
            raise ValueError("a step brings either points, a rate, or rates by line")
        return self


class Every(Part):
    """So many `points` for every full `per` of the measure."""

    per: Annotated[int, Field(ge=1)]
    points: Points


class Challenge(Part):
    """Points for what the orders of a period come to together. Of the steps that are reached the highest one counts.

    `of`: what is measured, over the lines for which `when` holds: their amount, pieces, the points that their orders earned, how
    many orders, different days, stores or products, or a unit in which lines are told (`measures`: litres, nights); of orders
    that come to a `minimum` each. `entry`: an activity by which the member has to enter, at any time in the period, or before a
    period that is there `once`. `granted`: as soon as it is reached, or when the period is over (`days_after` its end, `on` a day
    of a month). `points_max`: the most that it brings in a period, of which only a share goes on `beyond`. What comes back later,
    or is told late, is settled then: the difference is
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
    beyond: Share | None = None
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
        if self.beyond is not None and self.points_max is None:
            raise ValueError(_BEYOND_WHAT)
        return self

    @property
    def rated(self) -> bool:
        """Whether some step has rates by line."""
        return any(step.rates for step in self.steps)
