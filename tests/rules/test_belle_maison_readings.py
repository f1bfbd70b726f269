"""The open questions of the Belle Maison terms: for each other reading a story whose numbers differ from the default's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.rules.story import Reading, Story, line, names, pieces, verdict

CODE = "belle-maison"


def _shipments(*told: tuple[str, str, int]) -> Callable[[Story], int]:
    """One order of 300 yen and 3 x 300 yen; each told shipment is a day, a line and pieces of it."""

    def tell(story: Story) -> int:
        story.order("A", "2024-08-01", line(300), line(300, 3))
        for at, line_id, quantity in told:
            story.shipped("A", at, pieces(line_id, quantity))
        return story.at("2024-08-31").available

    return tell


def _paid_with_points(story: Story) -> int:
    story.adjusted(1_000, "2024-07-10")
    story.bought("A", "2024-08-01", line(2_000), points_used=1_000)
    return story.order_at("A", "2024-08-01").points_credited


def _stage_of_september(price: int, *, ordered: str, shipped: str) -> Callable[[Story], list[str | None]]:
    def tell(story: Story) -> list[str | None]:
        story.order("A", ordered, line(price))
        story.shipped("A", shipped)
        return [story.at("2024-09-15").tier, story.at("2024-10-15").tier]

    return tell


def _stage_after_a_return(story: Story) -> str | None:
    story.bought("A", "2024-08-15", line(30_000))
    story.returned("A", "2024-08-20")
    return story.at("2024-09-15").tier


def _ordered_before_the_stage(story: Story) -> int:
    story.bought("A", "2024-08-15", line(30_000))
    story.order("B", "2024-08-31", line(2_000))
    story.shipped("B", "2024-09-02")
    return story.order_at("B", "2024-09-03").points_credited


def _cancelled(story: Story) -> tuple[int, int]:
    story.adjusted(1_000, "2024-07-10")
    story.order("A", "2024-08-01", line(2_000), points_used=1_000)
    story.cancelled("A", "2024-08-02")
    return story.at("2024-08-02").available, story.at("2024-08-02").forfeited_total


def _decided(points: int, *lines: dict[str, Any], **order: Any) -> Callable[[Story], tuple[str, int]]:
    def tell(story: Story) -> tuple[str, int]:
        story.adjusted(5_000, "2024-07-10")
        story.order("A", "2024-08-01", *lines, points_used=points, **order)
        return verdict(story, at="2024-08-02"), story.order_at("A", "2024-08-02").points_used

    return tell


def _returned_over_the_last_day(story: Story) -> tuple[int, int]:
    story.adjusted(1_000, "2024-07-10")
    story.bought("A", "2024-08-15", line(2_000, category="sale"), points_used=1_000)
    story.return_requested("A", "2025-07-31")
    story.returned("A", "2025-08-02")
    return story.at("2025-07-31").available, story.at("2025-08-02").lapsed_total


def _bonus_on_a_sale(story: Story) -> int:
    story.bought("A", "2024-08-15", line(2_000, category="sale", bonus_points=[{"points": 50}]))
    return story.order_at("A", "2024-08-15").points_credited


def _balance_and_reserved(story: Story) -> tuple[int, int]:
    story.adjusted(1_000, "2024-07-10")
    story.order("A", "2024-08-01", line(2_000, category="sale"), points_used=1_000)
    early = story.at("2024-08-01").reserved
    story.shipped("A", "2024-08-02")
    return early, story.at("2024-08-02").reserved


def _which_lot(story: Story) -> list[str]:
    for number, last in enumerate(("2025-03-31", "2025-01-31", "2025-02-28"), 1):
        story.adjusted(100, f"2024-07-{number + 9}", expires_on=last)
    story.order("A", "2024-08-01", line(10_000), points_used=100)
    return [str(lot.expires_on) for lot in story.at("2024-08-02").lots]


def _back_from_one_line(story: Story) -> int:
    story.adjusted(10_000, "2024-07-10")
    lines = line(10_000, tax=0), line(10_000, tax=2_000)
    story.order("A", "2024-08-01", *lines, shipping_fee=3_000, points_used=10_000)
    story.cancelled("A", "2024-08-02", pieces("1"))
    return story.order_at("A", "2024-08-02").points_returned


def _back_after_the_last_day(story: Story) -> tuple[int, list[str]]:
    story.adjusted(500, "2024-07-10")
    story.order("A", "2024-08-01", line(10_000), points_used=500)
    story.cancelled("A", "2025-08-10")
    statement = story.at("2025-08-10")
    return statement.lapsed_total, [str(lot.expires_on) for lot in statement.lots]


def _spent_and_returned(story: Story) -> tuple[int, int, int]:
    story.bought("A", "2024-08-01", line(20_000))
    story.bought("B", "2024-08-02", line(10_000, category="sale"), points_used=80)
    story.returned("A", "2024-08-03")
    story.adjusted(50, "2024-08-04")
    statement = story.at("2024-08-05")
    return statement.available, statement.revoked_total, story.order_at("A", "2024-08-05").points_credited


def _one_of_two_returned(story: Story) -> int:
    story.bought("A", "2024-08-01", line(300, 2))
    story.returned("A", "2024-08-10", pieces("1"))
    return story.at("2024-08-11").available


THREE = ("2024-08-02", "1", 1), ("2024-08-03", "2", 1), ("2024-08-04", "2", 2)
READINGS = (
    Reading("BEL-Q1", "per-shipment", _shipments(*THREE), 6, 5),
    Reading("BEL-Q1", "per-line", _shipments(*THREE), 6, 5),
    Reading("BEL-Q2", "net", _paid_with_points, 10, 5),
    Reading(
        "BEL-Q3",
        "inclusive",
        _stage_of_september(28_000, ordered="2024-08-15", shipped="2024-08-16"),
        ["S0", "S0"],
        ["S1", "S1"],
    ),
    Reading(
        "BEL-Q3",
        "by-shipment",
        _stage_of_september(30_000, ordered="2024-08-31", shipped="2024-09-02"),
        ["S1", "S1"],
        ["S0", "S1"],
    ),
    Reading("BEL-Q3", "returns-stay", _stage_after_a_return, "S0", "S1"),
    Reading("BEL-Q4", "shipment", _ordered_before_the_stage, 10, 20),
    Reading("BEL-Q5", "forfeited", _cancelled, (1_000, 0), (0, 1_000)),
    Reading("BEL-Q6", "part-only", _decided(2_800, line(2_000), shipping_fee=600), ("accepted", 2_800), ("exceeds_payable", 0)),
    Reading("BEL-Q6", "goods", _decided(2_201, line(2_000), shipping_fee=600), ("accepted", 2_201), ("exceeds_payable", 0)),
    Reading("BEL-Q7", "requested", _returned_over_the_last_day, (0, 1_000), (1_000, 1_000)),
    Reading("BEL-Q8", "granted", _bonus_on_a_sale, 0, 50),
    Reading("COM-C6", "clip", _decided(9_000, line(2_000)), ("exceeds_payable", 0), ("accepted", 2_200)),
    Reading("COM-C7", "shipment", _balance_and_reserved, (0, 0), (1_000, 0)),
    Reading("COM-Q3", "oldest", _which_lot, ["2025-02-28", "2025-03-31"], ["2025-01-31", "2025-02-28"]),
    Reading("COM-Q3", "newest", _which_lot, ["2025-02-28", "2025-03-31"], ["2025-01-31", "2025-03-31"]),
    Reading("COM-Q4", "ex-tax", _back_from_one_line, 4_545, 5_000),
    Reading("COM-Q4", "with-shipping", _back_from_one_line, 4_545, 4_000),
    Reading("COM-Q4", "cash-first", _back_from_one_line, 4_545, 0),
    Reading("COM-Q4", "points-first", _back_from_one_line, 4_545, 10_000),
    Reading("COM-Q5", "fresh", _back_after_the_last_day, (500, []), (0, ["2026-08-31"])),
    Reading("COM-Q5", "grace", _back_after_the_last_day, (500, []), (0, ["2025-09-09"])),
    Reading("COM-Q6", "write-off", _spent_and_returned, (-30, 100, 0), (50, 20, 80)),
    Reading("COM-Q7", "returned-share", _one_of_two_returned, 1, 2),
)


@pytest.mark.parametrize("reading", READINGS, ids=names(READINGS))
def test_another_reading_gives_other_numbers(reading: Reading) -> None:
    reading.check(CODE)
