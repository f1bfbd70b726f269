"""The open questions of the ScoLar terms: for each other reading a story whose numbers differ from the default's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.story import Reading, Story, line, names
from tests.rules.test_scolar import Tell, bought, joined, review, verdict


def _stage_of_two_years(story: Story) -> object:
    joined(story)
    bought(story, "A", "2024-10-01", line(30_000))
    bought(story, "B", "2025-02-01", line(30_000))
    return story.at("2025-03-01").tier


def _stage_in_spring(story: Story) -> list[str | None]:
    joined(story)
    bought(story, "A", "2024-03-01", line(50_000))
    return [story.at(day).tier for day in ("2024-03-11", "2025-01-09 23:59:59", "2025-01-10 00:00:00")]


def _stage_after_a_small_year(story: Story) -> list[str | None]:
    joined(story, "2023-01-05")
    bought(story, "A", "2023-06-01", line(150_000))
    bought(story, "B", "2024-05-01", line(60_000))
    return [story.at(day).tier for day in ("2025-01-09", "2025-01-10")]


def _inactive(*days: str) -> Tell:
    def tell(story: Story) -> list[str | None]:
        joined(story, "2020-01-05")
        bought(story, "A", "2023-06-01", line(300_000))
        return [story.at(day).tier for day in days]

    return tell


def _restored(story: Story) -> list[str | None]:
    joined(story)
    bought(story, "A", "2024-03-01", line(60_000))
    bought(story, "B", "2025-04-01", line(100))
    return [story.at(day).tier for day in ("2025-03-20", "2025-04-01", "2025-04-11")]


def _validity(story: Story) -> list[int]:
    joined(story)
    story.order("A", "2024-03-01", line(10_000))
    story.shipped("A", "2024-03-05")
    return [story.at(f"2024-03-{day}").available for day in (11, 15)]


def _credited(*prices: int, stage: int = 0, **data: Any) -> Tell:
    """What an order earns, after so much was spent for a stage."""

    def tell(story: Story) -> int:
        joined(story)
        if stage:
            bought(story, "stage", "2024-02-01", line(stage))
        bought(story, "A", "2024-03-01", *(line(price) for price in prices), **data)
        return story.order_at("A", "2024-04-01").points_credited

    return tell


def _stage_of(price: int, fee: int = 0) -> Tell:
    def tell(story: Story) -> object:
        joined(story)
        bought(story, "A", "2024-03-01", line(price), shipping_fee=fee)
        return story.at("2024-03-11").tier

    return tell


def _left_after_an_order(story: Story) -> list[int]:
    joined(story, "2023-06-01")
    bought(story, "A", "2024-01-01", line(10_000))
    return [story.at(day).available for day in ("2025-01-01", "2025-01-11", "2025-01-12")]


def _used_points(story: Story) -> list[int]:
    joined(story)
    story.order("A", "2024-03-01", line(1_000), points_used=500)
    story.cancelled("A", "2024-03-05")
    return [story.at(f"2024-03-{day}").available for day in ("05", "11", "12")]


def _rate_at_validity(story: Story) -> list[int]:
    """An order eight days after one that reaches the next stage, two days before that one is judged."""
    joined(story)
    bought(story, "A", "2024-03-01", line(50_000))
    story.order("B", "2024-03-09", line(10_000))
    return [story.order_at("B", day).points_credited for day in ("2024-03-10", "2024-03-20")]


def _returned_after_use(story: Story) -> int:
    joined(story)
    bought(story, "A", "2024-03-01", line(10_000))
    story.order("B", "2024-03-15", line(1_000), points_used=600)
    story.returned("A", "2024-03-20")
    return story.at("2024-03-20").available


def _returned_unused(story: Story) -> int:
    joined(story)
    bought(story, "A", "2024-03-01", line(10_000))
    story.returned("A", "2024-03-20")
    return story.at("2024-03-20").available


def _reviews(story: Story) -> int:
    joined(story)
    review(story, "R1", "2024-02-01", sku="NEVER")
    return story.at("2024-02-01").available


def _reviewed_and_cancelled(story: Story) -> list[int]:
    joined(story)
    story.order("A", "2024-03-01", line(1_000))
    review(story, "V1", "2024-03-02")
    before = story.at("2024-03-02").available
    story.cancelled("A", "2024-03-03")
    return [before, story.at("2024-03-03").available]


def _reviews_of_two_orders(story: Story) -> int:
    joined(story)
    for number, order in enumerate(("A", "B")):
        story.order(order, "2024-03-01", line(99))
        review(story, f"R{number}", "2024-03-02", order_id=order)
    return story.at("2024-03-02").available


def _approved(story: Story) -> list[int]:
    joined(story)
    story.order("A", "2024-03-01", line(99))
    review(story, "R1", "2024-03-02")
    before = story.at("2024-03-02").available
    story.tell("activity.completed", "2024-03-05", member_id="M1", activity="review_approved", reference="R1")
    return [before, story.at("2024-03-05").available]


def _last_day(story: Story) -> list[int]:
    joined(story)
    return [story.at(day).available for day in ("2025-01-04", "2025-01-05", "2025-01-06")]


def _all_of_a_few(story: Story) -> tuple[str, str | None]:
    joined(story)
    story.order("A", "2024-03-01", line(400), use_all_points=True)
    return verdict(story, "A", "2024-03-01")


READINGS = [
    Reading("SCO-Q1", "rolling", _stage_of_two_years, "Member", "Silver"),
    Reading("SCO-Q2", "january_only", _stage_in_spring, ["Silver"] * 3, ["Member", "Member", "Silver"]),
    Reading("SCO-Q3", "sets", _stage_after_a_small_year, ["Gold", "Gold"], ["Gold", "Silver"]),
    Reading("SCO-Q5", "once", _inactive("2024-06-01", "2025-06-01"), ["Gold", "Silver"], ["Gold", "Gold"]),
    Reading("SCO-Q5", "on_review", _inactive("2024-06-01", "2025-01-09", "2025-01-10"), ["Gold"] * 3, ["VIP", "VIP", "Gold"]),
    Reading("SCO-Q6", "ignored", _restored, ["Member", "Member", "Silver"], ["Member"] * 3),
    Reading("SCO-Q6", "at_order", _restored, ["Member", "Member", "Silver"], ["Member", "Silver", "Silver"]),
    Reading("SCO-Q7", "shipment", _validity, [600, 600], [500, 600]),
    Reading("SCO-Q8", "net", _credited(10_000, points_used=500), 0, 95),
    Reading("SCO-Q9", "per_hundred", _credited(1_970, stage=150_000), 59, 57),
    Reading("SCO-Q9", "per_line", _credited(150, 150), 3, 2),
    Reading("SCO-Q10", "with_tax", _stage_of(46_000), "Member", "Silver"),
    Reading("SCO-Q10", "with_shipping", _stage_of(49_500, 500), "Member", "Silver"),
    # 45,000 yen, 4,500 yen of tax and 500 yen of shipping.
    Reading("SCO-Q10", "order_amount", _stage_of(45_000, 500), "Member", "Silver"),
    Reading("SCO-Q11", "delivery", _stage_of(50_000), "Silver", "Member"),
    Reading("SCO-Q12", "validity", _left_after_an_order, [600, 0, 0], [600, 600, 0]),
    Reading("SCO-Q13", "forfeited", _used_points, [500, 500, 500], [0, 0, 0]),
    Reading("SCO-Q13", "delayed", _used_points, [500, 500, 500], [0, 0, 500]),
    Reading("SCO-Q14", "at_validity", _rate_at_validity, [100, 100], [100, 200]),
    Reading("SCO-Q15", "kept", _returned_unused, 500, 600),
    Reading("SCO-Q15", "clamped", _returned_after_use, -100, 0),
    Reading("SCO-Q16", "stays", _reviewed_and_cancelled, [510, 500], [510, 510]),
    Reading("SCO-Q16", "any_product", _reviews, 500, 510),
    Reading("SCO-Q16", "per_order", _reviews_of_two_orders, 510, 520),
    Reading("SCO-Q16", "after_approval", _approved, [510, 510], [500, 510]),
    Reading("SCO-Q17", "day_before", _last_day, [500, 500, 0], [500, 0, 0]),
    Reading("SCO-Q18", "allowed", _all_of_a_few, ("rejected", "below_minimum"), ("accepted", None)),
]


@pytest.mark.parametrize("reading", READINGS, ids=names(READINGS))
def test_each_other_reading_comes_to_its_own_numbers(reading: Reading) -> None:
    reading.check("scolar")
