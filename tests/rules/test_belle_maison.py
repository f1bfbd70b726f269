"""Belle Maison points, rule by rule: 1 point for every full 200 yen shipped, to the end of the same month of the next year."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.rules.story import Story, instant, line, pieces, verdict

CODE = "belle-maison"


def shop(**changes: Any) -> Story:
    """A story in the shop; `__` stands for the dots of a path."""
    return Story(CODE, {path.replace("__", "."): value for path, value in changes.items()})


def with_points(points: int, set: dict[str, Any] | None = None, **adjusted: Any) -> Story:  # noqa: A002
    """A story of a member who has points from 10 July 2024 on."""
    story = Story(CODE, set)
    story.adjusted(points, "2024-07-10", **adjusted)
    return story


def kinds(story: Story, at: str) -> dict[str, int]:
    """Available points by kind."""
    found: dict[str, int] = {}
    for lot in story.at(at).lots:
        found[lot.kind] = found.get(lot.kind, 0) + lot.points
    return found


BONUS = [{"points": 50}]
SHOES: dict[str, Any] = {"sku": "SHOES", "bonus_points": BONUS}


# -- what is issued


def test_bel_01_points_are_of_three_kinds() -> None:
    story = shop()
    story.bought("A", "2024-08-01", line(30_000))
    story.bought("B", "2024-09-01", line(2_000, **SHOES))
    assert kinds(story, "2024-09-02") == {"basic": 150 + 10, "stage": 10, "special": 50}


@pytest.mark.parametrize(("price", "points"), [(199, 0), (200, 1), (399, 1), (400, 2), (10_199, 50)])
def test_bel_02_every_full_200_yen_without_tax_brings_one_point(price: int, points: int) -> None:
    story = shop()
    story.bought("A", "2024-08-01", line(price))
    assert story.at("2024-08-01").available == points
    richer = shop(earning__components__basic__rates=[{"rate": {"points": 1, "per": 100}}])
    richer.bought("A", "2024-08-01", line(price))
    assert richer.at("2024-08-01").available == price // 100


def test_bel_03_the_orders_of_six_months_decide_the_stage_of_the_next() -> None:
    story = shop()
    story.bought("A", "2024-08-31 23:59:59", line(30_000))
    assert story.one_second_before("2024-09-01 00:00:00").tier == "S0"
    assert story.at("2024-09-01 00:00:00").tier == "S1"
    assert story.one_second_before("2025-03-01 00:00:00").tier == "S1"
    assert story.at("2025-03-01 00:00:00").tier == "S0"


@pytest.mark.parametrize(("spent", "stage", "points"), [(29_999, "S0", 0), (30_000, "S1", 10), (60_000, "S2", 20)])
def test_bel_03_the_stage_brings_stage_points(spent: int, stage: str, points: int) -> None:
    story = shop()
    story.bought("A", "2024-08-15", line(spent))
    story.bought("B", "2024-09-15", line(2_000))
    assert story.at("2024-09-16").tier == stage
    assert kinds(story, "2024-09-16").get("stage", 0) == points


def test_bel_03_the_month_under_way_does_not_count_yet() -> None:
    story = shop()
    story.bought("A", "2024-09-01 00:00:00", line(60_000))
    story.bought("B", "2024-09-30 23:59:59", line(2_000))
    assert story.at("2024-09-30 23:59:59").tier == "S0"
    assert kinds(story, "2024-09-30 23:59:59") == {"basic": 310}


def test_bel_03_months_begin_at_midnight_in_japan() -> None:
    story = shop()
    story.bought("A", "2024-08-31T15:00:00+00:00", line(30_000))
    assert story.at("2024-09-15").tier == "S0"
    assert story.at("2024-10-01 00:00:00").tier == "S1"


def test_bel_03_a_return_counts_from_its_own_time_on() -> None:
    story = shop()
    story.bought("A", "2024-08-15", line(30_000))
    story.returned("A", "2024-10-10")
    assert story.at("2024-10-31").tier == "S1"
    assert story.at("2024-11-01 00:00:00").tier == "S0"


def test_bel_03_an_order_that_comes_late_repairs_the_stage_and_the_points_that_depended_on_it() -> None:
    story = shop()
    story.bought("B", "2024-09-15", line(2_000))
    assert kinds(story, "2024-09-16") == {"basic": 10}
    story.order("A", "2024-08-15", line(30_000), recorded="2024-09-17")
    assert story.at("2024-09-17").tier == "S1"
    assert kinds(story, "2024-09-17") == {"basic": 10, "stage": 10}


def test_bel_04_products_may_bring_special_points() -> None:
    for granted, points in (("granted", 50), ("ignored", 0)):
        story = shop(earning__bonus_points=granted)
        story.bought("A", "2024-08-01", line(2_000, **SHOES))
        assert kinds(story, "2024-08-01").get("special", 0) == points


@pytest.mark.parametrize("category", ["sale", "outlet", "cashback", "voucher", "donation", "subscription_group"])
def test_bel_05_some_goods_bring_no_points_of_any_kind(category: str) -> None:
    story = shop()
    story.bought("A", "2024-08-15", line(60_000))
    story.bought("B", "2024-09-15", line(2_000, category=category, **SHOES), line(400))
    assert story.order_at("B", "2024-09-15").points_credited == 2 + 4


def test_bel_05_shipping_fees_and_tax_bring_no_points() -> None:
    story = shop()
    story.bought("A", "2024-08-01", line(199), shipping_fee=600, other_fees=300)
    assert story.at("2024-08-01").available == 0


def test_bel_05_other_malls_bring_no_points() -> None:
    story = shop()
    story.bought("A", "2024-08-01", line(2_000), store="external_mall")
    story.bought("B", "2024-08-01", line(2_000))
    assert [order.points_credited for order in story.at("2024-08-02").orders] == [0, 10]


def test_bel_06_further_goods_are_excluded_as_announced() -> None:
    story = shop()
    story.bought("A", "2024-08-01", line(2_000, category="points_excluded"), line(2_000, tags=["points_excluded"]), line(2_000))
    assert story.at("2024-08-01").available == 10


def test_bel_06_an_announcement_holds_for_orders_from_its_day() -> None:
    later = {"effective_from": "2024-09-01T00:00:00+09:00", "set": {"earning.excluded.1.skus": ["FUTON"]}}
    story = shop(amendments=[later])
    story.bought("A", "2024-08-31 23:59:59", line(2_000, sku="FUTON"))
    story.bought("B", "2024-09-01 00:00:00", line(2_000, sku="FUTON"))
    assert [order.points_credited for order in story.at("2024-09-02").orders] == [10, 0]


def test_bel_07_points_are_issued_and_usable_when_the_goods_ship() -> None:
    story = shop()
    story.order("A", "2024-08-01", line(2_000))
    story.shipped("A", "2024-08-03 09:00:00")
    before, after = story.one_second_before("2024-08-03 09:00:00"), story.at("2024-08-03 09:00:00")
    assert (before.available, before.pending, after.available) == (0, 0, 10)
    later = shop(maturity__after=[{"event": "delivery"}])
    later.order("A", "2024-08-01", line(2_000))
    later.shipped("A", "2024-08-03")
    assert later.at("2024-08-04").available == 0


def test_bel_07_each_shipment_issues_its_own_and_none_is_lost_to_rounding() -> None:
    story = shop()
    story.order("A", "2024-08-01", line(300), line(300, 2))
    story.shipped("A", "2024-08-31 23:59:59", pieces("1"))
    story.shipped("A", "2024-09-01 00:00:00", pieces("2", 1))
    story.shipped("A", "2024-09-02", pieces("2", 1))
    assert [(str(lot.expires_on), lot.points) for lot in story.at("2024-09-03").lots] == [("2025-08-31", 1), ("2025-09-30", 3)]


def test_bel_07_what_is_cancelled_before_shipment_is_never_issued() -> None:
    story = shop()
    story.order("A", "2024-08-01", line(2_000), line(4_000))
    story.cancelled("A", "2024-08-02", pieces("2"))
    story.shipped("A", "2024-08-03")
    assert (story.at("2024-08-03").available, story.at("2024-08-03").revoked_total) == (10, 0)


def test_bel_08_special_points_of_a_line_are_issued_when_it_ships() -> None:
    story = shop()
    story.order("A", "2024-08-01", line(2_000), line(2_000, **SHOES))
    story.shipped("A", "2024-08-02", pieces("1"))
    assert kinds(story, "2024-08-02") == {"basic": 10}
    story.shipped("A", "2024-08-03", pieces("2"))
    assert kinds(story, "2024-08-03") == {"basic": 20, "special": 50}


def test_bel_08_a_partners_points_are_issued_when_it_says_so() -> None:
    story = shop()
    story.tell("activity.completed", "2024-08-01", member_id="M1", activity="partner", reference="P1", points=70)
    assert kinds(story, "2024-08-01") == {"special": 70}
    assert story.rules("earn") == {"BEL-08"}


# -- goods that come back


def test_bel_09_a_return_cancels_the_points_of_every_kind() -> None:
    for available, left in (("revoke", {}), ("keep", {"basic": 10, "special": 50})):
        story = shop(reversal__earned_points__available=available)
        story.bought("A", "2024-08-01", line(2_000, **SHOES))
        story.returned("A", "2024-08-10")
        assert kinds(story, "2024-08-10") == left


def test_bel_09_many_partial_returns_cancel_what_one_full_return_does() -> None:
    story = shop()
    story.bought("A", "2024-08-01", line(150, 3), line(333, 2, bonus_points=[{"points": 7}]))
    assert story.at("2024-08-01").available == (450 + 666) // 200 + 7
    left = []
    for number, piece in enumerate(("2", "1", "1", "2", "1")):
        story.returned("A", f"2024-08-{10 + number}", pieces(piece))
        left.append(story.at(f"2024-08-{10 + number}").available)
    assert left == [3 + 3, 3 + 3, 2 + 3, 0, 0]


def test_bel_10_an_exchange_cancels_the_old_points_and_issues_new_ones() -> None:
    story = shop()
    story.bought("A", "2024-08-20", line(2_000), line(600))
    story.exchange("received", "A", "2024-09-01", pieces("1"))
    assert story.at("2024-09-01").available == 3
    story.exchange("shipped", "A", "2024-09-03", line(3_000, line_id="R1"))
    assert [(str(lot.expires_on), lot.points) for lot in story.at("2024-09-03").lots] == [("2025-08-31", 3), ("2025-09-30", 15)]


def test_bel_10_a_replacement_that_left_before_the_goods_arrived_comes_to_the_same() -> None:
    story = shop()
    story.bought("A", "2024-08-20", line(2_000), line(600))
    story.exchange("shipped", "A", "2024-09-01", line(3_000, line_id="R1"))
    story.exchange("received", "A", "2024-09-03", pieces("1"))
    assert story.at("2024-09-03").available == 18


def test_bel_10_a_replacement_that_is_returned_loses_its_points_too() -> None:
    story = shop()
    story.bought("A", "2024-08-20", line(2_000))
    story.exchange("received", "A", "2024-09-01")
    story.exchange("shipped", "A", "2024-09-03", line(3_000))
    story.returned("A", "2024-09-10")
    assert (story.at("2024-09-10").available, story.findings("2024-09-10")) == (0, [])


# -- using points


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
    assert story.at("2024-08-02", "M2").orders[0].redemption.reason == "insufficient_points"  # type: ignore[union-attr]


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
