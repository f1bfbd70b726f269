"""What a member is told of a level in advance: until when it is kept, what is missing to keep it, and to the next one."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.statement import KeepsTierOut, NextTierOut
from tests.rules.heard import Heard
from tests.rules.story import Story, line

AIRLINE: dict[str, Any] = {
    "rule": "SHO-01",
    "levels": [
        {"name": "base", "threshold": 0},
        {"name": "silver", "threshold": 25_000},
        {"name": "gold", "threshold": 50_000},
    ],
    "measure": {"of": "miles", "counted_at": "order"},
    "window": {"type": "calendar_year"},
    "judgements": [{"on": "change", "falls": "any"}],
    "holds": "next_period",
    "notice_days": [30, 7],
}
HOTEL: dict[str, Any] = {
    **AIRLINE,
    "levels": [
        {"name": "guest"},
        {"name": "silver", "any": {"nights": 10, "spent": 90_000}},
        {"name": "gold", "all": {"nights": 30, "spent": 300_000}},
    ],
    "measures": {"nights": {"of": "nights", "counted_at": "order"}, "spent": {"counted_at": "order"}},
}
del HOTEL["measure"]


def shop(tiers: dict[str, Any], **more: Any) -> Story:
    story = Story("shop", {"tiers": {name: value for name, value in {**tiers, **more}.items() if value is not None}})
    story.registered("2024-01-01")
    return story


def fly(story: Story, order_id: str, at: str, miles: int) -> None:
    story.order(order_id, at, line(100, measures={"miles": miles}))


def missing(out: NextTierOut | KeepsTierOut | None) -> dict[str, int]:
    assert out is not None
    return {each.measure: each.amount for each in out.missing}


def test_nobody_loses_the_lowest_level_and_the_next_is_as_far_as_its_miles() -> None:
    says = shop(AIRLINE).at("2024-02-01")
    assert (says.tier_until, says.keeps_tier) == (None, None)
    assert says.next_tier is not None
    assert (says.next_tier.tier, missing(says.next_tier)) == ("silver", {"miles": 25_000})


def test_what_was_flown_in_the_year_is_not_missing_any_more() -> None:
    story = shop(AIRLINE)
    fly(story, "A", "2024-02-01", 30_000)
    assert missing(story.at("2024-12-31").next_tier) == {"miles": 20_000}
    assert missing(story.at("2025-01-01").next_tier) == {"miles": 50_000}


def test_gold_is_kept_to_the_end_of_the_next_year_and_longer_by_as_many_miles_as_are_missing() -> None:
    """Of this year's miles none keeps it beyond that; of the next year's 50,000 do, of which 20,000 are flown."""
    story = shop(AIRLINE)
    fly(story, "A", "2024-02-01", 50_000)
    says = story.at("2024-03-01")
    assert (str(says.tier_until), says.next_tier, missing(says.keeps_tier)) == ("2025-12-31", None, {})
    fly(story, "B", "2025-02-01", 20_000)
    says = story.at("2025-02-02")
    assert (str(says.tier_until), missing(says.keeps_tier)) == ("2025-12-31", {"miles": 30_000})
    fly(story, "C", "2025-02-03", 29_999)
    assert missing(story.at("2025-02-04").keeps_tier) == {"miles": 1}
    fly(story, "D", "2025-02-05", 1)
    assert str(story.at("2025-02-06").tier_until) == "2026-12-31"


def test_in_a_window_that_rolls_just_so_much_is_missing_as_goes_out_of_it() -> None:
    rolls = {"window": {"type": "rolling_months", "months": 3}, "holds": None, "measure": {"counted_at": "order"}}
    story = shop(AIRLINE, **rolls)
    story.order("A", "2024-02-10", line(15_000))
    story.order("B", "2024-04-01", line(12_000))
    says = story.at("2024-04-02")
    assert (says.tier, str(says.tier_until), missing(says.keeps_tier)) == ("silver", "2024-05-09", {"purchases": 13_000})


def test_of_several_measures_the_statement_says_whether_any_or_all_are_missing() -> None:
    story = shop(HOTEL)
    story.order("A", "2024-02-01", line(30_000, measures={"nights": 4}))
    above = story.at("2024-02-02").next_tier
    assert above is not None
    assert (above.tier, above.any_of, missing(above)) == ("silver", True, {"nights": 6, "spent": 60_000})
    story.order("B", "2024-02-03", line(270_000, measures={"nights": 10}))
    above = story.at("2024-02-04").next_tier
    assert above is not None
    assert (above.tier, above.any_of, missing(above)) == ("gold", False, {"nights": 16})


def test_to_keep_gold_all_that_is_missing_is_named_and_to_keep_silver_any_of_it() -> None:
    story = shop(HOTEL)
    story.order("A", "2024-02-01", line(300_000, measures={"nights": 30}))
    story.order("B", "2025-02-01", line(80_000, measures={"nights": 8}))
    keeps = story.at("2025-03-01").keeps_tier
    assert keeps is not None
    assert (str(keeps.until), keeps.any_of, missing(keeps)) == ("2025-12-31", False, {"nights": 22, "spent": 220_000})
    story = shop(HOTEL)
    story.order("A", "2024-02-01", line(300, measures={"nights": 10}))
    story.order("B", "2025-02-01", line(80_000, measures={"nights": 8}))
    keeps = story.at("2025-03-01").keeps_tier
    assert keeps is not None
    assert (keeps.any_of, missing(keeps)) == (True, {"nights": 2, "spent": 10_000})


def test_where_inactivity_costs_a_level_the_statement_says_when() -> None:
    story = shop(AIRLINE, judgements=[{"on": "change"}], holds=None, notice_days=None, inactivity={"rule": "SHO-02", "months": 6})
    fly(story, "A", "2024-02-10", 50_000)
    says = story.at("2024-03-01")
    assert (str(says.tier_until), missing(says.keeps_tier)) == ("2024-08-09", {})


def told(heard: Heard) -> list[tuple[str, str, int, list[Any]]]:
    return [(each["tier"], each["until"], each["days_left"], each["missing"]) for each in heard.on("tier-expiring")]


def test_the_member_is_told_so_many_days_before_a_level_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard(monkeypatch)
    story = shop(AIRLINE)
    fly(story, "A", "2024-02-01", 50_000)
    fly(story, "B", "2025-02-01", 20_000)
    story.at("2025-11-30 23:59:59")
    assert told(heard) == []
    story.at("2025-12-01 00:00:00")
    short = [{"measure": "miles", "amount": 30_000}]
    assert told(heard) == [("gold", "2025-12-31", 30, short)]
    fly(story, "C", "2025-12-05", 5_000)
    story.at("2026-01-01")
    shorter = [{"measure": "miles", "amount": 25_000}]
    assert told(heard)[1:] == [("gold", "2025-12-31", 7, shorter)]


def test_who_keeps_the_level_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard(monkeypatch)
    story = shop(AIRLINE)
    fly(story, "A", "2024-02-01", 50_000)
    fly(story, "B", "2025-11-01", 50_000)
    story.at("2026-01-01")
    assert told(heard) == []


def test_a_notice_is_told_once_though_a_fact_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard(monkeypatch)
    story = shop(AIRLINE)
    fly(story, "A", "2024-02-01", 50_000)
    story.at("2025-12-02")
    fly(story, "B", "2024-03-01", 1)
    story.at("2025-12-03")
    assert [(each["tier"], each["days_left"]) for each in heard.on("tier-expiring")] == [("gold", 30)]


def test_a_level_that_was_given_is_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard(monkeypatch)
    welcome = {"id": "welcome", "rule": "SHO-02", "event": "member.registered", "gives": {"tier": "silver", "months": 3}}
    story = Story("shop", {"tiers": AIRLINE, "activities": [welcome]})
    story.registered("2024-01-01")
    story.at("2024-04-01")
    assert told(heard) == [("silver", "2024-03-31", 30, []), ("silver", "2024-03-31", 7, [])]


def test_the_statement_says_when_pending_points_become_usable() -> None:
    story = Story("shop", {"maturity.after": [{"event": "shipment", "days": 10}]})
    story.registered("2024-01-01")
    story.order("A", "2024-02-01", line(10_000))
    story.bought("B", "2024-02-02", line(20_000))
    assert [(each.points, str(each.usable_from), each.order_id) for each in story.at("2024-02-03").pending_lots] == [
        (200, "2024-02-12", "B"),
        (100, "None", "A"),
    ]
