"""Who takes part, what an order earns, when its points can be used, and how long they last."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.terms.values import (
    Day,
    Days,
    DecimalText,
    Instant,
    Months,
    Name,
    Part,
    Period,
    Points,
    Rate,
    RuleId,
    Share,
    Weekday,
    When,
    YearDay,
)


class RateRow(Part):
    """One row of a rate table: the first row whose condition holds gives the rate."""

    rate: Rate
    when: When = When()


class DayOfMonth(Part):
    """The beginning of a day of a month: of the one that lies so many `months_later`, or with 0 of the first in which that day
    has not begun. `day`: 1 to 28, or -1 for the last."""

    day: Annotated[int, Field(ge=-1, le=28)]
    months_later: Annotated[int, Field(ge=0, le=120)] = 0

    @model_validator(mode="after")
    def _is_a_day(self) -> Self:
        if not self.day:
            raise ValueError("no month has a day 0: write 1 to 28, or -1 for the last day")
        return self


class Component(Part):
    """One way in which an order earns. Several add up; each has points of its own `kind`.

    `rate_max`: the published maximum, which no rate of the table may be above; a campaign may go beyond it. `later`: its points
    become available on a day of a month after those of others would.
    """

    id: Name
    kind: Name = "regular"
    rule: RuleId
    rates: tuple[RateRow, ...]
    product_rate: Literal["replaces", "ignored"] = "ignored"
    rate_max: Share | None = None
    later: DayOfMonth | None = None

    @model_validator(mode="after")
    def _within_maximum(self) -> Self:
        for row in self.rates:
            rate = row.rate
            share = Decimal(rate.share) if rate.share is not None else Decimal(rate.points or 0) / (rate.per or 1)
            if self.rate_max is not None and rate.of == "money" and share > Decimal(self.rate_max):
                raise ValueError(f"a rate of {share} is above the published maximum of {self.rate_max} (rate_max)")
        return self


class Campaign(Part):
    """A change of a component's rate for some lines and dates. The highest `priority` wins; equal ones may not overlap."""

    id: Name
    rule: RuleId
    component: Name | None = None
    when: When
    effect: Literal["replace", "multiply", "add"] = "replace"
    rate: Rate | None = None
    times: DecimalText | None = None
    priority: int = 0

    @model_validator(mode="after")
    def _what(self) -> Self:
        if (self.effect == "multiply") != (self.times is not None) or (self.effect != "multiply") != (self.rate is not None):
            raise ValueError("a campaign that multiplies has `times`; one that replaces or adds has `rate`")
        return self


class Cap(Part):
    """The most points that can be acquired in a period, or with each order.

    `crossing`: the order that reaches it is cut or credited in full. `beyond`: the share of what is beyond it that is credited
    still. Whom it is for: `components` (`bonus`: the bonus points of products), `activities` and `kinds`, by name; each that is
    left out stands for all. What several caps concern must keep within all of them.
    """

    rule: RuleId
    points: Points
    period: Period = Period(year="01-01")
    components: tuple[Name, ...] = ()
    activities: tuple[Name, ...] = ()
    kinds: tuple[Name, ...] = ()
    beyond: Share | None = None
    dated_by: Literal["order", "grant"] = "order"
    crossing: Literal["cut", "full"] = "cut"
    freed_by_reversal: bool = True
    consumed_by: tuple[Literal["purchase", "activity"], ...] = ("purchase", "activity")
    refuses: tuple[Literal["purchase", "activity"], ...] = ("purchase",)


class Rounding(Part):
    """`scope`: what is added up before rounding; with `order` the shipments of an order are rounded cumulatively."""

    mode: Literal["floor", "half_up", "ceil"] = "floor"
    scope: Literal["order", "shipment", "line"] = "order"


class OrderDiscount(Part):
    """How a discount on the whole order is spread over its lines: `by` their amounts ex tax or with tax, or by pieces, floored,
    the rest to the last line that it is spread over. `excluded_lines` share in it, or bear only what the others cannot."""

    by: Literal["amount", "amount_with_tax", "pieces"] = "amount"
    excluded_lines: Literal["share", "last"] = "share"


class Calendar(Part):
    """How dates are counted. `holidays` are pinned in the file so that a later list cannot rewrite the past."""

    month_end: Literal["clamp", "roll_forward"] = "clamp"
    days_after: Literal["day_start", "exact"] = "day_start"
    holidays: tuple[Day, ...] = ()
    workdays: Annotated[tuple[Weekday, ...], Field(min_length=1)] = ("mon", "tue", "wed", "thu", "fri")


class Stores(Part):
    """`eligible` stores earn; `excluded` ones belong to the program but neither earn nor redeem; others are no part of it.

    `eligible: all`: every store that is not excluded. `groups`: several stores under a name that conditions may use.
    """

    eligible: tuple[str, ...] | Literal["all"]
    excluded: tuple[str, ...] = ()
    groups: dict[str, tuple[str, ...]] = Field(default={})

    def names(self, store: str) -> bool:
        """Whether a store is named, as one that earns or as one that does not."""
        return store in self.excluded or (self.eligible != "all" and store in self.eligible)

    def earns(self, store: str) -> bool:
        """Whether orders of a store earn."""
        return store not in self.excluded if self.eligible == "all" else store in self.eligible

    def called(self, store: str) -> frozenset[str]:
        """What conditions may call a store: itself, and the groups that it is in."""
        return frozenset({store, *(name for name, stores in self.groups.items() if store in stores)})


class Membership(Part):
    """Who takes part, from when, and where."""

    rule: RuleId
    by: Literal["registration", "enrolment", "member_id"] = "registration"
    stores: Stores
    registration_channels: tuple[str, ...] = ()
    earning_channels: tuple[str, ...] = ()
    signed_in: bool = False
    starts_at: Instant | None = None
    start_judged_at: Literal["order", "payment"] = "order"


class Exchange(Part):
    """How an order in another currency is turned into the program's: rate tables by date, and where it is rounded.

    `rates`: what one unit of a currency (not of its minor unit) is worth in the program's. `minor_units`: digits of the minor
    unit in which amounts of a currency are sent, where that is not the one of ISO 4217.
    """

    rule: RuleId
    rates: dict[str, dict[Day, DecimalText]] = Field(default={})
    rounding: Literal["order_floor", "order_half_up", "line_floor"] = "order_floor"
    minor_units: dict[str, Annotated[int, Field(ge=0, le=4)]] = Field(default={})


class Excluded(Part):
    """Lines that earn nothing, of whatever component."""

    rule: RuleId
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()


class Earning(Part):
    """What an order earns: base amount, rates, rounding, caps. `fees`: whether shipping and other fees earn, spread over the
    goods that earn by their amounts with tax. `bonus_points`: whether bonus points that a line was sent with are granted, on
    lines that earn or on any (`granted_always`)."""

    rule: RuleId
    tax: Literal["exclusive", "inclusive"] = "exclusive"
    fees: Literal["none", "earn"] = "none"
    points_used: Literal["gross", "net", "net_spread", "none_if_used"] = "gross"
    points_used_rule: RuleId | None = None
    components: tuple[Component, ...]
    rounding: Rounding = Rounding()
    order_discount: OrderDiscount = OrderDiscount()
    campaigns: tuple[Campaign, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    bonus_points: Literal["granted", "granted_always", "ignored"] = "ignored"
    bonus_kind: Name = "special"
    bonus_rule: RuleId | None = None
    tier_at: Literal["order", "trigger", "maturity"] = "order"
    rate_date: Literal["order", "credit"] = "order"
    caps: tuple[Cap, ...] = ()
    exchange: Exchange | None = None


class Trigger(Part):
    """One thing that has to happen, and how many days, or business days, must pass after it. `when`: only for some orders, such
    as those of a web shop."""

    event: Literal["order", "payment", "shipment", "delivery"]
    days: Days = 0
    business_days: Days = 0
    when: When = When()

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.days and self.business_days:
            raise ValueError("write days or business_days")
        return self


class Maturity(Part):
    """When points become available: when every trigger has happened and its days have passed (the latest decides).

    `on`: only on a day of a month, from then on. `by`: each line's pieces, each shipment, or the whole order on their own.
    `shown`: from when they are seen as pending.
    """

    rule: RuleId
    after: Annotated[tuple[Trigger, ...], Field(min_length=1)]
    on: DayOfMonth | None = None
    by: Literal["line", "shipment", "order"] = "order"
    shown: Literal["order", "trigger", "never"] = "never"
    release: Literal["automatic", "manual"] = "automatic"


class LastDay(Part):
    """A last day for all that is granted from a day of the year on: `last`, so many `years` later."""

    last: YearDay
    granted_from: YearDay = "01-01"
    years: Annotated[int, Field(ge=0, le=100)] = 0


class Term(Part):
    """How long points of some kinds last: `months` from the grant date, to that day or to the end of its month; so many `days`;
    or to a fixed day (`on`, of several the last that has begun by the day of the grant). With none of them they never lapse.

    `tiers`: only for what is granted to members of these levels.
    """

    rule: RuleId
    kinds: tuple[Name, ...] = ()
    tiers: tuple[str, ...] = ()
    months: Months | None = None
    days: Annotated[int, Field(ge=1, le=36600)] | None = None
    on: tuple[LastDay, ...] = ()
    to: Literal["day", "month_end"] = "day"
    counted_from: Literal["day", "month"] = "day"

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.months is not None) + (self.days is not None) + bool(self.on) > 1:
            raise ValueError("write months, days or on")
        if self.on and self.counted_from == "month":
            raise ValueError("a fixed last day is counted from nothing: leave counted_from out, or write months")
        return self


class Pool(Part):
    """One expiry for the whole balance (of the kinds whose term is pooled), moved on by what happens in the account: points of
    its kinds that are granted or become available, a use of points, an order, goods that arrive.

    `months` or `days`: how long it runs, to that day or to the end of its month. `begins`: what it first runs from where no grant
    prolongs it: the first grant into it, or the first of what prolongs it, until which nothing lapses. `called_off`: whether an
    order that is cancelled as a whole has prolonged it all the same. `share`: of what can be used only so much lapses at its end,
    rounded down, and the same again every `again_months` until something prolongs it.
    """

    rule: RuleId
    kinds: tuple[Name, ...] = ()
    months: Months | None = None
    days: Annotated[int, Field(ge=1, le=36600)] | None = None
    to: Literal["day", "month_end"] = "day"
    prolonged_by: tuple[Literal["grant", "available", "use", "order", "delivery"], ...]
    begins: Literal["grant", "prolonged"] | None = None
    called_off: Literal["no_trace", "stays"] = "no_trace"
    share: Share | None = None
    again_months: Months | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.months is None) == (self.days is None):
            raise ValueError("a pool runs so many months, or so many days")
        if (self.share is None) != (self.again_months is None):
            raise ValueError('a share of it lapses again and again: write both, such as share: "0.1" and again_months: 1')
        return self


class Expiry(Part):
    """Expiry by lot (`terms`, the first that names the kind) or by pool. A lot with its own date keeps that date, and lapses
    under `fixed_rule`."""

    terms: tuple[Term, ...] = ()
    pool: Pool | None = None
    last_day: Literal["anniversary", "day_before", "exact"] = "anniversary"
    fixed_rule: RuleId | None = None
