"""Aurora Miles: miles by distance and fare, status points kept apart from them, levels by status points or flights of a year."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.programs.harness import Shop
from tests.rules.story import line, pieces


def member() -> Shop:
    shop = Shop("airline")
    shop.registered("2022-12-01")
    return shop


def flight(fare: str, miles: int, tickets: int = 1) -> dict[str, Any]:
    """A flight of so many miles, for so many tickets."""
    return line(10_000, tickets, category=fare, line_id="1", measures={"miles": miles * tickets})


def flies(shop: Shop, ticket: str, day: str, fare: str, miles: int, tickets: int = 1, **data: Any) -> None:
    shop.order(ticket, f"{day} 06:00:00", flight(fare, miles, tickets), **{"store": "aurora", "currency": "EUR", **data})
    shop.shipped(ticket, f"{day} 09:00:00")


# -- what is collected


@pytest.mark.parametrize(
    ("fare", "store", "miles", "status"),
    [
        ("light", "aurora", 0, 0),
        ("economy", "aurora", 600, 10),
        ("flex", "aurora", 1_201, 20),
        ("business", "aurora", 1_801, 40),
        ("business", "partner_south", 600, 0),
        ("light", "partner_north", 0, 0),
        ("charter", "aurora", 0, 0),
    ],
)
def test_the_fare_gives_the_share_of_the_distance(fare: str, store: str, miles: int, status: int) -> None:
    """1,201 miles: half are 600.5, one and a half times 1,801.5, rounded down."""
    shop = member()
    flies(shop, "A", "2023-02-01", fare, 1_201, store=store)
    assert shop.kinds("2023-02-02") == {kind: n for kind, n in (("miles", miles), ("status", status)) if n}


@pytest.mark.parametrize(("fare", "miles"), [("economy", 250), ("flex", 500), ("business", 750), ("light", 0)])
def test_a_short_flight_counts_as_500_miles(fare: str, miles: int) -> None:
    shop = member()
    flies(shop, "A", "2023-02-01", fare, 499)
    assert shop.kinds("2023-02-02").get("miles", 0) == miles


def test_they_are_credited_as_the_flight_is_flown() -> None:
    shop = member()
    shop.order("A", "2023-01-01", flight("flex", 1_000), store="aurora", currency="EUR")
    assert (shop.at("2023-01-31").available, shop.at("2023-01-31").pending) == (0, 0)
    shop.shipped("A", "2023-02-01 09:00:00")
    assert shop.at("2023-02-01 09:00:00").available == 1_020


def test_an_award_ticket_brings_nothing_and_status_points_pay_for_none() -> None:
    shop = member()
    shop.adjusted(5_999, "2023-01-02")
    flies(shop, "A", "2023-01-03", "business", 100)
    assert shop.kinds("2023-01-04") == {"miles": 5_999 + 750, "status": 40}
    for ticket, points in (("B", 4_999), ("C", 6_789), ("D", 6_749)):
        shop.order(ticket, "2023-01-05", flight("flex", 800), store="aurora", currency="EUR", points_used=points)
    verdicts = [shop.verdict(ticket, "2023-01-06") for ticket in "BCD"]
    assert verdicts == ["below_minimum", "insufficient_points", "accepted"], "6,789 are there with the status points"
    shop.shipped("D", "2023-01-07")
    assert shop.kinds("2023-01-08") == {"status": 40}


# -- levels


def test_status_points_of_a_calendar_year_lead_to_silver_at_once_and_end_with_it() -> None:
    shop = member()
    flies(shop, "A", "2023-03-01", "business", 1_000, 4)
    assert shop.at("2023-03-02").tier == "Blue", "160 status points"
    flies(shop, "B", "2023-04-01", "business", 1_000)
    assert (shop.one_second_before("2023-04-01 09:00:00").tier, shop.at("2023-04-01 09:00:00").tier) == ("Blue", "Silver")
    assert shop.kinds("2023-12-31 23:59:59")["status"] == 200
    assert "status" not in shop.kinds("2024-01-01 00:00:00")


def test_twenty_flights_lead_there_as_well_also_those_of_light_fares_and_partners() -> None:
    shop = member()
    flies(shop, "A", "2023-03-01", "light", 100, 19)
    assert shop.at("2023-03-02").tier == "Blue"
    flies(shop, "B", "2023-03-03", "light", 100, store="partner_north")
    assert shop.at("2023-03-04").tier == "Silver"


def test_silver_members_collect_a_quarter_of_the_distance_more_and_gold_members_half_of_it() -> None:
    for flights, extra in ((19, 0), (20, 250), (50, 500)):
        shop = member()
        flies(shop, "A", "2023-03-01", "light", 100, flights)
        flies(shop, "B", "2023-03-02", "economy", 1_000)
        flies(shop, "C", "2023-03-03", "economy", 1_000, store="partner_north")
        flies(shop, "D", "2023-03-04", "light", 1_000)
        assert [shop.order_at(each, "2023-04-01").points_credited for each in "BCD"] == [500 + 10 + extra, 500, 0]


def test_a_year_that_falls_short_costs_one_level_in_march() -> None:
    shop = member()
    flies(shop, "A", "2023-03-01", "light", 100, 50)
    assert shop.at("2025-02-28 23:59:59").tier == "Gold", "2023 was enough"
    assert shop.at("2025-03-01 00:00:00").tier == "Silver"
    assert shop.at("2026-02-28").tier == "Silver"
    assert shop.at("2026-03-01").tier == "Blue"


def test_a_flight_of_december_told_in_march_saves_the_level() -> None:
    shop = member()
    flies(shop, "A", "2023-03-01", "light", 100, 50)
    flies(shop, "B", "2024-03-01", "light", 100, 49)
    assert shop.at("2025-03-02").tier == "Silver"
    late = "2025-03-03"
    shop.order("C", "2024-12-30", flight("light", 100), store="aurora", currency="EUR", recorded=late)
    shop.tell("shipment.dispatched", "2024-12-31 23:00:00", late, order_id="C", lines="all")
    assert shop.at("2025-03-04").tier == "Gold"


def test_another_airlines_card_makes_a_member_silver_for_six_months_once() -> None:
    shop = member()
    shop.does("status_match", "2023-01-15 10:00:00")
    assert (shop.at("2023-01-15 10:00:00").tier, shop.at("2023-07-14").tier, shop.at("2023-07-16").tier) == (
        "Silver",
        "Silver",
        "Blue",
    )
    shop.does("status_match", "2023-08-01")
    assert shop.at("2023-08-02").tier == "Blue"


def test_who_reaches_gold_is_given_10000_miles_once_a_year() -> None:
    shop = member()
    flies(shop, "A", "2023-03-01", "light", 100, 50)
    assert shop.kinds("2023-03-01 09:00:00") == {"miles": 10_000}
    shop.returned("A", "2023-03-02", pieces("1", 40))
    assert shop.at("2023-03-02").tier == "Gold", "a level is lost in March only"
    flies(shop, "B", "2023-03-03", "light", 100, 50)
    assert shop.kinds("2023-03-04") == {"miles": 10_000}


# -- how long they last, and what becomes of them


def test_miles_last_to_the_end_of_the_36th_month() -> None:
    shop = member()
    flies(shop, "A", "2023-02-01", "flex", 1_000)
    assert shop.kinds("2026-02-28 23:59:59") == {"miles": 1_000}
    assert shop.kinds("2026-03-01 00:00:00") == {}


def test_miles_that_gold_members_collect_do_not_lapse() -> None:
    shop = member()
    flies(shop, "A", "2023-03-01", "light", 100, 50)
    flies(shop, "B", "2023-03-02", "flex", 1_000)
    assert shop.kinds("2040-01-01") == {"miles": 10_000 + 1_000 + 500}


def test_miles_of_a_ticket_that_is_given_back_are_back_the_next_day() -> None:
    shop = member()
    shop.adjusted(9_000, "2023-01-02")
    shop.order("A", "2023-01-05", flight("flex", 800, 2), store="aurora", currency="EUR", points_used=8_000)
    shop.cancelled("A", "2023-01-06 10:00:00", pieces("1"))
    assert shop.available("2023-01-06 23:59:59", "2023-01-07 00:00:00") == [1_000, 5_000], "of two tickets one"
    shop.cancelled("A", "2023-01-08 10:00:00")
    assert shop.available("2023-01-09 00:00:00") == [9_000]


def test_a_flight_that_is_paid_back_takes_what_was_credited_and_what_was_spent_is_owed() -> None:
    shop = member()
    flies(shop, "A", "2023-02-01", "business", 4_000, 2)
    assert shop.kinds("2023-02-02") == {"miles": 12_000, "status": 80}
    shop.order("B", "2023-02-03", flight("flex", 800), store="aurora", currency="EUR", points_used=10_000)
    shop.returned("A", "2023-02-04", pieces("1"))
    assert shop.at("2023-02-05").available == 2_000 + 80 - 6_000 - 40
    flies(shop, "C", "2023-02-06", "flex", 5_000)
    assert shop.at("2023-02-07").available == 2_080 - 6_040 + 5_020


def test_the_card_brings_what_the_bank_tells_20000_in_a_year_at_most() -> None:
    shop = member()
    for day, points in (("2023-01-10", 15_000), ("2023-12-31 23:00:00", 5_001), ("2024-01-01 00:00:00", 700)):
        shop.does("card_spend", day, points=points)
    flies(shop, "A", "2023-06-01", "flex", 1_000)
    assert shop.kinds("2024-01-02") == {"miles": 20_000 + 700 + 1_000}, "a flight is no matter of the card"


def test_miles_are_given_to_the_hotel_in_thousands_from_10000_on_and_50000_a_year() -> None:
    shop = member()
    shop.adjusted(70_000, "2023-01-02")
    for number, points in enumerate((9_000, 10_500, 40_000, 11_000, 10_000), 1):
        shop.converts("hotel", f"2023-02-0{number}", points, f"C{number}")
    requests = {each.request_id: each.reason or each.decision for each in shop.at("2023-03-01").requests}
    assert requests == {"C1": "below_minimum", "C2": "not_a_multiple", "C3": "accepted", "C4": "limit_reached", "C5": "accepted"}
    assert shop.at("2023-03-01").available == 20_000


def tour() -> tuple[Shop, str]:
    """A member's two years, and the day on which they are looked at."""
    shop = member()
    shop.does("status_match", "2023-01-15", "card-1")
    flies(shop, "A", "2023-02-01", "business", 1_001, 3)
    flies(shop, "B", "2023-03-01", "economy", 300, 2, store="partner_north")
    shop.returned("A", "2023-03-05", pieces("1"))
    flies(shop, "C", "2023-08-01", "flex", 2_000, 18)
    shop.does("card_spend", "2023-09-01", "2023-08", points=19_000)
    shop.does("card_spend", "2023-10-01", "2023-09", points=2_000)
    shop.order("D", "2023-11-01", flight("flex", 800), store="aurora", currency="EUR", points_used=6_000)
    shop.cancelled("D", "2023-11-02")
    shop.converts("hotel", "2023-12-01", 10_000)
    return shop, "2025-03-02"


def test_a_member_of_two_years() -> None:
    """A as Silver by match: of three tickets two stay, 3,003 miles and 500 of 2,002; B two short flights, 500; C 36,000, as Blue
    again; the card 20,000; D came back; the hotel took 10,000. 22 flights and 440 status points made the member Silver."""
    shop, at = tour()
    assert shop.kinds(at) == {"miles": 3_003 + 500 + 500 + 36_000 + 20_000 - 10_000}
    assert (shop.at("2024-06-01").tier, shop.at("2025-02-28").tier, shop.at(at).tier) == ("Silver", "Silver", "Blue")
