"""Tiers: levels, what is measured toward them, over which window, the judgements by which a level is won or lost, and how long
one holds."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from contracts.terms.values import Days, Months, Name, Part, Points, RuleId, When, YearDay


class Level(Part):
    """A tier and what it takes: a `threshold` of the one measure; or of several by name, `any` of these amounts or `all` of them.
    The lowest takes nothing."""

    name: Name
    threshold: Points | None = None
    any: dict[Name, Points] = Field(default={})
    all: dict[Name, Points] = Field(default={})


class Marks(NamedTuple):
    """The amounts that a level takes, measure by measure (None: that measure does not lead to it); `together`: all of them."""

    amounts: tuple[int | None, ...]
    together: bool


class Window(Part):
    """Over which time amounts are added up; `months` for the rolling and whole-month ones. `begins`: the day on which a year
    begins, and from which half years and quarters are counted."""

    type: Literal["calendar_year", "half_year", "quarter", "previous_calendar_year", "rolling_months", "whole_months"]
    months: Months = 12
    begins: YearDay = "01-01"


class Occasion(Part):
    """When levels are judged: `change`, whenever what the period holds changes, by what counts in it or by time, or a level holds
    no longer; or the beginning of a day, of each month (`{monthly: 1}`) or of each year (`{yearly: "01-10"}`)."""

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


class Holding(Part):
    """How long a level holds that was reached, whatever is judged meanwhile: so many `months` from the day under which what
    reached it counts; or to the end of so many `periods` after the one in which it was reached (`next_period`: of one).

    As long as what counts reaches it, it goes on from there. Of what no longer counts (goods that came back) no level holds. One
    that falls by one level at most comes to a level that holds as long.
    """

    months: Months | None = None
    periods: Annotated[int, Field(ge=1, le=10)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"periods": 1} if value == "next_period" else value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.months is None) == (self.periods is None):
            raise ValueError("a level holds for next_period, {periods: 2} or {months: 12}")
        return self


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

    `of`: `purchases`, their amount; `orders`, how many come to a `minimum` amount; `points`; `pieces`; or a unit in which lines
    are told (`measures`: nights, litres). `when`: of which lines; without it of all, those that earn nothing too. `points_from`:
    where points are measured, the origins whose points count; `kinds`: only points of these (none: of all). `late`: whether what
    counts only after the last look at its calendar year (ordered in December, shipped after the judging day) raises a level
    still, where none is ever lowered, or is lost.
    """

    of: Name = "purchases"
    when: When = When()
    minimum: Points = 0
    points_from: tuple[Literal["purchase", "activity", "adjustment"], ...] = ("purchase", "activity")
    kinds: tuple[Name, ...] = ()
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

    `measure`: the only one; `measures`: several, by the names that the levels ask for. Each judgement looks at the amounts of its
    own period alone. Where several are due at one instant they follow each other in the order of the list. `holds`: how long a
    level holds that was reached. `carry_over`: whether what goes beyond a level that is reached counts in the next period,
    of all measures or of those that are `carried`.
    `notice_days`: so many days before a level is lost the member is told.
    """

    rule: RuleId
    levels: Annotated[tuple[Level, ...], Field(min_length=1)]
    measure: Measure = Measure()
    measures: dict[Name, Measure] = Field(default={})
    window: Window
    judgements: tuple[Judgement, ...]
    holds: Holding | None = None
    carry_over: Literal["nothing", "excess"] = "nothing"
    carried: tuple[Name, ...] = ()
    includes_current_order: bool = False
    inactivity: Inactivity | None = None
    notice_days: tuple[Days, ...] = ()

    @cached_property
    def measured(self) -> tuple[tuple[str, Measure], ...]:
        """What is measured, by name; the only measure has none."""
        return tuple(self.measures.items()) or (("", self.measure),)

    @cached_property
    def marks(self) -> tuple[Marks, ...]:
        """What each level takes, the amounts in the order of what is measured."""
        if not self.measures:
            return tuple(Marks((level.threshold or 0,), together=True) for level in self.levels)
        return tuple(
            Marks(tuple((level.all or level.any).get(name) for name in self.measures), together=not level.any)
            for level in self.levels
        )

    @model_validator(mode="after")
    def _by_period(self) -> Self:
        if self.window.type not in ("calendar_year", "half_year", "quarter"):
            if self.holds is not None and self.holds.periods is not None:
                raise ValueError(f"{self.window.type} are no periods that follow each other: write holds: {{months: 12}}")
            if self.carry_over != "nothing":
                raise ValueError(f"{self.window.type} are followed by no period: leave carry_over out")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.measures:
            return self._by_name()
        if any(level.any or level.all for level in self.levels):
            raise ValueError("any and all are of several measures: name these under measures, or write a threshold")
        marks = [level.threshold for level in self.levels]
        known = [mark for mark in marks if mark is not None]
        if len(known) < len(marks) or known[0] != 0 or known != sorted(set(known)):
            raise ValueError("levels go from the lowest to the highest: the first threshold is 0, each later one is higher")
        return self

    def _by_name(self) -> Self:
        if "measure" in self.model_fields_set:
            raise ValueError("write either measure, the only one, or measures by name")
        lowest, *others = self.levels
        if lowest.threshold or lowest.any or lowest.all:
            raise ValueError(f"{lowest.name} is the lowest level, which takes nothing: leave its amounts out")
        for level in others:
            if level.threshold is not None or bool(level.any) == bool(level.all):
                raise ValueError(f"{level.name} takes any or all of several measures: any: {{nights: 20, points: 30000}}")
            for name in (*level.any, *level.all):
                if name not in self.measures:
                    raise ValueError(f"{level.name} takes {name}, which is no measure; there are {', '.join(self.measures)}")
        return self
