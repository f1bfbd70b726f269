"""What terms are written with: names, exact numbers, rates, and conditions on what an order holds."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from contracts.names import plain

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
RuleId = Annotated[str, Field(pattern=r"^[A-Z]{2,5}-[A-Z]?[0-9]{1,3}$")]
PlainName = Annotated[str, AfterValidator(plain)]
"""Compared without case and width, with what events say."""
Points = Annotated[int, Field(ge=0, le=10**12)]
Days = Annotated[int, Field(ge=0, le=3660)]
Months = Annotated[int, Field(ge=1, le=1200)]
DECIMALS_MAX = 8
DECIMAL_PATTERN = r"^[0-9]+(\.[0-9]{1,8})?$"
SHARE_PATTERN = r"^0(\.[0-9]{1,8})?$"
"""Of a share that a terms file may hold: one of 1 or more is refused there (`contracts.terms_checks`)."""
YEAR_DAY_PATTERN = r"^[0-9]{2}-[0-9]{2}$"
_SIGNED_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
DAY_OR_MINUTE_PATTERN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T([01][0-9]|2[0-3]):[0-5][0-9])?$"
_MINUTE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}")
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?")


def _exact(value: object) -> object:
    if isinstance(value, float):
        raise ValueError(f'{value} is a float, which cannot be exact; write it as a string, such as "{Decimal(str(value))}"')
    return value


def _decimal(value: object) -> object:
    value = _exact(value)
    if isinstance(value, str):
        if not _SIGNED_DECIMAL.fullmatch(value):
            raise ValueError(f'"{value[:24]}" is not a decimal number; write it like "0.015"')
        if value.startswith("-") or len(value.partition(".")[2]) > DECIMALS_MAX:
            raise ValueError(f'"{value[:24]}" should be 0 or more, with at most {DECIMALS_MAX} decimals')
    elif isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


_Decimal = Annotated[str, BeforeValidator(_decimal), Field(max_length=24, pattern=DECIMAL_PATTERN)]
_WRITTEN: Final = {"type": ["string", "integer"], "maxLength": 24}
DecimalText = Annotated[_Decimal, WithJsonSchema({**_WRITTEN, "pattern": DECIMAL_PATTERN})]
Share = Annotated[_Decimal, WithJsonSchema({**_WRITTEN, "pattern": SHARE_PATTERN, "maximum": 0})]


def _day(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError(f'"{value[:40]}" is not a date; write it like 2026-04-01')


def _day_or_minute(value: object) -> object:
    if not isinstance(value, str | date):
        raise ValueError('it should be a date like 2026-04-01, or a minute like "2026-04-01T20:00"')
    if isinstance(value, str) and "T" in value:
        try:
            if _MINUTE.fullmatch(value):
                datetime.fromisoformat(value)
                return value
        except ValueError:
            pass
        raise ValueError(f'"{value[:40]}" is no minute of a day; write it like 2026-04-01T20:00')
    return _day(value)


def _instant(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        if _INSTANT.fullmatch(value):
            return datetime.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError(f'"{value[:40]}" is not an instant; write it with its offset, like "2026-04-01T00:00:00+09:00"')


def _year_day(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        if re.fullmatch(YEAR_DAY_PATTERN, value):
            date.fromisoformat(f"2023-{value}")  # not a leap year
            return value
    except ValueError:
        pass
    raise ValueError(f'"{value[:40]}" is not a day of every year; write a month and day like "01-10"')


Day = Annotated[date, BeforeValidator(_day)]
"""A calendar date. Left to pydantic, a number of seconds written as text would be one as well."""
DayOrMinute = Annotated[
    date | str, BeforeValidator(_day_or_minute), WithJsonSchema({"type": "string", "pattern": DAY_OR_MINUTE_PATTERN})
]
"""A calendar date, or a minute of one in the program's zone: "2026-04-01T20:00"."""
Instant = Annotated[AwareDatetime, BeforeValidator(_instant)]
"""A point in time with its offset."""
YearDay = Annotated[str, BeforeValidator(_year_day), WithJsonSchema({"type": "string", "pattern": YEAR_DAY_PATTERN})]
"""A month and day that every year has, so not 29 February."""


class Part(BaseModel):
    """Base of every section: nothing unknown is let through, nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Text(Part):
    """The same words in Japanese and in English, or in one of them alone."""

    ja: str | None = None
    en: str | None = None

    @model_validator(mode="after")
    def _has_words(self) -> Self:
        if not self.ja and not self.en:
            raise ValueError("a text has words in ja, in en, or in both")
        return self

    def told(self, language: Literal["ja", "en"]) -> str:
        """The words in one language; where it has none in that one, those in the other."""
        first, second = (self.ja, self.en) if language == "ja" else (self.en, self.ja)
        return first or second or ""

    def lacks(self, language: Literal["ja", "en"]) -> bool:
        """Whether it is told in the other language, for want of words in this one."""
        return not (self.ja if language == "ja" else self.en)


class Rate(Part):
    """Points for an amount: a `share` of it ("0.015"), or so many `points` for every full `per` of it.

    `of`: what is counted: money, the pieces that are kept, or how much they are in a unit in which lines are told (`measures`; a
    line that is told in others counts for nothing). `at_least`: as how much in that unit each piece counts at least.
    """

    share: DecimalText | None = None
    points: Points | None = None
    per: Annotated[int, Field(ge=1)] | None = None
    of: Name = "money"
    at_least: Annotated[int, Field(ge=0, le=10**9)] = 0

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"share": value} if isinstance(value, str | int | float) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        counts = self.points is not None or self.per is not None
        if (self.share is not None) == counts or (counts and (self.points is None or self.per is None)):
            raise ValueError('a rate is either a share such as "0.01", or {points: 1, per: 200}')
        if self.at_least and self.of in ("money", "pieces"):
            raise ValueError(f"at_least says how much a piece is in a unit of measures, and {self.of} is none: leave it out")
        return self


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
AttributeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""What an attribute of a member is called, in events and in terms."""
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def _time(value: object) -> object:
    if isinstance(value, str) and not _TIME.fullmatch(value):
        raise ValueError(f'"{value[:40]}" is not a time of day; write it like "20:00"')
    return value


TimeOfDay = Annotated[str, BeforeValidator(_time), WithJsonSchema({"type": "string", "pattern": f"^{_TIME.pattern}$"})]


def minutes(since: date | str | None, until: date | str | None) -> tuple[str, str]:
    """The first and the last minute of a span of time, of which either end may be open, in a form that compares like time."""
    first = since if isinstance(since, str) else f"{(since or date.min).isoformat()}T00:00"
    last = until if isinstance(until, str) else f"{(until or date.max).isoformat()}T23:59"
    return first, last


class Span(Part):
    """A time that is there once: from a day or minute through another one, in the zone of the program."""

    since: DayOrMinute
    until: DayOrMinute

    @cached_property
    def minutes(self) -> tuple[str, str]:
        """The first and the last minute of it."""
        return minutes(self.since, self.until)

    @cached_property
    def days(self) -> tuple[date, date]:
        """The days on which it begins and ends."""
        first, last = (date.fromisoformat(minute[:10]) for minute in self.minutes)
        return first, last

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.minutes[0] > self.minutes[1]:
            raise ValueError(f"it ends ({self.until}) before it begins ({self.since})")
        return self


class Period(Part):
    """A period of time in the zone of the program: every day, week, month, quarter, half year or year, of which it says where the
    first begins; a member's own year since joining; the last so many days; all time; each order on its own; or one span of time
    that does not come back.

    A word alone has its usual beginning: `week` Monday, `month` the 1st, `quarter`, `half_year` and `year` 1 January.
    """

    day: bool = False
    week: Weekday | None = None
    month: Annotated[int, Field(ge=1, le=28)] | None = None
    quarter: YearDay | None = None
    half_year: YearDay | None = None
    year: YearDay | None = None
    member_year: bool = False
    rolling_days: Annotated[int, Field(ge=1, le=366)] | None = None
    always: bool = False
    order: bool = False
    once: Span | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return PERIODS.get(value, value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if sum(getattr(self, name) not in (None, False) for name in Period.model_fields) != 1:
            known = ", ".join(PERIODS)
            raise ValueError(f'a period is one of {known}, {{month: 25}}, {{year: "04-01"}}, {{rolling_days: 30}} …')
        return self


PERIODS: Final[dict[str, Any]] = {
    "day": {"day": True},
    "week": {"week": "mon"},
    "month": {"month": 1},
    "quarter": {"quarter": "01-01"},
    "half_year": {"half_year": "01-01"},
    "year": {"year": "01-01"},
    "calendar_month": {"month": 1},
    "calendar_year": {"year": "01-01"},
    "member_year": {"member_year": True},
    "always": {"always": True},
    "order": {"order": True},
}
"""Periods that have a word of their own."""


class Hours(Part):
    """Hours of each day, both minutes inclusive, in the program's zone; from a later minute to an earlier one over midnight."""

    first: TimeOfDay
    last: TimeOfDay


class Basket(Part):
    """What an order must come to, by the goods of it that the member keeps: a return may take it below.

    `amount`: in the program's currency, from which it holds; `below`: from which it holds no more. `of`: all goods, or those that
    earn. `pieces`: so many of them at least; `measures`: so much at least in each of these units in which lines are told.
    """

    amount: Points | None = None
    below: Points | None = None
    pieces: Annotated[int, Field(ge=1, le=10**6)] | None = None
    measures: dict[Name, Annotated[int, Field(ge=1, le=10**9)]] = Field(default={})
    tax: Literal["exclusive", "inclusive"] = "inclusive"
    points_used: Literal["gross", "net"] = "gross"
    of: Literal["goods", "earning"] = "goods"

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if self.amount is None and self.below is None and self.pieces is None and not self.measures:
            raise ValueError("a basket has an amount, below, pieces or measures")
        return self


class Around(Part):
    """Days around one that comes back every year: its `month`, the `day` itself, or so many days before and after it.

    In years that have no 29 February it is the day before.
    """

    month: bool = False
    days_before: Annotated[int, Field(ge=0, le=180)] = 0
    days_after: Annotated[int, Field(ge=0, le=180)] = 0

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        forms: dict[object, object] = {"month": {"month": True}, "day": {}}
        return forms.get(value, value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.month and (self.days_before or self.days_after):
            raise ValueError("write month, day, or {days_before: 3, days_after: 3}")
        return self


class Nth(Part):
    """Which orders of a member: the `first` such one to the `last`, of these every so many. A number alone: that one.

    An order counts from the moment it is placed; one that was cancelled as a whole by then does not.
    """

    first: Annotated[int, Field(ge=1)] = 1
    last: Annotated[int, Field(ge=1)] | None = None
    every: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        return {"first": value, "last": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Since(Part):
    """How long ago the member joined: from the `first` day after it (0: the day itself) to the `last`; or counted in full months,
    of which the first is 0 (`first: 6, unit: months`: from the seventh month on)."""

    first: Days = 0
    last: Days | None = None
    unit: Literal["days", "months"] = "days"


class When(Part):
    """A condition on an order line or an activity: every part that is given must hold; lists hold if any one does.

    Of the time of the order or the activity, in the program's zone: `since` and `until` are dates or minutes, both inclusive;
    `days`: days of a month, -1 its last. Of the member, as told when the order was placed: `countries`: where the member lives (a
    member whose country nobody told lives in none of them), `attributes`: by name, the values of which it has one; `birthday`,
    `anniversary` (of joining) and `own_dates` (by attribute); `joined`: so long ago; `entered`: ids of activities of which the
    member has done all. Of the order: `orders`: which one of the member's; `basket`: what it must come to; `coupons`: codes of
    which it used one, `with_coupon`: whether it used any. `unless`: what must not hold.
    """

    since: DayOrMinute | None = None
    until: DayOrMinute | None = None
    tiers: tuple[str, ...] = ()
    courses: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    payment_methods: tuple[PlainName, ...] = ()
    card_brands: tuple[PlainName, ...] = ()
    coupons: tuple[PlainName, ...] = ()
    with_coupon: bool | None = None
    weekdays: tuple[Weekday, ...] = ()
    countries: tuple[str, ...] = ()
    months: tuple[Annotated[int, Field(ge=1, le=12)], ...] = ()
    days: tuple[Annotated[int, Field(ge=-1, le=31)], ...] = ()
    hours: Hours | None = None
    attributes: dict[AttributeName, tuple[PlainName, ...]] = Field(default={})
    birthday: Around | None = None
    anniversary: Around | None = None
    own_dates: dict[AttributeName, Around] = Field(default={})
    joined: Since | None = None
    entered: tuple[Name, ...] = ()
    orders: Nth | None = None
    basket: Basket | None = None
    unless: When | None = None

    @cached_property
    def given(self) -> frozenset[str]:
        """The parts that say something."""
        return frozenset(name for name in type(self).model_fields if getattr(self, name) not in (None, (), {}))

    @cached_property
    def minutes(self) -> tuple[str, str] | None:
        """The first and the last minute at which it may hold; None if both are left out."""
        return None if self.since is None and self.until is None else minutes(self.since, self.until)

    @cached_property
    def asks_more(self) -> bool:
        """Whether a part is given that few conditions have, so that those are asked for none of them."""
        return not self.given.isdisjoint(_SELDOM)


_SELDOM: Final = frozenset(
    {
        *("months", "days", "hours", "attributes", "birthday", "anniversary"),
        *("own_dates", "joined", "entered", "orders", "basket", "unless"),
    }
)

WHEN_OF_REDEMPTION: Final = frozenset(When.model_fields) - {"skus", "categories", "tags"}
"""Parts of a condition that an order as a whole can be asked for."""
WHEN_OF_ACTIVITY: Final = (_SELDOM - {"orders", "basket"}) | {"since", "until", "weekdays", "tiers", "countries"}
"""Parts of a condition that an activity can be asked for; a review also for its `skus`."""
WHEN_OF_KINDS: Final = WHEN_OF_ACTIVITY | {"stores"}
"""Parts of a condition on which kinds of points pay: what is known where points are set aside before there is an order, too."""
WHEN_OF_TRIGGER: Final = WHEN_OF_REDEMPTION - {"basket"}
"""Parts of a condition on what an order's points wait for: of an order as a whole, and nothing that a return changes."""
