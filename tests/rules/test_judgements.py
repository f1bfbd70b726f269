"""Judgements of tiers: each occasion raises and lowers levels as its terms say, by the amount of its own period."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, get_args

import pytest

from contracts.terms import Judgement
from tests.rules.heard import Heard
from tests.rules.story import MEMBER, Story, line
from worker.decide.judging import Cause, standing

CHANGE = {"on": "change"}
MONTHLY = {"on": {"monthly": 1}}
YEARLY = {"on": {"yearly": "09-15"}}
LAST_YEAR = {"on": {"yearly": "01-10"}, "over": "previous_calendar_year"}
HALF_A_YEAR = {"type": "rolling_months", "months": 6}


def shop(
    *judgements: dict[str, Any],
    window: dict[str, Any] = HALF_A_YEAR,
    amendments: Sequence[dict[str, Any]] = (),
    **more: Any,
) -> Story:
    """Bronze from 30,000 yen of half a year on, silver from 90,000, which count when they are ordered."""
    tiers = {
        "rule": "SHO-01",
        "levels": [
            {"name": "regular", "threshold": 0},
            {"name": "bronze", "threshold": 30_000},
            {"name": "silver", "threshold": 90_000},
        ],
        "window": window,
        "measure": {"counted_at": "order"},
        "judgements": list(judgements),
        **more,
    }
    story = Story("shop", {"tiers": tiers, "amendments": list(amendments)})
    story.registered("2024-01-01")
    return story


def levels(story: Story, *days: str) -> list[str | None]:
    return [story.at(day).tier for day in days]


# -- what a judgement gives, whatever the occasion

EVERY = [
    (Judgement.model_validate({"on": "change", "rises": rises, "falls": falls}), reached, now, cause, withheld)
    for rises, falls, reached, now, cause, withheld in product(
        (True, False), ("never", "one_level", "any"), range(4), range(4), get_args(Cause), range(3)
    )
]


def test_no_judgement_goes_past_the_level_that_is_reached() -> None:
    for judgement, reached, now, cause, withheld in EVERY:
        given = standing(judgement, reached, now, cause, withheld)
        assert min(reached, now) <= given <= max(reached, now)


def test_only_a_judgement_that_rises_raises_a_level_and_then_to_the_one_that_is_reached() -> None:
    for judgement, reached, now, cause, withheld in EVERY:
        given = standing(judgement, reached, now, cause, withheld)
        assert given <= now or (judgement.rises and given == reached)


def test_a_judgement_that_never_falls_costs_no_level_and_one_by_one_level_costs_one_at_most() -> None:
    most = {"never": 0, "one_level": 1, "any": 3}
    for judgement, reached, now, cause, withheld in EVERY:
        assert now - standing(judgement, reached, now, cause, withheld) <= most[judgement.falls]


def test_on_a_date_every_level_moves_as_far_as_the_judgement_lets_it() -> None:
    for judgement, reached, now, cause, withheld in EVERY:
        if cause == "date" and not withheld:
            down = {"never": now, "one_level": now - 1, "any": reached}[judgement.falls]
            up = reached if judgement.rises else now
            assert standing(judgement, reached, now, cause) == (up if reached > now else down if reached < now else now)


def test_less_never_raises_a_level_and_more_costs_none_of_those_that_fall_one_at_a_time() -> None:
    for judgement, reached, now, cause, withheld in EVERY:
        given = standing(judgement, reached, now, cause, withheld)
        assert cause != "less" or given <= now
        assert cause != "more" or judgement.falls != "one_level" or given >= now


def test_an_amount_brings_back_none_of_the_levels_that_are_withheld() -> None:
    for judgement, reached, now, cause, withheld in EVERY:
        if reached <= now + withheld:
            assert standing(judgement, reached, now, cause, withheld) <= now


# -- each occasion, and how levels fall on it


@pytest.mark.parametrize(("falls", "then"), [("never", "silver"), ("one_level", "bronze"), ("any", "regular")])
def test_a_tier_falls_as_the_terms_say_when_the_window_lets_go_of_what_carried_it(falls: str, then: str) -> None:
    story = shop({**CHANGE, "falls": falls})
    story.order("A", "2024-02-10", line(90_000))
    assert levels(story, "2024-02-10") == ["silver"]
    assert story.one_second_before("2024-08-10 00:00:00").tier == "silver"
    assert levels(story, "2024-08-10 00:00:00", "2030-01-01") == [then, then]


@pytest.mark.parametrize(("falls", "then"), [("never", "silver"), ("one_level", "bronze"), ("any", "regular")])
def test_a_tier_falls_as_the_terms_say_when_goods_come_back(falls: str, then: str) -> None:
    story = shop({**CHANGE, "falls": falls})
    story.bought("A", "2024-02-10", line(90_000))
    story.returned("A", "2024-02-20")
    assert levels(story, "2024-02-19", "2024-02-20") == ["silver", then]


@pytest.mark.parametrize(
    ("falls", "then"),
    [("never", ["silver", "silver"]), ("one_level", ["bronze", "regular"]), ("any", ["regular", "regular"])],
)
def test_a_tier_falls_as_the_terms_say_at_each_monthly_judgement(falls: str, then: list[str]) -> None:
    story = shop({**MONTHLY, "falls": falls})
    story.order("A", "2024-02-10", line(90_000))
    assert levels(story, "2024-02-29", "2024-03-01", "2024-08-31") == ["regular", "silver", "silver"]
    assert levels(story, "2024-09-01 00:00:00", "2024-10-01 00:00:00") == then


@pytest.mark.parametrize(
    ("falls", "then"),
    [("never", ["silver", "silver"]), ("one_level", ["bronze", "regular"]), ("any", ["regular", "regular"])],
)
def test_a_tier_falls_as_the_terms_say_at_each_yearly_judgement(falls: str, then: list[str]) -> None:
    story = shop({**YEARLY, "falls": falls})
    story.order("A", "2024-07-10", line(90_000))
    assert levels(story, "2024-09-14", "2024-09-15", "2025-09-14") == ["regular", "silver", "silver"]
    assert levels(story, "2025-09-15 00:00:00", "2026-09-15 00:00:00") == then


@pytest.mark.parametrize(
    ("falls", "then"),
    [("never", ["silver", "silver"]), ("one_level", ["bronze", "regular"]), ("any", ["regular", "regular"])],
)
def test_a_tier_falls_as_the_terms_say_at_each_look_at_the_year_before(falls: str, then: list[str]) -> None:
    story = shop({**CHANGE}, {**LAST_YEAR, "falls": falls})
    story.order("A", "2024-02-10", line(90_000))
    assert levels(story, "2024-02-10", "2025-01-10", "2026-01-09") == ["silver", "silver", "silver"]
    assert levels(story, "2026-01-10 00:00:00", "2027-01-10 00:00:00") == then


@pytest.mark.parametrize("occasion", [CHANGE, MONTHLY, YEARLY], ids=["change", "monthly", "yearly"])
def test_a_judgement_that_only_lowers_raises_no_level(occasion: dict[str, Any]) -> None:
    story = shop({**occasion, "rises": False, "falls": "any"})
    story.order("A", "2024-07-10", line(90_000))
    assert levels(story, "2024-07-10", "2024-08-01", "2024-09-15") == ["regular", "regular", "regular"]


@pytest.mark.parametrize("day", ["2024-06-20", "2024-06-28"])
def test_a_monthly_judgement_is_made_on_the_day_that_the_terms_name(day: str) -> None:
    story = shop({"on": {"monthly": int(day[-2:])}, "falls": "any"})
    story.order("A", "2024-06-10", line(90_000))
    assert story.one_second_before(f"{day} 00:00:00").tier == "regular"
    assert levels(story, f"{day} 00:00:00", f"2024-12-{day[-2:]} 00:00:00") == ["silver", "regular"]


# -- levels that fall one at a time


def test_a_purchase_costs_none_of_the_levels_that_fall_one_at_a_time() -> None:
    story = shop({**CHANGE, "falls": "one_level"})
    story.order("A", "2024-02-10", line(90_000))
    assert levels(story, "2024-08-10") == ["bronze"]
    story.order("B", "2024-08-20", line(1_000))
    assert levels(story, "2024-08-20") == ["bronze"]


def test_each_amount_that_the_window_lets_go_of_costs_one_level() -> None:
    story = shop({**CHANGE, "falls": "one_level"})
    story.order("A", "2024-02-10", line(90_000))
    story.order("B", "2024-03-10", line(1_000))
    assert levels(story, "2024-08-10", "2024-09-09", "2024-09-10") == ["bronze", "bronze", "regular"]


def test_a_level_that_was_reached_again_is_kept_at_the_next_judgement() -> None:
    story = shop({**CHANGE}, {**LAST_YEAR, "rises": False, "falls": "one_level"})
    story.order("A", "2024-02-10", line(90_000))
    story.order("B", "2025-03-01", line(30_000))
    assert levels(story, "2026-01-10", "2027-01-09", "2027-01-10") == ["bronze", "bronze", "regular"]


# -- periods


def test_the_year_before_is_judged_by_all_that_counted_in_it_beside_a_window_of_another_kind() -> None:
    story = shop({**CHANGE}, {**LAST_YEAR}, window={"type": "rolling_months", "months": 2})
    story.order("A", "2024-02-10", line(20_000))
    story.order("B", "2024-11-10", line(10_000))
    assert levels(story, "2024-12-31", "2025-01-09", "2025-01-10 00:00:00") == ["regular", "regular", "bronze"]


@pytest.mark.parametrize("window", [HALF_A_YEAR, {"type": "whole_months", "months": 6}, {"type": "calendar_year"}])
def test_a_level_that_the_year_before_carries_is_not_lost_whatever_the_window_is(window: dict[str, Any]) -> None:
    story = shop({**CHANGE}, {**LAST_YEAR, "falls": "any"}, window=window)
    story.order("A", "2024-02-10", line(40_000))
    assert levels(story, "2024-12-31", "2025-01-10", "2026-01-09", "2026-01-10") == ["bronze", "bronze", "bronze", "regular"]


def test_a_judgement_over_the_year_before_may_be_made_when_that_year_changes() -> None:
    story = shop({**CHANGE, "over": "previous_calendar_year", "falls": "one_level"})
    story.order("A", "2024-02-10", line(90_000))
    assert story.one_second_before("2025-01-01 00:00:00").tier == "regular"
    assert levels(story, "2025-01-01 00:00:00", "2025-12-31", "2026-01-01 00:00:00") == ["silver", "silver", "bronze"]


def test_the_year_before_is_looked_at_each_month_until_all_of_it_is_gone() -> None:
    story = shop({**MONTHLY, "over": "previous_calendar_year", "falls": "any"})
    story.order("A", "2024-02-10", line(90_000))
    assert levels(story, "2024-12-31", "2025-01-01", "2025-12-31", "2026-01-01") == ["regular", "silver", "silver", "regular"]


def test_a_window_longer_than_two_years_is_looked_at_until_it_lets_go() -> None:
    story = shop({**YEARLY, "falls": "any"}, window={"type": "rolling_months", "months": 48})
    story.order("A", "2024-07-10", line(90_000))
    assert levels(story, "2024-09-15", "2028-09-14", "2028-09-15") == ["silver", "silver", "regular"]


def test_levels_are_looked_at_until_the_last_amount_is_gone_however_long_the_first_has_been() -> None:
    story = shop({**MONTHLY, "falls": "any"})
    story.order("A", "2024-02-10", line(1_000))
    story.order("B", "2024-12-10", line(90_000))
    assert levels(story, "2025-01-01", "2025-06-30", "2025-07-01") == ["silver", "silver", "regular"]


def test_a_window_that_becomes_a_calendar_year_holds_the_days_of_that_year() -> None:
    amended = {"effective_from": "2025-01-01T00:00:00+09:00", "set": {"tiers.window": {"type": "calendar_year"}}}
    story = shop({**CHANGE}, amendments=[amended])
    story.order("A", "2024-11-10", line(20_000))
    story.order("B", "2025-01-05", line(15_000))
    assert levels(story, "2025-01-05") == ["regular"]
    story.order("C", "2025-12-31", line(15_000))
    assert levels(story, "2025-12-31") == ["bronze"]


# -- several at once


def test_judgements_of_one_instant_follow_each_other_in_the_order_of_the_terms(heard: Heard) -> None:
    monthly = {**MONTHLY, "rises": False, "falls": "one_level"}
    yearly = {"on": {"yearly": "09-01"}, "rises": False, "falls": "one_level", "rule": "SHO-03"}
    story = shop({**CHANGE}, monthly, yearly)
    story.order("A", "2024-02-10", line(90_000))
    assert levels(story, "2024-08-31", "2024-09-01") == ["silver", "regular"]
    (up, down) = heard.on("tier-changed")
    assert (up["rule"], down["previous_tier"], down["tier"], down["rule"]) == ("SHO-01", "silver", "regular", "SHO-03")


@pytest.mark.parametrize("occasion", [MONTHLY, {"on": {"yearly": "09-01"}}], ids=["monthly", "yearly"])
def test_a_judgement_looks_at_what_comes_to_count_at_its_very_instant(occasion: dict[str, Any]) -> None:
    story = shop(occasion, measure={"counted_at": "order", "judged_days_after_order": 10})
    story.order("A", "2024-08-22", line(90_000))
    assert story.one_second_before("2024-09-01 00:00:00").tier == "regular"
    assert levels(story, "2024-09-01 00:00:00") == ["silver"]


def test_a_window_that_lets_go_on_the_day_of_inactivity_costs_what_it_carried_as_well() -> None:
    story = shop({**CHANGE, "falls": "any"}, inactivity={"rule": "SHO-01", "months": 6})
    story.order("A", "2024-02-10", line(90_000))
    assert story.one_second_before("2024-08-10 00:00:00").tier == "silver"
    assert levels(story, "2024-08-10 00:00:00") == ["regular"]


def test_what_a_window_lets_go_of_gives_back_no_level_that_inactivity_cost() -> None:
    story = shop({**CHANGE, "falls": "any"}, inactivity={"rule": "SHO-01", "months": 3})
    story.order("A", "2024-02-10", line(1_000))
    story.order("B", "2024-03-10", line(90_000))
    assert levels(story, "2024-06-09", "2024-06-10", "2024-08-10", "2024-08-31") == ["silver", "bronze", "bronze", "bronze"]


def test_a_purchase_gives_back_no_level_that_a_judgement_took() -> None:
    story = shop({**CHANGE, "falls": "any"}, inactivity={"rule": "SHO-01", "months": 12})
    story.order("A", "2024-02-10", line(90_000))
    assert levels(story, "2024-08-10") == ["regular"]
    story.order("B", "2024-08-20", line(1_000))
    assert levels(story, "2024-08-20") == ["regular"]


@pytest.mark.parametrize(
    ("executed_on", "lost"), [(None, "2024-05-10"), ("05-10", "2024-05-10"), ("07-01", "2024-07-01"), ("03-01", "2025-03-01")]
)
def test_inactivity_costs_a_level_at_once_or_on_the_next_such_day_of_the_year(executed_on: str | None, lost: str) -> None:
    story = shop({**CHANGE}, inactivity={"rule": "SHO-01", "months": 3, "repeats": False, "executed_on": executed_on})
    story.order("A", "2024-02-10", line(90_000))
    assert story.one_second_before(f"{lost} 00:00:00").tier == "silver"
    assert levels(story, f"{lost} 00:00:00") == ["bronze"]


# -- what is told late


@pytest.mark.parametrize("falls", ["never", "one_level", "any"])
@pytest.mark.parametrize(
    ("first", "last"),
    [((), CHANGE), ((), MONTHLY), ((), YEARLY), ((CHANGE,), LAST_YEAR), ((MONTHLY,), LAST_YEAR)],
    ids=["change", "monthly", "yearly", "change and yearly", "monthly and yearly"],
)
def test_an_order_told_late_ends_as_if_it_had_been_told_in_time(
    first: tuple[dict[str, Any], ...], last: dict[str, Any], falls: str
) -> None:
    ends = []
    for recorded in (None, "2025-02-01"):
        story = shop(*first, {**last, "falls": falls})
        story.order("A", "2024-02-10", line(40_000))
        if recorded is None:
            story.order("late", "2024-04-05", line(90_000))
        story.order("B", "2024-11-20", line(1_000))
        story.at("2025-01-31")
        if recorded is not None:
            story.order("late", "2024-04-05", line(90_000), recorded=recorded)
        story.order("C", "2025-02-02", line(1_000))
        known = levels(story, *(f"{year}-{month:02}-16" for year in (2024, 2025, 2026) for month in range(3, 13)))
        row = story.simulation.ledgers[MEMBER].row
        assert row is not None
        ends.append((known, row.head.windows, row.head.tier))
    assert ends[0] == ends[1]
    assert "silver" in ends[0][0]
