"""Belle Maison points, rule by rule: 1 point for every full 200 yen shipped, to the end of the same month of the next year."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.story import Story, line, pieces

CODE = "belle-maison"


def shop(**changes: Any) -> Story:
    """A story in the shop; `__` stands for the dots of a path."""
    return Story(CODE, {path.replace("__", "."): value for path, value in changes.items()})


def with_points(points: int, set: dict[str, Any] | None = None, **adjusted: Any) -> Story:  # noqa: A002 - as the terms call it
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
    assert [(each.code, each.order_id) for each in story.at("2024-09-15").findings] == [("bonus_not_granted", "B")]


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


def test_bel_07_an_order_on_hold_ships_without_usable_points_until_it_is_released() -> None:
    story = shop()
    story.order("A", "2024-08-01", line(2_000))
    story.held("2024-08-02", order_id="A")
    story.shipped("A", "2024-08-03")
    assert (story.at("2024-08-04").available, story.at("2024-08-04").pending) == (0, 10)
    story.released("2024-09-05", order_id="A")
    assert [(str(lot.expires_on), lot.points) for lot in story.at("2024-09-05").lots] == [("2025-09-30", 10)]


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


def test_bel_10_what_a_replacement_earns_lasts_from_its_own_month_also_where_a_return_left_the_running_sum_uneven() -> None:
    story = shop()
    story.order("A", "2024-08-20", line(150, 2), line(99))
    story.shipped("A", "2024-08-20", pieces("1", 2))
    story.shipped("A", "2024-08-21", pieces("2"))
    story.exchange("received", "A", "2024-09-01", pieces("1"))
    assert story.at("2024-09-01").available == 1, "249 yen are kept"
    story.exchange("shipped", "A", "2024-09-03", line(151, line_id="R1"))
    assert [(str(lot.expires_on), lot.points) for lot in story.at("2024-09-03").lots] == [("2025-08-31", 1), ("2025-09-30", 1)]


def test_bel_10_each_parcel_keeps_the_points_of_its_goods_that_are_kept() -> None:
    story = shop()
    story.bought("A", "2024-08-20", line(1_001), line(300))
    story.exchange("shipped", "A", "2024-09-01", line(99, line_id="R1"))
    assert [(str(lot.expires_on), lot.points) for lot in story.at("2024-09-01").lots] == [("2025-08-31", 6), ("2025-09-30", 1)]
    story.exchange("received", "A", "2024-09-03", pieces("1"))
    lots = [(str(lot.expires_on), lot.points) for lot in story.at("2024-09-03").lots]
    assert lots == [("2025-08-31", 1)], (
        "300 yen of August earn a point; the 99 yen of September brought one only with the goods gone"
    )


def test_bel_07_the_last_goods_of_an_order_bring_points_of_their_own_month_also_after_a_return_left_the_running_sum_uneven() -> (
    None
):
    story = shop()
    story.order("A", "2024-08-20", line(150), line(100), line(250), line(200))
    story.shipped("A", "2024-08-20", pieces("1"), pieces("2"))
    story.shipped("A", "2024-08-21", pieces("3"))
    story.returned("A", "2024-08-25", pieces("2"))
    assert story.at("2024-08-25").available == 2, "400 yen are kept"
    story.shipped("A", "2024-09-02")
    assert [(str(lot.expires_on), lot.points) for lot in story.at("2024-09-02").lots] == [("2025-08-31", 2), ("2025-09-30", 1)]


def test_bel_10_a_replacement_that_is_returned_loses_its_points_too() -> None:
    story = shop()
    story.bought("A", "2024-08-20", line(2_000))
    story.exchange("received", "A", "2024-09-01")
    story.exchange("shipped", "A", "2024-09-03", line(3_000))
    story.returned("A", "2024-09-10")
    assert (story.at("2024-09-10").available, story.findings("2024-09-10")) == (0, [])
