"""Ansage: 1 % of one-off purchases, the class's rate of subscription deliveries, after points; rewards ride along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contracts.statement import RequestOut
from tests.rules.story import Story, line, pieces
from worker.programs.terms_file import TermsError, load, shipped

Tell = Callable[[Story], object]

# Monday 2024-07-08 to Friday 2024-07-12 are workdays; Monday 2024-07-15 is a holiday.


def joined(points: int = 0, story: Story | None = None) -> Story:
    """A member who registered on the site, with so many points."""
    story = story or Story("ansage")
    story.registered("2023-01-05", channel="web")
    if points:
        story.adjusted(points, "2023-01-06")
    return story


def bought(story: Story, order_id: str, at: str, *lines: Any, **data: Any) -> None:
    """An order that ships on its own day."""
    story.order(order_id, at, *lines, **data)
    story.shipped(order_id, at)


def reward(story: Story, request_id: str, at: str, sku: str = "CUTTING_BOARD", quantity: int = 1) -> None:
    """A reward item is asked for."""
    story.tell("reward.requested", at, member_id="M1", request_id=request_id, reward_sku=sku, quantity=quantity)


def set_points(story: Story, request_id: str, at: str, points: int, **target: str) -> None:
    """Points are set on My Page."""
    story.tell("subscription.points-set", at, member_id="M1", request_id=request_id, points=points, **target)


def request(story: Story, request_id: str, at: str) -> RequestOut:
    """One request in the member's statement."""
    return next(each for each in story.at(at).requests if each.request_id == request_id)


def verdict(story: Story, order_id: str, at: str) -> tuple[str, str | None]:
    """What was decided about the points of an order."""
    redemption = story.order_at(order_id, at).redemption
    assert redemption is not None
    return redemption.decision, redemption.reason


def tried(points: int, *, fee: int = 0, **payment: str) -> tuple[str, str | None]:
    """What is decided about points on an order of 1,100 yen with tax."""
    story = joined(5_000)
    story.order("A", "2024-07-01", line(1_000), points_used=points, shipping_fee=fee, **payment)
    return verdict(story, "A", "2024-07-01")


# -- class and rate


def test_ans_01_the_class_follows_the_purchases_of_the_past_year() -> None:
    story = joined()
    bought(story, "A", "2023-03-10", line(30_000, tax=0))
    assert story.at("2023-03-10").tier == "silver"
    assert story.one_second_before("2024-03-10 00:00:00").tier == "silver"
    assert story.at("2024-03-10 00:00:00").tier == "regular"


def test_ans_01_the_order_itself_does_not_count_for_its_own_class() -> None:
    story = joined()
    bought(story, "A", "2023-03-10", line(60_000, tax=0), course="subscription")
    bought(story, "B", "2023-04-10", line(10_000, tax=0), course="subscription")
    assert story.order_at("A", "2023-05-01").points_credited == 1_800
    assert story.order_at("B", "2023-05-01").points_credited == 500


@pytest.mark.parametrize(("spent", "points"), [(29_999, 300), (30_000, 400), (59_999, 400), (60_000, 500)])
def test_ans_02_a_subscription_delivery_earns_the_rate_of_the_class(spent: int, points: int) -> None:
    story = joined()
    bought(story, "A", "2023-03-10", line(spent, tax=0))
    bought(story, "B", "2023-04-10", line(10_000, tax=0), course="subscription")
    assert story.order_at("B", "2023-05-01").points_credited == points


def test_ans_02_no_rate_of_the_table_may_be_above_five_percent() -> None:
    with pytest.raises(TermsError, match=r"earning\.components\.1.*above the published maximum of 0\.05"):
        load(shipped()["ansage"], {"earning.components.subscription.rates.0.rate": "0.0501"})


def test_ans_03_a_one_off_purchase_earns_one_percent_whatever_the_class() -> None:
    story = joined()
    bought(story, "A", "2023-03-10", line(90_000, tax=0))
    bought(story, "B", "2023-04-10", line(9_000))
    assert story.order_at("B", "2023-05-01").points_credited == 99


def test_ans_04_points_pay_one_yen_each_in_the_online_shop_only() -> None:
    assert tried(500) == ("accepted", None)
    assert tried(500, channel="phone") == ("rejected", "channel_not_eligible")
    assert tried(500, store="elsewhere") == ("rejected", "store_not_eligible")


def test_ans_05_registering_with_the_purchase_makes_it_earn() -> None:
    story = Story("ansage")
    story.registered("2024-07-01 10:00:00")
    bought(story, "A", "2024-07-01 10:00:00", line(10_000))
    assert story.at("2024-07-02").available == 110


def test_ans_06_members_who_registered_elsewhere_are_outside() -> None:
    story = Story("ansage")
    story.registered("2024-06-01", channel="phone")
    story.adjusted(500, "2024-06-01")
    bought(story, "A", "2024-07-01", line(10_000))
    story.order("B", "2024-07-02", line(10_000), points_used=100)
    assert story.order_at("A", "2024-07-02").points_credited == 0
    assert verdict(story, "B", "2024-07-02") == ("rejected", "not_a_member")


@pytest.mark.parametrize("channel", ["web", None])
def test_ans_06_who_registers_on_the_web_later_takes_part_from_then_on(channel: str | None) -> None:
    story = Story("ansage")
    story.registered("2024-06-01", channel="phone")
    bought(story, "A", "2024-07-01", line(5_000))
    story.registered("2024-07-10", channel=channel)
    bought(story, "B", "2024-07-11", line(5_000))
    story.registered("2024-07-12", channel="phone")
    bought(story, "C", "2024-07-13", line(5_000))
    credited = [story.order_at(name, "2024-07-20").points_credited for name in "ABC"]
    assert credited == [0, 55, 55]


def test_ans_07_a_purchase_before_registering_earns_nothing_afterwards() -> None:
    story = Story("ansage")
    story.order("A", "2024-07-01", line(10_000))
    story.registered("2024-07-01 12:00:01")
    story.shipped("A", "2024-07-02")
    assert story.at("2024-07-03").available == 0


# -- paying


def test_ans_08_points_never_exceed_the_price() -> None:
    assert tried(1_100, fee=0, payment_method="cod") == ("accepted", None)
    assert tried(1_101, fee=0, payment_method="cod") == ("rejected", "exceeds_payable")
    assert tried(1_600, fee=500, payment_method="cod") == ("accepted", None)


@pytest.mark.parametrize(("points", "expected"), [(1_000, None), (1_001, "remaining_below_payment_minimum")])
def test_ans_09_a_credit_card_must_be_left_100_yen(points: int, expected: str | None) -> None:
    assert tried(points, card_brand="visa")[1] == expected


@pytest.mark.parametrize(("points", "expected"), [(900, None), (901, "remaining_below_payment_minimum")])
@pytest.mark.parametrize("brand", ["jcb", "JCB", "Jcb", "ＪＣＢ"])
def test_ans_10_a_jcb_card_must_be_left_200_yen(points: int, expected: str | None, brand: str) -> None:
    assert tried(points, card_brand=brand)[1] == expected


@pytest.mark.parametrize(("points", "expected"), [(1_099, None), (1_100, "full_redemption_payment_method")])
def test_ans_11_deferred_payment_must_be_left_one_yen(points: int, expected: str | None) -> None:
    assert tried(points, payment_method="np_deferred")[1] == expected


@pytest.mark.parametrize("method", ["credit_card", "bank_transfer", "np_deferred", "points"])
def test_ans_12_paying_everything_with_points_needs_cash_on_delivery(method: str) -> None:
    assert tried(1_100, payment_method=method) == ("rejected", "full_redemption_payment_method")
    assert tried(1_100, payment_method="cod") == ("accepted", None)
    assert tried(1_100, payment_method="ＣＯＤ") == ("accepted", None)


def test_ans_17_one_point_is_enough_at_checkout() -> None:
    assert tried(1) == ("accepted", None)
    assert tried(5_001, fee=50_000) == ("rejected", "insufficient_points")


# -- reward items


def test_ans_13_items_cost_700_and_800_points_taken_when_asked_for() -> None:
    story = joined(2_300)
    reward(story, "board", "2024-07-01")
    reward(story, "pouch", "2024-07-01", "ILLUST_POUCH", 2)
    reward(story, "toy", "2024-07-01", "TOY")
    reward(story, "more", "2024-07-01")
    statement = story.at("2024-07-01")
    assert statement.available == 0
    assert [(each.request_id, each.decision, each.points, each.reason) for each in statement.requests] == [
        ("board", "accepted", 700, None),
        ("more", "rejected", 700, "insufficient_points"),
        ("pouch", "accepted", 1_600, None),
        ("toy", "rejected", 0, "reward_not_offered"),
    ]
    assert story.rules("redeem") == {"ANS-13"}


def test_ans_13_only_members_ask_for_items() -> None:
    story = Story("ansage")
    story.adjusted(1_000, "2024-07-01")
    reward(story, "board", "2024-07-02")
    assert request(story, "board", "2024-07-02").reason == "not_a_member"


def test_ans_14_an_item_rides_with_the_next_delivery_of_either_course() -> None:
    story = joined(2_000)
    story.order("later", "2024-07-01", line(1_000), planned_ship_date="2024-07-19", course="subscription")
    story.order("sooner", "2024-07-01", line(1_000), planned_ship_date="2024-07-12")
    reward(story, "board", "2024-07-02")
    assert request(story, "board", "2024-07-02").ships_with == "sooner"


def test_ans_14_without_a_delivery_an_item_waits_for_one() -> None:
    story = joined(2_000)
    reward(story, "board", "2024-07-02")
    assert request(story, "board", "2024-07-02").ships_with is None
    story.order("A", "2024-07-05", line(1_000), planned_ship_date="2024-07-05")
    assert request(story, "board", "2024-07-05").ships_with == "A"
    story.shipped("A", "2024-07-05")
    story.order("B", "2024-07-06", line(1_000), planned_ship_date="2024-07-20")
    assert request(story, "board", "2024-07-06").ships_with == "A"


def test_ans_14_a_new_plan_may_find_another_delivery() -> None:
    story = joined(2_000)
    story.order("A", "2024-07-01", line(1_000), planned_ship_date="2024-07-12")
    story.order("B", "2024-07-01", line(1_000), planned_ship_date="2024-07-19")
    reward(story, "board", "2024-07-05")
    story.tell("order.rescheduled", "2024-07-06", order_id="A", planned_ship_date="2024-07-26")
    assert request(story, "board", "2024-07-06").ships_with == "B"


def test_ans_15_a_returned_delivery_does_not_bring_the_points_back() -> None:
    story = joined(1_000)
    story.order("A", "2024-07-01", line(1_000), planned_ship_date="2024-07-12")
    reward(story, "board", "2024-07-02")
    story.shipped("A", "2024-07-12")
    story.returned("A", "2024-07-20")
    assert story.at("2024-09-01").available == 300


def test_ans_15_an_item_of_a_cancelled_delivery_rides_with_the_next_one() -> None:
    story = joined(1_000)
    story.order("A", "2024-07-01", line(1_000), planned_ship_date="2024-07-12")
    reward(story, "board", "2024-07-02")
    story.cancelled("A", "2024-07-03")
    assert request(story, "board", "2024-07-03").ships_with is None
    story.order("B", "2024-07-04", line(1_000), planned_ship_date="2024-07-19")
    statement = story.at("2024-07-04")
    assert (statement.available, statement.requests[0].ships_with) == (300, "B")


def test_ans_16_an_item_is_asked_for_by_the_second_business_day_before_the_shipment() -> None:
    # Planned for Wednesday the 17th; Monday the 15th is a holiday: the 16th and the 12th are the business days before.
    story = joined(2_000)
    story.order("A", "2024-07-01", line(1_000), planned_ship_date="2024-07-17")
    story.order("B", "2024-07-01", line(1_000), planned_ship_date="2024-07-31")
    reward(story, "in_time", "2024-07-12 23:59:59")
    reward(story, "late", "2024-07-13 00:00:00")
    assert request(story, "in_time", "2024-07-13").ships_with == "A"
    assert request(story, "late", "2024-07-13").ships_with == "B"


def test_ans_16_a_late_request_that_arrives_before_an_earlier_one_changes_nothing() -> None:
    story = joined(1_000)
    story.order("A", "2024-07-01", line(1_000), planned_ship_date="2024-07-17")
    reward(story, "second", "2024-07-12")
    reward(story, "first", "2024-07-10")
    assert request(story, "second", "2024-07-13").decision == "accepted"
    assert request(story, "first", "2024-07-13").reason == "insufficient_points"


# -- earning, and coming back


def test_ans_19_points_are_there_once_the_goods_have_shipped() -> None:
    story = joined()
    story.order("A", "2024-07-01", line(10_000))
    story.shipped("A", "2024-07-05 09:00:00")
    assert story.one_second_before("2024-07-05 09:00:00").available == 0
    assert story.at("2024-07-05 09:00:00").available == 110


def test_ans_19_shipments_of_one_order_are_rounded_together() -> None:
    story = joined()
    story.order("A", "2024-07-01", line(150, tax=0), line(150, tax=0))
    story.shipped("A", "2024-07-05", pieces("1"))
    story.shipped("A", "2024-07-06", pieces("2"))
    assert [story.at(f"2024-07-0{day}").available for day in (5, 6)] == [1, 3]


def test_ans_20_shipping_earns_nothing() -> None:
    story = joined()
    bought(story, "A", "2024-07-01", line(1_000), shipping_fee=30_000)
    assert (story.at("2024-07-01").available, story.at("2024-07-01").tier) == (11, "regular")


def test_ans_21_points_follow_the_amount_after_the_discount() -> None:
    story = joined(1_000)
    bought(story, "A", "2024-07-01", line(2_000), points_used=1_000)
    assert story.order_at("A", "2024-07-01").points_credited == 12


def test_ans_24_points_of_returned_goods_are_taken_away_line_by_line() -> None:
    story = joined()
    story.order("A", "2024-07-01", line(10_000), line(5_000))
    story.shipped("A", "2024-07-02")
    story.returned("A", "2024-07-10", pieces("1"))
    statement = story.at("2024-07-10")
    assert (statement.available, statement.revoked_total) == (55, 110)
    assert story.rules("revoke") == {"ANS-24"}


def test_ans_25_points_used_are_back_fourteen_days_after_the_return() -> None:
    story = joined(500)
    bought(story, "A", "2024-07-01", line(1_000), points_used=500)
    story.returned("A", "2024-07-10 18:00:00")
    assert story.one_second_before("2024-07-24 00:00:00").due_back == 500
    statement = story.at("2024-07-24 00:00:00")
    assert (statement.available, statement.due_back) == (500, 0)
    assert story.rules("hand_back") == {"ANS-25"}


def test_ans_26_a_campaign_changes_the_rate_for_orders_of_its_days() -> None:
    campaign = {
        "id": "summer",
        "rule": "ANS-26",
        "when": {"since": "2024-07-02", "until": "2024-07-03", "courses": ["one_off"]},
        "rate": "0.03",
    }
    story = joined(story=Story("ansage", {"earning.campaigns": [campaign]}))
    orders = {
        "before": "2024-07-01 23:59:59",
        "first": "2024-07-02 00:00:00",
        "last": "2024-07-03 23:59:59",
        "after": "2024-07-04 00:00:00",
    }
    for order, at in orders.items():
        story.order(order, at, line(1_000, tax=0))
        story.shipped(order, "2024-07-10")
    assert [story.order_at(order, "2024-07-11").points_credited for order in orders] == [10, 30, 30, 10]


def test_ans_27_excluded_goods_earn_nothing() -> None:
    story = joined()
    bought(story, "A", "2024-07-01", line(1_000), line(5_000, category="points_excluded"), line(5_000, tags=["points_excluded"]))
    assert story.at("2024-07-01").available == 11


def test_ans_28_points_do_not_lapse_and_changes_by_hand_are_booked_here() -> None:
    story = joined(500)
    assert story.at("2099-01-01").available == 500
    assert story.rules("adjust") == {"ANS-28"}
