"""How long a level holds that was reached: to the end of the next period, or so many months; and what is carried over."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.terms_checks import contradictions
from tests.rules.story import Story, line
from worker.programs.terms_file import TermsError

LEVELS = [{"name": "base", "threshold": 0}, {"name": "silver", "threshold": 25_000}, {"name": "gold", "threshold": 50_000}]

AIRLINE = {
    "rule": "SHO-01",
    "levels": LEVELS,
    "measure": {"of": "miles", "counted_at": "order"},
    "window": {"type": "calendar_year"},
    "judgements": [{"on": "change", "falls": "any"}],
    "holds": "next_period",
}
"""A level holds to the end of the year after the one in which its miles were flown."""

TWELVE_MONTHS = {
    **AIRLINE,
    "measure": {"counted_at": "order"},
    "window": {"type": "rolling_months", "months": 3},
    "holds": {"months": 12},
}
"""Who spends so much in three months has the level for twelve months."""


def shop(tiers: dict[str, Any], **more: Any) -> Story:
    story = Story("shop", {"tiers": {name: value for name, value in {**tiers, **more}.items() if value is not None}})
    story.registered("2024-01-01")
    return story


def flight(story: Story, order_id: str, at: str, miles: int) -> None:
    story.order(order_id, at, line(100, measures={"miles": miles}))


def levels(story: Story, *days: str) -> list[str | None]:
    return [story.at(day).tier for day in days]


def test_gold_holds_to_the_end_of_the_year_after_it_was_reached() -> None:
    airline = shop(AIRLINE)
    flight(airline, "A", "2024-06-10", 50_000)
    assert levels(airline, "2024-06-10", "2025-01-01", "2025-12-31 23:59:59") == ["gold", "gold", "gold"]
    assert levels(airline, "2026-01-01 00:00:00") == ["base"]


def test_after_gold_comes_the_level_that_the_miles_of_the_last_year_reached() -> None:
    """50,000 miles in 2024, 30,000 in 2025: gold to the end of 2025, silver to the end of 2026."""
    airline = shop(AIRLINE)
    flight(airline, "A", "2024-06-10", 50_000)
    flight(airline, "B", "2025-09-01", 30_000)
    assert levels(airline, "2025-09-01", "2026-01-01 00:00:00") == ["gold", "silver"]
    assert levels(airline, "2026-12-31 23:59:59", "2027-01-01 00:00:00") == ["silver", "base"]


def test_gold_that_is_reached_again_holds_a_year_longer() -> None:
    airline = shop(AIRLINE)
    flight(airline, "A", "2024-06-10", 50_000)
    flight(airline, "B", "2025-03-01", 50_000)
    assert levels(airline, "2026-12-31", "2027-01-01") == ["gold", "base"]


def test_no_level_holds_of_a_flight_that_was_not_taken() -> None:
    """Of 50,000 miles 25,000 come back in the year after: silver is what is left, to the end of that year."""
    airline = shop(AIRLINE)
    flight(airline, "A", "2024-06-10", 25_000)
    airline.bought("B", "2024-07-10", line(100, measures={"miles": 25_000}))
    assert levels(airline, "2025-02-01") == ["gold"]
    airline.returned("B", "2025-02-02")
    assert levels(airline, "2025-02-02", "2025-12-31", "2026-01-01") == ["silver", "silver", "base"]


def test_less_in_this_year_costs_nothing_that_was_reached_in_the_year_before() -> None:
    airline = shop(AIRLINE)
    flight(airline, "A", "2024-06-10", 50_000)
    airline.bought("B", "2025-02-01", line(100, measures={"miles": 10_000}))
    airline.returned("B", "2025-02-10")
    assert levels(airline, "2025-02-10", "2025-12-31", "2026-01-01") == ["gold", "gold", "base"]


def test_a_flight_told_late_counts_in_the_year_in_which_it_was() -> None:
    airline = shop(AIRLINE)
    flight(airline, "A", "2024-06-10", 25_000)
    assert levels(airline, "2025-06-01") == ["silver"]
    flight(airline, "B", "2024-12-31", 25_000)
    assert levels(airline, "2025-06-02", "2025-12-31", "2026-01-01") == ["gold", "gold", "base"]


def test_what_counts_late_for_the_year_before_brings_the_level_that_holds_still() -> None:
    """Ordered in December, shipped in January: gold from then on, to the end of the year."""
    airline = shop(AIRLINE, measure={"of": "miles"})
    flight(airline, "A", "2024-12-30", 50_000)
    airline.shipped("A", "2025-01-03")
    assert levels(airline, "2025-01-02", "2025-01-03", "2025-12-31", "2026-01-01") == ["base", "gold", "gold", "base"]


def test_one_level_at_most_is_lost_at_a_time_and_the_one_below_holds_a_year() -> None:
    airline = shop(AIRLINE, judgements=[{"on": "change", "falls": "one_level"}])
    flight(airline, "A", "2024-06-10", 50_000)
    assert levels(airline, "2025-12-31", "2026-01-01 00:00:00", "2026-12-31") == ["gold", "silver", "silver"]
    assert levels(airline, "2027-01-01 00:00:00") == ["base"]


def test_a_yearly_review_lowers_no_level_that_holds_still() -> None:
    """Reviewed on 1 April by the year before, by one level: what was reached in 2024 holds through 2025."""
    review = {"on": {"yearly": "04-01"}, "over": "previous_calendar_year", "falls": "one_level"}
    airline = shop(AIRLINE, judgements=[{"on": "change"}, review])
    flight(airline, "A", "2024-06-10", 50_000)
    assert levels(airline, "2025-04-01", "2026-03-31", "2026-04-01 00:00:00") == ["gold", "gold", "silver"]
    assert levels(airline, "2027-03-31", "2027-04-01 00:00:00") == ["silver", "base"]


def test_a_level_holds_twelve_months_from_the_day_of_what_reached_it() -> None:
    story = shop(TWELVE_MONTHS)
    story.order("A", "2024-02-10", line(20_000))
    story.order("B", "2024-03-10", line(30_000))
    assert levels(story, "2024-02-10", "2024-03-10", "2025-03-09 23:59:59") == ["base", "gold", "gold"]
    assert levels(story, "2025-03-10 00:00:00") == ["base"]


def test_reached_again_it_holds_twelve_months_from_then() -> None:
    story = shop(TWELVE_MONTHS)
    story.order("A", "2024-03-10", line(50_000))
    story.order("B", "2024-11-20", line(30_000))
    assert levels(story, "2025-03-09", "2025-03-10 00:00:00") == ["gold", "silver"]
    assert levels(story, "2025-11-19", "2025-11-20 00:00:00") == ["silver", "base"]


def test_what_came_back_did_not_prolong_a_level() -> None:
    story = shop(TWELVE_MONTHS)
    story.bought("A", "2024-03-10", line(50_000))
    story.bought("B", "2024-11-20", line(50_000))
    story.returned("B", "2024-12-01")
    assert levels(story, "2025-03-09", "2025-03-10 00:00:00") == ["gold", "base"]


def test_falling_by_one_level_the_one_below_holds_twelve_months() -> None:
    story = shop(TWELVE_MONTHS, judgements=[{"on": "change", "falls": "one_level"}])
    story.order("A", "2024-03-10", line(50_000))
    assert levels(story, "2025-03-10 00:00:00", "2026-03-09", "2026-03-10 00:00:00") == ["silver", "silver", "base"]


def test_a_level_of_a_calendar_year_may_hold_for_months_too() -> None:
    story = shop(TWELVE_MONTHS, window={"type": "calendar_year"})
    story.order("A", "2024-03-10", line(20_000))
    story.order("B", "2024-11-10", line(30_000))
    assert levels(story, "2025-11-09", "2025-11-10 00:00:00") == ["gold", "base"]


# -- what goes beyond a level counts in the next period


def rollover(**more: Any) -> Story:
    return shop(AIRLINE, holds=None, carry_over="excess", **more)


def test_what_goes_beyond_a_level_counts_in_the_next_year() -> None:
    """60,000 miles are gold and 10,000; with 15,000 more the next year is silver from the start of February."""
    airline = rollover()
    flight(airline, "A", "2024-06-10", 60_000)
    flight(airline, "B", "2025-01-31", 14_999)
    assert levels(airline, "2024-12-31", "2025-01-01", "2025-01-31") == ["gold", "base", "base"]
    flight(airline, "C", "2025-02-01", 1)
    assert levels(airline, "2025-02-01", "2025-12-31", "2026-01-01") == ["silver", "silver", "base"]


def test_nothing_is_carried_over_by_who_reached_no_level() -> None:
    airline = rollover()
    flight(airline, "A", "2024-06-10", 24_999)
    flight(airline, "B", "2025-02-01", 24_999)
    assert levels(airline, "2024-12-31", "2025-02-01") == ["base", "base"]


def test_what_goes_far_beyond_is_carried_over_year_after_year() -> None:
    """130,000 miles: gold in 2024, 80,000 carried: gold in 2025, 30,000 carried: silver in 2026, 5,000 carried."""
    airline = rollover()
    flight(airline, "A", "2024-06-10", 130_000)
    assert levels(airline, "2024-12-31", "2025-12-31", "2026-12-31", "2027-01-01") == ["gold", "gold", "silver", "base"]


def test_a_return_takes_what_was_carried_over() -> None:
    airline = rollover()
    flight(airline, "A", "2024-06-10", 50_000)
    airline.bought("B", "2024-12-20", line(100, measures={"miles": 25_000}))
    assert levels(airline, "2025-01-05") == ["silver"]
    airline.returned("B", "2025-01-06")
    assert levels(airline, "2025-01-06") == ["base"]


def test_carried_over_and_held_a_level_reached_by_both_holds_on() -> None:
    """75,000 miles in 2024: gold to the end of 2025; 25,000 carried into 2025 are silver, which holds to the end of 2026."""
    airline = shop(AIRLINE, carry_over="excess")
    flight(airline, "A", "2024-06-10", 75_000)
    assert levels(airline, "2025-12-31", "2026-01-01", "2026-12-31", "2027-01-01") == ["gold", "silver", "silver", "base"]


def test_nights_are_carried_over_each_measure_by_its_own() -> None:
    """Gold by 60 nights: ten more nights are carried over, and none of the points, which did not lead there."""
    hotel = shop(
        AIRLINE,
        holds=None,
        carry_over="excess",
        levels=[{"name": "base"}, {"name": "gold", "any": {"nights": 50, "miles": 9_000}}],
        measure=None,
        measures={"nights": {"of": "nights", "counted_at": "order"}, "miles": {"of": "miles", "counted_at": "order"}},
    )
    hotel.order("A", "2024-05-01", line(100, measures={"nights": 60, "miles": 8_999}))
    hotel.order("B", "2025-05-01", line(100, measures={"nights": 39, "miles": 1}))
    assert levels(hotel, "2024-05-01", "2025-05-01") == ["gold", "base"]
    hotel.order("C", "2025-05-02", line(100, measures={"nights": 1}))
    assert levels(hotel, "2025-05-02") == ["gold"]


# -- terms that cannot be meant


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"holds": {"months": 6, "periods": 1}}, "a level holds for next_period"),
        ({"window": {"type": "rolling_months"}}, "rolling_months are no periods that follow each other"),
        ({"window": {"type": "rolling_months"}, "holds": None, "carry_over": "excess"}, "leave carry_over out"),
    ],
)
def test_holding_of_a_wrong_form_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(TermsError, match=told):
        shop(AIRLINE, **changes)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"judgements": [{"on": "change"}]}, "tiers.holds"),
        ({"carry_over": "excess", "holds": {"months": 6}}, "tiers.holds.months"),
        ({"judgements": [{"on": "change"}], "holds": None, "notice_days": [30]}, "tiers.notice_days"),
    ],
)
def test_holding_that_would_do_nothing_is_refused(changes: dict[str, Any], path: str) -> None:
    (version,) = shop(AIRLINE, **changes).program.versions
    assert path in {found.path for found in contradictions(version.terms)}


@pytest.mark.parametrize("tiers", [AIRLINE, TWELVE_MONTHS, {**AIRLINE, "carry_over": "excess"}])
def test_levels_that_hold_are_accepted(tiers: dict[str, Any]) -> None:
    (version,) = shop(tiers).program.versions
    assert contradictions(version.terms) == []
