"""An arcade of many shops, with a shop-around that one enters, and that brings more from the third shop on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.heard import Heard
from tests.rules.programs.retold import Told
from tests.rules.story import MEMBER, Story, line, pieces, verdict

END = "2028-06-01"
COME = "2027-01-15 00:00:00"
"""When the extra points come."""


def arcade() -> Told:
    """A member of the arcade."""
    story = Told("lantern-arcade")
    story.registered("2026-02-01")
    return story


def bought(story: Story, shop: str, at: str, yen: int, order_id: str = "", **more: Any) -> None:
    """An order in a shop, which is called like the shop unless it has another id."""
    used = more.pop("points_used", None)
    story.order(order_id or shop, at, line(yen, line_id="1", **more), store=shop, points_used=used)


def entered(story: Story, at: str) -> None:
    """The member has entered."""
    story.tell("activity.completed", at, member_id=MEMBER, activity="shop_around", reference="2026-12")


def extra(story: Story, at: str = COME) -> int:
    """The extra points that the member has."""
    return sum(lot.points for lot in story.at(at).lots if lot.kind == "bonus")


def around(*yen: int) -> Told:
    """Who has entered, and bought for so much in as many shops, one a day from the fifth on."""
    story = arcade()
    entered(story, "2026-12-05")
    for n, each in enumerate(yen):
        bought(story, f"shop{n}", f"2026-12-{n + 5:02d}", each)
    return story


def life() -> Told:
    """A member from the summer to the summer after."""
    story = arcade()
    bought(story, "tea", "2026-06-01", 20_000)
    story.shipped("tea", "2026-06-02")
    bought(story, "toys", "2026-12-04 19:59:59", 9_000)
    bought(story, "books", "2026-12-04 20:00:00", 5_000, quantity=3)
    bought(story, "shoes", "2026-12-06", 4_000, points_used=150)
    entered(story, "2026-12-07")
    bought(story, "bags", "2026-12-08", 2_000)
    bought(story, "cards", "2026-12-08", 50_000, category="gift_card")
    bought(story, "late", "2026-12-11 01:59:59", 1_500)
    bought(story, "gone", "2026-12-11 02:00:00", 7_000)
    for each in ("toys", "books", "shoes", "bags", "late"):
        story.shipped(each, "2026-12-12")
    story.returned("books", "2026-12-20", pieces("1"))
    story.cancelled("gone", "2026-12-13")
    story.returned("bags", "2027-01-20")
    story.returned("late", "2027-01-21")
    bought(story, "tea", "2027-01-25", 1_000, "tea2", points_used=60)
    return story


def test_members_collect_in_every_shop_but_not_at_the_lottery_booth() -> None:
    story = Told("lantern-arcade")
    bought(story, "tea", "2026-02-01", 1_000)
    story.registered("2026-02-02")
    for shop in ("toys", "lottery_booth"):
        bought(story, shop, "2026-02-03", 1_000)
    assert {each.order_id: each.points_credited for each in story.at("2026-02-04").orders} == {
        "tea": 0,
        "toys": 10,
        "lottery_booth": 0,
    }


def test_every_full_100_yen_of_an_order_without_tax_bring_a_point() -> None:
    story = arcade()
    story.order("A", "2026-02-03", line(150), line(149), store="tea")
    assert story.at("2026-02-04").pending == 2


def test_gift_cards_bring_no_points_and_are_no_shop() -> None:
    story = around(1_000, 1_000)
    bought(story, "cards", "2026-12-08", 5_000, category="gift_card")
    assert story.order_at("cards", "2026-12-09").points_credited == 0
    assert extra(story) == 0


def test_points_can_be_used_20_days_after_the_order_has_left() -> None:
    story = arcade()
    bought(story, "tea", "2026-03-01", 10_000)
    story.shipped("tea", "2026-03-03 18:00:00")
    assert (story.at("2026-03-22 23:59:59").available, story.at("2026-03-22 23:59:59").pending) == (0, 100)
    assert story.at("2026-03-23 00:00:00").available == 100


def test_they_lapse_a_year_after_the_last_grant_or_use() -> None:
    story = arcade()
    story.adjusted(300, "2026-03-01")
    bought(story, "tea", "2026-09-01", 1_000, points_used=100)
    story.shipped("tea", "2026-09-02")
    assert story.at("2026-09-23").available == 200 + 10
    assert story.at("2027-09-01 23:59:59").available == 210, "both were on 1 September"
    assert story.at("2027-09-02 00:00:00").available == 0


def test_an_order_takes_50_to_30000_points_and_those_with_a_short_life_first() -> None:
    story = around(3_000, 3_000, 4_000)
    story.adjusted(40_000, "2027-01-14")
    for order_id, used in (("few", 49), ("many", 30_001), ("ok", 150)):
        bought(story, "tea", "2027-01-20", 40_000, order_id, points_used=used)
    verdicts = [verdict(story, each, "2027-01-21") for each in ("few", "many", "ok")]
    assert verdicts == ["below_minimum", "above_maximum", "accepted"]
    assert (extra(story, "2027-01-21"), story.at("2027-01-21").available) == (0, 40_000 - 50)


def test_points_used_on_what_comes_back_are_given_back() -> None:
    story = arcade()
    story.adjusted(220, "2026-03-01")
    bought(story, "tea", "2026-03-02", 1_000, quantity=2, points_used=220)
    story.shipped("tea", "2026-03-03")
    story.returned("tea", "2026-03-04", pieces("1"))
    assert story.at("2026-03-04").available == 110


@pytest.mark.parametrize(
    ("at", "points"),
    [("2026-11-20", 100), ("2026-12-05", 100), ("2026-12-11 01:59:59", 100), ("2026-12-11 02:00:00", 0)],
)
def test_who_enters_before_or_during_it_takes_part_with_all_of_it(at: str, points: int) -> None:
    story = arcade()
    for shop in ("tea", "toys", "bags"):
        bought(story, shop, "2026-12-04 20:00:00", 4_000 if shop == "tea" else 3_000)
    entered(story, at)
    assert extra(story) == points


@pytest.mark.parametrize(
    ("yen", "points"),
    [
        ((5_000, 5_000), 0),
        ((5_000, 5_000, 999), 0),
        ((5_000, 5_000, 1_000), 110),
        ((1_050, 1_050, 1_050, 1_050), 42),
    ],
)
def test_three_shops_with_1000_yen_each_bring_twice_the_points_on_all_of_it(yen: tuple[int, ...], points: int) -> None:
    assert extra(around(*yen)) == points


def test_two_orders_in_one_shop_are_one_shop() -> None:
    story = around(1_000, 1_000)
    bought(story, "shop0", "2026-12-09", 1_000, "again")
    assert extra(story) == 0


@pytest.mark.parametrize(
    ("at", "points"),
    [
        ("2026-12-04 19:59:59", 0),
        ("2026-12-04 20:00:00", 30),
        ("2026-12-11 01:59:59", 30),
        ("2026-12-11 02:00:00", 0),
    ],
)
def test_it_goes_from_the_fourth_at_eight_to_the_eleventh_before_two(at: str, points: int) -> None:
    story = around(1_000, 1_000)
    bought(story, "third", at, 1_000)
    assert extra(story) == points


def test_the_extra_points_are_7000_at_most() -> None:
    assert extra(around(300_000, 300_000, 99_900)) == 6_999
    assert extra(around(300_000, 300_000, 200_000)) == 7_000


def test_they_come_on_15_january_and_last_to_the_end_of_february() -> None:
    story = around(3_000, 3_000, 4_000)
    assert extra(story, "2027-01-14 23:59:59") == 0
    assert extra(story, "2027-01-15 00:00:00") == 100
    assert extra(story, "2027-02-28 23:59:59") == 100
    assert extra(story, "2027-03-01 00:00:00") == 0
    assert story.rules("lapse") == {"LAN-11"}


def test_what_comes_back_before_they_come_does_not_count() -> None:
    story = around(3_000, 3_000, 4_000, 2_000)
    story.cancelled("shop3", "2026-12-12")
    assert extra(story) == 100
    story = around(3_000, 3_000, 4_000)
    story.shipped("shop2", "2026-12-12")
    story.returned("shop2", "2027-01-14 23:59:59")
    assert extra(story) == 0


def test_what_comes_back_afterwards_takes_them_along_and_what_was_spent_is_owed() -> None:
    story = arcade()
    entered(story, "2026-12-05")
    for shop in ("tea", "toys"):
        bought(story, shop, "2026-12-06", 3_000)
    bought(story, "bags", "2026-12-07", 1_000, quantity=4)
    story.shipped("bags", "2026-12-08")
    story.returned("bags", "2027-01-16", pieces("1"))
    assert extra(story, "2027-01-16") == 90, "3,000 yen are left in the third shop"
    bought(story, "books", "2027-01-17", 1_000, points_used=90)
    story.returned("bags", "2027-01-18", pieces("1", 3))
    assert story.at("2027-01-18").available == -90, "two shops are too few"


def test_an_order_told_late_is_the_third_shop_all_the_same() -> None:
    story = around(1_000, 1_000)
    assert extra(story, "2027-01-20") == 0
    bought(story, "third", "2026-12-09", 1_000)
    assert extra(story, "2027-01-20") == 30
    assert extra(story, "2027-03-01 00:00:00") == 0


def test_the_member_is_told_seven_days_before_they_lapse(heard: Heard) -> None:
    around(3_000, 3_000, 4_000).at("2027-03-01 00:00:00")
    assert [(each["points"], each["expires_on"], each["days_left"]) for each in heard.on("points-expiring")] == [
        (100, "2027-02-28", 7)
    ]
