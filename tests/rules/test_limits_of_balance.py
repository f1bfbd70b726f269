"""What a member can use at most, by plan or level: the rest is kept and cannot be used, or is lost."""

from __future__ import annotations

from typing import Any

from tests.rules.story import Story, line, verdict

PLANS: list[dict[str, Any]] = [
    {"rule": "PUP-25", "points": 300, "when": {"attributes": {"plan": ["free"]}}, "excess": "kept"},
    {"rule": "PUP-25", "points": 1_000, "when": {"unless": {"attributes": {"plan": ["premium"]}}}, "excess": "lost"},
]
"""Free: 300 can be used, the rest waits. Premium: everything. All others: 1,000, and what is above is lost."""


def member(plan: str | None) -> Story:
    story = Story("puppy", set={"redemption.limits": PLANS})
    story.registered("2024-01-01")
    if plan is not None:
        story.updated("2024-01-02", attributes={"plan": plan})
    story.adjusted(800, "2024-01-10")
    story.adjusted(700, "2024-02-10")
    return story


def test_what_is_above_the_limit_of_a_plan_is_kept_and_cannot_be_used() -> None:
    story = member("free")
    assert story.at("2024-03-01").available == 1_500
    story.order("A", "2024-03-02", line(10_000), points_used=301)
    assert verdict(story, "A") == "insufficient_points"
    story.order("B", "2024-03-03", line(10_000), points_used=300)
    assert verdict(story, "B") == "accepted"
    assert story.at("2024-03-04").available == 1_200


def test_another_plan_sets_it_free() -> None:
    story = member("free")
    story.updated("2024-03-01", attributes={"plan": "premium"})
    story.order("A", "2024-03-02", line(10_000), points_used=1_500)
    assert verdict(story, "A") == "accepted"


def test_what_is_above_the_limit_is_lost_with_the_grant_that_crosses_it() -> None:
    story = member(None)
    assert story.at("2024-02-09").available == 800
    assert story.at("2024-02-11").available == 1_000
    assert story.at("2024-02-11").lapsed_total == 500
    assert story.rules("lapse") == {"PUP-25"}


def test_a_plan_that_ends_costs_what_is_above_the_limit() -> None:
    story = member("premium")
    assert story.at("2024-03-01").available == 1_500
    story.updated("2024-03-02", attributes={"plan": None})
    assert story.at("2024-03-03").available == 1_000


def test_a_grant_told_late_changes_what_was_lost_and_nothing_else() -> None:
    early, late = member(None), Story("puppy", set={"redemption.limits": PLANS})
    late.registered("2024-01-01")
    late.adjusted(700, "2024-02-10")
    late.adjusted(800, "2024-01-10")
    assert late.at("2024-03-01").available == early.at("2024-03-01").available == 1_000
    assert late.at("2024-03-01").lapsed_total == 500


def test_use_all_takes_what_may_be_used() -> None:
    story = member("free")
    story.order("A", "2024-03-02", line(10_000), use_all_points=True)
    assert story.order_at("A", "2024-03-03").points_used == 300
