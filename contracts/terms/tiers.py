"""Tiers: levels, what is measured toward them, over which window, and the judgements by which a level is won or lost."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from contracts.terms.values import Days, Months, Name, Part, Points, RuleId, YearDay


class Level(Part):
    """A tier and the amount from which it is reached."""

    name: Name
    threshold: Points


class Window(Part):
    """Over which time amounts are added up; `months` for the rolling and whole-month ones. `begins`: the day on which a year
    begins, and from which half years and quarters are counted."""

    type: Literal["calendar_year", "half_year", "quarter", "previous_calendar_year", "rolling_months", "whole_months"]
    months: Months = 12
    begins: YearDay = "01-01"


class Occasion(Part):
    """When levels are judged: `change`, whenever what the period holds changes, by what counts in it or by time; or the beginning
    of a day, of each month (`{monthly: 1}`) or of each year (`{yearly: "01-10"}`)."""

    change: bool = False
    monthly: Annotated[int, Field(ge=1, le=28)] | None = None
    yearly: YearDay | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"change": value == "change"}
        return value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.change + (self.monthly is not None) + (self.yearly is not None) != 1:
            raise ValueError('an occasion is one of change, {monthly: 1} and {yearly: "01-10"}')
        return self


class Judgement(Part):
    """What one occasion does to a level, by the amount of one period: `over` the window of the tiers, or the year (or where these
    are the window, the half year or quarter) before.

    `rises`: whether it raises a level to what the amount reaches. `falls`: whether it lowers one that the amount does not reach,
    to what it does reach (`any`) or by one level at most (`one_level`). On a change, less never raises a level, and more costs
    none of those that fall one at a time. `rule`: the rule that it carries out, if not that of the tiers.
    """

    on: Occasion
    over: Literal["window", "previous_calendar_year", "previous_period"] = "window"
    rises: bool = True
    falls: Literal["never", "one_level", "any"] = "never"
    rule: RuleId | None = None


class Inactivity(Part):
    """One level down after so many months without a purchase that counts, at once or on the next such day of the year
    (`executed_on`). `restore`: how a level lost so comes back. `called_off`: whether an order that counted, and is cancelled as a
    whole after that, has ended inactivity all the same."""

    rule: RuleId
    months: Months = 12
    repeats: bool = True
    executed_on: YearDay | None = None
    restore: Literal["one_per_judged_purchase", "one_per_order", "ignored"] = "one_per_judged_purchase"
    restore_rule: RuleId | None = None
    called_off: Literal["no_trace", "stays"] = "no_trace"


class Measure(Part):
    """What counts toward tiers: which amount, from when it counts, and under which date.

    `of: orders`: how many orders, of those that come to a `minimum` amount. `points_from`: where points are measured, the origins
    whose points count. `late`: whether what counts only after the last look at its calendar year (ordered in December, shipped
    after the judging day) raises a level still, where none is ever lowered, or is lost.
    """

    of: Literal["purchases", "orders", "points"] = "purchases"
    minimum: Points = 0
    points_from: tuple[Literal["purchase", "activity", "adjustment"], ...] = ("purchase", "activity")
    tax: Literal["exclusive", "inclusive"] = "exclusive"
    points_used: Literal["gross", "net"] = "gross"
    shipping: bool = False
    counted_at: Literal["order", "payment", "shipment", "delivery"] = "shipment"
    judged_days_after_order: Days = 0
    dated_by: Literal["order", "shipment"] = "order"
    returns: Literal["deducted", "ignored"] = "deducted"
    late: Literal["lost", "raises"] = "lost"


class Tiers(Part):
    """Levels (lowest first), what is measured, over which window, and when it is judged.

    Each judgement looks at the amount of its own period alone. Where several are due at one instant they follow each other in
    the order of the list.
    """

    rule: RuleId
    levels: Annotated[tuple[Level, ...], Field(min_length=1)]
    measure: Measure = Measure()
    window: Window
    judgements: tuple[Judgement, ...]
    includes_current_order: bool = False
    inactivity: Inactivity | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        marks = [level.threshold for level in self.levels]
        if marks[0] != 0 or marks != sorted(set(marks)):
            raise ValueError("levels go from the lowest to the highest: the first threshold is 0, each later one is higher")
        return self
