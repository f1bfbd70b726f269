"""ScoLar: 1 to 5 % by stage, valid after ten days; 500 to 10,000 points a time; any grant keeps the balance for a year."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.rules.story import Story, line, pieces

Tell = Callable[[Story], object]


def joined(story: Story | None = None, at: str = "2024-01-05", points: int = 0) -> Story:
    """A member who registered, with the 500 points of that, and more if given."""
    story = story or Story("scolar")
    story.registered(at)
    if points:
        story.adjusted(points, at)
    return story


def bought(story: Story, order_id: str, at: str, *lines: Any, **data: Any) -> None:
    """An order that ships on its own day."""
    story.order(order_id, at, *lines, **data)
    story.shipped(order_id, at)


def review(story: Story, review_id: str, at: str, sku: str = "SKU", **data: Any) -> None:
    """A review is written."""
    story.tell("review.posted", at, member_id="M1", review_id=review_id, sku=sku, **data)


def verdict(story: Story, order_id: str, at: str) -> tuple[str, str | None]:
    """What was decided about the points of an order."""
    redemption = story.order_at(order_id, at).redemption
    assert redemption is not None
    return redemption.decision, redemption.reason


# -- grants besides purchases


def test_sco_01_registering_brings_500_points_at_once_and_once_only() -> None:
    story = joined(at="2024-03-01 10:00:00")
    story.registered("2024-03-02")
    assert story.at("2024-03-02").available == 500
    story.order("A", "2024-03-03", line(1_000), points_used=500)
    assert verdict(story, "A", "2024-03-03") == ("accepted", None)
    assert story.rules("earn") == {"SCO-01"}


BORN = {"month": 12, "day": 3}


def coupons(story: Story, at: str) -> list[tuple[str, int | None, str, str]]:
    """The coupons of a member: name, value, status, last day."""
    return [(each.voucher_id, each.value, each.status, str(each.expires_on)) for each in story.at(at).vouchers]


def test_sco_02_a_coupon_of_1000_yen_comes_on_the_first_of_the_birth_month_and_lasts_until_its_end() -> None:
    story = joined(at="2024-03-01")
    story.updated("2024-03-02", birth=BORN)
    assert coupons(story, "2024-11-30 23:59:59") == []
    name = "birthday_coupon:2024-12-01"
    assert coupons(story, "2024-12-01 00:00:00") == [(name, 1_000, "open", "2024-12-31")]
    assert coupons(story, "2024-12-31 23:59:59") == [(name, 1_000, "open", "2024-12-31")]
    assert coupons(story, "2025-01-01 00:00:00") == [(name, 1_000, "lapsed", "2024-12-31")]
    assert story.at("2025-01-01").available == 500, "a coupon is not points"
    story.updated("2025-02-01", birth={"month": 6, "day": 9})
    assert [each[0] for each in coupons(story, "2025-12-31")] == [name, "birthday_coupon:2025-06-01"], "one a year"


@pytest.mark.parametrize(
    ("joins", "tells", "gets"),
    [
        ("2024-11-25 23:59:59", "2024-11-25 23:59:59", True),
        ("2024-11-26 00:00:00", "2024-11-25 23:59:59", False),
        ("2024-11-25 23:59:59", "2024-11-26 00:00:00", False),
        ("2024-11-25 23:59:59", None, False),
    ],
)
def test_sco_02_only_for_who_had_registered_and_told_a_birth_date_by_the_25th(joins: str, tells: str | None, gets: bool) -> None:
    story = joined(at=joins)
    if tells is not None:
        story.updated(tells, birth=BORN)
    assert bool(coupons(story, "2024-12-31")) == gets


def test_sco_02_a_coupon_is_used_once() -> None:
    story = joined(at="2024-03-01")
    story.updated("2024-03-02", birth=BORN)
    story.order("A", "2024-12-03", line(5_000), order_discount=1_000)
    for at in ("2024-12-03", "2024-12-04"):
        story.voucher("used", "birthday_coupon:2024-12-01", at, "A")
    assert [each[2] for each in coupons(story, "2024-12-31")] == ["used"]
    assert story.findings("2024-12-31") == ["voucher_used"]


def test_sco_03_a_review_of_a_bought_product_brings_ten_points_once() -> None:
    story = joined()
    review(story, "early", "2024-02-01")
    story.order("A", "2024-03-01", line(1_000))
    review(story, "first", "2024-03-02")
    review(story, "again", "2024-03-03")
    review(story, "other", "2024-03-03", sku="OTHER")
    assert story.at("2024-03-03").available == 510
    assert story.findings("2024-03-03") == ["activity_without_purchase", "activity_without_purchase"]


@pytest.mark.parametrize("reason", ["customer_request", "bank_transfer_unpaid_auto_cancel", "cod_refused"])
def test_sco_03_a_review_of_a_product_whose_order_was_cancelled_brings_nothing(reason: str) -> None:
    story = joined()
    story.order("A", "2024-03-01", line(1_000))
    if reason == "cod_refused":
        story.shipped("A", "2024-03-01 13:00:00")
    story.cancelled("A", "2024-03-02", reason=reason)
    review(story, "first", "2024-03-03", order_id="A")
    assert story.at("2024-03-03").available == 500
    (finding,) = story.at("2024-03-03").findings
    assert (finding.code, finding.detail) == ("activity_without_purchase", "review:SKU")


def test_sco_03_a_review_told_late_is_judged_by_what_had_been_cancelled_by_then() -> None:
    for day, points in (("2024-03-02 11:00:00", 510), ("2024-03-02 13:00:00", 500)):
        story = joined(Story("scolar", {"activities.1.order_cancelled": "kept"}))
        story.order("A", "2024-03-01", line(1_000))
        story.cancelled("A", "2024-03-02 12:00:00")
        review(story, "late", day)
        assert story.at("2024-03-04").available == points


def test_sco_03_a_product_is_bought_while_any_piece_of_any_order_was_not_cancelled() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(1_000, 2, line_id="1"), line(1_000, line_id="2"))
    story.order("B", "2024-03-02", line(1_000))
    story.cancelled("A", "2024-03-03", pieces("1", 2))
    story.cancelled("B", "2024-03-03")
    review(story, "of what is left", "2024-03-04")
    assert story.at("2024-03-04").available == 510
    story = joined()
    story.order("A", "2024-03-01", line(1_000))
    story.order("B", "2024-03-02", line(1_000))
    story.cancelled("A", "2024-03-03")
    story.cancelled("A", "2024-03-04")
    review(story, "of the other", "2024-03-05")
    assert story.at("2024-03-05").available == 510


def test_sco_03_what_was_sent_back_had_been_bought() -> None:
    story = joined()
    bought(story, "A", "2024-03-01", line(1_000))
    story.returned("A", "2024-03-05")
    review(story, "first", "2024-03-06")
    assert story.at("2024-03-06").available == 510


@pytest.mark.parametrize(("choice", "points"), [("kept", 510), ("revoked", 500), (None, 500)])
def test_sco_03_what_a_review_brought_before_the_cancel_is_taken_back_unless_the_terms_let_it_stay(
    choice: str | None, points: int
) -> None:
    story = joined(Story("scolar", {} if choice is None else {"activities.1.order_cancelled": choice}))
    story.order("A", "2024-03-01", line(1_000))
    review(story, "first", "2024-03-02")
    assert story.at("2024-03-02").available == 510
    story.cancelled("A", "2024-03-03")
    assert story.at("2024-03-03").available == points
    assert story.at("2024-03-03").revoked_total == 510 - points + 10, "the order's own ten points go in any case"


def test_sco_03_what_was_spent_meanwhile_is_taken_from_other_points() -> None:
    story = joined(Story("scolar", {"redemption.minimum": 1}))
    story.order("A", "2024-03-01", line(1_000))
    review(story, "first", "2024-03-02")
    story.order("B", "2024-03-03", line(10_000, sku="OTHER"), points_used=510)
    story.cancelled("A", "2024-03-04")
    assert story.at("2024-03-04").available == -10


def test_sco_03_a_product_whose_order_goes_on_is_bought_again() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(1_000))
    story.cancelled("A", "2024-03-02")
    story.order("A", "2024-03-03", line(1_000))
    review(story, "first", "2024-03-04")
    assert story.at("2024-03-04").available == 510


# -- stage and rate


@pytest.mark.parametrize(
    ("spent", "stage", "points"),
    [
        (49_999, "Member", 100),
        (50_000, "Silver", 200),
        (149_999, "Silver", 200),
        (150_000, "Gold", 300),
        (299_999, "Gold", 300),
        (300_000, "VIP", 500),
    ],
)
def test_sco_04_the_stage_gives_the_rate(spent: int, stage: str, points: int) -> None:
    story = joined()
    bought(story, "A", "2024-03-01", line(spent))
    assert story.at("2024-03-11").tier == stage
    bought(story, "B", "2024-03-12", line(10_000))
    assert story.order_at("B", "2024-03-12").points_credited == points


def test_sco_05_the_amount_starts_anew_on_the_first_of_january_and_the_stage_stays() -> None:
    story = joined()
    bought(story, "A", "2024-06-01", line(50_000))
    bought(story, "B", "2024-12-31 23:59:59", line(99_999))
    bought(story, "C", "2025-01-01 00:00:00", line(50_000))
    assert story.at("2025-02-01").tier == "Silver"


def test_sco_06_twelve_months_without_a_purchase_cost_one_stage() -> None:
    story = joined()
    bought(story, "A", "2024-03-01", line(150_000))
    assert story.one_second_before("2025-03-01 00:00:00").tier == "Gold"
    assert story.at("2025-03-01 00:00:00").tier == "Silver"
    assert story.at("2026-03-01").tier == "Member"
    assert story.at("2030-03-01").tier == "Member"


def test_sco_06_an_order_on_the_last_day_keeps_the_stage_though_it_is_judged_later() -> None:
    story = joined()
    bought(story, "A", "2024-03-01", line(150_000))
    story.order("B", "2025-02-28 23:59:59", line(100))
    assert story.at("2025-03-05").tier == "Gold"
    story.cancelled("B", "2025-03-06")
    assert story.at("2025-03-07").tier == "Silver"


def test_sco_07_one_purchase_restores_one_stage_and_never_more_than_was_lost() -> None:
    story = joined()
    bought(story, "A", "2024-03-01", line(150_000))
    assert story.at("2026-03-01").tier == "Member"
    for order, day, judged, stage in (
        ("B", "2026-04-01", "2026-04-11 00:00:00", "Silver"),
        ("C", "2026-05-01", "2026-05-11 00:00:00", "Gold"),
        ("D", "2026-06-01", "2026-06-11 00:00:00", "Gold"),
    ):
        bought(story, order, day, line(100))
        assert story.at(judged).tier == stage


def test_sco_07_a_stage_reached_again_by_its_amount_is_not_restored_on_top() -> None:
    story = joined()
    bought(story, "A", "2024-03-01", line(60_000))
    assert story.at("2025-03-01").tier == "Member"
    bought(story, "B", "2025-04-01", line(160_000))
    assert story.at("2025-04-11").tier == "Gold"
    bought(story, "C", "2025-05-01", line(100))
    assert story.at("2025-05-11").tier == "Gold"


def test_sco_08_excluded_items_earn_nothing() -> None:
    story = joined()
    bought(story, "A", "2024-03-01", line(1_000), line(9_000, category="points_excluded"), line(9_000, tags=["points_excluded"]))
    assert story.at("2024-03-11").available == 510


def test_sco_09_one_percent_without_tax_unless_the_product_has_its_own_rate() -> None:
    story = joined()
    bought(story, "A", "2024-03-01", line(1_099, tax=109), shipping_fee=5_000)
    bought(story, "B", "2024-03-01", line(1_000, point_rate="0.10"), line(1_000))
    assert story.order_at("A", "2024-03-01").points_credited == 10
    assert story.order_at("B", "2024-03-01").points_credited == 110


def test_sco_10_the_shop_s_card_is_apart() -> None:
    story = joined()
    bought(story, "A", "2024-03-01", line(90_000), store="scolar_shop_counter", channel="store")
    story.order("B", "2024-03-02", line(9_000), store="scolar_shop_counter", points_used=500)
    statement = story.at("2024-03-20")
    assert (statement.available, statement.pending, statement.tier) == (500, 0, "Member")
    assert verdict(story, "B", "2024-03-20") == ("rejected", "store_not_eligible")


# -- states


def test_sco_11_points_are_valid_from_the_tenth_day_after_the_purchase() -> None:
    story = joined()
    story.order("A", "2024-02-25 18:00:00", line(10_000))
    statement = story.one_second_before("2024-03-06 00:00:00")
    assert (statement.available, statement.pending) == (500, 100)
    statement = story.at("2024-03-06 00:00:00")
    assert (statement.available, statement.pending) == (600, 0)


def test_sco_12_a_cancel_voids_the_points() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(10_000))
    story.cancelled("A", "2024-03-05")
    statement = story.at("2024-03-20")
    assert (statement.available, statement.pending, statement.revoked_total) == (500, 0, 100)
    assert story.rules("void") == {"SCO-12"}


def test_sco_13_points_on_hold_cannot_be_spent() -> None:
    story = joined()
    story.held("2024-03-01", points=300)
    story.order("A", "2024-03-02", line(1_000), points_used=500)
    assert verdict(story, "A", "2024-03-02") == ("rejected", "insufficient_points")
    assert (story.at("2024-03-02").available, story.at("2024-03-02").on_hold) == (200, 300)
    assert story.rules("hold") == {"SCO-13"}
    story.released("2024-03-03", points=300)
    assert (story.at("2024-03-03").available, story.at("2024-03-03").on_hold) == (500, 0)


@pytest.mark.parametrize("reason", ["bank_transfer_unpaid_auto_cancel", "cod_refused", "COD_Refused"])
def test_sco_14_points_are_lost_if_the_transfer_never_came_or_the_parcel_was_refused(reason: str) -> None:
    story = joined()
    bought(story, "A", "2024-03-01", line(1_000), points_used=500)
    story.cancelled("A", "2024-03-08", reason=reason)
    statement = story.at("2024-03-08")
    assert (statement.available, statement.forfeited_total) == (0, 500)
    assert story.rules("forfeit") == {"SCO-14"}


def test_sco_15_other_cancels_and_returns_give_points_back_at_once() -> None:
    story = joined(points=500)
    story.order("A", "2024-03-01", line(1_000), points_used=500)
    bought(story, "B", "2024-03-01", line(1_000), points_used=500)
    story.cancelled("A", "2024-03-08", reason="out_of_stock")
    story.returned("B", "2024-03-09")
    assert story.at("2024-03-09").available == 1_000
    assert story.rules("hand_back") == {"SCO-15"}


# -- judging


def test_sco_16_the_stage_rises_as_soon_as_the_amount_is_reached_and_may_jump() -> None:
    story = joined()
    bought(story, "A", "2024-03-01", line(300_000))
    assert story.one_second_before("2024-03-11 00:00:00").tier == "Member"
    assert story.at("2024-03-11 00:00:00").tier == "VIP"


def test_sco_17_the_tenth_of_january_is_the_last_look_at_the_old_year() -> None:
    story = joined()
    bought(story, "A", "2024-12-31 23:59:59", line(50_000))
    assert story.one_second_before("2025-01-10 00:00:00").tier == "Member"
    assert story.at("2025-01-10 00:00:00").tier == "Silver"


def test_sco_17_what_ships_after_the_last_look_comes_too_late_for_the_old_year() -> None:
    story = joined()
    story.order("A", "2024-12-31", line(50_000))
    story.shipped("A", "2025-01-10 00:00:00")
    assert story.at("2025-03-01").tier == "Member"


def test_sco_18_returns_and_goods_not_shipped_do_not_count() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(50_000), line(100_000))
    story.shipped("A", "2024-03-01", pieces("1"))
    assert story.at("2024-03-20").tier == "Silver"
    story.shipped("A", "2024-03-21", pieces("2"))
    assert story.at("2024-03-21").tier == "Gold"
    bought(story, "B", "2024-04-01", line(200_000))
    story.returned("B", "2024-04-05")
    assert story.at("2024-05-01").tier == "Gold"


def test_sco_19_a_purchase_counts_ten_days_after_it() -> None:
    story = joined()
    story.order("A", "2024-03-01 23:59:59", line(50_000))
    story.shipped("A", "2024-03-03")
    assert story.one_second_before("2024-03-11 00:00:00").tier == "Member"
    assert story.at("2024-03-11 00:00:00").tier == "Silver"


# -- paying


@pytest.mark.parametrize(
    ("points", "reason"),
    [(499, "below_minimum"), (500, None), (10_000, None), (10_001, "above_maximum")],
)
def test_sco_20_at_least_500_points_are_used(points: int, reason: str | None) -> None:
    story = joined(points=20_000)
    story.order("A", "2024-03-01", line(30_000), points_used=points)
    assert verdict(story, "A", "2024-03-01")[1] == reason


def test_sco_21_at_most_10000_points_are_used() -> None:
    story = joined(points=20_000)
    story.order("A", "2024-03-01", line(30_000), use_all_points=True)
    assert story.order_at("A", "2024-03-01").points_used == 10_000


def test_sco_22_points_are_used_in_the_web_store_only() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(3_000), points_used=500, channel="phone")
    assert verdict(story, "A", "2024-03-01") == ("rejected", "channel_not_eligible")


def test_sco_23_all_points_go_up_to_the_total_with_shipping_and_tax() -> None:
    story = joined(points=4_500)
    story.order("A", "2024-03-01", line(1_000, tax=100), shipping_fee=600, other_fees=330, use_all_points=True)
    story.order("B", "2024-03-02", line(1_000, tax=100), shipping_fee=600, points_used=1_701)
    assert story.order_at("A", "2024-03-01").points_used == 2_030
    assert verdict(story, "B", "2024-03-02") == ("rejected", "exceeds_payable")


def test_sco_23_pending_points_are_not_used() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(100_000))
    story.order("B", "2024-03-02", line(3_000), use_all_points=True)
    assert story.order_at("B", "2024-03-02").points_used == 500


def test_sco_24_a_purchase_with_points_earns_nothing_but_counts_for_the_stage() -> None:
    story = joined()
    bought(story, "A", "2024-03-01", line(50_000), points_used=500)
    statement = story.at("2024-03-20")
    assert (statement.orders[0].points_credited, statement.tier) == (0, "Silver")


# -- expiry


def test_sco_25_any_grant_within_a_year_prolongs_the_balance() -> None:
    story = joined(at="2024-01-05")
    story.order("A", "2025-01-05 23:59:59", line(10_000))
    assert story.at("2025-06-01").available == 600
    assert story.one_second_before("2026-01-06 00:00:00").available == 600
    statement = story.at("2026-01-06 00:00:00")
    assert (statement.available, statement.lapsed_total) == (0, 600)
    assert story.rules("lapse") == {"SCO-25"}


def test_sco_25_spending_prolongs_nothing() -> None:
    story = joined(at="2024-01-05", points=500)
    story.order("A", "2024-12-01", line(1_000), points_used=500)
    assert story.at("2025-01-06 00:00:00").available == 0


def test_sco_26_limited_points_lapse_on_their_own_date() -> None:
    story = joined(at="2024-01-05")
    story.adjusted(70, "2024-03-01", kind="limited", expires_on="2024-03-31")
    assert story.one_second_before("2024-04-01 00:00:00").available == 570
    statement = story.at("2024-04-01 00:00:00")
    assert (statement.available, statement.lapsed_total) == (500, 70)
    assert story.rules("lapse") == {"SCO-26"}
    assert statement.lots[0].expires_on is not None
    assert statement.lots[0].expires_on.isoformat() == "2025-03-01"


def test_sco_27_vip_begins_at_300000_yen() -> None:
    story = joined()
    assert story.at("2024-02-01").tier == "Member"
    bought(story, "A", "2024-03-01", line(300_000))
    assert story.at("2024-03-11").tier == "VIP"


def test_sco_28_a_point_pays_one_yen() -> None:
    story = joined()
    story.order("A", "2024-03-01", line(455, tax=45), points_used=500)
    assert verdict(story, "A", "2024-03-01") == ("accepted", None)
