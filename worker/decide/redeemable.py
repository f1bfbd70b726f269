"""What points may pay at most: goods and fees that are kept, lines that they may pay, and the share that the terms allow."""

from __future__ import annotations

from typing import NamedTuple

from worker.decide import exchange
from worker.decide.amounts import fraction, part
from worker.decide.order_records import Order, OrderLine
from worker.decide.program import Version


def is_redeemable(version: Version, line: OrderLine) -> bool:
    """Whether points may pay for a line."""
    return line.category not in version.not_redeemable


def price(line: OrderLine) -> int:
    """What the kept pieces of a line cost with tax."""
    return part(line.goods, line.kept, line.quantity) + part(line.tax, line.kept, line.quantity)


def payable(version: Version, order: Order) -> int:
    """The most points that there is something left to pay for with, whatever else the terms ask of a redemption: goods, and fees
    while there are any."""
    kept = [line for line in order.lines if line.kept and not line.replacement]
    can = sum(price(line) for line in kept if is_redeemable(version, line))
    whole = bool(kept) and all(is_redeemable(version, line) for line in kept)
    return exchange.points_for(version, order, can + order.payment.fees if whole else can)


class Ceilings(NamedTuple):
    """What points may pay at most, in money."""

    payable: int  # the whole order
    goods: int  # its goods with tax
    lines: int  # what points may pay of it, by the lines


def of(version: Version, order: Order) -> Ceilings:
    """The ceilings of an order."""
    ordered = [line for line in order.lines if not line.replacement]
    goods = sum(map(price, ordered))
    lines = sum(price(line) for line in ordered if is_redeemable(version, line))
    rule = version.terms.redemption.not_redeemable
    excluded = goods - lines
    if excluded == 0:
        return Ceilings(goods + order.payment.fees, goods, goods + order.payment.fees)
    return Ceilings(goods + order.payment.fees, goods, 0 if rule is not None and rule.mixed == "refuse" else lines)


def limit(version: Version, order: Order) -> int:
    """The most that points may pay of the order, in money."""
    ceilings = of(version, order)
    kind = version.terms.redemption.ceiling
    most = ceilings.goods if kind == "goods" else ceilings.payable - (1 if kind == "below_payable" else 0)
    if version.terms.redemption.pays == "nothing":
        return 0
    share = version.terms.redemption.ceiling_share
    if share is not None:
        numerator, denominator = fraction(share)
        most = most * numerator // denominator
    return max(min(most, ceilings.lines), 0)
