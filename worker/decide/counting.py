"""What of an order counts toward something: the pieces for which what is waited for has happened, their amount, and how much they
are in a unit."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.terms import Challenge, Measure
from worker.decide import exchange
from worker.decide.amounts import in_unit, part
from worker.decide.conditions import holds_for
from worker.decide.order_records import Order, OrderLine
from worker.decide.program import Version


def pieces(measure: Measure | Challenge, order: Order, line: OrderLine) -> int:
    """The pieces of a line that count now."""
    back = line.returned if measure.returns == "ignored" else 0
    if measure.counted_at == "shipment":
        return line.shipped + back
    if measure.counted_at == "delivery":
        return line.delivered + back
    if measure.counted_at == "payment" and order.payment.paid_at is None:
        return 0
    return line.kept + back


def amount(version: Version, measure: Measure | Challenge, order: Order, counted: Iterable[tuple[OrderLine, int]]) -> int:
    """What so many pieces of each line come to, in the order's currency."""
    found = 0
    for line, n in counted:
        found += part(line.net_goods, n, line.quantity)
        if measure.tax == "inclusive":
            found += part(line.net_tax, n, line.quantity)
        if measure.points_used == "net":
            # Points that were put on a line late are on the pieces that were there then.
            with_points = line.quantity - line.gone
            found -= exchange.worth(version, order, part(line.used, min(n, with_points), with_points))
    return found


def of_placed(version: Version, measure: Measure, order: Order) -> int:
    """What the lines of an order that is being placed come to, by a measure."""
    lines = [line for line in order.lines if holds_for(version, measure.when, order, line)]
    if measure.of not in ("purchases", "orders", "points"):
        return sum([in_unit(line, line.quantity, measure.of) for line in lines])
    amount = sum([line.goods + (line.tax if measure.tax == "inclusive" else 0) for line in lines])
    return int(amount >= max(measure.minimum, 1)) if measure.of == "orders" else amount
