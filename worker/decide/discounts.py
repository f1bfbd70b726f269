"""A discount on a whole order, spread over its lines as the terms say: each is kept with its share taken off, so what comes back
of the goods, in whatever parts, is worth what was paid for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from worker.decide.amounts import spread_within
from worker.decide.order_records import OrderLine
from worker.decide.program import Version


def spread_over(version: Version, lines: Sequence[OrderLine], discount: int) -> tuple[OrderLine, ...]:
    """Lines at their own prices, with the discount taken off them as far as they cost anything."""
    if not discount:
        return tuple(lines)
    limits = [line.goods for line in lines]
    first = limits
    if version.terms.earning.order_discount.excluded_lines == "last":
        first = [line.goods if line.earns else 0 for line in lines]
    by = version.terms.earning.order_discount.by
    weights = [_weight(by, line) if limit else 0 for line, limit in zip(lines, first, strict=True)]
    shares, left = spread_within(discount, weights, first)
    if left:
        rest = [limit - share for limit, share in zip(limits, shares, strict=True)]
        more, _ = spread_within(left, [_weight(by, line) if room else 0 for line, room in zip(lines, rest, strict=True)], rest)
        shares = [share + each for share, each in zip(shares, more, strict=True)]
    return tuple(replace(line, goods=line.goods - share) for line, share in zip(lines, shares, strict=True))


def _weight(by: str, line: OrderLine) -> int:
    if by == "pieces":
        return line.quantity
    return line.price if by == "amount_with_tax" else line.goods
