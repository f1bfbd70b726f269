"""Harbour Nights: points for rooms and nights, levels by nights or points in a year from 1 April, nights carried over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.heard import Heard
from tests.rules.programs.harness import Shop
from tests.rules.story import line, pieces


def room(pounds: int, nights: int, **more: Any) -> dict[str, Any]:
    """A room: its price without VAT, and the nights."""
    return line(pounds * 100, category="room", line_id="1", measures={"nights": nights}) | {**more}


def meals(pounds: int, **more: Any) -> dict[str, Any]:
    return line(pounds * 100, category="dining", line_id="2", **more)


def guest(joined: str = "2022-01-10") -> Shop:
    shop = Shop("hotel")
    shop.enrolled(joined)
    return shop


def stays(shop: Shop, booking: str, out: str, pounds: int, nights: int, *more: Any, booked: str = "", **data: Any) -> None:
    """A booking of the day of check-out (or of an earlier one), with the check-out."""
    told = {"store": "harbour", "channel": "web", "currency": "GBP", **data}
    shop.order(booking, booked or f"{out} 08:00:00", room(pounds, nights), *more, **told)
    shop.shipped(booking, f"{out} 11:00:00")


def old_guest() -> Shop:
    """A guest whose first stay was long ago: a pound, no night, 10 points."""
    shop = guest()
    stays(shop, "old", "2022-05-01", 1, 0)
    return shop


def credited(shop: Shop, booking: str, at: str = "2026-12-31") -> int:
    return shop.order_at(booking, at).points_credited


# -- 1 and 2: what is collected


def test_ten_points_for_each_full_pound_of_the_room_five_of_meals_and_250_for_each_night() -> None:
    shop = old_guest()
    stays(shop, "A", "2023-05-03", 199, 2, meals(41))
    assert credited(shop, "A") == 1_990 + 205 + 500
    shop = old_guest()
    cents = room(0, 1) | {"unit_price": 9_999, "tax": 999}
    shop.order("B", "2023-05-01", cents, store="harbour", channel="phone", currency="GBP")
    shop.shipped("B", "2023-05-02")
    assert credited(shop, "B") == 990 + 250, "99.99 pounds are 99 full ones"


def test_a_booking_by_an_agency_brings_neither_points_nor_nights() -> None:
    shop = old_guest()
    stays(shop, "A", "2023-05-10", 900, 12, store="agencies")
    assert (credited(shop, "A"), shop.at("2023-06-01").tier) == (0, "Blue")


def test_the_serviced_apartments_take_no_part() -> None:
    shop = old_guest()
    stays(shop, "A", "2023-05-10", 900, 12, store="apartments")
    assert shop.at("2023-06-01").tier == "Blue"
    assert shop.at("2023-06-01").available == 10


def test_who_did_not_enrol_collects_nothing() -> None:
    shop = Shop("hotel")
    shop.registered("2022-01-10")
    stays(shop, "A", "2023-05-10", 100, 1)
    assert shop.at("2023-06-01").available == 0


def test_points_are_there_three_days_after_check_out() -> None:
    shop = old_guest()
    stays(shop, "A", "2023-05-03", 100, 1)
    assert shop.available("2023-05-05 23:59:59", "2023-05-06 00:00:00") == [10, 10 + 1_250]
    assert shop.at("2023-05-04").pending == 1_250


def test_winter_doubles_the_points_for_the_room_and_not_those_for_nights() -> None:
    shop = old_guest()
    for booking, day in (("A", "2024-01-01"), ("B", "2024-03-31"), ("C", "2024-04-01"), ("D", "2023-12-31")):
        stays(shop, booking, day, 100, 1)
    assert [credited(shop, booking) for booking in "ABCD"] == [2_250, 2_250, 1_250, 1_250]


@pytest.mark.parametrize(("booked", "points"), [("2022-04-10", 500), ("2022-04-11", 0)])
def test_the_first_stay_booked_within_90_days_of_enrolling_brings_500(booked: str, points: int) -> None:
    """Enrolled on 10 January: the 90th day after it is 10 April."""
    shop = guest()
    stays(shop, "A", "2022-06-01", 100, 1, booked=booked)
    stays(shop, "B", "2022-06-05", 100, 1, booked="2022-04-10 12:00:01" if points else "2022-04-12")
    assert shop.at("2022-07-01").available == 2_500 + points


def test_what_points_paid_earns_nothing() -> None:
    shop = old_guest()
    shop.adjusted(5_000, "2023-04-02")
    stays(shop, "A", "2023-05-03", 100, 1, points_used=5_000)
    assert credited(shop, "A") == 800 + 250, "5,000 points pay 20 of the 100 pounds"


# -- 3: levels


@pytest.mark.parametrize(("nights", "level"), [(9, "Blue"), (10, "Silver"), (30, "Gold"), (59, "Gold"), (60, "Platinum")])
def test_nights_of_a_year_from_april_lead_to_levels(nights: int, level: str) -> None:
    shop = old_guest()
    stays(shop, "A", "2023-04-02", 1, nights - 1)
    stays(shop, "B", "2024-03-31", 1, 1)
    assert shop.at("2024-03-31 13:00:00").tier == level


def test_a_night_after_31_march_is_one_of_the_next_year() -> None:
    shop = old_guest()
    stays(shop, "A", "2023-04-02", 1, 9)
    stays(shop, "B", "2024-04-01", 1, 1)
    assert shop.at("2024-04-02").tier == "Blue"


def test_points_of_stays_lead_there_as_well_and_a_gift_does_not() -> None:
    shop = old_guest()
    shop.adjusted(50_000, "2023-04-02")
    stays(shop, "A", "2023-05-01", 1_474, 1)
    assert shop.at("2023-06-01").tier == "Blue", "14,740 for the room and 250 for the night"
    stays(shop, "B", "2023-06-02", 1, 0)
    assert (shop.one_second_before("2023-06-02 11:00:00").tier, shop.at("2023-06-02 11:00:00").tier) == ("Blue", "Silver")


def test_a_level_lasts_to_the_end_of_the_year_after_that_in_which_it_was_reached() -> None:
    shop = old_guest()
    stays(shop, "A", "2023-06-01", 1, 10)
    assert shop.at("2023-06-01 11:00:00").tier == "Silver"
    assert (shop.one_second_before("2025-04-01 00:00:00").tier, shop.at("2025-04-01 00:00:00").tier) == ("Silver", "Blue")


def test_the_guest_is_told_thirty_days_before_it_ends(heard: Heard) -> None:
    shop = old_guest()
    stays(shop, "A", "2023-06-01", 1, 10)
    shop.at("2025-04-02")
    (told,) = heard.on("tier-expiring")
    assert (told["tier"], told["until"], told["days_left"]) == ("Silver", "2025-03-31", 30)


def test_nights_beyond_a_level_count_in_the_next_year_and_points_do_not() -> None:
    """34 nights are Gold and 4 more: with 6 of the next year they are Silver for it and the year after."""
    shop = old_guest()
    stays(shop, "A", "2023-06-01", 2_500, 34)
    assert shop.at("2023-07-01").tier == "Gold"
    stays(shop, "B", "2024-06-01", 1, 6)
    assert (shop.at("2025-03-31").tier, shop.at("2025-04-01").tier, shop.at("2026-03-31").tier) == ("Gold", "Silver", "Silver")
    shop = old_guest()
    stays(shop, "C", "2023-06-01", 3_000, 0)
    stays(shop, "D", "2024-06-01", 1, 0)
    assert (shop.at("2023-07-01").tier, shop.at("2025-04-01").tier) == ("Silver", "Blue"), "15,000 points more are not carried"


def test_levels_bring_more_for_the_room_and_winter_does_not_double_that() -> None:
    for nights, more in ((10, 1), (30, 2), (60, 5)):
        shop = old_guest()
        stays(shop, "A", "2023-06-01", 1, nights)
        stays(shop, "B", "2024-02-10", 100, 1, meals(10))
        assert credited(shop, "B") == 2_000 + 50 + 250 + 100 * more


def test_who_reaches_platinum_is_given_5000_points_once_a_year() -> None:
    shop = old_guest()
    stays(shop, "A", "2023-06-01", 1, 60)
    assert shop.at("2023-06-01 11:00:00").available == 10 + 5_000
    shop.returned("A", "2023-06-02")
    stays(shop, "B", "2023-06-03", 1, 60)
    assert [entry.points for entry in shop.entries() if entry.rule == "HOT-15"] == [5_000]


# -- 4 to 6: use, lapse, and what comes back


def test_points_pay_from_2000_on_in_steps_of_500_and_not_for_meals() -> None:
    verdicts = {1_500: "below_minimum", 2_000: "accepted", 2_250: "not_a_multiple", 12_500: "line_not_redeemable"}
    for points, verdict in verdicts.items():
        shop = old_guest()
        shop.adjusted(20_000, "2023-04-02")
        shop.order("A", "2023-05-01", room(40, 1), meals(30), store="harbour", channel="web", currency="GBP", points_used=points)
        assert shop.verdict("A", "2023-05-02") == verdict, f"{points}: the room is 44 pounds with VAT, which are 11,000 points"


def test_points_lapse_24_months_after_they_last_came_in_or_were_used(heard: Heard) -> None:
    shop = old_guest()
    stays(shop, "A", "2023-05-03", 500, 0)
    shop.order("B", "2024-01-31", room(40, 1), store="harbour", channel="web", currency="GBP", points_used=2_000)
    shop.order("C", "2024-03-01", room(40, 1), store="harbour", channel="web", currency="GBP", points_used=2_000)
    shop.cancelled("C", "2024-03-02")
    assert shop.at("2026-01-31 23:59:59").available == 3_010, "used on 31 January 2024; what was called off does not count"
    assert shop.at("2026-02-01 00:00:00").available == 0
    assert [told["days_left"] for told in heard.on("points-expiring")][-1] == 60


def test_a_cancel_gives_used_points_back_and_who_does_not_come_loses_them() -> None:
    for reason, left in (("customer_request", 20_010), ("no_show", 18_010)):
        shop = old_guest()
        shop.adjusted(20_000, "2023-04-02")
        shop.order("A", "2023-05-01", room(40, 1), store="harbour", channel="web", currency="GBP", points_used=2_000)
        shop.cancelled("A", "2023-05-04", reason=reason)
        assert shop.at("2023-05-05").available == left


def test_a_room_that_is_paid_back_takes_its_points_and_nights() -> None:
    """Two rooms of 100 pounds and five nights each: one that is paid back takes 1,000 + 1,250 points and five nights."""
    shop = old_guest()
    two = line(10_000, 2, category="room", line_id="1", measures={"nights": 10})
    shop.order("A", "2023-05-01", two, store="harbour", channel="web", currency="GBP")
    shop.shipped("A", "2023-05-06 11:00:00")
    assert (shop.at("2023-05-09").available, shop.at("2023-05-09").tier) == (10 + 2_000 + 2_500, "Silver")
    shop.returned("A", "2023-05-10", pieces("1"))
    assert (shop.at("2023-05-10").available, shop.at("2023-05-10").tier) == (10 + 1_000 + 1_250, "Blue")
    shop.returned("A", "2023-05-11", pieces("1"))
    assert shop.at("2023-05-11").available == 10


def test_a_stay_that_is_told_late_counts_where_it_was() -> None:
    shop = old_guest()
    stays(shop, "A", "2023-06-01", 1, 9)
    stays(shop, "B", "2024-05-01", 100, 1)
    assert credited(shop, "B", "2024-05-10") == 1_250
    told = {"store": "harbour", "channel": "web", "currency": "GBP", "recorded": "2024-06-01"}
    shop.order("C", "2024-03-30", room(1, 1), **told)
    shop.tell("shipment.dispatched", "2024-03-31", "2024-06-01", order_id="C", lines="all")
    assert shop.at("2024-06-02").tier == "Silver"
    assert credited(shop, "B", "2024-06-02") == 1_250 + 100, "Silver since 31 March, so a point more for each pound"


def tour() -> tuple[Shop, str]:
    """A guest's two years, and the day on which they are looked at."""
    shop = guest()
    stays(shop, "A", "2022-03-20", 300, 3, meals(40), booked="2022-02-01")
    stays(shop, "B", "2022-06-10", 800, 8, channel="phone")
    shop.order("C", "2022-09-01", room(200, 2), store="harbour", channel="web", currency="GBP", points_used=4_000)
    shop.cancelled("C", "2022-09-02")
    shop.shipped("D", "2023-02-05")
    shop.order("D", "2023-02-01", room(500, 5), store="quay", channel="phone", currency="GBP")
    shop.return_requested("D", "2023-02-06")
    shop.returned("D", "2023-02-07")
    shop.adjusted(500, "2023-03-01")
    stays(shop, "E", "2023-04-01", 100, 12)
    return shop, "2023-05-01"


def test_a_guest_of_two_years() -> None:
    """A in winter 3,000 x 2 + 200 + 750, and 500 for the first stay; B 8,000 + 2,000; C and D came back; E as Silver, for A and B
    are 18,950 points of the years that end in 2022 and 2023: 1,000 + 100 + 3,000."""
    shop, at = tour()
    assert [order.points_credited for order in shop.at(at).orders] == [6_950, 10_000, 0, 0, 4_000]
    assert shop.at(at).available == 6_950 + 500 + 10_000 + 500 + 4_000
