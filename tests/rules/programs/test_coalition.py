"""Marktplatz Card: four shops of a town issue points of their own, which pay there alone; the town's points pay everywhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.programs.harness import Shop
from tests.rules.story import line, pieces


def holder() -> Shop:
    shop = Shop("coalition")
    shop.registered("2022-12-01")
    return shop


def goods(cents: int, quantity: int = 1, **more: Any) -> dict[str, Any]:
    """Goods of so many cents each, tax included."""
    return line(cents, quantity, **{"tax": 0, "line_id": "1", **more})


def buys(shop: Shop, receipt: str, at: str, store: str, *lines: dict[str, Any], **data: Any) -> None:
    shop.bought(receipt, at, *lines, store=store, currency="EUR", channel="store", **data)


def with_all_kinds() -> Shop:
    """On 2 February: 240 of the bakery, 200 of the pharmacy, 100 of the garden, and 40 + 50 + 50 of the town."""
    shop = holder()
    buys(shop, "a", "2023-01-10", "bakery_mill", goods(8_000))
    buys(shop, "b", "2023-01-11", "pharmacy", goods(10_000))
    buys(shop, "c", "2023-01-12", "garden", goods(10_000))
    assert shop.kinds("2023-02-02") == {"bakery": 240, "pharmacy": 200, "garden": 100, "town": 140}
    return shop


# -- what each gives


def test_each_shop_gives_points_of_its_own_and_the_town_one_for_two_euros_of_any() -> None:
    shop = holder()
    for number, store in enumerate(("bakery_mill", "bakery_gate", "pharmacy", "garden", "books")):
        buys(shop, f"R{number}", "2023-01-10", store, goods(2_099))
    assert shop.kinds("2023-02-01") == {"bakery": 60 + 60, "pharmacy": 40, "garden": 20, "town": 5 * 10}


def test_the_market_stall_takes_no_part() -> None:
    shop = holder()
    buys(shop, "A", "2023-01-10", "market_stall", goods(2_000))
    assert shop.at("2023-02-01").available == 0


def test_medicines_on_prescription_bring_no_pharmacy_points_and_are_not_paid_with_points() -> None:
    shop = with_all_kinds()
    drugs = goods(1_000, category="prescription")
    buys(shop, "A", "2023-02-10", "pharmacy", drugs, points_used=100)
    buys(shop, "B", "2023-02-10", "pharmacy", drugs, goods(1_000, line_id="2"))
    assert shop.verdict("A", "2023-02-11") == "line_not_redeemable"
    assert shop.order_at("B", "2023-02-11").points_credited == 20 + 10, "the town gives for both"


@pytest.mark.parametrize(("cents", "points"), [(1_999, 0), (2_000, 20), (2_999, 20), (3_000, 30)])
def test_the_garden_centre_gives_for_every_ten_euros_of_purchases_from_twenty_on(cents: int, points: int) -> None:
    shop = holder()
    buys(shop, "A", "2023-04-10", "garden", goods(cents))
    assert shop.kinds("2023-05-01").get("garden", 0) == points


def test_half_of_a_garden_purchase_that_comes_back_may_take_all_of_its_garden_points() -> None:
    shop = holder()
    buys(shop, "A", "2023-04-10", "garden", goods(1_500, 2))
    shop.returned("A", "2023-05-02", pieces("1"))
    assert shop.kinds("2023-05-02") == {"town": 7}, "15 euros are left"


def test_points_can_be_used_from_the_first_of_the_next_month_on() -> None:
    shop = holder()
    buys(shop, "A", "2023-01-31 23:59:59", "books", goods(1_000))
    buys(shop, "B", "2023-02-01 00:00:00", "books", goods(1_000))
    assert shop.available("2023-01-31 23:59:59", "2023-02-01 00:00:00", "2023-02-28 23:59:59", "2023-03-01") == [0, 5, 5, 10]


# -- caps


def test_a_purchase_brings_300_and_a_month_1000_of_them_400_of_the_garden_centre() -> None:
    shop = holder()
    for number in range(5):
        buys(shop, f"G{number}", f"2023-01-1{number}", "garden", goods(18_000))
    assert [shop.order_at(f"G{number}", "2023-01-20").points_credited for number in range(5)] == [270, 270, 130, 90, 90]
    buys(shop, "B", "2023-01-21", "bakery_gate", goods(10_000))
    assert shop.order_at("B", "2023-01-22").points_credited == 150, "1,000 less 850"
    buys(shop, "F", "2023-02-01", "garden", goods(30_000))
    assert shop.order_at("F", "2023-02-02").points_credited == 300, "300 of the garden, and none of the town beyond"


# -- paying


def test_each_shops_points_pay_there_only_and_before_the_towns() -> None:
    for store, left in {
        "bakery_gate": {"bakery": 40, "pharmacy": 200, "garden": 100, "town": 140},
        "pharmacy": {"bakery": 240, "garden": 100, "town": 140},
        "garden": {"bakery": 240, "pharmacy": 200, "town": 40},
    }.items():
        shop = with_all_kinds()
        buys(shop, "A", "2023-02-10", store, goods(500), points_used=200)
        assert shop.verdict("A", "2023-02-11") == "accepted"
        assert shop.kinds("2023-02-11") == left


def test_the_bookshop_takes_the_towns_alone() -> None:
    shop = with_all_kinds()
    for receipt, points in (("A", 99), ("B", 141), ("C", 140)):
        buys(shop, receipt, "2023-02-10", "books", goods(500), points_used=points)
    assert [shop.verdict(receipt, "2023-02-11") for receipt in "ABC"] == ["below_minimum", "insufficient_points", "accepted"]
    assert shop.kinds("2023-02-11") == {"bakery": 240, "pharmacy": 200, "garden": 100}


def test_a_hundred_points_of_a_shop_are_exchanged_for_fifty_of_the_town() -> None:
    shop = with_all_kinds()
    shop.converts("to_town", "2023-02-10", 500)
    assert shop.kinds("2023-02-10") == {"garden": 40, "town": 140 + 250}, "the bakery's first, then the pharmacy's"
    shop.converts("to_town", "2023-02-11", 100, "C2")
    assert shop.kinds("2023-02-12") == {"garden": 40, "town": 390}, "40 are too few"


# -- how long they last


def test_each_kind_has_a_last_day_of_its_own() -> None:
    shop = with_all_kinds()
    last = {lot.kind: str(lot.expires_on) for lot in shop.at("2023-02-02").lots}
    assert last == {"bakery": "2023-05-02", "pharmacy": "2024-02-29", "garden": "2023-10-31", "town": "2025-01-12"}


def test_bakery_points_last_90_days() -> None:
    shop = with_all_kinds()
    assert shop.kinds("2023-05-02 23:59:59")["bakery"] == 240
    assert "bakery" not in shop.kinds("2023-05-03 00:00:00")


def test_town_points_last_24_months_from_the_last_purchase_or_use() -> None:
    shop = with_all_kinds()
    buys(shop, "A", "2023-12-01", "books", goods(100))
    buys(shop, "B", "2024-06-01", "books", goods(4_100), points_used=100)
    buys(shop, "C", "2024-07-01", "books", goods(100))
    shop.cancelled("C", "2024-07-02")
    assert shop.kinds("2026-06-01 23:59:59") == {"town": 140 + 200 - 100 + 20}, "200 for three shops"
    assert shop.kinds("2026-06-02 00:00:00") == {}


# -- what comes back


def test_points_used_come_back_to_their_kinds_for_14_days_at_least() -> None:
    shop = with_all_kinds()
    buys(shop, "A", "2023-04-30", "bakery_mill", goods(400), points_used=300)
    assert shop.kinds("2023-05-01") == {"bakery": 3, "pharmacy": 200, "garden": 100, "town": 80 + 200}
    shop.returned("A", "2023-05-20")
    assert shop.kinds("2023-05-20") == {"bakery": 240, "pharmacy": 200, "garden": 100, "town": 140 + 200}
    assert shop.kinds("2023-06-03 23:59:59")["bakery"] == 240
    assert "bakery" not in shop.kinds("2023-06-04 00:00:00")


def test_a_purchase_that_comes_back_takes_the_points_of_both() -> None:
    shop = holder()
    buys(shop, "A", "2023-01-10", "pharmacy", goods(5_000, 2))
    shop.returned("A", "2023-01-20", pieces("1"))
    assert shop.kinds("2023-02-01") == {"pharmacy": 100, "town": 25}
    shop.returned("A", "2023-02-02")
    assert shop.kinds("2023-02-02") == {}


# -- three shops


def test_ten_euros_in_three_different_shops_in_a_quarter_bring_200_on_the_tenth_in_all_five_600() -> None:
    stores = ("bakery_mill", "bakery_gate", "pharmacy", "garden", "books")
    for shops, cents, points in ((2, 1_000, 0), (3, 999, 0), (3, 1_000, 200), (4, 1_000, 200), (5, 1_000, 600)):
        shop = holder()
        for number, store in enumerate(stores[:shops]):
            buys(shop, f"R{number}", f"2023-0{1 + number % 3}-15", store, goods(cents))
        before, after = (shop.one_second_before("2023-04-10 00:00:00"), shop.at("2023-04-10 00:00:00"))
        assert after.available - before.available == points


def tour() -> tuple[Shop, str]:
    """A card holder's spring, and the day on which it is looked at."""
    shop = holder()
    buys(shop, "A", "2023-01-10", "bakery_mill", goods(4_000))
    buys(shop, "B", "2023-01-15", "pharmacy", goods(2_000), goods(3_000, line_id="2", category="prescription"))
    buys(shop, "C", "2023-01-31 23:59:59", "garden", goods(25_000))
    buys(shop, "D", "2023-02-05", "bakery_gate", goods(500), points_used=150)
    shop.returned("B", "2023-02-10", pieces("1"))
    buys(shop, "E", "2023-02-11", "garden", goods(2_500))
    buys(shop, "F", "2023-03-01", "books", goods(3_000, 2))
    shop.returned("F", "2023-03-05", pieces("1"))
    shop.converts("to_town", "2023-03-10", 200)
    return shop, "2023-05-05"


def test_a_card_holders_spring() -> None:
    """A 120 + 20; B 40 + 25, of which the 20 euros take 40 and 10; C 250 + 50 of 125, for a purchase brings 300. D takes the 120
    of the bakery and 30 of the town, and brings 9 and 1 for the 3.50 that are left. E 20 + 12, F half of 30. For 100 of the town
    go the 9 of the bakery and 191 of the garden. Four shops had 10 euros in the quarter, D has 5: 200."""
    shop, at = tour()
    assert shop.kinds(at) == {"garden": 250 + 20 - 191, "town": 20 + 15 + 50 - 30 + 1 + 12 + 15 + 100 + 200}
