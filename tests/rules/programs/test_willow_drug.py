"""A drugstore whose levels are those of the month before, with points by volume, by the hour, and for friends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.programs.retold import Told
from tests.rules.story import MEMBER, Story, line, pieces, verdict

END = "2027-12-01"


def shop() -> Told:
    """A member of the club."""
    story = Told("willow-drug")
    story.registered("2026-01-10")
    return story


def bought(story: Story, order_id: str, at: str, yen: int, channel: str = "store", **more: Any) -> None:
    """Goods at the till, taken along."""
    of_order = {key: more.pop(key) for key in ("coupons", "points_used") if key in more}
    story.order(order_id, at, line(yen, line_id="1", **more), store="main", channel=channel, **of_order)
    story.shipped(order_id, at)
    story.delivered(order_id, at)


def friend(story: Story, at: str, who: str) -> None:
    """A friend has joined."""
    story.tell("activity.completed", at, member_id=MEMBER, activity="friend", reference=who)


def credited(story: Story, at: str) -> dict[str, int]:
    """The points of each order."""
    return {each.order_id: each.points_credited for each in story.at(at).orders}


def life() -> Told:
    """Two years of a member."""
    story = shop()
    bought(story, "A", "2026-02-03 12:00:00", 4_000, "web")
    bought(story, "B", "2026-02-04 17:30:00", 2_500, coupons=["TEN"], category="refill", measures={"ml": 1_200})
    bought(story, "C", "2026-03-03 18:59:59", 3_000, quantity=3)
    friend(story, "2026-03-04", "F1")
    bought(story, "D", "2026-03-05 12:00:00", 8_000, category="prescription")
    bought(story, "E", "2026-04-01 00:00:00", 1_000, points_used=200)
    story.returned("C", "2026-04-02", pieces("1", 2))
    story.returned("A", "2026-04-03")
    story.returned("E", "2026-04-09")
    story.order("F", "2026-04-10", line(6_000), store="main", channel="web")
    story.cancelled("F", "2026-04-11")
    for n in range(2, 8):
        friend(story, f"2026-05-0{n}", f"F{n}")
    bought(story, "G", "2026-05-20", 12_000)
    bought(story, "H", "2026-06-20", 700)
    return story


def test_only_registered_members_collect() -> None:
    story = Story("willow-drug")
    bought(story, "A", "2026-02-03", 1_000)
    story.registered("2026-02-04")
    bought(story, "B", "2026-02-05", 1_000)
    assert credited(story, "2026-02-06") == {"A": 0, "B": 10}


def test_goods_bring_1_percent_without_tax_less_what_points_paid() -> None:
    story = shop()
    bought(story, "A", "2026-02-03", 1_099)
    story.adjusted(500, "2026-02-03")
    bought(story, "B", "2026-02-04", 1_000, points_used=220)
    assert credited(story, "2026-02-05") == {"A": 10, "B": 7}, "780 yen are left of 1,000"


def test_an_order_with_a_coupon_brings_none_of_it_and_takes_no_points() -> None:
    story = shop()
    story.adjusted(500, "2026-02-01")
    bought(story, "A", "2026-02-03", 1_000, coupons=["TEN"])
    bought(story, "B", "2026-02-04 17:30:00", 1_000, coupons=["TEN"])
    bought(story, "C", "2026-02-05", 1_000, coupons=["TEN"], points_used=100)
    assert credited(story, "2026-02-06") == {"A": 0, "B": 0, "C": 0}
    assert verdict(story, "C", "2026-02-06") == "conditions_not_met"


def test_prescriptions_bring_no_points_and_take_none() -> None:
    story = shop()
    story.adjusted(500, "2026-02-01")
    bought(story, "A", "2026-02-03", 3_000, "web", category="prescription", points_used=100)
    assert credited(story, "2026-02-04") == {"A": 0}
    assert verdict(story, "A", "2026-02-04") == "line_not_redeemable"
    assert story.at("2026-02-20").available == 500, "nor does it count as a first order on the web"


def test_refills_bring_two_green_points_for_every_half_litre() -> None:
    story = shop()
    bought(story, "A", "2026-02-03", 900, quantity=2, category="refill", measures={"ml": 1_400}, coupons=["TEN"])
    assert credited(story, "2026-02-04") == {"A": 4}, "1,400 ml hold 500 two times"
    story.returned("A", "2026-02-05", pieces("1"))
    assert credited(story, "2026-02-05") == {"A": 2}, "700 ml are left"
    bought(story, "B", "2026-02-06", 900, measures={"ml": 1_400})
    assert credited(story, "2026-02-07")["B"] == 9, "what is no refill brings its price alone"


@pytest.mark.parametrize(
    ("at", "points"),
    [
        ("2026-02-03 16:59:59", 10),
        ("2026-02-03 17:00:00", 20),
        ("2026-02-03 18:59:59", 20),
        ("2026-02-03 19:00:00", 10),
        ("2026-02-07 17:00:00", 10),
    ],
)
def test_from_five_to_seven_on_weekdays_goods_bring_twice_their_points(at: str, points: int) -> None:
    story = shop()
    bought(story, "A", at, 1_000)
    assert credited(story, "2026-02-08") == {"A": points}


def test_5000_in_a_month_are_silver_in_the_next_and_10000_gold() -> None:
    story = shop()
    bought(story, "A", "2026-02-28 23:59:59", 4_999)
    bought(story, "rx", "2026-02-10", 9_000, category="prescription")
    assert story.at("2026-03-01 00:00:00").tier == "white"
    bought(story, "B", "2026-02-20", 1)
    assert story.at("2026-03-01 00:00:00").tier == "silver", "told late"
    bought(story, "C", "2026-03-01 00:00:00", 10_000)
    assert credited(story, "2026-03-02")["C"] == 200
    assert story.one_second_before("2026-04-01 00:00:00").tier == "silver"
    assert story.at("2026-04-01 00:00:00").tier == "gold"
    bought(story, "D", "2026-04-02", 1_000)
    assert credited(story, "2026-04-03")["D"] == 30
    assert story.at("2026-05-01 00:00:00").tier == "white"


def test_what_is_returned_in_the_month_does_not_count_for_the_next() -> None:
    story = shop()
    bought(story, "A", "2026-02-03", 2_500, quantity=2)
    story.returned("A", "2026-02-28", pieces("1"))
    assert story.at("2026-03-01 00:00:00").tier == "white"


def test_a_first_order_on_the_web_of_2000_brings_500_points() -> None:
    story = shop()
    bought(story, "A", "2026-02-03", 2_000, "web")
    assert story.at("2026-02-03 13:00:00").available == 500
    bought(story, "B", "2026-02-04", 2_000, "web")
    assert story.at("2026-02-04 13:00:00").available == 500
    story.returned("A", "2026-02-05")
    assert story.at("2026-02-05").available == 0


@pytest.mark.parametrize(("channel", "yen"), [("web", 1_999), ("store", 2_000)])
def test_no_other_first_order_does(channel: str, yen: int) -> None:
    story = shop()
    bought(story, "A", "2026-02-03", yen, channel)
    bought(story, "B", "2026-02-04", 2_000, "web")
    assert story.at("2026-02-05").available == 0


def test_the_first_order_that_was_not_called_off_is_the_first() -> None:
    story = shop()
    story.order("A", "2026-02-03", line(2_000), store="main", channel="web")
    story.cancelled("A", "2026-02-03 13:00:00")
    bought(story, "B", "2026-02-04", 2_000, "web")
    assert story.at("2026-02-05").available == 500


def test_each_friend_brings_300_points_and_five_friends_a_year_do() -> None:
    story = shop()
    for n in range(1, 7):
        friend(story, f"2026-0{n}-20", f"F{n}")
    friend(story, "2026-06-21", "F1")
    assert story.at("2026-06-22").available == 1_500
    friend(story, "2027-01-01 00:00:00", "F7")
    assert story.at("2027-01-01 00:00:00").available == 1_800


def test_points_can_be_used_seven_days_after_the_order_arrived() -> None:
    story = shop()
    story.order("A", "2026-02-03", line(1_000), store="main")
    story.shipped("A", "2026-02-04")
    story.delivered("A", "2026-02-06 09:00:00")
    assert (story.at("2026-02-12 23:59:59").available, story.at("2026-02-12 23:59:59").pending) == (0, 10)
    assert story.at("2026-02-13 00:00:00").available == 10


def test_green_points_last_90_days_and_others_to_the_end_of_the_twelfth_month() -> None:
    story = shop()
    bought(story, "A", "2026-02-03", 1_000, category="refill", measures={"ml": 500})
    lots = {lot.kind: str(lot.expires_on) for lot in story.at("2026-02-10 00:00:00").lots}
    assert lots == {"green": "2026-05-11", "regular": "2027-02-28"}
    assert story.at("2026-05-11 23:59:59").available == 12
    assert story.at("2026-05-12 00:00:00").available == 10
    assert story.at("2027-03-01 00:00:00").available == 0


def test_points_pay_from_100_on_and_green_ones_go_first() -> None:
    story = shop()
    story.adjusted(200, "2026-01-11")
    bought(story, "A", "2026-02-03", 100, category="refill", measures={"ml": 10_000})
    assert story.at("2026-02-11").available == 200 + 1 + 40
    bought(story, "few", "2026-02-11", 1_000, points_used=99)
    assert verdict(story, "few", "2026-02-11") == "below_minimum"
    bought(story, "B", "2026-02-12", 1_000, points_used=100)
    assert [(lot.kind, lot.points) for lot in story.at("2026-02-12").lots] == [("regular", 140), ("regular", 1)]


def test_what_is_returned_takes_its_points_along_and_gives_points_used_back() -> None:
    story = shop()
    story.adjusted(220, "2026-01-11")
    bought(story, "A", "2026-02-03", 1_000, quantity=2, points_used=220)
    assert credited(story, "2026-02-04") == {"A": 17}, "1,780 yen"
    story.returned("A", "2026-02-05", pieces("1"))
    assert (credited(story, "2026-02-05"), story.at("2026-02-05").available) == ({"A": 8}, 110)
    story.returned("A", "2026-02-15", pieces("1"))
    assert (story.at("2026-02-15").available, story.at("2026-02-15").pending) == (220, 0)
