"""An order that goes on as two or more: nobody gains or loses a point by it, whatever becomes of the parts, whatever comes first."""

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
