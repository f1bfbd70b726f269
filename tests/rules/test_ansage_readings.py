"""The open questions of the Ansage terms: for each other reading a story whose numbers differ from the default's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.story import Reading, Story, line, names
from tests.rules.test_ansage import Tell, bought, joined, reward, set_points, verdict
from tests.rules.test_ansage_subscription import subscribed


def _subscription_points(spent: str, delivery: str, shipped: str, own: int = 10_000, before: int = 60_000) -> Tell:
    """Points of a subscription delivery after so much was spent on a day before."""

    def tell(story: Story) -> int:
        joined(0, story)
        bought(story, "A", spent, line(before, tax=0))
        story.order("B", delivery, line(own, tax=0), course="subscription")
        story.shipped("B", shipped)
        return story.order_at("B", "2025-12-31").points_credited

    return tell


def _class_after(tax: int, points: int) -> Tell:
    def tell(story: Story) -> str | None:
        joined(points, story)
        bought(story, "A", "2024-03-10", line(30_000 - tax, tax=tax), points_used=points)
        return story.at("2024-03-11").tier

    return tell


def _credited(**data: Any) -> Tell:
    def tell(story: Story) -> list[int]:
        joined(1_000, story)
        bought(story, "A", "2024-07-01", line(2_000), **data)
        return [story.order_at("A", at).points_credited for at in ("2024-07-03", "2024-07-04")]

    return tell


def _back(story: Story) -> list[int]:
    """500 points used, cancelled before the shipment; 300 used and returned: what is back day by day."""
    joined(800, story)
    story.order("cancelled", "2024-07-01", line(1_000), points_used=500)
    bought(story, "returned", "2024-07-01", line(1_000), points_used=300)
    story.cancelled("cancelled", "2024-07-10")
    story.returned("returned", "2024-07-10")
    return [story.at(f"2024-07-{day}").available for day in (10, 20, 24, 30)]


def _left_next_year(story: Story) -> list[int]:
    joined(500, story)
    return [story.at(day).available for day in ("2024-01-06", "2024-01-07")]


def _with_fee(story: Story) -> tuple[str, str | None]:
    joined(5_000, story)
    story.order("A", "2024-07-01", line(1_000), points_used=1_200, shipping_fee=500, payment_method="cod")
    return verdict(story, "A", "2024-07-01")


def _late_setting(story: Story) -> list[object]:
    subscribed(1_000, story)
    set_points(story, "R1", "2024-07-13", 300, subscription_id="S1")
    first = story.at("2024-07-13")
    plan = {"course": "subscription", "subscription_id": "S1", "planned_delivery_date": "2024-08-16"}
    story.order("B", "2024-08-01", line(5_000), **plan)
    used = [story.order_at(order, "2024-08-01").points_used for order in ("A", "B")]
    return [first.requests[0].reason, first.available, first.reserved, used]


def _reward_shipped(story: Story) -> list[int]:
    joined(1_000, story)
    story.order("A", "2024-07-01", line(100, tax=0), planned_ship_date="2024-07-12", category="sale")
    reward(story, "R1", "2024-07-02")
    reward(story, "R2", "2024-07-02")
    before = story.at("2024-07-11").available
    story.shipped("A", "2024-07-12")
    return [before, story.at("2024-07-12").available]


def _carrier_cancelled(story: Story) -> list[int]:
    joined(1_000, story)
    story.order("A", "2024-07-01", line(1_000), planned_ship_date="2024-07-12")
    reward(story, "R1", "2024-07-02")
    story.cancelled("A", "2024-07-03")
    return [story.at(day).available for day in ("2024-07-02", "2024-07-03")]


def _setting_taken(story: Story) -> list[int]:
    """Set on 2 July; the deadline is the end of the 12th; shipped on the 15th."""
    subscribed(1_000, story)
    set_points(story, "R1", "2024-07-02", 300, subscription_id="S1")
    days = [story.at(at).available for at in ("2024-07-02", "2024-07-12 23:59:59", "2024-07-13 00:00:00")]
    story.shipped("A", "2024-07-15")
    at = story.order_at("A", "2024-07-15")
    return [*days, at.points_used, at.points_credited]


READINGS = [
    Reading("ANS-Q1", "other_table", _subscription_points("2024-03-01", "2024-04-01", "2024-04-01", before=40_000), 400, 200),
    Reading("ANS-Q2", "include_current", _subscription_points("2023-02-01", "2024-04-01", "2024-04-01", 60_000), 1_800, 3_000),
    Reading("ANS-Q2", "monthly", _subscription_points("2024-03-10", "2024-03-20", "2024-03-20"), 500, 300),
    Reading("ANS-Q2", "previous_calendar_year", _subscription_points("2024-03-10", "2024-04-20", "2024-04-20"), 500, 300),
    Reading("ANS-Q2", "at_shipment", _subscription_points("2024-03-10", "2024-03-09", "2024-03-20"), 300, 500),
    Reading("ANS-Q3", "net_of_points", _class_after(0, 100), "silver", "regular"),
    Reading("ANS-Q3", "ex_tax", _class_after(2_000, 0), "silver", "regular"),
    Reading("ANS-Q4", "ex_tax", _credited(), [22, 22], [20, 20]),
    Reading("ANS-Q5", "spread", _credited(points_used=1_000, shipping_fee=1_800), [12, 12], [16, 16]),
    Reading("ANS-Q6", "days_later", _credited(), [22, 22], [0, 22]),
    Reading("ANS-Q7", "cancels_at_once", _back, [0, 0, 800, 800], [500, 500, 800, 800]),
    Reading("ANS-Q7", "ten_days", _back, [0, 0, 800, 800], [0, 800, 800, 800]),
    Reading("ANS-Q7", "twenty_days", _back, [0, 0, 800, 800], [0, 0, 0, 800]),
    Reading("ANS-Q8", "twelve_months", _left_next_year, [500, 500], [500, 0]),
    Reading("ANS-Q9", "goods_only", _with_fee, ("accepted", None), ("rejected", "exceeds_payable")),
    Reading("ANS-Q10", "next_delivery", _late_setting, ["deadline_passed", 1_000, 0, [0, 0]], [None, 700, 300, [0, 300]]),
    Reading("ANS-Q11", "at_shipment", _reward_shipped, [300, 301], [1_000, 301]),
    Reading("ANS-Q12", "back_if_unshipped", _carrier_cancelled, [300, 300], [300, 1_000]),
    Reading("ANS-Q13", "at_shipment", _setting_taken, [700, 700, 700, 300, 156], [1_000, 1_000, 1_000, 300, 156]),
    Reading("ANS-Q13", "at_cut_off", _setting_taken, [700, 700, 700, 300, 156], [1_000, 1_000, 700, 300, 156]),
]


@pytest.mark.parametrize("reading", READINGS, ids=names(READINGS))
def test_each_other_reading_comes_to_its_own_numbers(reading: Reading) -> None:
    reading.check("ansage")
