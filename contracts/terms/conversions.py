"""Points that turn into something else, and vouchers: what they are good for, and how long."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.terms.values import Days, Months, Name, Part, Period, Points, RuleId, YearDay


class Lasting(Part):
    """The last day on which a voucher can be used: so many `days` or `months` after the day of issue, or that day itself; with
    `to: month_end` the last of that month."""

    days: Days | None = None
    months: Months | None = None
    to: Literal["day", "month_end"] = "day"

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.days is not None and self.months is not None:
            raise ValueError("write days or months")
        return self


class VoucherTerms(Part):
    """What a voucher is called, and what it is good for: a `value` in money of the program's currency, or an `item`.

    `lasts`: without it, a voucher can be used for ever. `order_cancelled`, `order_returned`: whether a voucher that was used on
    an order which is cancelled as a whole, or of which nothing is kept after goods came back, stays used, or is given back with
    the last day that it had.
    """

    name: Name
    value: Annotated[int, Field(ge=1, le=10**12)] | None = None
    item: Name | None = None
    lasts: Lasting | None = None
    order_cancelled: Literal["used", "given_back"] = "used"
    order_returned: Literal["used", "given_back"] = "used"

    @property
    def given_back(self) -> tuple[Literal["cancelled", "returned"], ...]:
        """The ends of an order with which a voucher that was used on it comes back."""
        cancelled, returned = self.order_cancelled == "given_back", self.order_returned == "given_back"
        return (*(("cancelled",) if cancelled else ()), *(("returned",) if returned else ()))

    @model_validator(mode="after")
    def _is_good_for_something(self) -> Self:
        if (self.value is None) == (self.item is None):
            raise ValueError("a voucher is good for a value in money or for an item: write value: 500, or item: coffee")
        return self


class ConversionDays(Part):
    """The days on which points are converted: some of every year, or one of every month, as they begin."""

    yearly: tuple[YearDay, ...] = ()
    monthly: Annotated[int, Field(ge=1, le=28)] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if bool(self.yearly) == (self.monthly is not None):
            raise ValueError('the days are some of every year or one of every month: yearly: ["02-01", "06-01"], or monthly: 1')
        return self


class ConversionLimit(Part):
    """The most points that a member may convert in a period."""

    points: Annotated[int, Field(ge=1, le=10**12)]
    period: Period

    @model_validator(mode="after")
    def _follow_each_other(self) -> Self:
        if self.period.order or self.period.rolling_days is not None:
            raise ValueError("a limit is one of periods that follow each other: write day, month or year")
        return self


class Conversion(Part):
    """Points of some `kinds` (none: of all) that turn into something else, in full blocks of `points`; what is left stays.

    `at`: as soon as a block is there (`threshold`), on days (`calendar`, `on` which), or when the member asks (`request`): one
    block, or as many points as the request says, from `minimum` to `maximum`, within `limits`. `into`: each block is a voucher;
    or `gives` so many points of another `kind`; or it leaves the program as `money` or for a `partner`, who pay or credit it as
    the shop tells them. `reversed`: what becomes of a voucher that can still be used when points are taken back that it was made
    of: it is kept, and the points are owed; or it is withdrawn, the newest first, and what is left of its points comes back.
    """

    id: Name
    rule: RuleId
    kinds: tuple[Name, ...] = ()
    points: Annotated[int, Field(ge=1, le=10**12)]
    at: Literal["threshold", "calendar", "request"]
    on: ConversionDays | None = None
    into: Literal["voucher", "points", "money", "partner"]
    voucher: VoucherTerms | None = None
    kind: Name | None = None
    gives: Annotated[int, Field(ge=1, le=10**12)] | None = None
    minimum: Points | None = None
    maximum: Points | None = None
    limits: tuple[ConversionLimit, ...] = ()
    reversed: Literal["kept", "withdrawn"] = "kept"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.at == "calendar") != (self.on is not None):
            raise ValueError("the days (on) are said of at: calendar, and of no other")
        if (self.into == "voucher") != (self.voucher is not None):
            raise ValueError("what the voucher is (voucher) is said of into: voucher, and of no other")
        if (self.into == "points") != (self.kind is not None) or (self.into == "points") != (self.gives is not None):
            raise ValueError("how many points (gives) of which kind come of a block is said of into: points, and of no other")
        return self
