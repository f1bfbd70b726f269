"""What members earn by something other than a purchase."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.terms.conversions import VoucherTerms
from contracts.terms.values import DecimalText, Months, Name, Part, Points, RuleId, When, YearDay


class Multiplier(Part):
    """Points are multiplied when the condition holds; several multiply in turn, and the result is floored once."""

    times: DecimalText
    when: When


class ToldBy(Part):
    """The end of a day of a month, so many months before the one that an occasion lies in."""

    day: Annotated[int, Field(ge=1, le=28)]
    months_before: Annotated[int, Field(ge=0, le=12)] = 1


class Recurring(Part):
    """Days that come back: the member's `birthday` or `anniversary` of joining, each as the day itself or the first of its month;
    a day of every year (`yearly: "01-10"`) or of every month (`monthly: 1`). `days_before`: so many days before it.

    `told_by`: only for who had joined, and of a birthday told it, by then.
    """

    birthday: Literal["day", "month"] | None = None
    anniversary: Literal["day", "month"] | None = None
    yearly: YearDay | None = None
    monthly: Annotated[int, Field(ge=1, le=28)] | None = None
    days_before: Annotated[int, Field(ge=0, le=180)] = 0
    told_by: ToldBy | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if sum(each is not None for each in (self.birthday, self.anniversary, self.yearly, self.monthly)) != 1:
            raise ValueError('a recurring day is one of birthday, anniversary, yearly: "01-10" and monthly: 1')
        return self


class GivenLevel(Part):
    """A `tier` that a member has for so many `months`, whatever counts meanwhile, unless the member's own is higher."""

    tier: Name
    months: Months


class Activity(Part):
    """Points for something other than a purchase, a `voucher`, or a level for some time. `points` None = the number in the event,
    or none where a level is given (`gives`).

    `event`: what happens: an event, the `clock` (as a day begins, `on` which), or that a level is reached. `when`: what must hold
    for it, else the next one of its event is looked at. `bought`: only for a product that was bought, in an order that was not
    cancelled since. `order_cancelled`: whether points that came before such a cancel stay, or are taken back with it; what they
    counted for by then (a cap, a tier) stays counted. `unknown_country`: whether it is also for members whose country nobody
    told, where it is for some `countries`.
    """

    id: Name
    rule: RuleId
    event: Literal[
        "member.registered", "member.enrolled", "review.posted", "survey.won", "activity.completed", "clock", "tier_reached"
    ]
    on: Recurring | None = None
    activity: str | None = None
    points: Points | None = None
    gives: GivenLevel | None = None
    voucher: VoucherTerms | None = None
    when: When = When()
    kind: Name = "regular"
    multipliers: tuple[Multiplier, ...] = ()
    once_per: Literal["member", "sku", "order", "reference", "day", "year", "event"] = "reference"
    bought: bool = False
    order_cancelled: Literal["kept", "revoked"] = "kept"
    countries: tuple[str, ...] = ()
    unknown_country: Literal["eligible", "ineligible"] = "eligible"
    delay_hours: Annotated[int, Field(ge=0, le=24 * 366)] = 0

    @model_validator(mode="after")
    def _on_some_days(self) -> Self:
        if (self.event == "clock") != (self.on is not None):
            raise ValueError("the days on which it comes back (on) are said of event: clock, and of no other")
        return self
