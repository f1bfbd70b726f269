"""Listening Club: points with each payment of a plan, more the longer the membership; each plan holds so many."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.heard import Heard
from tests.rules.programs.harness import Shop
from tests.rules.story import line, pieces


def listener(plan: str | None = "duo", joined: str = "2023-01-31") -> Shop:
    shop = Shop("audiobooks")
    shop.registered(f"{joined} 09:00:00")
    if plan:
        shop.updated(f"{joined} 10:00:00", attributes={"plan": plan})
    return shop


def pays(shop: Shop, bill: str, at: str, what: str = "month", **more: Any) -> None:
    """A plan's payment, of a month or of a year."""
    shop.order(bill, at, line(1_200, category=what, line_id="1", **more), store="club", currency="USD", course="subscription")
    shop.paid(bill, at)


def buys(shop: Shop, order: str, at: str, cents: int, quantity: int = 1, **data: Any) -> None:
    told = {"store": "club", "currency": "USD", **data}
    shop.order(order, at, line(cents, quantity, category="book", line_id="1", tax=0), **told)
    shop.paid(order, at)
    shop.shipped(order, at)


# -- what is collected


@pytest.mark.parametrize(("plan", "points"), [("solo", 200), ("duo", 500), ("paused", 0)])
def test_each_monthly_payment_brings_what_the_plan_says(plan: str, points: int) -> None:
    shop = listener(plan)
    pays(shop, "A", "2023-02-01")
    assert shop.order_at("A", "2023-02-02").points_credited == points


def test_points_come_with_the_payment_and_go_with_one_that_failed() -> None:
    shop = listener()
    shop.order("A", "2023-02-01", line(1_200, category="month"), store="club", currency="USD")
    assert (shop.at("2023-02-02").available, shop.at("2023-02-02").pending) == (0, 0)
    shop.paid("A", "2023-02-03")
    assert shop.at("2023-02-03").available == 500
    shop.tell("payment.failed", "2023-02-05", order_id="A")
    assert shop.at("2023-02-05").available == 0


@pytest.mark.parametrize(
    ("at", "points"),
    [
        ("2023-07-30 23:59:59", 500),
        ("2023-07-31 00:00:00", 550),
        ("2024-01-30", 550),
        ("2024-01-31 00:00:00", 600),
        ("2026-01-01", 600),
    ],
)
def test_from_the_seventh_month_on_50_more_and_from_the_thirteenth_100(at: str, points: int) -> None:
    """Joined on 31 January: the seventh month begins on 31 July."""
    shop = listener()
    pays(shop, "A", at)
    assert shop.order_at("A", "2026-02-01").points_credited == points


def test_a_year_in_advance_brings_3000() -> None:
    shop = listener()
    pays(shop, "A", "2023-02-01", "year")
    assert shop.at("2023-02-01").available == 3_000


def test_books_bring_five_per_cent_unless_a_coupon_was_used() -> None:
    shop = listener()
    buys(shop, "A", "2023-02-01", 1_999)
    buys(shop, "B", "2023-02-02", 1_999, coupons=["SPRING"])
    assert [order.points_credited for order in shop.at("2023-02-03").orders] == [99, 0]


def test_each_book_that_was_heard_brings_20_once() -> None:
    shop = listener()
    for reference in ("dune", "emma", "dune"):
        shop.does("book_finished", "2023-02-01" if reference == "emma" else "2023-02-02", reference)
    assert shop.at("2023-02-03").available == 40


def test_an_anniversary_with_a_plan_brings_250() -> None:
    shop = listener()
    assert shop.available("2024-01-30 23:59:59", "2024-01-31 00:00:00", "2025-01-31") == [0, 250, 500]
    assert shop.at("2025-02-01").available == 250, "the first 250 could be used through 31 January"
    shop = listener("paused")
    assert shop.at("2024-02-01").available == 0


# -- what a plan holds


def test_solo_holds_1000_and_what_comes_beyond_is_lost() -> None:
    shop = listener("solo")
    for month in range(2, 7):
        pays(shop, f"M{month}", f"2023-0{month}-01")
    assert shop.at("2023-06-02").available == 1_000
    pays(shop, "M7", "2023-07-01")
    assert (shop.at("2023-07-01").available, shop.at("2023-07-01").lapsed_total) == (1_000, 200)


def test_who_goes_from_duo_to_solo_keeps_1000() -> None:
    shop = listener("duo")
    pays(shop, "A", "2023-02-01", "year")
    shop.updated("2023-03-01", attributes={"plan": "solo"})
    assert (shop.one_second_before("2023-03-01 12:00:00").available, shop.at("2023-03-01 12:00:00").available) == (3_000, 1_000)


def test_while_a_plan_is_paused_points_stay_and_cannot_be_used() -> None:
    shop = listener()
    pays(shop, "A", "2023-02-01")
    shop.updated("2023-03-01", attributes={"plan": "paused"})
    buys(shop, "B", "2023-03-02", 1_000, points_used=1)
    assert (shop.verdict("B", "2023-03-03"), shop.at("2023-03-03").available) == ("insufficient_points", 500)
    shop.updated("2023-04-01", attributes={"plan": "duo"})
    buys(shop, "C", "2023-04-02", 1_000, points_used=500)
    assert shop.verdict("C", "2023-04-03") == "accepted"


@pytest.mark.parametrize("ended", ["none", None])
def test_all_points_are_lost_when_the_plan_ends(ended: str | None) -> None:
    shop = listener()
    pays(shop, "A", "2023-02-01")
    shop.updated("2023-03-01", attributes={"plan": ended})
    assert (shop.one_second_before("2023-03-01 12:00:00").available, shop.at("2023-03-01 12:00:00").available) == (500, 0)
    shop.updated("2023-03-02", attributes={"plan": "duo"})
    assert shop.at("2023-03-02").available == 0, "they do not come back"


def test_an_end_of_the_plan_that_is_told_late_takes_what_came_before_it_alone() -> None:
    shop = listener()
    pays(shop, "A", "2023-02-01")
    shop.updated("2023-03-05", attributes={"plan": "duo"})
    pays(shop, "B", "2023-03-10")
    assert shop.at("2023-03-11").available == 1_000
    shop.updated("2023-03-01", recorded="2023-03-12", attributes={"plan": "none"})
    assert shop.at("2023-03-12").available == 500


# -- paying and what comes back


def test_a_point_pays_a_cent_of_a_book_and_nothing_of_a_plan() -> None:
    shop = listener()
    pays(shop, "A", "2023-02-01")
    buys(shop, "B", "2023-02-02", 300, points_used=301)
    shop.order("C", "2023-02-03", line(1_200, category="month"), store="club", currency="USD", points_used=100)
    buys(shop, "D", "2023-02-04", 300, points_used=300)
    assert [shop.verdict(order, "2023-02-05") for order in "BCD"] == ["exceeds_payable", "line_not_redeemable", "accepted"]


def test_a_book_that_is_cancelled_gives_points_back_and_one_that_is_returned_does_not() -> None:
    shop = listener()
    pays(shop, "A", "2023-02-01")
    two = line(200, 2, category="book", line_id="1", tax=0)
    shop.order("B", "2023-02-02", two, store="club", currency="USD", points_used=400)
    shop.cancelled("B", "2023-02-03", pieces("1"))
    assert shop.at("2023-02-03").available == 300, "half of the 400"
    shop.shipped("B", "2023-02-04")
    shop.returned("B", "2023-02-05")
    assert (shop.at("2023-02-05").available, shop.at("2023-02-05").forfeited_total) == (300, 200)


def test_what_a_book_had_earned_is_taken_back_as_far_as_it_is_there() -> None:
    shop = listener()
    buys(shop, "A", "2023-02-01", 2_000, 2)
    assert shop.at("2023-02-01").available == 200
    buys(shop, "B", "2023-02-02", 150, points_used=150)
    shop.returned("A", "2023-02-03", pieces("1"))
    assert shop.at("2023-02-03").available == 0, "57 of 100, for B brought 7 and 150 were used"
    shop.returned("A", "2023-02-04", pieces("1"))
    assert shop.at("2023-02-04").available == 0


def test_points_last_twelve_months_and_members_are_told_14_days_before(heard: Heard) -> None:
    shop = listener()
    pays(shop, "A", "2023-02-01")
    assert shop.available("2024-02-01 23:59:59", "2024-02-02 00:00:00") == [750, 250], "250 for the anniversary"
    assert [told["days_left"] for told in heard.on("points-expiring")] == [14]


def tour() -> tuple[Shop, str]:
    """A listener's year, and the day on which it is looked at."""
    shop = listener("solo")
    for month in range(2, 9):
        pays(shop, f"M{month}", f"2023-0{month}-01")
    shop.does("book_finished", "2023-05-10", "emma")
    buys(shop, "B", "2023-06-10", 1_000, points_used=600)
    shop.returned("B", "2023-06-15")
    shop.updated("2023-09-01", attributes={"plan": "paused"})
    shop.updated("2023-11-01", attributes={"plan": "duo"})
    pays(shop, "M11", "2023-11-01 13:00:00")
    buys(shop, "C", "2023-12-10", 4_000)
    shop.cancelled("C", "2023-12-11")
    return shop, "2024-02-15"


def test_a_listeners_year() -> None:
    """200 from February to May make 800, and 20; June has room for 180 of 200. B takes 600 and loses them. July 200, August, the
    seventh month, 250: 850. November as Duo 550, on the anniversary 250. On 2 February the 200 of a year before are used already,
    for the oldest go first: B took those of February to April."""
    shop, at = tour()
    assert shop.at(at).available == 850 + 550 + 250
    assert shop.at(at).forfeited_total == 600
