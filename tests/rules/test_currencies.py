"""Orders in other currencies, and shops that count in other currencies than the yen: what amounts and points are worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.rules.story import Story, line, verdict

DOLLARS = {"currency": "USD", "point_value": "0.01", "zone": "America/New_York"}


def shop(points: int, set_: Mapping[str, Any]) -> Story:
    """The shop with other choices, and its member with so many points."""
    story = Story("shop", set_)
    story.registered("2024-02-01")
    story.adjusted(points, "2024-02-01")
    return story


def rates(**of: str) -> dict[str, Any]:
    """Rates of exchange since the beginning of 2024."""
    return {"earning.exchange": {"rule": "SHO-02", "rates": {code: {"2024-01-01": rate} for code, rate in of.items()}}}


# -- digits


@pytest.mark.parametrize(
    ("currency", "amount", "rate", "points"),
    [
        ("KWD", 10_500, "490", 51),  # 10.500 dinars are 5,145 yen
        ("VND", 500_000, "0.006", 30),  # 3,000 yen
        ("KRW", 50_000, "0.11", 55),  # 5,500 yen
        ("USD", 10_00, "150", 15),  # 1,500 yen
        ("CLF", 1_0000, "5500", 55),  # 5,500 yen
    ],
)
def test_an_amount_has_the_digits_of_its_currency(currency: str, amount: int, rate: str, points: int) -> None:
    story = shop(0, rates(**{currency: rate}))
    story.order("A", "2024-02-03", line(amount, tax=0), currency=currency)
    assert story.order_at("A", "2024-02-04").points_credited == points


def test_a_shop_in_dollars_converts_from_the_yen() -> None:
    story = shop(0, {**DOLLARS, **rates(JPY="0.0067")})
    story.order("A", "2024-02-03", line(10_000, tax=0), currency="JPY")
    assert story.order_at("A", "2024-02-04").points_credited == 67, "1 % of 67 dollars, which are 6,700 cents"


def test_a_shop_may_send_amounts_in_other_digits_than_the_standard_has() -> None:
    told = rates(HUF="0.4")
    told["earning.exchange"]["minor_units"] = {"HUF": 0}
    story = shop(0, told)
    story.order("A", "2024-02-03", line(25_000, tax=0), currency="HUF")
    assert story.order_at("A", "2024-02-04").points_credited == 100


# -- what a point pays


def test_a_point_pays_what_the_terms_say_in_the_currency_not_in_its_minor_unit() -> None:
    story = shop(6_000, DOLLARS)
    story.order("A", "2024-02-03", line(2_000, tax=0), currency="USD", points_used=5_000)
    assert verdict(story) == "exceeds_payable", "5,000 points are 50 dollars, the order costs 20"
    story.order("B", "2024-02-04", line(2_000, tax=0), currency="USD", use_all_points=True)
    assert story.order_at("B", "2024-02-05").points_used == 2_000
    assert story.at("2024-02-05").available == 4_000 + story.order_at("B", "2024-02-05").points_credited


@pytest.mark.parametrize(("currency", "amount", "most"), [("USD", 2_000, 2_000), ("KWD", 10_500, 1_050), ("JPY", 1_000, 100_000)])
def test_a_hundredth_of_the_currency_is_so_in_every_currency(currency: str, amount: int, most: int) -> None:
    story = shop(200_000, {"currency": currency, "point_value": "0.01"})
    story.order("A", "2024-02-03", line(amount, tax=0), currency=currency, use_all_points=True)
    assert story.order_at("A", "2024-02-04").points_used == most


def test_what_points_paid_earns_nothing_in_a_shop_in_dollars() -> None:
    story = shop(1_000, {**DOLLARS, "earning.points_used": "net"})
    story.order("A", "2024-02-03", line(3_000, tax=0), currency="USD", points_used=1_000)
    assert story.order_at("A", "2024-02-04").points_credited == 20, "1 % of the 20 dollars paid in money"
