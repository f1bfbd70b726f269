"""Levels: what counts toward them, what time alone does to them, and what is forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.heard import Heard
from tests.rules.story import MEMBER, Story, line, pieces


def scolar(**set_: Any) -> Story:
    """Silver from 50,000 yen on, Gold from 150,000, VIP from 300,000; a year without a purchase costs a level."""
    story = Story("scolar", {f"tiers.{path.replace('__', '.')}": value for path, value in set_.items()})
    story.registered("2023-06-01")
    return story


def shop(**set_: Any) -> Story:
    """S1 from 30,000 yen of the six whole months before, S2 from 60,000; looked at on the first of a month."""
    return Story("belle-maison", {path.replace("__", "."): value for path, value in set_.items()})


def levels(story: Story, *days: str) -> list[str | None]:
    return [story.at(day).tier for day in days]


# -- what counts


@pytest.mark.parametrize(("returns", "level"), [("ignored", "S2"), ("deducted", "S1")])
@pytest.mark.parametrize("counted_at", ["delivery", "shipment", "order"])
def test_goods_that_come_back_count_where_the_terms_ignore_returns(counted_at: str, returns: str, level: str) -> None:
    story = shop(tiers__measure__counted_at=counted_at, tiers__measure__returns=returns)
    story.bought("A", "2024-08-10", line(30_000, 2))
    story.delivered("A", "2024-08-11")
    story.returned("A", "2024-08-20", pieces("1"))
    assert levels(story, "2024-08-31", "2024-09-01") == ["S0", level]


@pytest.mark.parametrize(("origins", "level"), [(["purchase"], "S1"), (["activity"], "S0")])
def test_points_of_purchases_count_where_the_terms_name_them(origins: list[str], level: str) -> None:
    story = shop(tiers__measure__of="points", tiers__measure__points_from=origins, tiers__levels__S1__threshold=100)
    story.bought("A", "2024-08-10", line(20_000))
    assert levels(story, "2024-09-01") == [level]


# -- when a level changes with time alone


def test_a_level_follows_its_whole_months_as_they_come_and_go() -> None:
    story = shop(tiers__judgements=[{"on": "change", "falls": "any"}])
    story.bought("A", "2024-08-10", line(30_000))
    assert levels(story, "2024-08-31", "2024-09-01 00:00:00") == ["S0", "S1"]
    assert story.one_second_before("2025-03-01 00:00:00").tier == "S1"
    assert levels(story, "2025-03-01 00:00:00") == ["S0"]


@pytest.mark.parametrize(
    ("window", "reached", "over"),
    [
        ({"type": "whole_months", "months": 6}, "2024-09-01", "2025-03-02"),
        ({"type": "previous_calendar_year"}, "2025-01-01", "2026-01-02"),
    ],
)
def test_a_level_that_nobody_loses_is_reached_when_the_amount_comes_into_the_window(
    window: dict[str, Any], reached: str, over: str
) -> None:
    story = shop(tiers__judgements=[{"on": "change"}], tiers__window=window)
    story.bought("A", "2024-08-10", line(30_000))
    assert story.one_second_before(f"{reached} 00:00:00").tier == "S0"
    assert levels(story, f"{reached} 00:00:00", over) == ["S1", "S1"]


def test_a_monthly_level_is_not_looked_at_when_something_else_happens_at_midnight() -> None:
    story = shop(tiers__measure__counted_at="shipment")
    story.adjusted(10, "2024-08-01", expires_on="2024-08-19")
    story.order("A", "2024-07-31", line(30_000))
    story.shipped("A", "2024-08-15")
    assert levels(story, "2024-08-20", "2024-09-01") == ["S0", "S1"]


@pytest.mark.parametrize("on", [{"monthly": 1}, {"yearly": "01-01"}])
def test_a_look_at_levels_that_nobody_loses_costs_none(on: dict[str, Any]) -> None:
    story = shop(tiers__judgements=[{"on": on}])
    story.bought("A", "2024-12-10", line(30_000))
    assert levels(story, "2025-01-01", "2026-01-02") == ["S1", "S1"]


@pytest.mark.parametrize(("rule", "told"), [("SCO-17", "SCO-17"), (None, "SCO-16")])
def test_a_level_that_the_year_before_does_not_carry_is_lost_under_the_rule_of_that_look(
    heard: Heard, rule: str | None, told: str
) -> None:
    last_year = {"on": {"yearly": "01-10"}, "over": "previous_calendar_year", "falls": "any", "rule": rule}
    story = scolar(judgements=[{"on": "change"}, last_year], inactivity=None)
    story.bought("A", "2023-10-01", line(60_000))
    assert levels(story, "2024-01-10", "2025-01-09", "2025-01-10") == ["Silver", "Silver", "Member"]
    assert [(each["tier"], each["rule"]) for each in heard.on("tier-changed")] == [("Silver", "SCO-16"), ("Member", told)]


# -- inactivity


def test_an_order_that_does_not_take_part_saves_no_level() -> None:
    story = scolar()
    story.bought("A", "2024-01-15", line(60_000))
    story.order("B", "2025-01-10", line(60_000), store="scolar_shop_counter")
    assert levels(story, "2025-01-14", "2025-01-15") == ["Silver", "Member"]


def test_an_order_of_which_something_is_left_saves_a_level_though_some_of_it_is_called_off() -> None:
    story = scolar()
    story.bought("A", "2024-01-15", line(60_000))
    story.order("B", "2025-01-10", line(1_000), line(2_000))
    story.cancelled("B", "2025-01-11", pieces("1"))
    assert levels(story, "2025-01-15", "2026-01-09", "2026-01-10") == ["Silver", "Silver", "Member"]


def test_when_the_last_order_is_called_off_one_before_it_that_is_still_open_is_the_last_again() -> None:
    story = scolar()
    story.bought("A", "2024-01-15", line(160_000))
    story.order("open", "2025-01-10", line(1_000))
    story.order("open too", "2025-02-01", line(1_000))
    story.order("C", "2025-11-01", line(1_000))
    story.cancelled("open too", "2025-11-02")
    story.cancelled("C", "2025-11-03")
    assert levels(story, "2025-11-04", "2026-01-09", "2026-01-10") == ["Gold", "Gold", "Silver"]


def test_of_several_orders_that_are_still_open_the_latest_is_the_last() -> None:
    story = scolar()
    story.bought("A", "2024-01-15", line(160_000))
    story.order("B", "2025-01-10", line(1_000))
    story.order("C", "2025-02-01", line(1_000))
    story.order("D", "2025-11-01", line(1_000))
    story.cancelled("D", "2025-11-02")
    assert levels(story, "2026-01-31", "2026-02-01") == ["Gold", "Silver"]


def test_only_the_latest_orders_that_counted_are_remembered() -> None:
    story = scolar()
    story.order("never sent", "2024-01-10", line(1_000))
    for day in range(15, 24):
        story.bought(f"of the {day}", f"2024-01-{day}", line(20_000))
    story.order("open", "2024-02-01", line(1_000))
    assert levels(story, "2024-02-05") == ["Gold"]
    row = story.simulation.ledgers[MEMBER].row
    assert row is not None
    assert row.head.tier is not None
    assert len(row.head.tier.counted_on) == 8
    assert str(row.head.tier.counted_for_good) == "2024-01-15"
    assert [day.day for day in row.head.tier.open_orders] == [*range(16, 24), 1], "what was placed before that is open no more"


def test_of_two_orders_of_one_day_the_other_stays_when_one_is_called_off() -> None:
    story = scolar()
    story.bought("A", "2024-01-15", line(60_000))
    story.order("B", "2025-01-10 10:00:00", line(1_000))
    story.order("C", "2025-01-10 11:00:00", line(1_000))
    story.cancelled("C", "2025-01-11")
    assert levels(story, "2026-01-09", "2026-01-10") == ["Silver", "Member"]


def test_a_level_that_the_year_before_gives_back_is_not_given_back_again_by_a_purchase() -> None:
    story = scolar()
    story.bought("A", "2024-01-06", line(160_000))
    assert levels(story, "2025-01-05", "2025-01-06", "2025-01-10") == ["Gold", "Silver", "Gold"]
    story.bought("B", "2025-02-01", line(1_000))
    assert levels(story, "2025-02-11") == ["Gold"]


def test_who_is_on_the_lowest_level_loses_none_and_gets_none_back() -> None:
    story = scolar()
    story.bought("A", "2023-06-10", line(1_000))
    story.bought("B", "2025-06-15", line(1_000))
    assert levels(story, "2025-06-14", "2025-06-26") == ["Member", "Member"]


def test_inactivity_goes_on_from_what_had_counted_elsewhere() -> None:
    story = Story("scolar")
    counted = [{"on": "2023-07-10", "amount": 20_000}, {"on": "2023-10-01", "amount": 160_000}, {"on": "2023-12-01", "amount": 0}]
    story.tell("balance.opened", "2024-04-01", member_id=MEMBER, lots=[], tier="Gold", counted=counted)
    assert story.one_second_before("2024-10-01 00:00:00").tier == "Gold"
    assert levels(story, "2024-10-01 00:00:00") == ["Silver"]


@pytest.mark.parametrize(("bought", "lost"), [("2024-01-05", "2025-01-10"), ("2024-03-01", "2026-01-10")])
def test_inactivity_that_is_looked_at_once_a_year_waits_for_the_next_such_day(bought: str, lost: str) -> None:
    story = scolar(inactivity__executed_on="01-10", judgements=[{"on": "change"}])
    story.bought("A", bought, line(150_000))
    assert story.one_second_before(f"{lost} 00:00:00").tier == "Gold"
    assert levels(story, f"{lost} 00:00:00") == ["Silver"]


# -- what is forgotten


def test_amounts_that_no_window_reaches_any_more_are_forgotten() -> None:
    story = shop()
    for year in range(2020, 2027):
        story.bought(f"A{year}", f"{year}-05-10", line(30_000))
    assert levels(story, "2026-06-02") == ["S1"]
    row = story.simulation.ledgers[MEMBER].row
    assert row is not None
    assert list(row.head.windows) == ["2023-05-01", "2024-05-01", "2025-05-01", "2026-05-01"]


def _days(story: Story) -> list[str]:
    row = story.simulation.ledgers[MEMBER].row
    assert row is not None
    return list(row.head.windows)


def test_days_that_no_window_reaches_any_more_are_forgotten_though_no_level_ever_changes() -> None:
    story = Story("ansage")
    story.registered("2020-01-01")
    for year in range(2020, 2027):
        story.bought(f"A{year}", f"{year}-05-10", line(1_000))
    assert levels(story, "2026-06-02") == ["regular"]
    assert _days(story) == ["2023-05-10", "2024-05-10", "2025-05-10", "2026-05-10"]


def test_a_return_of_what_was_forgotten_takes_nothing_from_what_counts() -> None:
    story = Story("ansage")
    story.registered("2020-01-01")
    story.bought("old", "2020-05-10", line(20_000))
    story.bought("new", "2026-05-10", line(28_000))
    assert levels(story, "2026-05-11") == ["silver"], "30,800 yen with tax"
    story.returned("old", "2026-05-12")
    assert levels(story, "2026-05-13") == ["silver"]
    assert _days(story) == ["2026-05-10"]


def test_goods_that_leave_many_years_late_still_count_for_the_year_of_their_order() -> None:
    story = Story("lenovo-pro")
    story.enrolled("2024-01-05")
    story.order("A", "2024-12-01", line(300_000))
    assert levels(story, "2029-01-01") == ["Pro"]
    story.shipped("A", "2029-01-02")
    assert levels(story, "2029-01-03") == ["Plus"]


def test_a_return_of_a_year_that_was_forgotten_leaves_nothing_below_zero() -> None:
    story = scolar()
    story.bought("old", "2024-02-10", line(60_000))
    for year in range(2025, 2030):
        story.bought(f"A{year}", f"{year}-02-10", line(40_000))
    assert levels(story, "2029-03-01") == ["Silver"]
    years = _days(story)
    assert "2024-01-01" not in years
    story.returned("old", "2029-03-02")
    assert levels(story, "2029-03-03") == ["Silver"]
    assert _days(story) == years


def test_an_order_that_comes_years_late_ends_as_if_it_had_come_in_time() -> None:
    told = []
    for recorded in ("2023-05-10", "2026-06-01"):
        story = Story("ansage")
        story.registered("2020-01-01")
        late = [line(30_000)]
        if recorded == "2023-05-10":
            story.order("late", "2023-05-10", *late)
            story.shipped("late", "2023-05-10")
        for year in (2024, 2025, 2026):
            story.bought(f"A{year}", f"{year}-05-10", line(20_000))
        if recorded != "2023-05-10":
            story.order("late", "2023-05-10", *late, recorded=recorded)
            story.shipped("late", "2023-05-10", recorded=recorded)
        told.append((_days(story), levels(story, "2023-06-01", "2024-06-01", "2026-06-02")))
    assert told[0] == told[1]
    assert told[0][1] == ["silver", "regular", "regular"]


def test_terms_that_have_no_tiers_any_more_leave_each_level_as_it_is(heard: Heard) -> None:
    ended = {"effective_from": "2025-02-01T00:00:00+09:00", "set": {"tiers": None, "earning.components.1.rates": []}}
    story = shop(amendments=[ended])
    story.bought("A", "2024-12-10", line(30_000))
    assert levels(story, "2025-01-01", "2025-02-01", "2026-12-31") == ["S1", "S1", "S1"]
    story.order("B", "2025-01-10", line(30_000), recorded="2026-12-31")
    assert levels(story, "2026-12-31") == ["S1"]
    assert [each["tier"] for each in heard.on("tier-changed")] == ["S1"]


def test_levels_that_terms_bring_show_in_a_statement_though_nothing_happened_since() -> None:
    levels = [{"name": "one", "threshold": 0}, {"name": "two", "threshold": 20_000}]
    tiers = {"rule": "XX-12", "levels": levels, "window": {"type": "calendar_year"}, "judgements": [{"on": "change"}]}
    brought = {"tiers": tiers}
    story = Story("puppy", {"amendments": [{"effective_from": "2024-10-01T00:00:00+09:00", "set": brought}]})
    story.registered("2024-09-01")
    assert story.at("2024-09-30").tier is None
    assert story.at("2024-10-02").tier == "one"


@pytest.mark.parametrize(
    ("late", "shipped", "tier"),
    [
        ("lost", "2025-01-09", "Silver"),
        ("lost", "2025-01-15", "Member"),
        ("raises", "2025-01-09", "Silver"),
        ("raises", "2025-01-15", "Silver"),
    ],
)
def test_an_order_that_ships_after_its_year_was_judged_counts_as_the_terms_say(late: str, shipped: str, tier: str) -> None:
    story = Story("scolar", {"tiers.measure.late": late})
    story.registered("2024-12-01")
    story.order("A", "2024-12-20", line(60_000))
    story.shipped("A", shipped)
    assert story.at("2025-01-10").tier == ("Silver" if shipped == "2025-01-09" else "Member")
    assert story.at("2025-02-01").tier == tier
    story.returned("A", "2025-02-02")
    story.bought("B", "2025-02-03", line(1_000))
    assert story.at("2025-03-01").tier == tier


def test_what_counts_late_for_its_year_counts_for_no_other() -> None:
    story = Story("scolar", {"tiers.measure.late": "raises"})
    story.registered("2024-12-01")
    story.order("A", "2024-12-20", line(30_000))
    story.shipped("A", "2025-01-15")
    story.bought("B", "2025-02-03", line(30_000))
    assert story.at("2026-02-01").tier == "Member"
