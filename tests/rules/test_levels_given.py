"""Levels that an activity gives for some months: a welcome, a match of another program's status."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.terms_checks import contradictions
from tests.rules.heard import Heard
from tests.rules.story import MEMBER, Story, line

TIERS: dict[str, Any] = {
    "rule": "SHO-01",
    "levels": [
        {"name": "base", "threshold": 0},
        {"name": "silver", "threshold": 10_000},
        {"name": "gold", "threshold": 50_000},
    ],
    "measure": {"counted_at": "order"},
    "window": {"type": "calendar_year"},
    "judgements": [{"on": "change", "falls": "any"}],
}
WELCOME = {"id": "welcome", "rule": "SHO-02", "event": "member.registered", "gives": {"tier": "silver", "months": 3}}
MATCH = {
    "id": "match",
    "rule": "SHO-03",
    "event": "activity.completed",
    "activity": "status_match",
    "gives": {"tier": "gold", "months": 12},
    "points": 100,
    "once_per": "member",
}


def shop(*activities: dict[str, Any], **more: Any) -> Story:
    story = Story("shop", {"tiers": {**TIERS, **more}, "activities": list(activities)})
    story.registered("2024-01-31")
    return story


def match(story: Story, at: str, reference: str = "letter") -> None:
    story.tell("activity.completed", at, member_id=MEMBER, activity="status_match", reference=reference)


def levels(story: Story, *days: str) -> list[str | None]:
    return [story.at(day).tier for day in days]


def test_a_new_member_is_silver_for_three_months() -> None:
    story = shop(WELCOME)
    assert levels(story, "2024-01-31", "2024-04-29 23:59:59", "2024-04-30 00:00:00") == ["silver", "silver", "base"]


def test_who_reaches_the_level_meanwhile_keeps_it() -> None:
    story = shop(WELCOME)
    story.order("A", "2024-03-01", line(10_000))
    assert levels(story, "2024-05-01", "2024-12-31", "2025-01-01") == ["silver", "silver", "base"]


def test_a_higher_level_of_ones_own_goes_before_the_one_that_was_given() -> None:
    story = shop(WELCOME)
    story.bought("A", "2024-03-01", line(50_000))
    assert levels(story, "2024-03-01") == ["gold"]
    story.returned("A", "2024-03-10")
    assert levels(story, "2024-03-10", "2024-04-30") == ["silver", "base"]


def test_no_judgement_takes_what_was_given() -> None:
    story = shop(MATCH, judgements=[{"on": {"monthly": 1}, "falls": "any"}])
    match(story, "2024-02-10")
    assert levels(story, "2024-02-10", "2024-06-01", "2025-02-09", "2025-02-10 00:00:00") == ["gold", "gold", "gold", "base"]


def test_a_level_that_was_given_ends_though_no_judgement_lowers_one() -> None:
    story = shop(MATCH, judgements=[{"on": "change"}])
    story.order("A", "2024-02-01", line(10_000))
    match(story, "2024-02-10")
    assert levels(story, "2024-02-10", "2025-02-10") == ["gold", "silver"]


def test_two_levels_that_were_given_end_one_after_the_other() -> None:
    story = shop(WELCOME, {**MATCH, "gives": {"tier": "gold", "months": 1}})
    match(story, "2024-02-10")
    assert levels(story, "2024-02-10", "2024-03-10", "2024-04-30") == ["gold", "silver", "base"]


def test_points_may_come_with_it_and_both_come_once() -> None:
    story = shop(MATCH)
    match(story, "2024-02-10", reference="one")
    match(story, "2024-12-10", reference="two")
    assert story.at("2024-12-10").available == 100
    assert levels(story, "2025-02-09", "2025-02-10") == ["gold", "base"]


def test_a_welcome_that_is_told_late_counts_from_its_day() -> None:
    story = shop(MATCH)
    story.order("A", "2024-06-01", line(100))
    match(story, "2024-02-10")
    assert levels(story, "2024-06-02", "2025-02-10") == ["gold", "base"]


def test_both_changes_are_told_under_the_rule_of_the_activity(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard(monkeypatch)
    story = shop(WELCOME)
    story.at("2024-04-30")
    told = [(each["previous_tier"], each["tier"], each["direction"], each["rule"]) for each in heard.on("tier-changed")]
    assert told == [("base", "silver", "up", "SHO-02"), ("silver", "base", "down", "SHO-02")]


def test_the_statement_says_until_when_and_that_no_purchase_prolongs_it() -> None:
    says = shop(WELCOME).at("2024-02-01")
    assert says.keeps_tier is not None
    assert (str(says.tier_until), says.keeps_tier.missing) == ("2024-04-29", ())


@pytest.mark.parametrize("tier", ["platinum", "base"])
def test_a_level_that_nobody_can_be_given_is_refused(tier: str) -> None:
    (version,) = shop({**WELCOME, "gives": {"tier": tier, "months": 3}}).program.versions
    assert [str(found) for found in contradictions(version.terms)] == [
        f"activities.0.gives.tier: {tier} is no level above the lowest; there are silver, gold"
    ]
