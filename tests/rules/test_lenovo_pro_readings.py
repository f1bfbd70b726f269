"""The open questions of the Lenovo Pro terms: for each other reading a story whose numbers differ from the default's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.rules.story import Reading, Story, line, names, pieces, verdict

CODE = "lenovo-pro"


def _pending(price: int = 10_000, **order: Any) -> Callable[[Story], int]:
    def tell(story: Story) -> int:
        story.enrolled("2024-01-05")
        story.adjusted(20_000, "2024-01-10")
        story.order("A", "2024-03-01", line(price), **order)
        return story.at("2024-03-02").pending

    return tell


def _first_day_available(story: Story) -> str | None:
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(10_000))
    story.shipped("A", "2024-03-02")
    days = [f"2024-03-{day:02}" for day in range(3, 32)] + [f"2024-04-{day:02}" for day in range(1, 11)]
    found = next((day for day in days if story.at(f"{day} 00:00:00").available), None)
    story.released("2024-04-15", order_id="A")
    return found or ("2024-04-15" if story.at("2024-04-15").available else None)


def _two_shipments(story: Story) -> tuple[int, int]:
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(10_000), line(20_000))
    story.shipped("A", "2024-03-02", pieces("1"))
    story.shipped("A", "2024-03-12", pieces("2"))
    return story.at("2024-04-01").available, story.at("2024-04-11").available


def _over_the_turn_of_the_year(story: Story) -> list[int]:
    story.enrolled("2024-01-05")
    story.order("A", "2024-11-01", line(90_000))
    story.shipped("A", "2024-11-02")
    story.order("B", "2024-12-20", line(50_000))
    story.shipped("B", "2024-12-21")
    story.order("C", "2025-02-01", line(60_000))
    story.shipped("C", "2025-02-02")
    return [order.points_credited for order in story.at("2025-04-01").orders]


def _crossing(story: Story) -> list[int]:
    story.enrolled("2024-01-05")
    for order_id, price in (("A", 60_000), ("B", 60_000), ("C", 60_000)):
        story.order(order_id, "2024-03-01", line(price))
    return [order.points_credited for order in story.at("2024-03-02").orders]


def _freed(story: Story) -> list[int]:
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(60_000))
    story.order("B", "2024-03-02", line(60_000))
    story.cancelled("A", "2024-03-03")
    story.order("C", "2024-03-04", line(60_000))
    return [order.points_credited for order in story.at("2024-03-05").orders]


def _survey_and_orders(story: Story) -> tuple[int, list[int]]:
    story.enrolled("2024-01-05")
    story.survey(700, "2024-02-01", survey_id="S1")
    story.order("A", "2024-03-01", line(60_000))
    story.survey(700, "2024-04-01", survey_id="S2")
    statement = story.at("2024-05-01")
    return statement.available, [order.points_credited for order in statement.orders]


def _returned_late(story: Story) -> int:
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(10_000))
    story.shipped("A", "2024-03-02")
    story.returned("A", "2024-04-05")
    return story.at("2024-04-06").available


def _days_until_back(story: Story) -> str:
    story.enrolled("2024-01-05")
    story.adjusted(500, "2024-01-10")
    story.order("A", "2024-03-01", line(10_000), points_used=500)
    story.cancelled("A", "2024-03-10 12:00:00")
    days = [f"2024-03-{day:02} {time}" for day in range(10, 31) for time in ("00:00:00", "12:00:00")]
    return next(at for at in days[1:] if story.at(at).available == 500)


def _rank(*told: tuple[str, int]) -> Callable[[Story], str | None]:
    def tell(story: Story) -> str | None:
        story.enrolled("2024-01-05")
        for number, (day, price) in enumerate(told):
            story.order(f"A{number}", day, line(price))
            story.shipped(f"A{number}", day)
        return story.at(told[-1][0]).tier

    return tell


def _rank_step_by_step(story: Story) -> list[str | None]:
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(300_000))
    ranks = [story.at("2024-03-01").tier]
    story.paid("A", "2024-03-02")
    ranks.append(story.at("2024-03-02").tier)
    story.shipped("A", "2024-03-03")
    return [*ranks, story.at("2024-03-03").tier]


def _decided(*lines: dict[str, Any], points: int, **order: Any) -> Callable[[Story], tuple[str, int]]:
    def tell(story: Story) -> tuple[str, int]:
        story.enrolled("2024-01-05")
        story.adjusted(20_000, "2024-01-10")
        story.order("A", "2024-03-01", *lines, points_used=points, **order)
        return verdict(story, at="2024-03-02"), story.order_at("A", "2024-03-02").points_used

    return tell


def _prize(story: Story) -> tuple[int, int, int]:
    story.enrolled("2024-01-05")
    story.survey(300, "2024-03-01 12:00:00")
    early, late = story.at("2024-03-01 12:00:00"), story.at("2024-03-02 12:00:00")
    return early.available, early.pending, late.available


def _rank_after_a_return(story: Story) -> tuple[str | None, str | None]:
    """Goods of 300,000 yen reach Plus; 290,000 are left when one of them is back."""
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(290_000), line(10_000))
    story.shipped("A", "2024-03-02")
    before = story.at("2024-03-02").tier
    story.returned("A", "2024-03-10", pieces("2"))
    return before, story.at("2024-03-10").tier


def _prize_without_a_country(story: Story) -> tuple[int, int]:
    """A prize before the country is told, and one after it is."""
    story.enrolled("2024-01-05")
    story.survey(300, "2024-03-01", survey_id="S1")
    before = story.at("2024-03-01").available
    story.updated("2024-03-02", country="JP")
    story.survey(300, "2024-03-03", survey_id="S2")
    return before, story.at("2024-03-03").available - before


def _last_day(story: Story) -> str | None:
    story.enrolled("2024-01-05")
    story.survey(300, "2024-08-31")
    return str(story.at("2024-09-01").lots[0].expires_on)


def _balance_before_and_after_shipment(story: Story) -> tuple[int, int, int]:
    story.enrolled("2024-01-05")
    story.adjusted(500, "2024-01-10")
    story.order("A", "2024-03-01", line(10_000), points_used=300)
    before = story.at("2024-03-01")
    story.shipped("A", "2024-03-02")
    return before.available, before.reserved, story.at("2024-03-02").reserved


def _held_until_midnight(story: Story) -> int:
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(10_000))
    story.shipped("A", "2024-03-02 12:00:00")
    return story.at("2024-04-01 00:00:00").available


def _which_lot(story: Story) -> list[str]:
    story.enrolled("2024-01-05")
    story.adjusted(100, "2024-01-10", expires_on="2025-03-31")
    story.adjusted(100, "2024-01-11", expires_on="2025-01-31")
    story.adjusted(100, "2024-01-12", expires_on="2025-02-28")
    story.order("A", "2024-03-01", line(10_000), points_used=100)
    return [str(lot.expires_on) for lot in story.at("2024-03-02").lots]


def _back_from_one_line(story: Story) -> int:
    story.enrolled("2024-01-05")
    story.adjusted(10_000, "2024-01-10")
    lines = line(10_000, tax=0), line(10_000, tax=2_000)
    story.order("A", "2024-03-01", *lines, shipping_fee=3_000, points_used=10_000)
    story.cancelled("A", "2024-03-02", pieces("1"))
    return story.order_at("A", "2024-03-10").points_returned


def _back_after_the_last_day(story: Story) -> tuple[int, list[str]]:
    story.enrolled("2024-01-05")
    story.adjusted(500, "2024-01-10")
    story.order("A", "2024-03-01", line(10_000), points_used=500)
    story.cancelled("A", "2024-08-10")
    statement = story.at("2024-08-20")
    return statement.lapsed_total, [str(lot.expires_on) for lot in statement.lots]


def _spent_and_returned(story: Story) -> tuple[int, int, int]:
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(10_000))
    story.shipped("A", "2024-03-02")
    story.order("B", "2024-04-02", line(10_000), points_used=80)
    story.returned("A", "2024-04-03")
    story.survey(50, "2024-04-04")
    statement = story.at("2024-04-05")
    return statement.available, statement.revoked_total, story.order_at("A", "2024-04-05").points_credited


def _one_of_two_returned(story: Story) -> int:
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(150, 2))
    story.shipped("A", "2024-03-02")
    story.returned("A", "2024-03-10", pieces("1"))
    return story.at("2024-03-11").pending


def _three_small_lines(story: Story) -> int:
    """150 yen each: 1 % of the subtotal of 450 is 4.5, of each line 1.5."""
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(150), line(150), line(150))
    return story.at("2024-03-02").pending


SERVICE = line(10_000, category="managed_service")
SMALL_LIMIT = {"earning.caps.0.points": 1_000}
READINGS = (
    Reading("LEN-Q1", "other-rate", _pending(), 100, 200),
    Reading("LEN-Q2", "net", _pending(points_used=2_000), 100, 80),
    Reading("LEN-Q3", "day-25", _first_day_available, "2024-04-01", "2024-03-27"),
    Reading("LEN-Q3", "day-35", _first_day_available, "2024-04-01", "2024-04-06"),
    Reading("LEN-Q3", "manual", _first_day_available, "2024-04-01", "2024-04-15"),
    Reading("LEN-Q4", "last-shipment", _two_shipments, (100, 300), (0, 300)),
    Reading("LEN-Q5", "grant-date", _over_the_turn_of_the_year, [900, 100, 600], [900, 500, 500], SMALL_LIMIT),
    Reading("LEN-Q6", "full", _crossing, [600, 400, 0], [600, 600, 0], SMALL_LIMIT),
    Reading("LEN-Q7", "not-freed", _freed, [0, 400, 600], [0, 400, 0], SMALL_LIMIT),
    Reading("LEN-Q8", "purchases-only", _survey_and_orders, (1_400, [300]), (1_400, [600]), SMALL_LIMIT),
    Reading("LEN-Q8", "all-refused", _survey_and_orders, (1_400, [300]), (700, [300]), SMALL_LIMIT),
    Reading("LEN-Q9", "kept", _returned_late, 0, 100),
    Reading("LEN-Q10", "at-once", _days_until_back, "2024-03-13 00:00:00", "2024-03-10 12:00:00"),
    Reading("LEN-Q10", "day-7", _days_until_back, "2024-03-13 00:00:00", "2024-03-17 00:00:00"),
    Reading("LEN-Q11", "rolling", _rank(("2024-11-01", 200_000), ("2025-02-01", 100_000)), "Pro", "Plus"),
    Reading("LEN-Q12", "inclusive", _rank(("2024-11-01", 280_000)), "Pro", "Plus"),
    Reading("LEN-Q13", "at-order", _rank_step_by_step, ["Pro", "Pro", "Plus"], ["Plus", "Plus", "Plus"]),
    Reading("LEN-Q13", "at-payment", _rank_step_by_step, ["Pro", "Pro", "Plus"], ["Pro", "Plus", "Plus"]),
    Reading("LEN-Q13", "falls", _rank_after_a_return, ("Plus", "Plus"), ("Plus", "Pro")),
    Reading("LEN-Q14", "refuse", _decided(SERVICE, line(10_000), points=500), ("accepted", 500), ("line_not_redeemable", 0)),
    Reading(
        "LEN-Q15",
        "goods",
        _decided(line(10_000), points=11_000, shipping_fee=500, payment_method="bank_transfer"),
        ("accepted", 11_000),
        ("full_redemption_payment_method", 0),
    ),
    Reading("LEN-Q16", "after-24-hours", _prize, (300, 0, 300), (0, 0, 300)),
    Reading("LEN-Q17", "ineligible", _prize_without_a_country, (300, 300), (0, 300)),
    Reading("COM-C2", "roll-forward", _last_day, "2025-02-28", "2025-03-31"),
    Reading("COM-C6", "clip", _decided(line(10_000), points=30_000), ("exceeds_payable", 0), ("accepted", 11_000)),
    Reading("COM-C7", "shipment", _balance_before_and_after_shipment, (200, 0, 0), (200, 300, 0)),
    Reading("COM-Q1", "half-up", _pending(150), 1, 2),
    Reading("COM-Q1", "ceil", _pending(101), 1, 2),
    Reading("COM-Q1", "per-line", _three_small_lines, 4, 3),
    Reading("COM-Q2", "exact", _held_until_midnight, 100, 0),
    Reading("COM-Q3", "oldest", _which_lot, ["2025-02-28", "2025-03-31"], ["2025-01-31", "2025-02-28"]),
    Reading("COM-Q3", "newest", _which_lot, ["2025-02-28", "2025-03-31"], ["2025-01-31", "2025-03-31"]),
    Reading("COM-Q4", "ex-tax", _back_from_one_line, 4_545, 5_000),
    Reading("COM-Q4", "with-shipping", _back_from_one_line, 4_545, 4_000),
    Reading("COM-Q4", "cash-first", _back_from_one_line, 4_545, 0),
    Reading("COM-Q4", "points-first", _back_from_one_line, 4_545, 10_000),
    Reading("COM-Q5", "fresh", _back_after_the_last_day, (500, []), (0, ["2025-02-28"])),
    Reading("COM-Q5", "grace", _back_after_the_last_day, (500, []), (0, ["2024-09-12"])),
    Reading("COM-Q6", "write-off", _spent_and_returned, (-30, 100, 0), (50, 20, 80)),
    Reading("COM-Q7", "returned-share", _one_of_two_returned, 1, 2),
)


@pytest.mark.parametrize("reading", READINGS, ids=names(READINGS))
def test_another_reading_gives_other_numbers(reading: Reading) -> None:
    reading.check(CODE)
