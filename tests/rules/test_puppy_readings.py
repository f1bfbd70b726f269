"""The open questions of the Puppy terms: for each other reading a story whose numbers differ from the default's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.story import Reading, Story, line, names, pieces
from tests.rules.test_puppy import TWENTY, Tell, bought, joined


def _credited_on(story: Story) -> list[int]:
    """Paid on 2 March, shipped on the 3rd (in part) and on the 10th: what is available day by day."""
    joined(story)
    story.order("A", "2024-03-01", line(10_000), line(5_000))
    story.paid("A", "2024-03-02")
    story.shipped("A", "2024-03-03", pieces("1"))
    story.shipped("A", "2024-03-10", pieces("2"))
    return [story.at(f"2024-03-{day}").available for day in ("05", "09", "10")]


def _paid_late(story: Story) -> list[int]:
    joined(story)
    story.order("A", "2024-03-01", line(10_000))
    story.shipped("A", "2024-03-02")
    story.paid("A", "2024-03-05")
    return [story.at(f"2024-03-{day}").available for day in ("02", "05", "06", "07", "08")]


def _earned(*prices: int, **data: Any) -> Tell:
    def tell(story: Story) -> int:
        joined(story)
        story.adjusted(1_000, "2024-01-10")
        story.order("A", "2024-03-01", *(line(price) for price in prices), **data)
        story.paid("A", "2024-03-01")
        story.shipped("A", "2024-03-01")
        return story.order_at("A", "2024-03-10").points_credited

    return tell


def _all_with_points(story: Story) -> object:
    bought(story)
    story.order("B", "2024-04-01", line(500, tax=50), points_used=550)
    verdict = story.order_at("B", "2024-04-01").redemption
    return verdict and verdict.reason


def _lost(story: Story) -> list[int]:
    """300 points used on each of three orders: out of stock, the customer's wish, a return."""
    bought(story)
    for order in ("stock", "wish", "return"):
        story.order(order, "2024-04-01", line(3_000), points_used=300)
    story.cancelled("stock", "2024-04-02", reason="out_of_stock")
    story.cancelled("wish", "2024-04-02")
    story.shipped("return", "2024-04-02")
    story.returned("return", "2024-04-03")
    return [story.order_at(order, "2024-04-03").points_forfeited for order in ("stock", "wish", "return")]


def _returned_after_use(story: Story) -> int:
    bought(story)
    story.order("B", "2024-04-01", line(5_000), points_used=900)
    story.returned("A", "2024-04-10")
    return story.at("2024-04-10").available


def _left_on(*days: str) -> Tell:
    def tell(story: Story) -> list[int]:
        joined(story)
        story.adjusted(100, "2024-02-29 15:00:00")
        return [story.at(day).available for day in days]

    return tell


def _ordered_without_points(story: Story) -> int:
    bought(story)
    story.order("B", "2024-09-01", line(5_000))
    return story.at("2025-06-01").available


def _paid_after_the_start(story: Story) -> int:
    joined(story, "2010-08-01")
    story.order("A", "2010-09-01 09:00:00", line(1_000))
    story.paid("A", "2010-09-01 11:00:00")
    story.shipped("A", "2010-09-02")
    return story.at("2010-09-10").available


def _paid_with_points(story: Story) -> list[int]:
    bought(story)
    story.order("B", "2024-04-01", line(500, tax=50), use_all_points=True)
    return [story.order_at("B", "2024-04-01").points_used, story.at("2024-04-01").available]


def _ordered_before_a_new_rate(story: Story) -> int:
    joined(story)
    story.order("A", "2024-03-01", line(1_000))
    story.paid("A", "2024-03-01")
    story.shipped("A", "2024-04-01")
    return story.at("2024-04-02").available


def _rate(yen: str) -> dict[str, object]:
    return {"earning.exchange.rates": {"USD": {"2024-01-01": yen}}}


NEW_RATE = {
    "amendments": [{"effective_from": "2024-03-15T00:00:00+09:00", "set": {"earning.components.purchase.rates.0.rate": TWENTY}}]
}

READINGS = [
    Reading("PUP-Q1", "one_day", _paid_late, [0, 0, 0, 0, 1_000], [0, 0, 1_000, 1_000, 1_000]),
    Reading("PUP-Q1", "two_days", _paid_late, [0, 0, 0, 0, 1_000], [0, 0, 0, 1_000, 1_000]),
    Reading("PUP-Q1", "payment_only", _credited_on, [0, 0, 1_500], [1_500, 1_500, 1_500]),
    Reading("PUP-Q1", "shipment_only", _paid_late, [0, 0, 0, 0, 1_000], [1_000, 1_000, 1_000, 1_000, 1_000]),
    Reading("PUP-Q2", "ten_percent", _earned(1_234), 120, 123),
    Reading("PUP-Q2", "per_line", _earned(150, 150), 30, 20),
    Reading("PUP-Q3", "spread", _earned(5_000, points_used=1_000, shipping_fee=500), 400, 410),
    Reading("PUP-Q4", "strictly_below", _all_with_points, None, "exceeds_payable"),
    Reading("PUP-Q5", "shop_reasons_back", _lost, [300, 300, 300], [0, 300, 300]),
    Reading("PUP-Q5", "returns_back", _lost, [300, 300, 300], [300, 300, 0]),
    Reading("PUP-Q5", "both_back", _lost, [300, 300, 300], [0, 300, 0]),
    Reading("PUP-Q6", "kept", _returned_after_use, -900, 100),
    Reading("PUP-Q6", "clamped", _returned_after_use, -900, 0),
    Reading("PUP-Q7", "day_before", _left_on("2025-02-27", "2025-02-28"), [100, 100], [100, 0]),
    Reading("PUP-Q7", "exact", _left_on("2025-02-28 14:59:59", "2025-02-28 15:00:00"), [100, 100], [100, 0]),
    Reading("PUP-Q7", "first_of_march", _left_on("2025-02-28", "2025-03-01", "2025-03-02"), [100, 0, 0], [100, 100, 0]),
    Reading("PUP-Q8", "order_date", _ordered_without_points, 0, 1_000),
    Reading("PUP-Q9", "per_shipment", _credited_on, [0, 0, 1_500], [1_000, 1_000, 1_500]),
    # Three times 0.89 dollars at 150 yen: 400.5 yen together, 133 yen each. 1.11 dollars at 360 yen: 399.6 yen.
    Reading("PUP-Q10", "per_line", _earned(89, 89, 89, currency="USD"), 40, 30, _rate("150")),
    Reading("PUP-Q10", "half_up", _earned(111, currency="USD"), 30, 40, _rate("360")),
    Reading("PUP-Q11", "payment_time", _paid_after_the_start, 0, 100),
    Reading("PUP-Q12", "two_yen", _paid_with_points, [550, 450], [275, 725]),
    Reading("PUP-Q13", "credit_date", _ordered_before_a_new_rate, 100, 200, NEW_RATE),
]


@pytest.mark.parametrize("reading", READINGS, ids=names(READINGS))
def test_each_other_reading_comes_to_its_own_numbers(reading: Reading) -> None:
    reading.check("puppy")
