"""Belle Maison points, rule by rule: using points, what comes back, how long they last, and who decides."""

from __future__ import annotations

from datetime import date

import pytest

from tests.rules.story import Story, instant, line, pieces, verdict
from tests.rules.test_belle_maison import CODE, kinds, shop, with_points


def test_bel_11_one_point_pays_one_yen_of_the_order() -> None:
    for value, worth in (("1", 2_800), ("2", 1_400)):
        story = with_points(5_000, {"point_value": value})
        story.order("A", "2024-08-01", line(2_000), shipping_fee=600, use_all_points=True)
        assert story.order_at("A", "2024-08-01").points_used == worth


def test_bel_11_there_is_no_minimum_and_no_unit() -> None:
    story = with_points(5_000)
    story.order("A", "2024-08-01", line(2_000), points_used=1)
    assert verdict(story) == "accepted"


def test_bel_12_vouchers_are_not_bought_with_points() -> None:
    story = with_points(10_000)
    story.order("A", "2024-08-01", line(5_000, category="voucher", tax=0), points_used=1)
    story.order("B", "2024-08-01", line(5_000, category="voucher", tax=0), line(2_000), points_used=2_201)
    story.order("C", "2024-08-01", line(5_000, category="voucher", tax=0), line(2_000), points_used=2_200)
    assert [verdict(story, each) for each in "ABC"] == ["line_not_redeemable", "line_not_redeemable", "accepted"]
    free = with_points(10_000, {"redemption.not_redeemable": None})
    free.order("A", "2024-08-01", line(5_000, category="voucher", tax=0), points_used=1)
    assert verdict(free) == "accepted"


def test_bel_13_points_used_on_returned_goods_come_back() -> None:
    story = with_points(1_000)
    story.bought("A", "2024-08-01", line(1_000), line(3_000), points_used=1_000)
    story.returned("A", "2024-08-10", pieces("1"))
    assert story.order_at("A", "2024-08-10").points_returned == 250
    story.returned("A", "2024-08-11", pieces("2"))
    assert story.at("2024-08-11").available == 1_000


def test_bel_13_the_remainder_of_the_split_sits_on_the_last_line() -> None:
    story = with_points(100)
    story.bought("A", "2024-08-01", line(1_000), line(1_000), line(1_000), points_used=100)
    returned = []
    for number in (1, 2, 3):
        story.returned("A", f"2024-08-1{number}", pieces(str(number)))
        returned.append(story.order_at("A", f"2024-08-1{number}").points_returned)
    assert returned == [33, 66, 100]


def test_bel_14_on_an_exchange_they_come_back_when_the_goods_have_arrived() -> None:
    story = with_points(1_000)
    story.bought("A", "2024-08-01", line(2_000), points_used=1_000)
    story.exchange("requested", "A", "2024-08-10")
    story.exchange("shipped", "A", "2024-08-11", line(2_000))
    assert story.order_at("A", "2024-08-12").points_returned == 0
    story.exchange("received", "A", "2024-08-13")
    assert story.order_at("A", "2024-08-13").points_returned == 1_000
    assert "BEL-14" in story.rules("hand_back")


def test_bel_14_points_come_back_once_and_the_replacement_is_not_paid_with_them() -> None:
    story = with_points(1_000)
    story.bought("A", "2024-08-01", line(2_000, category="sale"), points_used=1_000)
    story.exchange("received", "A", "2024-08-13")
    story.exchange("shipped", "A", "2024-08-14", line(2_000, category="sale"))
    story.returned("A", "2024-08-20")
    assert (story.at("2024-08-20").available, story.order_at("A", "2024-08-20").points_returned) == (1_000, 1_000)


def test_bel_14_only_what_was_ordered_counts_where_cash_is_refunded_first() -> None:
    story = with_points(1_000, {"reversal.split.order": "cash_first"})
    story.bought("A", "2024-08-01", line(2_000, category="sale"), line(2_000, category="sale"), points_used=1_000)
    story.exchange("shipped", "A", "2024-08-12", line(9_000, category="sale"))
    story.exchange("received", "A", "2024-08-13", pieces("1"))
    assert story.order_at("A", "2024-08-13").points_returned == 0
    story.returned("A", "2024-08-14", pieces("2"))
    assert story.order_at("A", "2024-08-14").points_returned == 1_000


def test_bel_15_what_lapsed_by_the_time_of_the_return_does_not_come_back() -> None:
    for at, back, lapsed in (("2025-07-31 23:59:59", 1_000, 0), ("2025-08-01 00:00:00", 0, 1_000)):
        story = with_points(1_000)
        story.bought("A", "2024-08-15", line(2_000, category="sale"), points_used=1_000)
        story.returned("A", at)
        assert (story.at(at).available, story.at(at).lapsed_total) == (back, lapsed)
        assert story.rules("lapse") == ({"BEL-15"} if lapsed else set())


def test_bel_15_each_lot_on_its_own() -> None:
    story = with_points(300)
    story.adjusted(700, "2024-08-10")
    story.bought("A", "2024-08-15", line(2_000, category="sale"), points_used=1_000)
    story.returned("A", "2025-08-10")
    statement = story.at("2025-08-10")
    assert (statement.available, statement.lapsed_total) == (700, 300)
    assert [str(lot.expires_on) for lot in statement.lots] == ["2025-08-31"]


def test_bel_16_the_balance_may_go_below_zero_and_later_points_are_set_off_first() -> None:
    story = shop()
    story.bought("A", "2024-08-01", line(20_000))
    story.bought("B", "2024-08-02", line(2_000, category="sale"), points_used=100)
    story.returned("A", "2024-08-10")
    assert story.at("2024-08-10").available == -100
    story.bought("C", "2024-08-11", line(30_000))
    statement = story.at("2024-08-11")
    assert statement.available == 50
    assert [lot.points for lot in statement.lots] == [50]


def test_bel_17_manual_changes_are_posted_under_their_rule() -> None:
    story = with_points(500)
    story.adjusted(-200, "2024-08-01")
    assert (story.at("2024-08-01").available, story.rules("adjust")) == (300, {"BEL-17"})


# -- how long points last


@pytest.mark.parametrize(("issued", "last"), [
    ("2024-07-31 23:59:59", "2025-07-31"),
    ("2024-08-01 00:00:00", "2025-08-31"),
    ("2027-02-01", "2028-02-29"),
    ("2028-02-29", "2029-02-28"),
    ("2024-12-31 23:59:59", "2025-12-31"),
])  # fmt: skip
def test_bel_18_points_last_to_the_end_of_the_same_month_of_the_next_year(issued: str, last: str) -> None:
    story = shop()
    story.bought("A", issued, line(2_000))
    assert story.at(issued).lots[0].expires_on == date.fromisoformat(last)
    assert story.at(f"{last} 23:59:59").available == 10
    assert story.at(f"{last}T15:00:00+00:00").lapsed_total == 10


def test_bel_18_the_month_of_issue_is_the_month_in_japan() -> None:
    story = shop()
    story.bought("A", "2024-07-31T15:00:00+00:00", line(2_000))
    assert story.at("2024-08-01 12:00:00").lots[0].expires_on == date(2025, 8, 31)


def test_bel_19_special_points_may_have_a_last_day_of_their_own() -> None:
    story = shop()
    story.bought("A", "2024-08-01", line(2_000, bonus_points=[{"points": 50, "expires_on": "2024-08-31"}]))
    assert kinds(story, "2024-08-31 23:59:59") == {"basic": 10, "special": 50}
    assert kinds(story, "2024-09-01 00:00:00") == {"basic": 10}
    assert story.rules("lapse") == {"BEL-19"}


def test_bel_19_goods_that_ship_after_that_day_bring_nothing_of_it() -> None:
    story = shop()
    story.order("A", "2024-08-01", line(2_000, bonus_points=[{"points": 50, "expires_on": "2024-08-31"}]))
    story.shipped("A", "2024-09-01")
    assert (kinds(story, "2024-09-01"), story.at("2024-09-01").lapsed_total) == ({"basic": 10}, 50)


def test_bel_20_fraud_costs_all_points() -> None:
    story = with_points(500)
    story.bought("A", "2024-08-01", line(2_000))
    story.adjusted("all", "2024-08-02", reason="fraud")
    assert (story.at("2024-08-02").available, story.at("2024-08-02").revoked_total) == (0, 510)
    assert story.rules("revoke") == {"BEL-20"}


@pytest.mark.parametrize("held", [0, 8])
def test_bel_20_goods_that_come_back_later_do_not_cost_the_same_points_again(held: int) -> None:
    story = shop()
    story.bought("A", "2024-08-01", line(2_000))
    if held:
        story.held("2024-08-01 12:00:00", points=held)
    story.adjusted("all", "2024-08-02", reason="fraud")
    story.returned("A", "2024-08-03")
    now = story.at("2024-08-03")
    assert (now.available, now.on_hold, now.revoked_total) == (0, 0, 10)


def test_bel_20_points_that_were_spent_before_the_fraud_came_out_are_still_owed_for_what_comes_back() -> None:
    story = shop()
    story.bought("A", "2024-08-01", line(40_000))
    story.order("B", "2024-08-20", line(1_000), points_used=50)
    story.adjusted("all", "2024-08-21", reason="fraud")
    story.returned("A", "2024-08-22")
    now = story.at("2024-08-22")
    assert (now.available, now.revoked_total) == (-50, 200)


def test_bel_20_or_a_part_of_them() -> None:
    story = with_points(500)
    story.adjusted(-100, "2024-08-02", reason="breach")
    assert story.at("2024-08-02").available == 400


def test_bel_21_the_balance_has_no_upper_limit() -> None:
    limit = {"rule": "BEL-21", "points": 100}
    for caps, points in (([], 500_000), ([limit], 100)):
        story = shop(earning__caps=caps)
        story.bought("A", "2024-08-01", line(100_000_000))
        assert story.at("2024-08-01").available == points


def test_bel_22_only_the_members_own_points_pay() -> None:
    story = with_points(500)
    story.order("A", "2024-08-01", line(2_000), member="M2", points_used=100)
    story.order("B", "2024-08-01", line(2_000), member=None, points_used=100)
    assert story.at("2024-08-02", "M2").orders[0].redemption is not None
    assert (story.at("2024-08-02").available, story.at("2024-08-02", "M2").available) == (500, 0)
    assert story.at("2024-08-02", "M2").orders[0].redemption.reason == "insufficient_points"  # type: ignore[union-attr]  # looked at above


def test_bel_23_an_order_keeps_the_version_of_its_day() -> None:
    later = {
        "effective_from": "2025-01-01T00:00:00+09:00",
        "set": {"earning.components.basic.rates.0.rate": {"points": 1, "per": 100}},
    }
    story = shop(amendments=[later])
    story.order("A", "2024-12-31 23:59:59", line(2_000))
    story.bought("B", "2025-01-01 00:00:00", line(2_000))
    story.shipped("A", "2025-01-05")
    story.returned("A", "2025-01-06", pieces("1"))
    assert (story.at("2025-01-05").available, story.at("2025-01-06").available) == (30, 20)


def test_bel_03_the_amount_of_a_shipment_belongs_to_its_own_month_where_shipments_date_it() -> None:
    story = Story(CODE, reading=("BEL-Q3", "by-shipment"))
    story.order("A", "2024-08-01", line(15_000, 2))
    story.shipped("A", "2024-08-02", pieces("1"))
    story.shipped("A", "2024-09-02", pieces("1"))
    assert story.at("2024-09-15").tier == "S0"
    assert story.at("2024-10-01 00:00:00").tier == "S1"
    assert story.at("2025-03-01 00:00:00").tier == "S0"


def test_the_stage_of_a_member_is_told_at_the_instant_of_its_change() -> None:
    story = shop()
    story.bought("A", "2024-08-15", line(60_000))
    story.at("2024-09-01 00:00:00")
    head = story.simulation.ledgers["M1"].row
    assert head is not None
    assert head.head.tier is not None
    assert head.head.tier.since == instant("2024-09-01 00:00:00")
