"""Parts that several events share: order lines, and references to them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from contracts.events.base import Contract, any_of
from contracts.events.fields import (
    BONUSES_MAX,
    LINES_MAX,
    MONEY_MAX,
    TAGS_MAX,
    Day,
    Id,
    Measures,
    Money,
    Points,
    Quantity,
    Rate,
    Text,
)


class BonusPoints(Contract):
    """Points that a product brings besides its rate, per line as sent."""

    points: Points
    kind: Text | None = None
    expires_on: Day | None = None


class Line(Contract):
    """One line of an order. Amounts are in minor units: `unit_price` and `list_price` ex tax per unit, `discount` ex tax
    and `tax` (after all discounts) for the whole line, with its `tax_rate`. `quantity` is of whole pieces; how much the line is
    in other units, `measures` say."""

    line_id: Id | None = None
    sku: Id
    quantity: Quantity
    unit_price: Money
    discount: Money = 0
    tax: Money
    tax_rate: Rate | None = None
    measures: Measures | None = None
    category: Text | None = None
    tags: Annotated[tuple[Text, ...], Field(max_length=TAGS_MAX, fail_fast=True)] = ()
    list_price: Money | None = None
    point_rate: Rate | None = None
    bonus_points: Annotated[tuple[BonusPoints, ...], Field(max_length=TAGS_MAX, fail_fast=True)] = ()

    @model_validator(mode="after")
    def _amounts_fit(self) -> Self:
        gross = self.unit_price * self.quantity
        if self.discount > gross:
            raise PydanticCustomError("discount_too_large", "discount should be at most unit_price x quantity")
        if gross > MONEY_MAX:
            raise PydanticCustomError("amount_too_large", "unit_price x quantity should be at most {limit}", {"limit": MONEY_MAX})
        return self

    @property
    def goods(self) -> int:
        """Ex-tax amount after the discount, in minor units."""
        return self.unit_price * self.quantity - self.discount

    def key(self, index: int) -> str:
        """The line's name within its order: `line_id`, or its position counted from 1 (`index` counts from 0)."""
        return self.line_id if self.line_id is not None else str(index + 1)


class LineRef(Contract):
    """Names a line of an order by `line_id`, or by `sku` when it has none; with both, `line_id` counts. With `exchange_id` it is
    a line that was sent in that exchange, by the name that it was sent with. `measures`: how much the pieces are."""

    model_config = ConfigDict(json_schema_extra=any_of("line_id", "sku"))

    line_id: Id | None = None
    sku: Id | None = None
    exchange_id: Id | None = None
    quantity: Quantity
    measures: Measures | None = None

    @model_validator(mode="after")
    def _names_a_line(self) -> Self:
        if self.line_id is None and self.sku is None:
            raise PydanticCustomError("line_not_named", "should have line_id or sku")
        return self


class RefundLine(Contract):
    """Money of one line, with tax, by `line_id` or by `sku`, and by `exchange_id` as in other references."""

    model_config = ConfigDict(json_schema_extra=any_of("line_id", "sku"))

    line_id: Id | None = None
    sku: Id | None = None
    exchange_id: Id | None = None
    amount: Money

    @model_validator(mode="after")
    def _names_a_line(self) -> Self:
        if self.line_id is None and self.sku is None:
            raise PydanticCustomError("line_not_named", "should have line_id or sku")
        return self


def _all_different(names: Iterable[Hashable]) -> None:
    seen: set[Hashable] = set()
    for position, name in enumerate(names):
        if name in seen:
            raise PydanticCustomError(
                "line_twice",
                "should name each line once, but entry {position} repeats an earlier one"
                " (a line of an order without line_id is named by its position, from 1)",
                {"position": position},
            )
        seen.add(name)


def each_line_once(refs: tuple[LineRef, ...]) -> tuple[LineRef, ...]:
    """References that name different lines."""
    _all_different((ref.line_id is None, ref.sku if ref.line_id is None else ref.line_id, ref.exchange_id) for ref in refs)
    return refs


def _keys_differ(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    if len({line.line_id or str(index) for index, line in enumerate(lines, 1)}) != len(lines):
        _all_different(line.key(index) for index, line in enumerate(lines))
    return lines


def _bonuses_fit(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    if sum(len(line.bonus_points) for line in lines) > BONUSES_MAX:
        raise PydanticCustomError(
            "too_many_bonuses", "should have at most {limit} bonus_points over all lines", {"limit": BONUSES_MAX}
        )
    return lines


# Every list fails fast: what is wrong does not count toward its length, so a list of any length could be wrong all through.
OrderLines = Annotated[
    tuple[Line, ...],
    Field(min_length=1, max_length=LINES_MAX, fail_fast=True),
    AfterValidator(_keys_differ),
    AfterValidator(_bonuses_fit),
]
"""Full lines of an order or of an exchange; their keys, given or by position, differ from each other."""

LineRefs = (
    Literal["all"]
    | Annotated[tuple[LineRef, ...], Field(min_length=1, max_length=LINES_MAX, fail_fast=True), AfterValidator(each_line_once)]
)
"""What a shipment or a reversal is about: everything that is left, or some quantity of some lines."""


def keyed(lines: tuple[Line, ...]) -> tuple[tuple[str, Line], ...]:
    """Lines with their keys, in line order."""
    return tuple((line.key(index), line) for index, line in enumerate(lines))
