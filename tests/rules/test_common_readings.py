"""Questions that no published terms answer (COM): for each other reading a story that ends with other numbers, by program.

Two programs tell theirs beside their own questions; these are the other three, and what is the same in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from tests.rules.story import Reading, Story, line, names, pieces
from worker.programs.terms_file import shipped

Tell = Callable[[Story], object]
LATER: Final = "2024-12-31"


def joined(story: Story, at: str, points: int = 0) -> None:
    """A member from a day on, with so many points more than joining brings."""
    story.registered(at)
    story.enrolled(at)
    if points:
        story.adjusted(points, at)


def bought(story: Story, order_id: str, at: str, *lines: Mapping[str, Any], **data: Any) -> None:
    """An order that is paid, sent and delivered at once."""
    story.order(order_id, at, *lines, **data)
    story.paid(order_id, at)
    story.shipped(order_id, at)
    story.delivered(order_id, at)


def _news_before_its_order(story: Story) -> list[int]:
    """Points that left an order with its cancel: told before the order, then sent again after it."""
    joined(story, "2024-07-06", 2_000)
    story.cancelled("A", "2024-07-09", id_="C")
    story.order("A", "2024-07-08", line(10_000), points_used=600)
    gone = []
    for _ in range(2):
        order = story.order_at("A", LATER)
        gone.append(order.points_returned + order.points_forfeited)
        story.cancelled("A", "2024-07-09", id_="C")
    return gone


def _asked_too_much(method: str = "credit_card") -> Tell:
    def tell(story: Story) -> tuple[str | None, int]:
        joined(story, "2024-07-06", 40_000)
        story.order("A", "2024-07-08", line(10_000), points_used=30_000, payment_method=method)
        order = story.order_at("A", "2024-07-09")
        assert order.redemption is not None
        return order.redemption.reason, order.points_used

    return tell


def _set_aside(story: Story) -> tuple[int, int]:
    joined(story, "2024-07-06", 1_000)
    story.order("A", "2024-07-08", line(10_000), points_used=600)
    before = story.at("2024-07-08").reserved
    story.shipped("A", "2024-07-09")
    return before, story.at("2024-07-09").reserved


def _earned(*prices: int) -> Tell:
    def tell(story: Story) -> int:
        joined(story, "2024-07-06")
        bought(story, "A", "2024-07-08", *(line(price, tax=0) for price in prices))
        return story.order_at("A", LATER).points_credited

    return tell


def _usable_at(at: str, points_used: int = 0) -> Tell:
    """What an order of noon on 8 July brings, or (with points used) its cancel brings back, until an instant."""

    def tell(story: Story) -> int:
        joined(story, "2024-07-06", points_used)
        if points_used:
            story.order("A", "2024-07-08", line(10_000), points_used=points_used)
            story.cancelled("A", "2024-07-08")
        else:
            bought(story, "A", "2024-07-08", line(10_000))
        return story.at(at).available - story.at("2024-07-08").available

    return tell


def _lots_left(story: Story) -> list[tuple[str, int]]:
    joined(story, "2024-01-05")
    for day, last in (("10", "2024-10-31"), ("11", "2024-08-31"), ("12", "2024-09-30")):
        story.adjusted(600, f"2024-01-{day}", expires_on=last)
    story.order("A", "2024-03-01", line(10_000), points_used=600)
    return [(str(lot.expires_on)[5:], lot.points) for lot in story.at("2024-03-02").lots if lot.points == 600]


def _off_one_line(story: Story) -> int:
    joined(story, "2024-01-05", 10_000)
    lines = line(10_000, tax=0), line(10_000, tax=2_000)
    story.order("A", "2024-03-01", *lines, shipping_fee=3_000, points_used=10_000)
    story.cancelled("A", "2024-03-02", pieces("1"))
    order = story.order_at("A", "2024-03-31")
    return order.points_returned + order.points_forfeited


def _back_too_late(ordered: str, cancelled: str, at: str, **lot: str) -> Tell:
    """500 points come back after their last day: what lapsed, and the last day of what did not."""

    def tell(story: Story) -> tuple[int, list[str]]:
        story.registered("2023-03-01")
        if not story.at("2023-03-01").available:
            story.adjusted(500, "2023-03-01", **lot)
        story.order("A", ordered, line(10_000), points_used=500)
        story.cancelled("A", cancelled)
        now = story.at(at)
        return now.lapsed_total, [str(lot.expires_on) for lot in now.lots]

    return tell


def _spent_and_returned(story: Story) -> int:
    joined(story, "2024-01-05")
    bought(story, "A", "2024-03-01", line(100_000))
    story.order("B", "2024-04-15", line(200_000), use_all_points=True)
    story.returned("A", "2024-04-16")
    return story.at("2024-04-16").available


def _one_of_two_returned(story: Story) -> int:
    joined(story, "2024-01-05")
    bought(story, "A", "2024-03-01", line(150, 2))
    story.returned("A", "2024-03-20", pieces("1"))
    return story.order_at("A", LATER).points_credited


def _class_on_the_leap_day(story: Story) -> int:
    joined(story, "2023-01-05")
    bought(story, "A", "2023-03-01", line(60_000, tax=0))
    bought(story, "B", "2024-02-29", line(10_000, tax=0), course="subscription")
    return story.order_at("B", LATER).points_credited


def _left_after_the_leap_day(story: Story) -> list[int]:
    story.registered("2024-02-29")
    story.adjusted(500, "2024-02-29")
    return [int(story.at(day).available > 0) for day in ("2025-02-28", "2025-03-01", "2025-03-02")]


BACK = {"reversal.used_points": [{"rule": "PUP-24", "outcome": "back"}]}
EARLY = Reading("COM-C5", "refuse", _news_before_its_order, [600, 600], [0, 600])
LOTS = [("08-31", 600), ("09-30", 600), ("10-31", 600)]
SPLITS = (
    Reading("COM-Q4", "ex-tax", _off_one_line, 4_545, 5_000),
    Reading("COM-Q4", "with-shipping", _off_one_line, 4_545, 4_000),
    Reading("COM-Q4", "cash-first", _off_one_line, 4_545, 0),
    Reading("COM-Q4", "points-first", _off_one_line, 4_545, 10_000),
)
SAME = (
    EARLY,
    Reading("COM-C7", "shipment", _set_aside, (0, 0), (600, 0)),
    Reading("COM-Q3", "newest", _lots_left, LOTS[1:], [LOTS[0], LOTS[2]]),
    *SPLITS,
)
FIXED = _back_too_late("2024-07-01", "2024-08-10", "2024-08-25", expires_on="2024-07-31")
POOLED = _back_too_late("2024-02-20", "2025-03-01", "2025-03-02")
PROMISED = _back_too_late("2024-02-20", "2024-03-10", "2024-03-11")
READINGS: Final[dict[str, tuple[Reading, ...]]] = {
    "lenovo-pro": (EARLY,),
    "belle-maison": (EARLY,),
    "ansage": (
        *SAME,
        Reading("COM-C2", "roll-forward", _class_on_the_leap_day, 500, 300),
        Reading("COM-C6", "clip", _asked_too_much("cod"), ("exceeds_payable", 0), (None, 11_000)),
        Reading("COM-Q1", "half-up", _earned(150), 1, 2),
        Reading("COM-Q1", "ceil", _earned(101), 1, 2),
        Reading("COM-Q1", "per-line", _earned(150, 150), 3, 2),
        Reading("COM-Q2", "exact", _usable_at("2024-07-22 00:00:00", 500), 500, 0),
        Reading("COM-Q3", "oldest", _lots_left, LOTS[1:], LOTS[:2]),
        Reading("COM-Q5", "fresh", FIXED, (500, []), (0, ["None"])),
        Reading("COM-Q5", "grace", FIXED, (500, []), (0, ["2024-09-23"])),
        Reading("COM-Q6", "write-off", _spent_and_returned, -1_100, 0),
        Reading("COM-Q7", "returned-share", _one_of_two_returned, 1, 2),
    ),
    "puppy": (
        *SAME,
        Reading("COM-C2", "roll-forward", _left_after_the_leap_day, [1, 0, 0], [1, 1, 0]),
        Reading("COM-C6", "clip", _asked_too_much(), ("exceeds_payable", 0), (None, 11_000)),
        Reading("COM-Q1", "per-line", _earned(150, 150), 30, 20),
        Reading("COM-Q2", "exact", _usable_at("2024-07-11 00:00:00"), 1_000, 0),
        Reading("COM-Q3", "oldest", _lots_left, LOTS[1:], LOTS[:2]),
        Reading("COM-Q5", "fresh", POOLED, (500, []), (0, ["2026-03-01"]), BACK),
        Reading("COM-Q5", "grace", POOLED, (500, []), (0, ["2025-03-31"]), BACK),
        Reading("COM-Q6", "write-off", _spent_and_returned, -10_000, 0),
        Reading("COM-Q7", "returned-share", _one_of_two_returned, 10, 20),
    ),
    "scolar": (
        *SAME,
        Reading("COM-C2", "roll-forward", _left_after_the_leap_day, [1, 0, 0], [1, 1, 0]),
        Reading("COM-C6", "clip", _asked_too_much(), ("above_maximum", 0), (None, 10_000)),
        Reading("COM-Q1", "half-up", _earned(150), 1, 2),
        Reading("COM-Q1", "ceil", _earned(101), 1, 2),
        Reading("COM-Q1", "per-line", _earned(150, 150), 3, 2),
        Reading("COM-Q2", "exact", _usable_at("2024-07-18 00:00:00"), 100, 0),
        # Its registration points are older still, so that only a hundred of the lots named here go.
        Reading("COM-Q3", "oldest", _lots_left, LOTS[1:], LOTS[:2]),
        Reading("COM-Q5", "fresh", PROMISED, (500, []), (0, ["2025-03-10"])),
        Reading("COM-Q5", "grace", PROMISED, (500, []), (0, ["2024-04-09"])),
        Reading("COM-Q6", "write-off", _spent_and_returned, -1_000, 0),
        Reading("COM-Q7", "returned-share", _one_of_two_returned, 1, 2),
    ),
}
CASES = [
    pytest.param(code, reading, id=f"{code}-{name}")
    for code, readings in READINGS.items()
    for reading, name in zip(readings, names(readings), strict=True)
]


@pytest.mark.parametrize(("code", "reading"), CASES)
def test_another_reading_comes_to_other_numbers(code: str, reading: Reading) -> None:
    reading.check(code)


def test_every_program_is_here() -> None:
    assert set(READINGS) == set(shipped())
