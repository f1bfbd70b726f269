"""What limits paying with points: a share of the order, points that must stay, conditions, kinds that go first."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.terms_checks import contradictions
from tests.rules.story import MEMBER, Story, line, verdict


def with_points(points: int = 5_000, **redemption: Any) -> Story:
    """A member with points in the shop, whose terms on paying are changed."""
    story = Story("shop", {f"redemption.{name}": value for name, value in redemption.items()})
    story.registered("2024-01-01")
    story.adjusted(points, "2024-01-02")
    return story


def tried(story: Story, points: int, at: str = "2024-02-01", **data: Any) -> str:
    """What becomes of an order of 11,000 yen with tax that asks for so many points."""
    story.order("A", at, line(10_000), points_used=points, **data)
    return verdict(story)


@pytest.mark.parametrize(("points", "told"), [(2_750, "accepted"), (2_751, "exceeds_payable")])
def test_points_pay_a_quarter_of_an_order_at_most(points: int, told: str) -> None:
    assert tried(with_points(ceiling_share="0.25"), points) == told


def test_the_share_is_one_of_the_goods_where_these_are_the_ceiling() -> None:
    assert tried(with_points(ceiling_share="0.5", ceiling="goods"), 5_500, shipping_fee=2_000) == "insufficient_points"
    assert tried(with_points(6_000, ceiling_share="0.5", ceiling="goods"), 5_501, shipping_fee=2_000) == "exceeds_payable"


def test_all_points_are_as_many_as_the_share_allows() -> None:
    story = with_points(ceiling_share="0.25")
    assert tried(story, 0, use_all_points=True) == "accepted"
    assert story.at("2024-02-01").available == 5_000 - 2_750 + 100


def test_points_that_pay_nothing_pay_for_no_order() -> None:
    story = with_points(pays="nothing")
    assert tried(story, 1) == "exceeds_payable"
    hold: dict[str, Any] = {"redemption_id": "H", "points": 1, "store": "shop"}
    story.tell("redemption.requested", "2024-02-02", member_id=MEMBER, **hold)
    assert [request.reason for request in story.at("2024-02-03").requests] == ["exceeds_payable"]


@pytest.mark.parametrize(("points", "told"), [(4_000, "accepted"), (4_001, "insufficient_points")])
def test_some_points_must_stay(points: int, told: str) -> None:
    assert tried(with_points(minimum_left_points=1_000), points) == told


def test_all_points_are_all_but_those_that_must_stay() -> None:
    story = with_points(minimum_left_points=1_000)
    assert tried(story, 0, use_all_points=True) == "accepted"
    assert story.at("2024-02-01").available == 1_000 + 100


@pytest.mark.parametrize(
    ("when", "data", "told"),
    [
        ({"days": [1]}, {}, "accepted"),
        ({"days": [2]}, {}, "conditions_not_met"),
        ({"basket": {"amount": 11_000}}, {}, "accepted"),
        ({"basket": {"amount": 11_001}}, {}, "conditions_not_met"),
        ({"unless": {"payment_methods": ["COD"]}}, {}, "accepted"),
        ({"unless": {"payment_methods": ["COD"]}}, {"payment_method": "cod"}, "conditions_not_met"),
        ({"orders": {"first": 2}}, {}, "conditions_not_met"),
        ({"joined": {"first": 31}}, {}, "accepted"),
        ({"joined": {"first": 32}}, {}, "conditions_not_met"),
    ],
)
def test_points_pay_where_the_condition_holds(when: dict[str, Any], data: dict[str, Any], told: str) -> None:
    assert tried(with_points(when=when), 500, **data) == told


def test_a_plan_that_is_told_late_turns_a_refusal_that_waited() -> None:
    story = with_points(when={"attributes": {"plan": ["gold"]}})
    story.order("A", "2024-02-01", line(10_000), points_used=500)
    assert verdict(story) == "conditions_not_met"
    story.updated("2024-02-02", attributes={"plan": "gold"})
    story.order("A", "2024-02-03", line(10_000), points_used=500)
    assert verdict(story) == "accepted"


def test_kinds_that_go_first_go_in_their_order() -> None:
    story = with_points(100, first_kinds=["gift", "bonus"])
    story.adjusted(100, "2024-01-03", kind="bonus", expires_on="2024-06-30")
    story.adjusted(100, "2024-01-04", kind="gift", expires_on="2025-06-30")
    story.adjusted(100, "2024-01-05", kind="gift", expires_on="2024-05-31")
    story.order("A", "2024-02-01", line(10_000), points_used=350)
    taken = [(entry.kind, entry.points, str(entry.expires_on)) for entry in story.entries() if entry.reason == "redeem"]
    assert taken == [
        ("gift", 100, "2024-05-31"),
        ("gift", 100, "2025-06-30"),
        ("bonus", 100, "2024-06-30"),
        ("regular", 50, "2025-01-02"),
    ]


def test_an_order_as_a_whole_has_no_category() -> None:
    (version,) = with_points(when={"unless": {"categories": ["sale"]}}).program.versions
    assert "redemption.when.unless.categories" in {found.path for found in contradictions(version.terms)}
