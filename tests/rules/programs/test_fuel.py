"""Full Tank Card: points by the litre, a step for the month's litres, at most so many a day, more at night on the motorway."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.programs.harness import Shop
from tests.rules.story import line, pieces


def driver(**attributes: str) -> Shop:
    """Somebody who registered long ago, and fills once a litre."""
    shop = Shop("fuel")
    shop.registered("2022-01-01")
    if attributes:
        shop.updated("2022-01-01 13:00:00", attributes=attributes)
    fills(shop, "old", "2022-05-01", 1_000)
    return shop


def fuel(ml: int, line_id: str = "1", **more: Any) -> dict[str, Any]:
    """A fill, one piece, of 1.50 euros a litre with tax."""
    cents = ml * 15 // 100
    net = cents * 10 // 12
    return line(net, line_id=line_id, category="fuel", measures={"ml": ml}, **more) | {"tax": cents - net}


def fills(shop: Shop, receipt: str, at: str, ml: int, store: str = "graz", **more: Any) -> None:
    shop.bought(receipt, at, fuel(ml, **more), store=store, currency="EUR")


def buys(shop: Shop, receipt: str, at: str, *lines: dict[str, Any], **data: Any) -> None:
    shop.bought(receipt, at, *lines, **{"store": "linz", "currency": "EUR", **data})


def goods(cents: int, category: str = "shop", **more: Any) -> dict[str, Any]:
    """Goods of so many cents with tax (20 % of the price without)."""
    net = cents * 10 // 12
    return line(net, category=category, line_id="2", **more) | {"tax": cents - net}


def credited(shop: Shop, receipt: str, at: str = "2023-12-30") -> int:
    return shop.order_at(receipt, at).points_credited


# -- what is collected


@pytest.mark.parametrize(
    ("ml", "more", "attributes", "points"),
    [
        (40_350, {}, {}, 40),
        (40_350, {"tags": ["premium"]}, {}, 80),
        (39_999, {}, {}, 39),
        (41_999, {"tags": ["premium"]}, {"card": "fleet"}, 20),
        (41_999, {}, {"card": "private"}, 41),
    ],
)
def test_each_full_litre_brings_its_points(ml: int, more: Any, attributes: dict[str, str], points: int) -> None:
    shop = driver(**attributes)
    fills(shop, "A", "2023-02-01", ml, **more)
    assert credited(shop, "A") == points


def test_a_wash_brings_20_and_every_two_euros_of_the_shop_one_with_tax() -> None:
    shop = driver()
    buys(shop, "A", "2023-02-01", goods(1_500, "wash") | {"line_id": "1"}, goods(799))
    assert credited(shop, "A") == 20 + 3
    for category in ("tobacco", "press", "toll"):
        buys(shop, category, "2023-02-02", goods(1_000, category))
        assert credited(shop, category) == 0


@pytest.mark.parametrize(
    ("at", "store", "points"),
    [
        ("2023-02-01 21:59:59", "rest_a1", 30),
        ("2023-02-01 22:00:00", "rest_a1", 60),
        ("2023-02-02 05:59:59", "rest_a9", 60),
        ("2023-02-02 06:00:00", "rest_a9", 30),
        ("2023-02-01 23:00:00", "graz", 30),
    ],
)
def test_fuel_counts_double_at_night_on_the_motorway(at: str, store: str, points: int) -> None:
    shop = driver()
    fills(shop, "A", at, 30_000, store)
    assert credited(shop, "A") == points


@pytest.mark.parametrize(("at", "points"), [("2023-01-31 23:30:00", 90), ("2023-02-01 00:00:00", 60)])
def test_the_first_fill_within_30_days_counts_three_times_and_not_six(at: str, points: int) -> None:
    shop = Shop("fuel")
    shop.registered("2023-01-01")
    fills(shop, "A", at, 30_000, "rest_a1")
    assert credited(shop, "A") == points


def test_a_day_brings_150_for_fuel_and_more_for_other_things() -> None:
    shop = driver()
    fills(shop, "A", "2023-02-01 09:00:00", 100_000)
    fills(shop, "B", "2023-02-01 23:59:59", 60_000)
    buys(shop, "C", "2023-02-01 10:00:00", goods(1_500, "wash"))
    fills(shop, "D", "2023-02-02 00:00:00", 60_000)
    assert [credited(shop, receipt, "2023-02-03") for receipt in "ABCD"] == [100, 50, 20, 60]


def test_a_fill_that_is_given_back_makes_room_for_the_next_of_the_day() -> None:
    shop = driver()
    fills(shop, "A", "2023-02-01 09:00:00", 100_000)
    shop.returned("A", "2023-02-01 10:00:00")
    fills(shop, "B", "2023-02-01 11:00:00", 160_000)
    assert [credited(shop, receipt, "2023-02-03") for receipt in "AB"] == [0, 150]


def test_they_can_be_used_at_once_and_lapse_with_the_next_year() -> None:
    shop = driver()
    fills(shop, "A", "2023-02-01 09:00:00", 40_000)
    assert shop.kinds("2023-02-01 09:00:00") == {"regular": 41, "stamp": 1}
    assert shop.kinds("2023-12-31")["regular"] == 41
    assert shop.kinds("2024-12-31 23:59:59")["regular"] == 40, "the one of 2022 lapsed with 2023"
    assert shop.kinds("2025-01-01 00:00:00") == {}


# -- paying, and what comes back


def test_from_500_on_in_hundreds_they_pay_in_the_shop_and_for_washes_alone() -> None:
    shop = driver()
    shop.adjusted(3_000, "2023-01-02")
    asked = {"A": (400, goods(2_000)), "B": (550, goods(2_000)), "C": (500, fuel(40_000)), "D": (600, goods(1_500, "wash"))}
    for receipt, (points, what) in asked.items():
        buys(shop, receipt, "2023-02-01", what, points_used=points)
    verdicts = [shop.verdict(receipt, "2023-02-02") for receipt in asked]
    assert verdicts == ["below_minimum", "not_a_multiple", "line_not_redeemable", "accepted"]
    assert shop.kinds("2023-02-02")["regular"] == 1 + 3_000 - 600 + 20, "what was refused collects nothing"


def test_a_wash_that_is_given_back_gives_points_back_and_takes_its_own() -> None:
    shop = driver()
    shop.adjusted(1_000, "2023-01-02")
    buys(shop, "A", "2023-02-01", goods(1_500, "wash", quantity=2), points_used=600)
    assert shop.at("2023-02-02").available == 1 + 400 + 40
    shop.returned("A", "2023-02-03", pieces("2"))
    assert shop.at("2023-02-03").available == 1 + 700 + 20, "one of two"
    shop.returned("A", "2023-02-04", pieces("2"))
    assert shop.at("2023-02-04").available == 1 + 1_000


# -- the month, and stamps


@pytest.mark.parametrize(("ml", "points"), [(99_999, 0), (100_000, 50), (199_999, 50), (200_000, 150)])
def test_the_litres_of_a_month_bring_a_step_on_the_fifth(ml: int, points: int) -> None:
    shop = driver()
    fills(shop, "A", "2023-02-01 00:00:00", ml - 50_000)
    fills(shop, "B", "2023-02-28 23:59:59", 50_000)
    before, after = shop.one_second_before("2023-03-05 00:00:00").available, shop.at("2023-03-05 00:00:00").available
    assert after - before == points


def test_a_receipt_told_late_lifts_the_month_and_a_fill_given_back_lowers_it() -> None:
    shop = driver()
    fills(shop, "A", "2023-02-10", 150_000)
    assert credited_for_month(shop, "2023-03-06") == 50
    shop.told_late("B", "2023-02-20", "2023-03-10", fuel(50_000), store="graz", currency="EUR")
    assert credited_for_month(shop, "2023-03-11") == 150
    shop.returned("A", "2023-03-12")
    assert credited_for_month(shop, "2023-03-13") == 0


def credited_for_month(shop: Shop, at: str) -> int:
    shop.at(at)
    moves = [entry for entry in shop.entries() if entry.lot is not None and "month:" in entry.lot]
    return sum(entry.points if entry.target == "available" else -entry.points for entry in moves)


def stamped(fillings: int, last_ml: int = 20_000) -> Shop:
    shop = driver()
    for number in range(1, fillings):
        fills(shop, f"F{number:02}", f"2023-02-{number:02}", 20_000)
    fills(shop, f"F{fillings:02}", f"2023-02-{fillings:02}", last_ml)
    return shop


def test_ten_fills_of_twenty_litres_are_a_wash_within_60_days() -> None:
    assert stamped(10, 19_999).vouchers("2023-02-20") == {}
    shop = stamped(10)
    assert shop.vouchers("2023-02-10") == {"wash:1": "open"}
    assert "stamp" not in shop.kinds("2023-02-10")
    (voucher,) = shop.at("2023-02-11").vouchers
    assert (voucher.item, str(voucher.expires_on)) == ("wash", "2023-04-11")
    assert shop.vouchers("2023-04-12 00:00:00") == {"wash:1": "lapsed"}


def test_stamps_pay_for_nothing_else_and_last_a_year() -> None:
    shop = stamped(9)
    assert shop.kinds("2023-02-10") == {"regular": 181, "stamp": 9}
    shop.adjusted(310, "2023-02-10 13:00:00")
    buys(shop, "X", "2023-02-11", goods(2_000), points_used=500)
    assert shop.verdict("X", "2023-02-12") == "insufficient_points", "491 and nine stamps"
    assert shop.kinds("2024-02-01")["stamp"] == 9
    assert shop.kinds("2024-02-02")["stamp"] == 8


def test_a_fill_that_is_given_back_takes_its_stamp_and_the_wash_with_it() -> None:
    shop = stamped(10)
    shop.returned("F10", "2023-02-12")
    assert shop.vouchers("2023-02-12") == {"wash:1": "withdrawn"}
    assert shop.kinds("2023-02-12")["stamp"] == 9
    fills(shop, "F11", "2023-02-13", 25_000)
    assert "open" in shop.vouchers("2023-02-13").values()


def test_a_wash_that_was_used_stays_and_the_stamp_is_owed() -> None:
    shop = stamped(10)
    shop.voucher("used", "wash:1", "2023-02-11")
    shop.returned("F10", "2023-02-12")
    assert shop.vouchers("2023-02-12") == {"wash:1": "used"}


def tour() -> tuple[Shop, str]:
    """A driver's spring, and the day on which it is looked at."""
    shop = Shop("fuel")
    shop.registered("2023-01-01")
    shop.updated("2023-03-10", attributes={"card": "fleet"})
    fills(shop, "A", "2023-01-05", 45_500, tags=["premium"])
    fills(shop, "B", "2023-01-20 22:30:00", 60_000, "rest_a9")
    fills(shop, "C", "2023-01-20 23:30:00", 55_000, "rest_a1")
    buys(shop, "D", "2023-02-02", goods(1_500, "wash"), points_used=0)
    fills(shop, "E", "2023-02-10", 130_000)
    shop.returned("E", "2023-02-11")
    fills(shop, "F", "2023-03-15", 81_000)
    buys(shop, "G", "2023-03-16", goods(900), points_used=500)
    return shop, "2023-04-10"


def test_a_drivers_spring() -> None:
    """A 45 premium litres x 2 x 3 (the first fill) = 270, cut to 150 a day; B 60 x 2 at night = 120; C has room for 30 of 110
    that day; D a wash; E came back; F as a fleet card 40. January has 160.5 litres and brings 50, the others nothing. G pays 5
    euros with 500 points of 410, so it is refused. Stamps of A, B, C and F."""
    shop, at = tour()
    assert [order.points_credited for order in shop.at(at).orders] == [150, 120, 30, 20, 0, 40, 0]
    assert shop.kinds(at) == {"regular": 150 + 120 + 30 + 20 + 40 + 50, "stamp": 4}
    assert shop.verdict("G", at) == "insufficient_points"
