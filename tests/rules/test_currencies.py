"""Orders in other currencies, and shops that count in other currencies than the yen: what amounts and points are worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.rules.story import Story, line, pieces, verdict

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


# -- points on cheap goods and a dear shipping fee


@pytest.mark.parametrize(
    ("set_", "currency", "points", "back"),
    [
        ({**DOLLARS, **rates(EUR="1.10")}, "EUR", 1_500, 55),  # a piece costs 50 cents, which are 55 points
        ({**DOLLARS}, "USD", 1_500, 50),
        (rates(USD="150"), "USD", 1_500, 75),
        ({"currency": "KWD", "point_value": "0.01"}, "KWD", 150, 5),
    ],
)
def test_goods_carry_no_more_points_than_pay_their_price(set_: Mapping[str, Any], currency: str, points: int, back: int) -> None:
    story = shop(points, {**set_, "earning.components.0.rates": [{"rate": "0"}]})
    story.order("A", "2024-02-03", line(50, 2, tax=0, line_id="1"), currency=currency, shipping_fee=2_000, points_used=points)
    story.shipped("A", "2024-02-04")
    story.returned("A", "2024-02-10", pieces("1"))
    assert story.at("2024-02-10").available == back
    story.returned("A", "2024-02-11", pieces("1"))
    assert story.at("2024-02-11").available == points, "nothing is kept, so all of it comes back"


def test_what_goods_in_another_currency_carry_is_forfeited_and_no_more() -> None:
    story = shop(1_500, {**rates(USD="150"), "reversal.used_points": [{"rule": "SHO-06", "outcome": "forfeited"}]})
    story.order("A", "2024-02-03", line(50, 2, tax=0, line_id="1"), currency="USD", shipping_fee=2_000, points_used=1_500)
    story.cancelled("A", "2024-02-04", pieces("1"))
    assert story.order_at("A", "2024-02-05").points_forfeited == 75


# -- points worth a fraction of a minor unit


def _most(story: Story, currency: str, amount: int) -> int:
    """How many points an order that uses all of them pays with."""
    story.order("all", "2024-02-03", line(amount, tax=0), currency=currency, use_all_points=True)
    used = story.order_at("all", "2024-02-03").points_used
    story.cancelled("all", "2024-02-04")
    return used


@pytest.mark.parametrize("ceiling", ["payable", "goods", "below_payable"])
@pytest.mark.parametrize(
    ("rate", "value", "amount"),
    [("150", "1", 1_005), ("149.99", "1", 1_005), ("7", "3", 1_001), ("1.1", "0.7", 33), ("990", "1", 1), ("0.3", "1", 7)],
)
def test_all_points_are_the_largest_number_that_is_accepted(rate: str, value: str, amount: int, ceiling: str) -> None:
    terms = {**rates(USD=rate), "point_value": value, "redemption.ceiling": ceiling}
    story = shop(100_000, {**terms, "earning.components.0.rates": [{"rate": "0"}]})
    most = _most(story, "USD", amount)
    if most:
        story.order("most", "2024-02-05", line(amount, tax=0), currency="USD", points_used=most)
        assert verdict(story, "most") == "accepted"
        story.cancelled("most", "2024-02-06")
    story.order("more", "2024-02-07", line(amount, tax=0), currency="USD", points_used=most + 1)
    assert verdict(story, "more") == "exceeds_payable"


def test_half_a_yen_more_than_the_order_costs_is_too_much() -> None:
    story = shop(2_000, rates(USD="150"))
    story.order("A", "2024-02-03", line(905, tax=100), currency="USD", points_used=1_508)
    assert verdict(story) == "exceeds_payable", "10.05 dollars are 1,507.5 yen"


def test_a_line_that_points_may_not_pay_is_spared_to_the_last_fraction() -> None:
    terms = {**rates(USD="150"), "redemption.not_redeemable": {"rule": "SHO-05", "categories": ["voucher"]}}
    for points, reason in ((1_507, "accepted"), (1_508, "line_not_redeemable")):
        story = shop(2_000, terms)
        lines = line(905, tax=100, line_id="1"), line(1_000, tax=0, line_id="2", category="voucher")
        story.order("A", "2024-02-03", *lines, currency="USD", points_used=points)
        assert verdict(story) == reason
