"""What terms are written with: names, exact numbers, rates, and conditions on what an order holds."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
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
Instant = Annotated[AwareDatetime, BeforeValidator(_instant)]
"""A point in time with its offset."""
YearDay = Annotated[str, BeforeValidator(_year_day), WithJsonSchema({"type": "string", "pattern": YEAR_DAY_PATTERN})]
"""A month and day that every year has, so not 29 February."""


class Part(BaseModel):
    """Base of every section: nothing unknown is let through, nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Text(Part):
    """The same words in Japanese and in English."""

    ja: str
    en: str

    def told(self, language: Literal["ja", "en"]) -> str:
        """The words in one language."""
        return self.ja if language == "ja" else self.en


class Rate(Part):
    """Points for an amount: a `share` of it ("0.015"), or so many `points` for every full `per` of it."""

    share: Share | None = None
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
    """A condition on an order line or an activity: every part that is given must hold; lists hold if any one does.

    `since` and `until` are dates of the order or the activity, both inclusive, in the program's zone. `countries`: where the
    member lives, as told when the order was placed; a member whose country nobody told lives in none of them.
    """

    since: Day | None = None
    until: Day | None = None
    tiers: tuple[str, ...] = ()
    courses: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    payment_methods: tuple[PlainName, ...] = ()
    card_brands: tuple[PlainName, ...] = ()
    weekdays: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ()
    countries: tuple[str, ...] = ()


WHEN_OF_ACTIVITY: Final = frozenset({"since", "until", "weekdays", "tiers", "countries"})
"""Parts of a condition that an activity can be asked for; a review also for its `skus`."""
