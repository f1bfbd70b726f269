"""Puppy: ten points for every hundred yen, once paid for and shipped; the balance lives a year after its last change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.rules.story import Story, line, pieces

Tell = Callable[[Story], object]

TWENTY = {"points": 20, "per": 100}


def joined(story: Story | None = None, at: str = "2024-01-05") -> Story:
    """A member who registered."""
    story = story or Story("puppy")
    story.registered(at)
    return story


def bought(story: Story | None = None, **data: Any) -> Story:
    """A member who bought goods of 10,000 yen, paid on 2 March and sent on 3 March: 1,000 points on 5 March."""
    story = joined(story)
    story.order("A", "2024-03-01", line(10_000), **data)
    story.paid("A", "2024-03-02")
    story.shipped("A", "2024-03-03")
    return story


# -- earning


def test_pup_01_purchases_earn_from_ten_o_clock_of_the_first_day() -> None:
    story = joined(at="2010-08-01")
    story.order("early", "2010-09-01 09:59:59", line(1_000))
    story.order("on_time", "2010-09-01 10:00:00", line(1_000))
    for order in ("early", "on_time"):
        story.paid(order, "2010-09-02")
        story.shipped(order, "2010-09-02")
    assert story.order_at("early", "2010-09-10").points_credited == 0
    assert story.order_at("on_time", "2010-09-10").points_credited == 100


def test_pup_02_the_base_is_the_goods_without_tax_and_shipping() -> None:
    assert bought(shipping_fee=800, other_fees=330).at("2024-03-05").available == 1_000


def test_pup_03_points_are_usable_three_days_after_payment() -> None:
    story = bought()
    assert story.one_second_before("2024-03-05 00:00:00").available == 0
    assert story.at("2024-03-05 00:00:00").available == 1_000


def test_pup_04_cash_on_delivery_counts_from_receipt_of_the_money() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(10_000), payment_method="cod")
    story.shipped("A", "2024-03-03")
    story.paid("A", "2024-03-08")
    assert story.at("2024-03-10 23:59:59").available == 0
    assert story.at("2024-03-11 00:00:00").available == 1_000


@pytest.mark.parametrize(("goods", "points"), [(99, 0), (100, 10), (199, 10), (200, 20), (12_345, 1_230)])
def test_pup_05_ten_points_for_every_full_hundred_yen(goods: int, points: int) -> None:
    story = joined()
    story.order("A", "2024-03-01", line(goods))
    story.paid("A", "2024-03-01")
    story.shipped("A", "2024-03-01")
    assert story.at("2024-03-05").available == points


def test_pup_06_a_point_pays_one_yen() -> None:
    story = bought()
    story.order("B", "2024-04-01", line(500, tax=50), points_used=550)
    assert story.order_at("B", "2024-04-01").points_used == 550


USD = {"earning.exchange.rates": {"USD": {"2024-01-01": "140.00", "2024-03-01": "150.50"}}}


def test_pup_07_foreign_currency_earns_at_the_rate_of_the_order_date() -> None:
    story = joined(Story("puppy", USD))
    for order, day in (("feb", "2024-02-29"), ("mar", "2024-03-01")):
        story.order(order, day, line(3_333, tax=0), currency="USD")
        story.paid(order, "2024-03-10")
        story.shipped(order, "2024-03-10")
    # 33.33 dollars: 4,666 yen at 140.00, 5,016 yen at 150.50.
    assert story.order_at("feb", "2024-03-20").points_credited == 460
    assert story.order_at("mar", "2024-03-20").points_credited == 500


def test_pup_07_points_used_are_taken_off_in_yen() -> None:
    story = joined(Story("puppy", USD))
    story.adjusted(1_000, "2024-01-10")
    story.order("A", "2024-03-01", line(3_333, tax=0), currency="USD", points_used=900)
    story.paid("A", "2024-03-01")
    story.shipped("A", "2024-03-01")
    # 5,016 yen less 900 points.
    assert story.order_at("A", "2024-03-20").points_credited == 410


def test_pup_07_a_currency_without_a_rate_earns_nothing_and_says_so() -> None:
    story = bought(currency="EUR")
    assert story.at("2024-03-05").available == 0
    assert story.findings("2024-03-05") == ["no_exchange_rate"]


def test_pup_08_a_new_rate_holds_for_orders_from_its_date() -> None:
    changed = {"effective_from": "2024-03-02T00:00:00+09:00", "set": {"earning.components.purchase.rates.0.rate": TWENTY}}
    story = joined(Story("puppy", {"amendments": [changed]}))
    for order, at in (("old", "2024-03-01 23:59:59"), ("new", "2024-03-02 00:00:00")):
        story.order(order, at, line(1_000))
        story.paid(order, "2024-03-03")
        story.shipped(order, "2024-03-03")
    assert story.order_at("old", "2024-03-10").points_credited == 100
    assert story.order_at("new", "2024-03-10").points_credited == 200


# -- paying with points


def test_pup_09_any_number_of_points_or_all_of_them() -> None:
    story = bought()
    story.order("one", "2024-04-01", line(500), points_used=1)
    story.order("rest", "2024-04-02", line(5_000), use_all_points=True)
    assert story.order_at("one", "2024-04-03").points_used == 1
    assert story.order_at("rest", "2024-04-03").points_used == 999


def test_pup_09_points_pay_on_the_web_only() -> None:
    story = bought()
    story.order("phone", "2024-04-01", line(500), points_used=1, channel="phone")
    told = story.order_at("phone", "2024-04-02").redemption
    assert told is not None
    assert (told.decision, told.reason) == ("rejected", "channel_not_eligible")


def test_pup_10_points_pay_at_most_the_total() -> None:
    story = bought()
    story.order("B", "2024-04-01", line(500, tax=50), shipping_fee=100, points_used=651)
    story.order("C", "2024-04-01", line(500, tax=50), shipping_fee=100, use_all_points=True)
    verdict = story.order_at("B", "2024-04-02").redemption
    assert verdict is not None
    assert (verdict.decision, verdict.reason) == ("rejected", "exceeds_payable")
    assert story.order_at("C", "2024-04-02").points_used == 650


def test_pup_11_points_leave_the_balance_with_the_order() -> None:
    story = bought()
    story.order("B", "2024-04-01 12:00:00", line(5_000), points_used=300)
    assert story.one_second_before("2024-04-01 12:00:00").available == 1_000
    now = story.at("2024-04-01 12:00:00")
    assert (now.available, now.reserved, [entry.target for entry in story.entries()][-1]) == (700, 0, "spent")


def test_pup_12_a_purchase_paid_with_points_alone_is_allowed_and_earns_nothing() -> None:
    story = bought()
    story.order("B", "2024-04-01", line(500, tax=50), points_used=550, payment_method="points")
    story.paid("B", "2024-04-01")
    story.shipped("B", "2024-04-01")
    assert story.order_at("B", "2024-05-01").points_used == 550
    assert story.order_at("B", "2024-05-01").points_credited == 0


def test_pup_13_points_are_added_when_the_order_has_shipped() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(10_000))
    story.paid("A", "2024-03-01")
    story.shipped("A", "2024-03-20 15:00:00")
    assert story.one_second_before("2024-03-20 15:00:00").available == 0
    assert story.at("2024-03-20 15:00:00").available == 1_000


def test_pup_14_a_partly_shipped_order_waits_for_its_last_goods() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(10_000), line(5_000))
    story.paid("A", "2024-03-01")
    story.shipped("A", "2024-03-10", pieces("1"))
    story.shipped("A", "2024-03-20", pieces("2"))
    assert story.at("2024-03-19").available == 0
    assert story.at("2024-03-20").available == 1_500


def test_pup_14_cancelling_what_is_left_completes_the_order() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(10_000), line(5_000))
    story.paid("A", "2024-03-01")
    story.shipped("A", "2024-03-10", pieces("1"))
    story.cancelled("A", "2024-03-15", pieces("2"), reason="out_of_stock")
    assert story.at("2024-03-15").available == 1_000


def test_pup_15_shipping_earns_nothing() -> None:
    assert bought(shipping_fee=50_000).at("2024-03-05").available == bought().at("2024-03-05").available


def test_pup_16_tax_earns_nothing() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(999, tax=99))
    story.paid("A", "2024-03-01")
    story.shipped("A", "2024-03-01")
    assert story.at("2024-03-05").available == 90


def test_pup_17_discounted_goods_earn_on_the_price_charged() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(10_000, discount=3_000, list_price=12_000, category="sale", tags=["sale"]))
    story.paid("A", "2024-03-01")
    story.shipped("A", "2024-03-01")
    assert story.at("2024-03-05").available == 700


def test_pup_18_points_used_reduce_what_earns() -> None:
    story = bought()
    story.order("B", "2024-04-01", line(2_000), points_used=950)
    story.paid("B", "2024-04-01")
    story.shipped("B", "2024-04-01")
    assert story.order_at("B", "2024-04-10").points_credited == 100


def test_pup_19_points_pay_for_any_product() -> None:
    story = bought()
    story.order("B", "2024-04-01", line(900, category="voucher"), points_used=900)
    assert story.order_at("B", "2024-04-01").points_used == 900


def test_pup_20_points_pay_for_sale_goods() -> None:
    story = bought()
    story.order("B", "2024-04-01", line(900, category="sale"), points_used=900)
    assert story.order_at("B", "2024-04-01").points_used == 900


def test_pup_21_only_members_earn_and_redeem() -> None:
    story = Story("puppy")
    story.order("A", "2024-03-01", line(10_000))
    story.paid("A", "2024-03-01")
    story.shipped("A", "2024-03-01")
    story.adjusted(500, "2024-03-01")
    story.order("B", "2024-04-01", line(900), points_used=100)
    assert story.order_at("A", "2024-04-01").points_credited == 0
    verdict = story.order_at("B", "2024-04-01").redemption
    assert verdict is not None
    assert verdict.reason == "not_a_member"


def test_pup_22_points_arise_from_web_purchases_or_with_the_shop_s_consent() -> None:
    assert bought(channel="phone").at("2024-03-05").available == 0
    story = joined()
    story.tell("activity.completed", "2024-03-01", member_id="M1", activity="photo_contest", reference="P1", points=70)
    story.adjusted(30, "2024-03-01")
    assert story.at("2024-03-01").available == 100
    assert story.rules("earn") | story.rules("adjust") == {"PUP-22"}


# -- coming back


def test_pup_24_points_used_on_cancelled_goods_are_lost_line_by_line() -> None:
    story = bought()
    story.order("B", "2024-04-01", line(3_000), line(1_000), points_used=400)
    story.cancelled("B", "2024-04-02", pieces("1"))
    assert story.order_at("B", "2024-04-02").points_forfeited == 300
    story.returned("B", "2024-04-03")
    statement = story.at("2024-04-03")
    assert (statement.available, statement.forfeited_total) == (600, 400)
    assert story.rules("forfeit") == {"PUP-24"}


def test_pup_25_the_whole_balance_lapses_a_year_after_its_last_change() -> None:
    story = bought()
    story.adjusted(50, "2024-06-10")
    assert story.one_second_before("2025-06-11 00:00:00").available == 1_050
    statement = story.at("2025-06-11 00:00:00")
    assert (statement.available, statement.lapsed_total) == (0, 1_050)
    assert story.rules("lapse") == {"PUP-25"}


def test_pup_25_using_points_prolongs_the_balance() -> None:
    story = bought()
    story.order("B", "2025-03-05 23:59:59", line(5_000), points_used=100)
    assert story.at("2026-03-05").available == 900
    assert story.at("2026-03-06 00:00:00").available == 0


def test_pup_25_an_order_without_points_and_a_revocation_prolong_nothing() -> None:
    story = bought()
    story.order("B", "2024-09-01", line(5_000))
    story.cancelled("B", "2024-09-02")
    story.returned("A", "2024-09-03", pieces("1"))
    story.adjusted(100, "2024-02-01")
    assert story.at("2025-03-06 00:00:00").available == 0


def test_pup_26_goods_cancelled_before_the_credit_earn_nothing() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(10_000), line(5_000))
    story.paid("A", "2024-03-01")
    story.cancelled("A", "2024-03-02", pieces("1"))
    story.shipped("A", "2024-03-05")
    assert story.at("2024-03-06").available == 500
    assert story.at("2024-03-06").revoked_total == 0


def test_pup_26_points_of_returned_goods_are_revoked_below_zero_if_need_be() -> None:
    story = bought()
    story.order("B", "2024-04-01", line(5_000), points_used=900)
    story.returned("A", "2024-04-10")
    statement = story.at("2024-04-10")
    assert (statement.available, statement.revoked_total) == (-900, 1_000)
    assert story.rules("revoke") == {"PUP-26"}
