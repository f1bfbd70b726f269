"""A supermarket that adds up the month, and has days of the week and of the month that bring more."""

from __future__ import annotations

from typing import Any

from tests.rules.programs.retold import Told
from tests.rules.story import Story, line, pieces, verdict

END = "2027-06-01"


def till(story: Story, order_id: str, at: str, yen: int, store: str = "hill", tax: int = 0, **more: Any) -> None:
    """A basket of one line at the till; the price with tax unless `tax` is on top of it."""
    used = more.pop("points_used", None)
    story.order(order_id, at, line(yen, tax=tax, line_id="1", **more), store=store, points_used=used)


def life() -> Told:
    """Half a year of a household."""
    story = Told("green-basket")
    story.updated("2026-05-01", attributes={"senior": "yes"})
    till(story, "A", "2026-05-05", 12_000)
    till(story, "B", "2026-05-06", 11_000)
    till(story, "C", "2026-05-07", 1_000, tags=["organic"])
    till(story, "D", "2026-05-15", 3_000, "station")
    till(story, "E", "2026-05-20", 20_000)
    till(story, "F", "2026-05-31 23:59:59", 199)
    till(story, "G", "2026-06-10", 5_000, points_used=300)
    story.returned("G", "2026-06-12")
    story.returned("A", "2026-06-11")
    till(story, "H", "2026-06-25", 500, quantity=8)
    story.returned("H", "2026-06-26", pieces("1", 3))
    story.cancelled("E", "2026-05-20 13:00:00")
    till(story, "I", "2026-06-27", 900, category="tobacco")
    return story


def test_who_shows_no_card_collects_nothing() -> None:
    story = Story("green-basket")
    till(story, "A", "2026-05-02", 1_000)
    story.order("B", "2026-05-03", line(5_000, tax=0), store="hill", member=None)
    assert story.at("2026-06-01 00:00:00").available == 5


def test_the_baskets_of_a_month_are_added_up_with_tax_and_rounded_once() -> None:
    story = Story("green-basket")
    till(story, "A", "2026-05-02", 180, tax=14)
    till(story, "B", "2026-05-04", 190, tax=15)
    till(story, "C", "2026-05-31 23:59:59", 201)
    till(story, "D", "2026-06-01 00:00:00", 400)
    assert story.one_second_before("2026-06-01 00:00:00").available == 0
    assert story.at("2026-06-01 00:00:00").available == 3, "194 and 205 and 201 make 600"
    assert story.at("2026-07-01 00:00:00").available == 3 + 2


def test_each_organic_product_brings_five_points() -> None:
    story = Story("green-basket")
    till(story, "A", "2026-05-02", 30, quantity=3, tags=["organic"])
    assert story.at("2026-05-03").available == 15
    story.returned("A", "2026-05-04", pieces("1"))
    assert story.at("2026-05-04").available == 10


def test_a_market_day_brings_a_point_for_every_100_yen_from_2000_on() -> None:
    story = Story("green-basket")
    till(story, "A", "2026-05-05 00:00:00", 1_840, tax=147)
    till(story, "B", "2026-05-15", 1_852, tax=148)
    till(story, "C", "2026-05-25 23:59:59", 2_999)
    till(story, "D", "2026-05-26 00:00:00", 2_999)
    till(story, "E", "2026-05-25", 2_999, "station")
    orders = {each.order_id: each.points_credited for each in story.at("2026-05-27").orders}
    assert orders == {"A": 0, "B": 20, "C": 29, "D": 0, "E": 0}, "1,987 with tax are too few; the station is an express shop"


def test_what_is_brought_back_may_take_a_basket_below_its_minimum() -> None:
    story = Story("green-basket")
    till(story, "A", "2026-05-05", 600, quantity=4)
    assert story.order_at("A", "2026-05-05").points_credited == 24
    story.returned("A", "2026-05-06", pieces("1"))
    assert story.order_at("A", "2026-05-06").points_credited == 0, "1,800 are left"


def test_wednesdays_bring_holders_of_the_senior_card_3_percent() -> None:
    story = Story("green-basket")
    till(story, "before", "2026-05-06 11:59:59", 5_000)
    story.updated("2026-05-06", attributes={"senior": "yes"})
    till(story, "A", "2026-05-06 12:00:01", 999)
    till(story, "B", "2026-05-06 13:00:00", 1_000)
    till(story, "C", "2026-05-06 14:00:00", 9_500)
    till(story, "D", "2026-05-07 00:00:00", 5_000)
    orders = {each.order_id: each.points_credited for each in story.at("2026-05-08").orders}
    assert orders == {"before": 0, "A": 0, "B": 30, "C": 270, "D": 0}, "285 and 30 would be more than 300 a day"


def test_what_a_senior_brings_back_makes_room_on_that_day() -> None:
    story = Story("green-basket")
    story.updated("2026-05-01", attributes={"senior": "yes"})
    till(story, "A", "2026-05-06 12:00:01", 9_000)
    story.returned("A", "2026-05-06 13:00:00")
    till(story, "B", "2026-05-06 14:00:00", 9_500)
    assert story.order_at("B", "2026-05-07").points_credited == 285


def test_tobacco_stamps_gift_cards_and_deposits_bring_nothing_and_take_no_points() -> None:
    story = Story("green-basket")
    for category in ("tobacco", "stamps", "gift_card", "deposit"):
        till(story, category, "2026-05-05", 2_000, category=category)
    story.adjusted(500, "2026-05-06")
    story.order(
        "mixed", "2026-05-07", line(100, tax=0), line(700, tax=0, category="tobacco"), store="hill", points_used=200
    )
    assert verdict(story, "mixed", "2026-05-08") == "line_not_redeemable"
    assert story.at("2026-06-02").available == 500, "100 yen of May are too few for a point"


def test_points_of_a_purchase_can_be_used_from_the_next_day() -> None:
    story = Story("green-basket")
    till(story, "A", "2026-05-05 20:00:00", 10_000)
    assert (story.at("2026-05-05 23:59:59").available, story.at("2026-05-05 23:59:59").pending) == (0, 100)
    assert story.at("2026-05-06 00:00:00").available == 100


def test_points_of_a_year_last_to_the_end_of_march_of_the_next() -> None:
    story = Story("green-basket")
    till(story, "A", "2026-12-30", 1_000, tags=["organic"])
    till(story, "B", "2026-12-31", 1_000, tags=["organic"])
    lots = {str(lot.expires_on): lot.points for lot in story.at("2027-01-01 00:00:00").lots}
    assert lots == {"2027-03-31": 5, "2028-03-31": 5 + 10}, "those of the second, and of the month, come with the new year"
    assert story.at("2027-04-01 00:00:00").available == 15


def test_points_pay_in_hundreds_and_only_for_goods() -> None:
    story = Story("green-basket")
    story.adjusted(1_000, "2026-05-06")
    for order_id, used in (("odd", 150), ("few", 50), ("ok", 200)):
        till(story, order_id, "2026-05-07", 250, points_used=used)
    verdicts = [verdict(story, each, "2026-05-08") for each in ("odd", "few", "ok")]
    assert verdicts == ["not_a_multiple", "below_minimum", "accepted"]


def test_what_is_brought_back_gives_points_back_and_takes_those_of_the_month() -> None:
    story = Story("green-basket")
    story.adjusted(1_000, "2026-05-01")
    till(story, "A", "2026-05-07", 500, quantity=2, points_used=200)
    assert story.at("2026-06-01 00:00:00").available == 800 + 5
    story.returned("A", "2026-06-02", pieces("1"))
    assert story.at("2026-06-02").available == 800 + 100 + 2
    story.returned("A", "2026-06-03", pieces("1"))
    assert story.at("2026-06-03").available == 1_000


def test_steps_of_the_month_bring_100_300_or_600_on_the_fifth() -> None:
    story = Story("green-basket")
    till(story, "A", "2026-05-01", 19_999)
    assert story.at("2026-06-05 00:00:00").available == 99
    till(story, "B", "2026-05-02", 20_001)
    assert story.at("2026-06-05 00:00:00").available == 200 + 300
    story.returned("B", "2026-06-06")
    assert story.at("2026-06-06").available == 99


def test_three_days_in_one_week_bring_30_points() -> None:
    story = Story("green-basket")
    for day, yen in (("2026-05-11", 1_000), ("2026-05-12", 999), ("2026-05-12 20:00:00", 999), ("2026-05-17", 1_000)):
        till(story, day, day, yen)
    assert story.at("2026-05-18 00:00:00").available == 0, "two baskets of a day are not added up, and two days are too few"
    till(story, "late", "2026-05-14", 1_000)
    assert story.at("2026-05-18 00:00:00").available == 30
    story.cancelled("late", "2026-05-18 01:00:00")
    assert story.at("2026-05-18 01:00:00").available == 0
