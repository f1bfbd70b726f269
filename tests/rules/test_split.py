"""An order that goes on as two or more: nobody gains or loses a point by it, whatever becomes of the parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from contracts.statement import Statement
from tests.rules.any_order import Fact, fact, in_any_order, placed
from tests.rules.story import line, pieces

BELLE = "bellemaison"
GIFT = fact("points.adjusted", "2024-07-31", points=1_000, reason="gift")
TWO = line(10_000, 2, line_id="1")
OTHER = line(4_000, line_id="2", sku="OTHER")
ORDERED = placed("2024-08-01 10:00:00", TWO, OTHER, store=BELLE)


def split(at: str, *into: tuple[str, list[Mapping[str, Any]]], of: str = "A") -> Fact:
    return fact("order.split", at, order_id=of, into=[{"order_id": name, "lines": lines} for name, lines in into])


BY_LINE = split("2024-08-02", ("A1", [pieces("1", 2)]), ("A2", [pieces("2")]))
BY_PIECE = split("2024-08-02", ("A1", [pieces("1")]), ("A2", [pieces("1"), pieces("2")]))


def says(*facts: Fact, order: Fact = ORDERED, at: str = "2024-08-20", set_: Mapping[str, Any] | None = None) -> Statement:
    return in_any_order("belle-maison", (order, *facts), at, set_, first=(GIFT,))


def shipped(of: str, at: str = "2024-08-05", lines: Any = "all") -> Fact:
    return fact("shipment.dispatched", at, order_id=of, lines=lines)


def codes(found: Statement) -> list[str]:
    return [each.code for each in found.findings]


@pytest.mark.parametrize(("of", "points"), [("A1", 100), ("A2", 20)])
def test_a_part_that_ships_earns_what_its_lines_would_have_earned(of: str, points: int) -> None:
    found = says(BY_LINE, shipped(of))
    assert (found.available, codes(found)) == (1_000 + points, [])


def test_both_parts_earn_what_the_order_would_have_earned() -> None:
    assert says(BY_PIECE, shipped("A1"), shipped("A2", "2024-08-06")).available == says(shipped("A")).available == 1_120


def test_a_part_that_is_returned_takes_its_points_back_alone() -> None:
    back = fact("return.received", "2024-08-10", order_id="A1", lines="all")
    found = says(BY_PIECE, shipped("A1"), shipped("A2", "2024-08-06"), back)
    assert (found.available, codes(found)) == (1_070, [])


# -- amendments, payments and money


def amended(of: str, *lines: Mapping[str, Any], at: str = "2024-08-03", **data: Any) -> Fact:
    return fact("order.amended", at, order_id=of, amendment_id="AM1", lines=lines, **data)


def test_a_part_is_amended_without_the_others() -> None:
    more = line(10_000, 3, line_id="1")
    of_part = says(BY_LINE, amended("A1", more), shipped("A1"), shipped("A2", "2024-08-06"))
    of_order = says(amended("A", more, OTHER), shipped("A"))
    # 30,000 yen and 4,000 yen, of which a point is half a percent
    assert of_part.available == of_order.available == 1_000 + 150 + 20
    assert codes(of_part) == []


def test_of_a_line_that_several_parts_have_a_part_is_amended_as_far_as_it_has_it() -> None:
    found = says(BY_PIECE, amended("A1", line(10_000, 2, line_id="1")), shipped("A1"), shipped("A2", "2024-08-06"))
    # two pieces of the part, and one of the other beside 4,000 yen
    assert (found.available, codes(found)) == (1_000 + 100 + 50 + 20, [])


def test_points_used_on_a_part_are_amended_beside_those_of_the_others() -> None:
    # 400 points on 26,400 yen with tax: of the part with 22,000 floor(400 * 22,000 / 26,400) = 333, of the other 67. What stands
    # then stands on the goods of both: floor(67 * 22,000 / 26,400) = 55, and 12.
    order = placed("2024-08-01 10:00:00", TWO, OTHER, store=BELLE, points_used=400)
    found = says(BY_LINE, amended("A1", TWO, points_used=0), order=order)
    assert (found.available, [each.points_used for each in found.orders]) == (1_000 - 67, [55, 12])


def test_an_order_is_paid_when_its_parts_are_of_which_anything_is_kept() -> None:
    paid = tuple(fact("order.paid", at, order_id=of) for of, at in (("A1", "2024-08-03"), ("A2", "2024-08-04")))
    set_ = {"maturity.after": [{"event": "payment"}], "maturity.by": "order"}
    assert says(BY_LINE, paid[0], set_=set_).available == 1_000
    assert says(BY_LINE, *paid, set_=set_).available == 1_120
    off = fact("order.cancelled", "2024-08-05", order_id="A2", lines="all", reason="out_of_stock")
    assert says(BY_LINE, paid[0], off, set_=set_).available == 1_100
