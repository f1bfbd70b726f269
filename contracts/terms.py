"""The terms of a point program as data: every choice that a program file may make, and what it means.

A file holds the terms as they stand from `effective_from` on, and `amendments` for later versions (a date and the values
that change, by dotted path). The fold reads only the versions made from it. Rates are decimal strings, money and points
integers, dates calendar dates of the program's zone; floats are refused.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
RuleId = Annotated[str, Field(pattern=r"^[A-Z]{2,5}-[A-Z]?[0-9]{1,3}$")]
Points = Annotated[int, Field(ge=0, le=10**12)]
Days = Annotated[int, Field(ge=0, le=3660)]
Months = Annotated[int, Field(ge=1, le=1200)]
DECIMALS_MAX = 8


def _exact(value: object) -> object:
    if isinstance(value, float):
        raise ValueError(f'{value} is a float, which cannot be exact; write it as a string, such as "{Decimal(str(value))}"')
    return value


def _decimal(value: object) -> object:
    value = _exact(value)
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except ArithmeticError:
            raise ValueError(f'"{value}" is not a decimal number; write it like "0.015"') from None
        if not number.is_finite() or number < 0 or -int(number.as_tuple().exponent) > DECIMALS_MAX:
            raise ValueError(f'"{value}" should be 0 or more, with at most {DECIMALS_MAX} decimals')
    elif isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


DecimalText = Annotated[
    str,
    BeforeValidator(_decimal),
    Field(max_length=24),
    WithJsonSchema({"type": ["string", "integer"], "pattern": r"^[0-9]+(\.[0-9]{1,8})?$", "maxLength": 24}),
]


class Part(BaseModel):
    """Base of every section: nothing unknown is let through, nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Text(Part):
    """The same words in Japanese and in English."""

    ja: str
    en: str


class Rate(Part):
    """Points for an amount: a `share` of it ("0.015"), or so many `points` for every full `per` of it."""

    share: DecimalText | None = None
    points: Points | None = None
    per: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"share": value} if isinstance(value, str | int | float) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.share is None) == (self.points is None or self.per is None):
            raise ValueError('a rate is either a share such as "0.01", or {points: 1, per: 200}')
        return self


class When(Part):
    """A condition on an order line (or an activity): every part that is given must hold; lists hold if any one does.

    `since` and `until` are dates of the order, both inclusive, in the program's zone.
    """

    since: date | None = None
    until: date | None = None
    tiers: tuple[str, ...] = ()
    courses: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    payment_methods: tuple[str, ...] = ()
    card_brands: tuple[str, ...] = ()
    weekdays: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ()
    countries: tuple[str, ...] = ()


class RateRow(Part):
    """One row of a rate table: the first row whose condition holds gives the rate."""

    rate: Rate
    when: When = When()


class Component(Part):
    """One way in which an order earns. Several add up; each has points of its own `kind`.

    `rate_max`: the published maximum, which no rate of the table may be above; a campaign may go beyond it.
    """

    id: Name
    kind: Name = "regular"
    rule: RuleId
    rates: tuple[RateRow, ...]
    product_rate: Literal["replaces", "ignored"] = "ignored"
    rate_max: DecimalText | None = None

    @model_validator(mode="after")
    def _within_maximum(self) -> Self:
        for row in self.rates:
            rate = row.rate
            share = Decimal(rate.share) if rate.share is not None else Decimal(rate.points or 0) / (rate.per or 1)
            if self.rate_max is not None and share > Decimal(self.rate_max):
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
    announced: bool = True

    @model_validator(mode="after")
    def _what(self) -> Self:
        if (self.effect == "multiply") != (self.times is not None) or (self.effect != "multiply") != (self.rate is not None):
            raise ValueError("a campaign that multiplies has `times`; one that replaces or adds has `rate`")
        return self


class Cap(Part):
    """The most points that can be acquired in a period. `crossing`: the order that reaches it is cut or credited in full."""

    rule: RuleId
    points: Points
    period: Literal["calendar_year", "calendar_month"] = "calendar_year"
    dated_by: Literal["order", "grant"] = "order"
    crossing: Literal["cut", "full"] = "cut"
    freed_by_reversal: bool = True
    consumed_by: tuple[Literal["purchase", "activity"], ...] = ("purchase", "activity")
    refuses: tuple[Literal["purchase", "activity"], ...] = ("purchase",)


class Rounding(Part):
    """`scope`: what is added up before rounding; with `order` the shipments of an order are rounded cumulatively."""

    mode: Literal["floor", "half_up", "ceil"] = "floor"
    scope: Literal["order", "shipment", "line"] = "order"


class Calendar(Part):
    """How dates are counted. `holidays` are pinned in the file so that a later list cannot rewrite the past."""

    month_end: Literal["clamp", "roll_forward"] = "clamp"
    days_after: Literal["day_start", "exact"] = "day_start"
    holidays: tuple[date, ...] = ()
    workdays: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ("mon", "tue", "wed", "thu", "fri")


class Stores(Part):
    """`eligible` stores earn; `excluded` ones belong to the program but neither earn nor redeem; others are no part of it."""

    eligible: tuple[str, ...]
    excluded: tuple[str, ...] = ()


class Membership(Part):
    """Who takes part, from when, and where."""

    rule: RuleId
    by: Literal["registration", "enrolment", "member_id"] = "registration"
    stores: Stores
    registration_channels: tuple[str, ...] = ()
    earning_channels: tuple[str, ...] = ()
    signed_in: bool = False
    starts_at: AwareDatetime | None = None
    start_judged_at: Literal["order", "payment"] = "order"


class Exchange(Part):
    """How an order in another currency is turned into the program's: rate tables by date, and where it is rounded."""

    rule: RuleId
    rates: dict[str, dict[date, DecimalText]] = {}
    rounding: Literal["order_floor", "order_half_up", "line_floor"] = "order_floor"
    minor_units: dict[str, int] = {}


class Excluded(Part):
    """Lines that earn nothing, of whatever component."""

    rule: RuleId
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()


class Earning(Part):
    """What an order earns: base amount, rates, rounding, caps."""

    rule: RuleId
    tax: Literal["exclusive", "inclusive"] = "exclusive"
    points_used: Literal["gross", "net", "net_spread", "none_if_used"] = "gross"
    points_used_rule: RuleId | None = None
    components: tuple[Component, ...]
    rounding: Rounding = Rounding()
    campaigns: tuple[Campaign, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    bonus_points: Literal["granted", "ignored"] = "ignored"
    bonus_kind: Name = "special"
    bonus_rule: RuleId | None = None
    tier_at: Literal["order", "trigger", "maturity"] = "order"
    rate_date: Literal["order", "credit"] = "order"
    caps: tuple[Cap, ...] = ()
    exchange: Exchange | None = None


class Trigger(Part):
    """One thing that has to happen, and how many days must pass after it."""

    event: Literal["order", "payment", "shipment", "delivery"]
    days: Days = 0


class Maturity(Part):
    """When points become available: when every trigger has happened and its days have passed (the latest decides).

    `by`: each line's pieces, each shipment, or the whole order on their own. `shown`: from when they are seen as pending.
    """

    rule: RuleId
    after: Annotated[tuple[Trigger, ...], Field(min_length=1)]
    by: Literal["line", "shipment", "order"] = "order"
    shown: Literal["order", "trigger", "never"] = "never"
    release: Literal["automatic", "manual"] = "automatic"


class Term(Part):
    """How long points of some kinds last: `months` from the grant date, to that day or to the end of its month."""

    rule: RuleId
    kinds: tuple[Name, ...] = ()
    months: Months | None = None
    to: Literal["day", "month_end"] = "day"
    counted_from: Literal["day", "month"] = "day"


class Pool(Part):
    """One expiry for the whole balance (of the kinds whose term is pooled), moved on by what happens in the account."""

    rule: RuleId
    kinds: tuple[Name, ...] = ()
    months: Months
    prolonged_by: tuple[Literal["grant", "available", "use", "order"], ...]


class Expiry(Part):
    """Expiry by lot (`terms`, the first that names the kind) or by pool. A lot with its own date keeps that date, and lapses
    under `fixed_rule`."""

    terms: tuple[Term, ...] = ()
    pool: Pool | None = None
    last_day: Literal["anniversary", "day_before", "exact"] = "anniversary"
    fixed_rule: RuleId | None = None


class Minimum(Part):
    """What must remain to be paid after points, with some payment methods or card brands. The first that fits holds."""

    rule: RuleId
    payment_methods: tuple[str, ...] = ()
    card_brands: tuple[str, ...] = ()
    amount: Annotated[int, Field(ge=0)]


class FullRedemption(Part):
    """If points pay everything (payable, or the goods), the payment method must be one of these."""

    rule: RuleId
    payment_methods: tuple[str, ...]
    of: Literal["payable", "goods"] = "payable"


class NotRedeemable(Part):
    """Lines that points may not pay. `mixed`: pay up to the other lines, or refuse any points in such a cart."""

    rule: RuleId
    categories: tuple[str, ...] = ()
    mixed: Literal["other_lines", "refuse"] = "other_lines"


class TwoStep(Part):
    """Points held by a request until an order names it."""

    hold_seconds: Annotated[int, Field(ge=1, le=90 * 86400)] = 1800
    hold_seconds_max: Annotated[int, Field(ge=1, le=90 * 86400)] = 86400


class Deadline(Part):
    """So many business days before a planned date, to the end of that day."""

    business_days: Days
    before: Literal["planned_ship_date", "planned_delivery_date"]


class Subscription(Part):
    """Points set in advance for the next delivery of a subscription."""

    rule: RuleId
    deadline: Deadline
    late: Literal["refused", "next_delivery"] = "refused"
    taken_at: Literal["setting", "shipment", "cut_off"] = "setting"


class Redemption(Part):
    """How points pay: limits, ceiling, and which lots go first. `stores_also`: stores that do not earn but take points."""

    rule: RuleId
    minimum: Points = 1
    minimum_rule: RuleId | None = None
    maximum: Points | None = None
    maximum_rule: RuleId | None = None
    unit: Annotated[int, Field(ge=1)] = 1
    ceiling: Literal["payable", "below_payable", "goods"] = "payable"
    ceiling_rule: RuleId | None = None
    use_all_below_minimum: Literal["refused", "allowed"] = "refused"
    uncovered: Literal["refused", "clipped"] = "refused"
    taken_at: Literal["order", "shipment"] = "order"
    channels: tuple[str, ...] = ()
    stores_also: tuple[str, ...] = ()
    stores_excluded: tuple[str, ...] = ()
    lots: Literal["soonest_expiry", "oldest_grant", "newest_grant"] = "soonest_expiry"
    full: FullRedemption | None = None
    minimum_left: tuple[Minimum, ...] = ()
    minimum_left_of: Literal["payable", "goods"] = "payable"
    not_redeemable: NotRedeemable | None = None
    two_step: TwoStep = TwoStep()
    subscription: Subscription | None = None


class UsedPoints(Part):
    """What becomes of points used on what is cancelled, returned or exchanged; the first row that fits holds."""

    rule: RuleId
    on: tuple[Literal["cancel", "return", "exchange"], ...] = ("cancel", "return", "exchange")
    reasons: tuple[str, ...] = ()
    outcome: Literal["back", "forfeited"] = "back"
    days: Days = 0


class BackExpiry(Part):
    """Handed-back points keep their lot's expiry, get a fresh term, or at least `grace_days`. `rule`: under which those lapse
    whose last day was over by then (None = the rule that hands them back)."""

    rule: RuleId | None = None
    mode: Literal["original", "fresh", "grace"] = "original"
    grace_days: Days = 0


class EarnedPoints(Part):
    """What becomes of points earned on goods that come back."""

    rule: RuleId
    pending: Literal["void", "keep"] = "void"
    available: Literal["revoke", "keep"] = "revoke"
    shortfall: Literal["arrears", "write_off"] = "arrears"
    amount: Literal["recomputed", "returned_share"] = "recomputed"


class Split(Part):
    """How used points are spread over the lines of the order."""

    weights: Literal["tax_inclusive", "tax_exclusive", "with_shipping"] = "tax_inclusive"
    order: Literal["pro_rata", "cash_first", "points_first"] = "pro_rata"


class Reversal(Part):
    """Cancels, returns and exchanges. `at`: what counts as the moment of a return, its request or its receipt."""

    used_points: Annotated[tuple[UsedPoints, ...], Field(min_length=1)]
    earned_points: EarnedPoints
    back_expiry: BackExpiry = BackExpiry()
    split: Split = Split()
    at: Literal["received", "requested"] = "received"


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


class Multiplier(Part):
    """Points are multiplied when the condition holds; several multiply in turn, and the result is floored once."""

    times: DecimalText
    when: When


class Activity(Part):
    """Points for something other than a purchase. `points` None = the number in the event."""

    id: Name
    rule: RuleId
    event: Literal["member.registered", "member.enrolled", "review.posted", "survey.won", "activity.completed"]
    activity: str | None = None
    points: Points | None = None
    kind: Name = "regular"
    multipliers: tuple[Multiplier, ...] = ()
    once_per: Literal["member", "sku", "order", "reference", "day", "event"] = "reference"
    bought: bool = False
    countries: tuple[str, ...] = ()
    delay_hours: Annotated[int, Field(ge=0, le=24 * 366)] = 0


class Rewards(Part):
    """Items for points, which travel with the next delivery whose deadline had not passed when they were asked for.

    `carrier_reversed`: what becomes of the points when the delivery that an item waits for is called off.
    """

    rule: RuleId
    carrier_rule: RuleId | None = None
    items: dict[str, Points]
    deadline: Deadline
    deducted_at: Literal["request", "shipment"] = "request"
    carrier_reversed: Literal["kept", "back_if_unshipped"] = "kept"


class Adjustment(Part):
    """Manual changes: the kind of what is granted, and the rules they are booked under; `revocation_rule`: of revoking all."""

    rule: RuleId
    revocation_rule: RuleId | None = None
    kind: Name = "regular"


class PayOut(Part):
    """Matured points paid out in money on a day of each month, when they are at least `minimum`."""

    rule: RuleId
    day: Annotated[int, Field(ge=1, le=28)] = 1
    minimum: Points = 1


class Rule(Part):
    """One rule of the published terms: where it stands, what it says in our words, and which parameters carry it out."""

    id: RuleId
    document: str
    section: str
    says: Text
    parameters: tuple[str, ...] = ()
    no_effect: str | None = None

    @model_validator(mode="after")
    def _effect(self) -> Self:
        if bool(self.parameters) == bool(self.no_effect):
            raise ValueError("a rule names the parameters that carry it out, or says why it has no effect on the ledger")
        return self


class Alternative(Part):
    """Another reading of an open question: the values, by dotted path, that make the program follow it."""

    id: Name
    says: Text
    set: dict[str, Any]


class Question(Part):
    """An open question of the published terms, the reading taken, and the other ones that can be chosen."""

    id: RuleId
    asks: Text
    default: Text
    alternatives: tuple[Alternative, ...] = ()


class Terms(Part):
    """One version of one program's terms, in force from `effective_from` until the next version."""

    program: Code
    name: Text
    effective_from: AwareDatetime
    zone: str = "Asia/Tokyo"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "JPY"
    point_value: DecimalText = "1"
    point_value_rule: RuleId | None = None
    calendar: Calendar = Calendar()
    membership: Membership
    earning: Earning
    maturity: Maturity
    expiry: Expiry = Expiry()
    redemption: Redemption
    reversal: Reversal
    tiers: Tiers | None = None
    activities: tuple[Activity, ...] = ()
    rewards: Rewards | None = None
    adjustment: Adjustment
    pay_out: PayOut | None = None
    notice_days: tuple[Annotated[int, Field(ge=0, le=366)], ...] = ()
    rules: tuple[Rule, ...] = ()
    questions: tuple[Question, ...] = ()


class Amendment(Part):
    """A later version: from when, and which values change (dotted paths; a list's items by number)."""

    effective_from: AwareDatetime
    set: dict[str, Any]


class ProgramFile(Terms):
    """A program as it stands in a file: the first version and the amendments that followed."""

    amendments: tuple[Amendment, ...] = ()
