"""Wardrobe Club: levels of a half year by purchases and amount, birthday points, points that last to the end of a half year."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.heard import Heard
from tests.rules.programs.harness import Shop
from tests.rules.story import MEMBER, line, pieces


def member(**told: Any) -> Shop:
    shop = Shop("fashion")
    shop.registered("2022-10-01")
    if told:
        shop.updated("2022-12-01", **told)
    return shop


def wear(price: int, quantity: int = 1, **more: Any) -> dict[str, Any]:
    return line(price, quantity, **{"line_id": "1", "category": "wear", **more})


def buys(shop: Shop, order: str, at: str, *lines: dict[str, Any], store: str = "ginza", **data: Any) -> None:
    shop.bought(order, at, *lines, store=store, channel="store", **data)


def of_level(level: str, half: str = "2023-09") -> Shop:
    """A member who reached a level in the half year that begins so, by purchases of 10,000 yen and one of what is missing."""
    shop = member()
    orders, amount = {"Cotton": (1, 10_000), "Silk": (3, 30_000), "Velvet": (6, 100_000)}[level]
    for number in range(1, orders):
        buys(shop, f"{level}{number}", f"{half}-{10 + number}", wear(10_000))
    buys(shop, f"{level}0", f"{half}-10", wear(amount - 10_000 * (orders - 1)))
    assert shop.at(f"{half}-20").tier == level
    return shop


def credited(shop: Shop, order: str, at: str = "2024-02-27") -> int:
    return shop.order_at(order, at).points_credited


# -- what is collected


@pytest.mark.parametrize(("level", "points"), [("Cotton", 99), ("Silk", 198), ("Velvet", 297)])
def test_every_100_yen_without_tax_bring_one_two_or_three(level: str, points: int) -> None:
    shop = of_level(level)
    buys(shop, "A", "2023-10-10", wear(9_999))
    assert credited(shop, "A") == points


@pytest.mark.parametrize("level", ["Cotton", "Velvet"])
def test_the_outlet_and_sale_goods_bring_one_for_200_whatever_the_level(level: str) -> None:
    shop = of_level(level)
    buys(shop, "A", "2023-10-10", wear(9_999), store="outlet")
    buys(shop, "B", "2023-10-11", wear(9_999, tags=["sale"]))
    assert [credited(shop, order) for order in "AB"] == [49, 49]


def test_gift_cards_and_alterations_bring_nothing_and_are_not_paid_with_points() -> None:
    shop = member()
    shop.adjusted(5_000, "2023-01-10")
    buys(shop, "A", "2023-01-12", wear(2_000), wear(3_000, line_id="2", category="gift_card"), points_used=2_201)
    assert shop.verdict("A", "2023-01-13") == "line_not_redeemable", "with tax the dress is 2,200 yen"
    buys(shop, "B", "2023-01-12", wear(2_000), wear(1_000, line_id="2", category="alteration"), points_used=1_100)
    assert (shop.verdict("B", "2023-01-13"), credited(shop, "B", "2023-01-13")) == ("accepted", 9), "2,000 less 1,100, 900"


@pytest.mark.parametrize(
    ("at", "points"), [("2023-02-28", 200), ("2023-03-01", 400), ("2023-03-07 23:59:59", 400), ("2023-09-08", 200)]
)
def test_silk_members_collect_twice_as_much_in_the_first_week_of_a_season(at: str, points: int) -> None:
    shop = of_level("Silk", "2023-03" if at > "2023-04" else "2022-10")
    buys(shop, "A", at, wear(10_000), wear(10_000, line_id="2", tags=["sale"]))
    assert credited(shop, "A", "2023-12-01") == points + 50, "but not for sale goods"


def test_cotton_members_do_not() -> None:
    shop = member()
    buys(shop, "A", "2023-03-01", wear(10_000))
    assert credited(shop, "A", "2023-12-01") == 100


# -- when points can be used, and how long


def test_points_of_a_shop_can_be_used_the_next_day_those_of_the_web_14_days_after_delivery() -> None:
    shop = member()
    buys(shop, "A", "2023-01-10", wear(10_000))
    shop.order("B", "2023-01-10", wear(20_000), store="web")
    shop.shipped("B", "2023-01-12")
    shop.delivered("B", "2023-01-14")
    assert shop.available("2023-01-10 23:59:59", "2023-01-11 00:00:00") == [0, 100]
    assert shop.available("2023-01-27 23:59:59", "2023-01-28 00:00:00") == [100, 300]


@pytest.mark.parametrize(
    ("at", "last"), [("2023-03-01", "2024-02-29"), ("2023-08-30", "2024-02-29"), ("2023-09-01", "2024-08-31")]
)
def test_points_of_a_half_year_last_to_the_end_of_the_next(at: str, last: str) -> None:
    shop = member()
    buys(shop, "A", at, wear(10_000))
    (lot,) = shop.at("2023-12-01").lots
    assert str(lot.expires_on) == last


# -- levels


def test_silk_takes_three_purchases_of_3000_and_30000_yen_in_a_half_year() -> None:
    shop = member()
    buys(shop, "A", "2023-03-01", wear(24_001))
    buys(shop, "B", "2023-08-30", wear(3_000))
    buys(shop, "C", "2023-08-31", wear(2_999))
    assert shop.at("2023-08-31 13:00:00").tier == "Cotton", "30,000 yen, and two purchases that count"
    buys(shop, "D", "2023-08-31 23:59:59", wear(3_000))
    assert shop.at("2023-08-31 23:59:59").tier == "Silk"


def test_purchases_of_two_half_years_do_not_come_together() -> None:
    shop = member()
    buys(shop, "A", "2023-08-31", wear(15_000))
    buys(shop, "B", "2023-08-31 13:00:00", wear(15_000))
    buys(shop, "C", "2023-09-01 00:00:00", wear(15_000))
    assert shop.at("2023-09-02").tier == "Cotton"


def test_a_level_lasts_to_the_end_of_the_next_half_year_and_the_member_is_told_30_days_before(heard: Heard) -> None:
    shop = of_level("Silk")
    assert shop.at("2024-08-31 23:59:59").tier == "Silk"
    assert shop.at("2024-09-01 00:00:00").tier == "Cotton"
    (told,) = heard.on("tier-expiring")
    assert (told["until"], told["days_left"]) == ("2024-08-31", 30)


def test_a_level_that_is_reached_again_goes_on() -> None:
    shop = of_level("Silk")
    for number in range(3):
        buys(shop, f"again{number}", f"2024-03-1{number}", wear(10_000))
    assert (shop.at("2025-02-28").tier, shop.at("2025-03-01").tier) == ("Silk", "Cotton")


def test_a_purchase_that_comes_back_takes_its_points_the_purchase_and_the_level() -> None:
    shop = of_level("Silk")
    assert shop.at("2023-10-01").available == 300
    shop.returned("Silk1", "2023-10-02")
    assert (shop.at("2023-10-02").tier, shop.at("2023-10-02").available) == ("Cotton", 200)


def test_half_a_purchase_that_comes_back_leaves_it_if_3000_are_left() -> None:
    shop = member()
    buys(shop, "A", "2023-10-01", wear(3_000, 2))
    buys(shop, "B", "2023-10-02", wear(14_000))
    buys(shop, "C", "2023-10-03", wear(14_000))
    shop.returned("A", "2023-10-04", pieces("1"))
    assert shop.at("2023-10-04").tier == "Silk", "31,000 yen and three purchases"
    assert shop.at("2023-10-04").available == 30 + 280
    shop.returned("A", "2023-10-05", pieces("1"))
    assert shop.at("2023-10-05").tier == "Cotton"


# -- gifts


@pytest.mark.parametrize(("told", "points"), [("2023-10-20 23:59:59", 500), ("2023-10-21 00:00:00", 0)])
def test_birthday_points_come_on_the_first_for_who_told_it_by_the_20th_before(told: str, points: int) -> None:
    shop = member()
    shop.updated(told, birth={"month": 11, "day": 15})
    assert shop.available("2023-10-31 23:59:59", "2023-11-01 00:00:00") == [0, points]
    assert shop.available("2023-11-30 23:59:59", "2023-12-01 00:00:00") == [points, 0]


def test_velvet_members_are_given_1000_instead() -> None:
    shop = of_level("Velvet")
    shop.updated("2023-10-01", birth={"month": 11, "day": 15})
    assert shop.kinds("2023-11-01")["birthday"] == 1_000


def test_birthday_points_go_first_and_goods_alone_are_paid() -> None:
    shop = member(birth={"month": 11, "day": 15})
    shop.adjusted(1_000, "2023-09-10")
    buys(shop, "A", "2023-11-02", wear(1_000), points_used=99)
    buys(shop, "B", "2023-11-02", wear(500), points_used=551)
    buys(shop, "C", "2023-11-02", wear(1_000), points_used=700)
    assert [shop.verdict(order, "2023-11-03") for order in "ABC"] == ["below_minimum", "exceeds_payable", "accepted"]
    assert shop.kinds("2023-11-03") == {"regular": 800 + 3}
    shop.returned("C", "2023-11-04")
    assert shop.kinds("2023-11-04") == {"birthday": 500, "regular": 1_000}


def test_a_review_of_what_was_bought_brings_50_once_until_the_order_is_called_off() -> None:
    shop = member()
    shop.order("A", "2023-10-01", wear(10_000, sku="COAT"), store="web")
    for number, sku in enumerate(("COAT", "COAT", "HAT"), 1):
        review = {"member_id": MEMBER, "sku": sku, "review_id": f"R{number}"}
        shop.tell("review.posted", f"2023-10-0{number + 1}", **review)
    assert shop.at("2023-10-05").available == 50
    shop.cancelled("A", "2023-10-06")
    assert shop.at("2023-10-06").available == 0


def tour() -> tuple[Shop, str]:
    """A member's year, and the day on which it is looked at."""
    shop = member(birth={"month": 5, "day": 2})
    buys(shop, "A", "2023-03-02", wear(20_000))
    buys(shop, "B", "2023-03-20", wear(8_000, 2), store="umeda")
    shop.returned("B", "2023-03-25", pieces("1"))
    shop.order("C", "2023-04-10", wear(12_000), store="web")
    shop.shipped("C", "2023-04-11")
    shop.delivered("C", "2023-04-13")
    buys(shop, "D", "2023-05-10", wear(5_000), points_used=600)
    shop.order("E", "2023-06-01", wear(30_000), store="web")
    shop.cancelled("E", "2023-06-02")
    buys(shop, "F", "2023-09-05", wear(10_000, tags=["sale"]), wear(10_000, line_id="2"))
    return shop, "2024-03-01"


def test_a_members_year() -> None:
    """A 200, B 80 for the one that stayed, C 120; Silk from then on: D 4,400 yen twice, 88; E called off; F as Silk 50 and in the
    first week of September 400. D was paid with the 500 of May and 100 others. What is of the spring lapsed with February."""
    shop, at = tour()
    assert [order.points_credited for order in shop.at(at).orders] == [200, 80, 120, 88, 0, 450]
    assert shop.kinds(at) == {"regular": 450}
    assert shop.at(at).lapsed_total == 200 + 80 + 120 + 88 - 100
