"""Tiers: levels, what is measured toward them, over which window, and when it is judged."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.terms.values import Days, Months, Name, Part, Points, RuleId


class Level(Part):
    """A tier and the amount from which it is reached."""

    name: Name
    threshold: Points


class Window(Part):
    """Over which time amounts are added up; `months` for the rolling and whole-month ones."""

    type: Literal["calendar_year", "previous_calendar_year", "rolling_months", "whole_months"]
    months: Months = 12


class Inactivity(Part):
    """One level down after so many months without a purchase that counts; `restore`: how a level lost so comes back."""

    rule: RuleId
    months: Months = 12
    repeats: bool = True
    executed: Literal["at_once", "yearly_review"] = "at_once"
    restore: Literal["one_per_judged_purchase", "one_per_order", "ignored"] = "one_per_judged_purchase"
    restore_rule: RuleId | None = None


class Measure(Part):
    """What counts toward tiers: which amount, from when it counts, and under which date. `points_from`: where points are
    measured, the origins whose points count."""

    of: Literal["purchases", "points"] = "purchases"
    points_from: tuple[Literal["purchase", "activity", "adjustment"], ...] = ("purchase", "activity")
    tax: Literal["exclusive", "inclusive"] = "exclusive"
    points_used: Literal["gross", "net"] = "gross"
    shipping: bool = False
    counted_at: Literal["order", "payment", "shipment", "delivery"] = "shipment"
    judged_days_after_order: Days = 0
    dated_by: Literal["order", "shipment"] = "order"
    returns: Literal["deducted", "ignored"] = "deducted"


class Tiers(Part):
    """Levels (lowest first), what is measured over which window, when it is judged, and whether a level can be lost.

    `yearly_review`: beside a running judgement, the year that is over is looked at once more and may raise a level, or also lower
    it (`set`): to what it came to, or with `falls: one_level` by one at most.
    """

    rule: RuleId
    levels: Annotated[tuple[Level, ...], Field(min_length=1)]
    measure: Measure = Measure()
    window: Window
    judged: Literal["at_once", "monthly", "yearly"] = "at_once"
    yearly_on: Annotated[str, Field(pattern=r"^\d\d-\d\d$")] = "01-01"
    yearly_review: Literal["none", "raise_only", "set"] = "none"
    yearly_rule: RuleId | None = None
    falls: Literal["never", "with_window", "one_level"] = "never"
    includes_current_order: bool = False
    inactivity: Inactivity | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        marks = [level.threshold for level in self.levels]
        if marks[0] != 0 or marks != sorted(set(marks)):
            raise ValueError("levels go from the lowest to the highest: the first threshold is 0, each later one is higher")
        return self
