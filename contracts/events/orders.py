"""Events about orders: placed, paid, sent, cancelled, returned, exchanged."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from contracts.events.base import Contract, any_of
from contracts.events.fields import LINES_MAX, MONEY_MAX, PARTS_MAX, Coupons, Currency, Day, Id, Money, Points, Text
from contracts.events.parts import Line, LineRef, LineRefs, OrderLines, RefundLine, each_line_once, keyed


def _member_is_there(fields: dict[str, object]) -> bool:
    return fields.get("member_id") is not None


def total_of(lines: tuple[Line, ...], fees: int) -> int:
    """What lines cost with tax after discounts, and fees with them, in minor units."""
    return fees + sum(line.goods + line.tax for line in lines)


def goods_of(lines: tuple[Line, ...]) -> int:
    """What the goods of lines cost ex tax after the discounts of the lines, in minor units."""
    return sum(line.goods for line in lines)


def _within_goods(discount: int, lines: tuple[Line, ...]) -> None:
    if discount > goods_of(lines):
        raise PydanticCustomError("discount_too_large", "order_discount should be at most what the lines cost ex tax")


def _at_most(total: int) -> None:
    if total > MONEY_MAX:
        raise PydanticCustomError("amount_too_large", "the order's total should be at most {limit}", {"limit": MONEY_MAX})


class OrderPlaced(Contract):
    """An order as it was placed. Without `member_id` it is a guest's. `signed_in` defaults to true for a member's order.
    `shipping_fee` and `other_fees` are tax-inclusive. `order_discount`: ex tax, of the whole order; the terms say how it is
    spread over the lines, whose tax is after it. `coupons`: codes that were used."""

    order_id: Id
    member_id: Id | None = None
    store: Id
    channel: Literal["web", "phone", "store"] = "web"
    signed_in: bool = Field(default_factory=_member_is_there)
    course: Literal["one_off", "subscription"] = "one_off"
    subscription_id: Id | None = None
    currency: Currency = "JPY"
    lines: OrderLines
    shipping_fee: Money = 0
    other_fees: Money = 0
    order_discount: Money = 0
    coupons: Coupons = ()
    points_used: Points = 0
    use_all_points: bool = False
    redemption_id: Id | None = None
    payment_method: Text
    card_brand: Text | None = None
    planned_ship_date: Day | None = None
    planned_delivery_date: Day | None = None

    @model_validator(mode="after")
    def _total_fits(self) -> Self:
        _within_goods(self.order_discount, self.lines)
        _at_most(self.total)
        return self

    @property
    def total(self) -> int:
        """What the order costs before points, in minor units: goods after discounts, tax and fees."""
        return total_of(self.lines, self.shipping_fee + self.other_fees - self.order_discount)

    def keyed_lines(self) -> tuple[tuple[str, Line], ...]:
        """Lines with their keys (`line_id`, or the position counted from 1), in line order."""
        return keyed(self.lines)


class OrderAmended(Contract):
    """An order was changed after it was placed. `lines`: all of its lines as they stand now; a line that is not among them is
    removed. A quantity is of pieces ordered and not cancelled, returned ones included. What else is left out stays as it was."""

    order_id: Id
    amendment_id: Id
    lines: OrderLines
    points_used: Points | None = None
    order_discount: Money | None = None
    shipping_fee: Money | None = None
    other_fees: Money | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _total_fits(self) -> Self:
        _within_goods(self.order_discount or 0, self.lines)
        _at_most(total_of(self.lines, (self.shipping_fee or 0) + (self.other_fees or 0)))
        return self

    def keyed_lines(self) -> tuple[tuple[str, Line], ...]:
        """Lines with their keys (`line_id`, or the position counted from 1), in line order."""
        return keyed(self.lines)


class SplitPart(Contract):
    """What of an order goes on under an id. `lines`: its pieces, by the line that they were of."""

    order_id: Id
    lines: Annotated[
        tuple[LineRef, ...], Field(min_length=1, max_length=LINES_MAX, fail_fast=True), AfterValidator(each_line_once)
    ]


def _ids_differ(parts: tuple[SplitPart, ...]) -> tuple[SplitPart, ...]:
    if len({part.order_id for part in parts}) < len(parts):
        raise PydanticCustomError("part_twice", "should name each order once")
    return parts


class OrderSplit(Contract):
    """An order goes on as two or more, of which one may keep its id. Each of its lines is named by pieces that add up to what was
    ordered, or to what is left of it; fees go with the first."""

    order_id: Id
    into: Annotated[
        tuple[SplitPart, ...], Field(min_length=2, max_length=PARTS_MAX, fail_fast=True), AfterValidator(_ids_differ)
    ]


class OrderClaimed(Contract):
    """Whose an order is, where several members, or a guest and a member, were told to have placed it. The latest stands; it
    decides nothing while the member named has not placed the order."""

    order_id: Id
    member_id: Id


class OrderContested(Contract):
    """Somebody else was told to have placed the order too: nothing is earned from it until an `order.claimed` decides. `lost`:
    one has decided for somebody else.

    Written by the worker into every account that placed the order; no topic brings it.
    """

    order_id: Id
    lost: bool = False


class OrderPaid(Contract):
    """The payment of an order was received."""

    order_id: Id


class PaymentFailed(Contract):
    """What was told as the payment of an order did not come, or not in full: the order counts as not paid until it is told again.
    `amount` with tax, or that of `lines`; without either all of it."""

    order_id: Id
    amount: Money | None = None
    lines: LineRefs | None = None


class PaymentChargedBack(Contract):
    """Money of an order's payment was taken back by who had paid: an `amount` with tax, what `lines` cost, or all of it. Points
    earned follow it, points used stay used."""

    order_id: Id
    amount: Money | None = None
    lines: LineRefs | None = None


class OrderRescheduled(Contract):
    """Planned dates of an order changed; a date that is left out stays as it was."""

    order_id: Id
    planned_ship_date: Day | None = None
    planned_delivery_date: Day | None = None


class ShipmentDispatched(Contract):
    """Goods left the warehouse. "all": every line not yet shipped or cancelled."""

    order_id: Id
    shipment_id: Id | None = None
    lines: LineRefs


class ShipmentDelivered(Contract):
    """Goods arrived at the customer."""

    order_id: Id
    shipment_id: Id | None = None
    lines: LineRefs = "all"


class OrderCancelled(Contract):
    """Lines were cancelled, sent already or not. "all": every line not yet cancelled or returned."""

    order_id: Id
    reason: Text
    lines: LineRefs


class OrderReinstated(Contract):
    """What was cancelled goes on. "all": every line of which something was cancelled."""

    order_id: Id
    lines: LineRefs = "all"


class _Return(Contract):
    order_id: Id
    return_id: Id | None = None
    reason: Text | None = None
    lines: LineRefs


class ReturnRequested(_Return):
    """The customer announced a return."""


class ReturnReceived(_Return):
    """Returned goods arrived. "all": every line not yet cancelled or returned."""


class RefundIssued(Contract):
    """Money was given back without goods, or for goods that come back: of the order's goods, of lines, of shipping or other fees.

    `amount`, with tax, or `lines`, each with its own; what is refunded of goods that have come back is not taken twice.
    """

    model_config = ConfigDict(json_schema_extra=any_of("amount", "lines"))

    order_id: Id
    refund_id: Id
    amount: Money | None = None
    lines: Annotated[tuple[RefundLine, ...], Field(min_length=1, max_length=LINES_MAX, fail_fast=True)] | None = None
    of: Literal["goods", "shipping", "other"] = "goods"
    reason: Text | None = None

    @model_validator(mode="after")
    def _amount_or_lines(self) -> Self:
        if (self.amount is None) == (self.lines is None) or (self.lines is not None and self.of != "goods"):
            raise PydanticCustomError("amount_or_lines", "should have either amount or, of goods, lines")
        return self


class ReturnWithdrawn(Contract):
    """A return was announced or received by mistake: it is as if it had not been."""

    order_id: Id
    return_id: Id


class _ExchangeOut(Contract):
    order_id: Id
    exchange_id: Id
    lines: LineRefs


class ExchangeRequested(_ExchangeOut):
    """The customer asked for other goods in place of these lines."""


class ExchangeReceived(_ExchangeOut):
    """The goods that are to be exchanged arrived."""


class ExchangeWithdrawn(Contract):
    """An exchange was asked for or received by mistake, and no replacement has left: it is as if it had not been."""

    order_id: Id
    exchange_id: Id


class ExchangeShipped(Contract):
    """The replacement left the warehouse; `lines` are full lines, as in an order. One that goes in several parcels is told in
    several events: with equal lines they are told apart by `shipment_id`, without it they are one parcel told twice."""

    order_id: Id
    exchange_id: Id
    shipment_id: Id | None = None
    lines: OrderLines

    def keyed_lines(self) -> tuple[tuple[str, Line], ...]:
        """Lines with their keys (`line_id`, or the position counted from 1), in line order."""
        return keyed(self.lines)
