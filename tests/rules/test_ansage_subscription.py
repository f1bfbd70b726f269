"""Ansage: points that a member sets in advance for the next delivery of a subscription."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.story import Story, line, pieces
from tests.rules.test_ansage import joined, request, set_points


def subscribed(points: int = 1_000, story: Story | None = None, **data: Any) -> Story:
    """A member whose next delivery is planned for Wednesday 2024-07-17, of 5,500 yen with tax."""
    story = joined(points, story)
    plan = {"course": "subscription", "subscription_id": "S1", "planned_delivery_date": "2024-07-17", **data}
    story.order("A", "2024-07-01", line(5_000), **plan)
    return story


def test_ans_18_points_are_set_by_the_second_business_day_before_the_delivery() -> None:
    story = subscribed()
    set_points(story, "in_time", "2024-07-12 23:59:59", 300, order_id="A")
    set_points(story, "late", "2024-07-13 00:00:00", 400, subscription_id="S1")
    assert request(story, "in_time", "2024-07-13").decision == "accepted"
    assert request(story, "late", "2024-07-13").reason == "deadline_passed"
    assert (story.at("2024-07-13").available, story.order_at("A", "2024-07-13").points_used) == (700, 300)
    assert story.rules("redeem") == {"ANS-18"}


def test_ans_18_a_later_setting_replaces_the_earlier_amount() -> None:
    story = subscribed()
    for number, (points, left) in enumerate([(300, 700), (1_000, 0), (200, 800), (0, 1_000)]):
        at = f"2024-07-0{number + 2}"
        set_points(story, f"R{number}", at, points, subscription_id="S1")
        assert (story.at(at).available, story.order_at("A", at).points_used) == (left, points)


def test_ans_18_a_refused_setting_leaves_the_earlier_one() -> None:
    story = subscribed()
    set_points(story, "R1", "2024-07-02", 300, order_id="A")
    set_points(story, "R2", "2024-07-03", 1_001, order_id="A")
    assert request(story, "R2", "2024-07-03").reason == "insufficient_points"
    assert story.order_at("A", "2024-07-03").points_used == 300


def test_ans_18_a_setting_before_the_order_waits_for_it() -> None:
    story = joined(1_000)
    set_points(story, "R1", "2024-06-20", 300, subscription_id="S1")
    statement = story.at("2024-06-21")
    assert (statement.available, statement.reserved, statement.on_hold) == (700, 300, 0)
    subscribed(0, story)
    statement = story.at("2024-07-01")
    assert (statement.available, statement.reserved, statement.orders[0].points_used) == (700, 0, 300)


def test_ans_18_what_an_order_cannot_take_of_a_setting_comes_back() -> None:
    story = joined(9_000)
    set_points(story, "R1", "2024-06-20", 8_000, subscription_id="S1")
    subscribed(0, story)
    # 100 yen must be left to the credit card.
    assert story.order_at("A", "2024-07-01").points_used == 5_400
    assert story.at("2024-07-01").available == 3_600


def test_ans_18_points_named_by_the_order_take_the_place_of_the_setting() -> None:
    story = joined(300)
    set_points(story, "R1", "2024-06-20", 300, subscription_id="S1")
    subscribed(0, story, points_used=250)
    statement = story.at("2024-07-01")
    assert (statement.available, statement.reserved, statement.orders[0].points_used) == (50, 0, 250)


@pytest.mark.parametrize(
    ("points", "target", "reason"),
    [
        (300, {"order_id": "nowhere"}, "unknown_order"),
        (300, {"order_id": "one_off"}, "channel_not_eligible"),
        (5_401, {"order_id": "A"}, "remaining_below_payment_minimum"),
        (5_500, {"order_id": "A"}, "full_redemption_payment_method"),
        (5_501, {"order_id": "A"}, "exceeds_payable"),
        (5_400, {"order_id": "A"}, "insufficient_points"),
        (1_001, {"subscription_id": "S2"}, "insufficient_points"),
    ],
)
def test_ans_18_a_setting_is_refused_with_the_first_reason(points: int, target: dict[str, str], reason: str) -> None:
    story = subscribed()
    story.order("one_off", "2024-07-01", line(5_000))
    set_points(story, "R1", "2024-07-02", points, **target)
    assert request(story, "R1", "2024-07-02").reason == reason
    assert story.at("2024-07-02").available == 1_000


def test_ans_18_a_setting_after_some_goods_were_cancelled_sits_on_the_rest() -> None:
    story = joined(1_000)
    plan = {"course": "subscription", "planned_delivery_date": "2024-07-17"}
    story.order("A", "2024-07-01", line(1_000, 2), **plan)
    set_points(story, "R1", "2024-07-02", 400, order_id="A")
    story.cancelled("A", "2024-07-03", pieces("1"))
    set_points(story, "R2", "2024-07-04", 500, order_id="A")
    assert story.at("2024-07-04").due_back == 200
    story.cancelled("A", "2024-07-05")
    statement = story.at("2024-08-01")
    assert (statement.available, statement.due_back) == (1_000, 0)
