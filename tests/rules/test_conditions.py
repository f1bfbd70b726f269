"""Conditions: when a rate, a campaign or an activity holds, by the clock, the basket and what is known of the member."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.terms import When
from contracts.terms_checks import contradictions
from tests.rules.story import MEMBER, Story, line, pieces

BORN = {"month": 12, "day": 3}


def doubled(when: dict[str, Any], **set_: Any) -> Story:
    """The shop gives 1 % (a point for every full 100 yen), and twice that where a condition holds."""
    campaign = {"id": "double", "rule": "SHO-02", "effect": "multiply", "times": "2", "when": when}
    story = Story("shop", {"earning.campaigns": [campaign], **set_})
    story.registered("2024-01-01", country="JP")
    return story


def earned(story: Story, order_id: str, at: str, *lines: Any, **data: Any) -> int:
    """What an order of 10,000 yen earns."""
    story.order(order_id, at, *(lines or [line(10_000)]), **data)
    return story.order_at(order_id, "2029-01-01").points_credited


# -- the clock


@pytest.mark.parametrize(
    ("when", "at", "points"),
    [
        ({"months": [6, 12]}, "2024-06-30 23:59:59", 200),
        ({"months": [6, 12]}, "2024-07-01 00:00:00", 100),
        ({"days": [5, 15, 25]}, "2024-06-15", 200),
        ({"days": [5, 15, 25]}, "2024-06-16", 100),
        ({"days": [-1]}, "2024-02-29", 200),
        ({"days": [-1]}, "2024-02-28", 100),
        ({"days": [-1]}, "2025-02-28", 200),
        ({"hours": {"first": "20:00", "last": "01:59"}}, "2024-06-15 20:00:00", 200),
        ({"hours": {"first": "20:00", "last": "01:59"}}, "2024-06-15 01:59:59", 200),
        ({"hours": {"first": "20:00", "last": "01:59"}}, "2024-06-15 02:00:00", 100),
        ({"hours": {"first": "20:00", "last": "01:59"}}, "2024-06-15 19:59:59", 100),
        ({"hours": {"first": "09:00", "last": "11:59"}}, "2024-06-15 11:59:59", 200),
        ({"hours": {"first": "09:00", "last": "11:59"}}, "2024-06-15 12:00:00", 100),
        # The second Tuesday of a month.
        ({"since": "2024-06-15T20:00", "until": "2024-06-17T01:59"}, "2024-06-15 19:59:59", 100),
        ({"since": "2024-06-15T20:00", "until": "2024-06-17T01:59"}, "2024-06-15 20:00:00", 200),
        ({"since": "2024-06-15T20:00", "until": "2024-06-17T01:59"}, "2024-06-17 01:59:59", 200),
        ({"since": "2024-06-15T20:00", "until": "2024-06-17T01:59"}, "2024-06-17 02:00:00", 100),
        ({"since": "2024-06-15", "until": "2024-06-15T11:59"}, "2024-06-15 11:59:59", 200),
        ({"since": "2024-06-15", "until": "2024-06-15T11:59"}, "2024-06-15 12:00:00", 100),
        ({"weekdays": ["tue"], "days": [8, 9, 10, 11, 12, 13, 14]}, "2024-06-11", 200),
        ({"weekdays": ["tue"], "days": [8, 9, 10, 11, 12, 13, 14]}, "2024-06-18", 100),
    ],
)
def test_a_condition_on_the_clock_holds_in_the_zone_of_the_program(when: dict[str, Any], at: str, points: int) -> None:
    assert earned(doubled(when), "A", at) == points


# -- the member


@pytest.mark.parametrize(
    ("near", "at", "points"),
    [
        ("month", "2024-12-31", 200),
        ("month", "2025-01-01", 100),
        ("day", "2024-12-03", 200),
        ("day", "2024-12-04", 100),
        ({"days_before": 3, "days_after": 7}, "2024-11-30", 200),
        ({"days_before": 3, "days_after": 7}, "2024-11-29", 100),
        ({"days_before": 3, "days_after": 7}, "2024-12-10", 200),
        ({"days_before": 3, "days_after": 7}, "2024-12-11", 100),
    ],
)
def test_a_birthday_counts_around_its_day_in_every_year(near: Any, at: str, points: int) -> None:
    story = doubled({"birthday": near})
    story.updated("2024-01-02", birth=BORN)
    assert earned(story, "A", at) == points


@pytest.mark.parametrize(("at", "points"), [("2024-12-28", 100), ("2024-12-29", 200), ("2025-01-04", 200), ("2025-01-05", 100)])
def test_days_around_a_birthday_reach_into_the_next_year(at: str, points: int) -> None:
    story = doubled({"birthday": {"days_before": 3, "days_after": 3}})
    story.updated("2024-01-02", birth={"month": 1, "day": 1})
    assert earned(story, "A", at) == points


@pytest.mark.parametrize(("at", "points"), [("2024-02-28", 100), ("2024-02-29", 200), ("2025-02-28", 200), ("2025-03-01", 100)])
def test_who_was_born_on_29_february_has_the_day_before_in_other_years(at: str, points: int) -> None:
    story = doubled({"birthday": "day"})
    story.updated("2024-01-02", birth={"month": 2, "day": 29})
    assert earned(story, "A", at) == points


def test_an_order_keeps_what_was_told_of_the_member_before_it() -> None:
    story = doubled({"birthday": "month"})
    assert earned(story, "A", "2024-12-01") == 100
    story.updated("2024-12-02", birth=BORN)
    story.returned("A", "2024-12-05", pieces("1", 1))
    assert earned(story, "B", "2024-12-03") == 200


def test_a_birth_date_told_late_counts_from_its_own_time() -> None:
    story = doubled({"birthday": "month"})
    story.order("A", "2024-12-02", line(10_000))
    story.order("B", "2024-12-04", line(10_000))
    story.updated("2024-12-03", recorded="2024-12-20", birth=BORN)
    assert [order.points_credited for order in story.at("2024-12-21").orders] == [100, 200]


def test_a_month_of_birth_needs_no_birth_date_of_others() -> None:
    assert earned(doubled({"birthday": "month"}), "A", "2024-12-01") == 100


@pytest.mark.parametrize(
    ("at", "points"), [("2024-01-01 13:00:00", 100), ("2024-12-31", 100), ("2025-01-01", 200), ("2025-01-02", 100)]
)
def test_an_anniversary_of_joining_begins_with_the_first_year_after_it(at: str, points: int) -> None:
    assert earned(doubled({"anniversary": "day"}), "A", at) == points


@pytest.mark.parametrize(("at", "points"), [("2024-01-01 13:00:00", 200), ("2024-01-31", 200), ("2024-02-01", 100)])
def test_so_many_days_after_joining(at: str, points: int) -> None:
    assert earned(doubled({"joined": {"last": 30}}), "A", at) == points


def test_an_attribute_holds_from_when_it_was_told_until_it_is_taken_back() -> None:
    story = doubled({"attributes": {"plan": ["Gold", "platinum"]}})
    assert earned(story, "A", "2024-02-01") == 100
    story.updated("2024-02-02", attributes={"plan": "GOLD", "staff": "no"})
    assert earned(story, "B", "2024-02-03") == 200
    story.updated("2024-02-04", attributes={"staff": "yes"})
    assert earned(story, "C", "2024-02-05") == 200
    story.updated("2024-02-06", attributes={"plan": None})
    assert earned(story, "D", "2024-02-07") == 100


@pytest.mark.parametrize("told", ["2019-05-12", "05-12"])
def test_a_date_of_the_members_own_comes_back_every_year(told: str) -> None:
    story = doubled({"own_dates": {"pet_birthday": "day"}})
    story.updated("2024-01-02", attributes={"pet_birthday": told})
    assert earned(story, "A", "2024-05-12") == 200
    assert earned(story, "B", "2024-05-13") == 100


def test_an_attribute_that_is_no_date_is_no_day_of_the_year() -> None:
    story = doubled({"own_dates": {"pet_birthday": "month"}})
    story.updated("2024-01-02", attributes={"pet_birthday": "in spring"})
    assert earned(story, "A", "2024-05-12") == 100


def test_more_attributes_than_are_kept_are_a_finding_and_change_nothing() -> None:
    story = doubled({"attributes": {"plan": ["gold"]}})
    story.updated("2024-01-02", attributes={"plan": "gold", **{f"a{n}": "x" for n in range(31)}})
    story.updated("2024-01-03", attributes={"plan": None, "one_more": "x", "and_another": "x"})
    assert story.findings("2024-01-04") == ["too_many_attributes"]
    assert earned(story, "A", "2024-01-05") == 200


def test_a_campaign_that_one_enters_counts_from_the_entry_on() -> None:
    entry = {"id": "summer", "rule": "SHO-02", "event": "activity.completed", "activity": "summer_entry", "points": 0}
    story = doubled({"entered": ["summer"]}, activities=[entry])
    assert earned(story, "A", "2024-07-01") == 100
    story.tell("activity.completed", "2024-07-02", member_id=MEMBER, activity="summer_entry", reference="E1")
    assert earned(story, "B", "2024-07-03") == 200


# -- which order


def test_the_first_order_is_the_first_that_was_not_cancelled_by_then() -> None:
    story = doubled({"orders": 1})
    assert earned(story, "A", "2024-02-01") == 200
    story.cancelled("A", "2024-02-02")
    assert earned(story, "B", "2024-02-03") == 200
    assert earned(story, "C", "2024-02-04") == 100
    story.returned("B", "2024-02-05")
    assert earned(story, "D", "2024-02-06") == 100


def test_an_earlier_order_that_comes_late_is_the_first() -> None:
    story = doubled({"orders": 1})
    story.order("B", "2024-02-03", line(10_000))
    story.order("A", "2024-02-01", line(10_000), recorded="2024-02-04")
    assert {order.order_id: order.points_credited for order in story.at("2024-02-05").orders} == {"A": 200, "B": 100}


def test_every_third_order() -> None:
    story = doubled({"orders": {"first": 3, "every": 3}})
    assert [earned(story, str(n), f"2024-02-{n:02d}") for n in range(1, 8)] == [100, 100, 200, 100, 100, 200, 100]


# -- the basket


def test_a_return_that_takes_an_order_below_its_minimum_takes_the_bonus() -> None:
    story = doubled({"basket": {"amount": 11_000}})
    assert earned(story, "A", "2024-02-01", line(5_000, 2, line_id="1"), line(2_000, line_id="2")) == 240
    story.returned("A", "2024-02-02", pieces("2"))
    assert story.order_at("A", "2024-02-03").points_credited == 200
    story.returned("A", "2024-02-04", pieces("1"))
    assert story.order_at("A", "2024-02-05").points_credited == 50


@pytest.mark.parametrize(
    ("basket", "points"),
    [
        ({"amount": 11_000}, 200),
        ({"amount": 11_001}, 100),
        ({"amount": 10_000, "tax": "exclusive"}, 200),
        ({"amount": 10_001, "tax": "exclusive"}, 100),
        ({"below": 11_000}, 100),
        ({"below": 11_001}, 200),
        ({"pieces": 2}, 100),
        ({"pieces": 1}, 200),
        ({"amount": 10_500, "points_used": "net"}, 100),
        ({"amount": 10_400, "points_used": "net"}, 200),
    ],
)
def test_what_an_order_must_come_to(basket: dict[str, Any], points: int) -> None:
    story = doubled({"basket": basket})
    story.adjusted(600, "2024-01-02")
    assert earned(story, "A", "2024-02-01", points_used=600) == points


def test_goods_that_earn_nothing_count_only_where_the_terms_say() -> None:
    lines = line(8_000, line_id="1"), line(3_000, line_id="2", category="voucher")
    excluded: dict[str, Any] = {"earning.excluded": [{"rule": "SHO-02", "categories": ["voucher"]}]}
    for of, points in (("goods", 160), ("earning", 80)):
        assert earned(doubled({"basket": {"amount": 12_000, "of": of}}, **excluded), "A", "2024-02-01", *lines) == points


# -- all but


def test_all_but_some() -> None:
    story = doubled({"months": [6], "unless": {"categories": ["sale"]}})
    assert earned(story, "A", "2024-06-01") == 200
    assert earned(story, "B", "2024-06-01", line(10_000, category="sale")) == 100
    assert earned(story, "C", "2024-07-01") == 100


# -- activities


def test_the_first_activity_whose_condition_holds_is_credited() -> None:
    visit = {"rule": "SHO-02", "event": "activity.completed", "activity": "visit", "once_per": "event"}
    activities = [{**visit, "id": "birthday", "points": 100, "when": {"birthday": "day"}}, {**visit, "id": "visit", "points": 10}]
    story = Story("shop", {"activities": activities})
    story.registered("2024-01-01")
    story.updated("2024-01-02", birth=BORN)
    for day, points in (("2024-12-02", 10), ("2024-12-03", 110)):
        story.tell("activity.completed", day, member_id=MEMBER, activity="visit", reference=day)
        assert story.at(day).available == points


# -- what is refused


@pytest.mark.parametrize(
    ("when", "path"),
    [
        ({"entered": ["nothing"]}, "earning.campaigns.0.when.entered"),
        ({"days": [0]}, "earning.campaigns.0.when.days"),
        ({"basket": {"amount": 100, "below": 100}}, "earning.campaigns.0.when.basket.below"),
        ({"joined": {"first": 3, "last": 2}}, "earning.campaigns.0.when.joined.last"),
        ({"orders": {"first": 3, "last": 2}}, "earning.campaigns.0.when.orders.last"),
        ({"unless": {}}, "earning.campaigns.0.when.unless"),
        ({"unless": {"tiers": ["none"]}}, "earning.campaigns.0.when.unless.tiers"),
    ],
)
def test_a_condition_that_never_holds_is_refused_with_its_path(when: dict[str, Any], path: str) -> None:
    (version,) = doubled(when).program.versions
    assert path in {found.path for found in contradictions(version.terms)}


@pytest.mark.parametrize("name", ["orders", "basket", "categories"])
def test_an_activity_is_not_asked_what_only_an_order_can_tell(name: str) -> None:
    given: dict[str, Any] = {"orders": 1, "basket": {"amount": 1}, "categories": ["sale"]}
    visit = {"id": "visit", "rule": "SHO-02", "event": "activity.completed", "activity": "visit", "points": 10}
    story = Story("shop", {"activities": [{**visit, "when": {"unless": {name: given[name]}}}]})
    (version,) = story.program.versions
    assert f"activities.0.when.unless.{name}" in {found.path for found in contradictions(version.terms)}


def test_a_condition_without_parts_gives_none() -> None:
    assert When().given == frozenset()
    assert not When.model_validate({"tiers": ("gold",)}, strict=False).asks_more
