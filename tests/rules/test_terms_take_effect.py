"""A terms file means what it says: every choice changes a ledger, each of these once was accepted and then ignored."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.rules.heard import Heard
from tests.rules.story import Story, line

TIERS: dict[str, Any] = {
    "rule": "SHO-01",
    "levels": [
        {"name": "regular", "threshold": 0},
        {"name": "bronze", "threshold": 30_000},
        {"name": "silver", "threshold": 90_000},
    ],
    "window": {"type": "rolling_months", "months": 24},
    "judgements": [{"on": "change", "falls": "any"}],
    "measure": {"counted_at": "order"},
}
VISIT = {"id": "visit", "rule": "SHO-02", "event": "activity.completed", "activity": "visit", "points": 10}


def shop(**set_: Any) -> Story:
    """The shop with some choices changed, and its member, who registered on the first of the year."""
    story = Story("shop", {path.replace("__", "."): value for path, value in set_.items()})
    story.registered("2024-01-01", country="JP")
    return story


def visited(story: Story, at: str, reference: str = "V1") -> None:
    story.tell("activity.completed", at, member_id="M1", activity="visit", reference=reference)


# -- conditions


@pytest.mark.parametrize(
    ("when", "points"),
    [
        ({"since": "2026-12-01", "until": "2026-12-31"}, 10),
        ({"since": "2024-02-01"}, 30),
        ({"until": "2024-01-31"}, 10),
        ({"countries": ["DE"]}, 10),
        ({"countries": ["JP"]}, 30),
        ({"weekdays": ["thu"]}, 30),
        ({"weekdays": ["fri"]}, 10),
    ],
)
def test_a_multiplier_holds_when_every_part_of_its_condition_does(when: dict[str, Any], points: int) -> None:
    story = shop(activities=[{**VISIT, "multipliers": [{"times": "3", "when": when}]}])
    visited(story, "2024-02-01")
    assert story.at("2024-02-01").available == points


@pytest.mark.parametrize(("country", "points"), [("JP", 100), ("DE", 500), (None, 100)])
def test_a_rate_for_a_country_is_for_members_who_live_there(country: str | None, points: int) -> None:
    rates = [{"rate": "0.05", "when": {"countries": ["DE"]}}, {"rate": "0.01"}]
    story = Story("shop", {"earning.components.0.rates": rates})
    story.registered("2024-01-01", country=country)
    story.order("A", "2024-02-01", line(10_000))
    assert story.at("2024-02-01").available == points


def test_a_campaign_for_a_country_is_for_members_who_live_there_when_they_order() -> None:
    double = {"id": "double", "rule": "SHO-02", "effect": "multiply", "times": "2", "when": {"countries": ["JP"]}}
    story = shop(earning__campaigns=[double])
    story.order("A", "2024-02-01", line(10_000))
    story.enrolled("2024-02-02", country="DE")
    story.returned("A", "2024-02-03", {"sku": "SKU", "quantity": 1})
    story.order("B", "2024-02-04", line(10_000))
    assert [order.points_credited for order in story.at("2024-02-05").orders] == [0, 100]


# -- caps


def test_two_caps_of_one_rule_and_period_count_apart() -> None:
    caps = [
        {"rule": "SHO-02", "points": 1_000, "period": "calendar_month", "consumed_by": ["purchase"], "refuses": ["purchase"]},
        {"rule": "SHO-02", "points": 50, "period": "calendar_month", "consumed_by": ["activity"], "refuses": ["activity"]},
    ]
    story = shop(earning__caps=caps, activities=[{**VISIT, "points": 30}])
    story.order("A", "2024-02-01", line(10_000))
    visited(story, "2024-02-02")
    assert story.at("2024-02-02").available == 130
    visited(story, "2024-02-03", "V2")
    assert story.at("2024-02-03").available == 150


# -- tiers


@pytest.mark.parametrize(
    ("counted_at", "tiers"),
    [
        ("order", ["gold", "gold", "gold", "gold"]),
        ("payment", ["base", "gold", "gold", "gold"]),
        ("shipment", ["base", "base", "gold", "gold"]),
        ("delivery", ["base", "base", "base", "gold"]),
    ],
)
def test_points_count_toward_tiers_when_the_terms_say(counted_at: str, tiers: list[str]) -> None:
    levels = [{"name": "base", "threshold": 0}, {"name": "gold", "threshold": 100}]
    measure = {"of": "points", "counted_at": counted_at}
    story = shop(tiers={**TIERS, "levels": levels, "measure": measure})
    story.order("A", "2024-02-01", line(10_000))
    story.paid("A", "2024-02-02")
    story.shipped("A", "2024-02-03")
    story.delivered("A", "2024-02-04")
    assert [story.at(f"2024-02-0{day}").tier for day in (1, 2, 3, 4)] == tiers


def test_points_of_pieces_that_have_not_left_do_not_count_yet() -> None:
    levels = [{"name": "base", "threshold": 0}, {"name": "gold", "threshold": 100}]
    story = shop(tiers={**TIERS, "levels": levels, "measure": {"of": "points", "counted_at": "shipment"}})
    story.order("A", "2024-02-01", line(5_000, line_id="1"), line(5_000, line_id="2"))
    story.shipped("A", "2024-02-02", {"line_id": "1", "quantity": 1})
    assert story.at("2024-02-02").tier == "base"
    story.shipped("A", "2024-02-03")
    assert story.at("2024-02-03").tier == "gold"


def test_money_that_goes_back_never_lifts_a_level() -> None:
    inactivity = {"rule": "SHO-01", "months": 6}
    story = shop(tiers={**TIERS, "inactivity": inactivity})
    story.order("A", "2024-02-01", line(10_000, 4, line_id="1"))
    assert story.at("2024-02-01").tier == "bronze"
    assert story.at("2024-08-02").tier == "regular"
    story.returned("A", "2024-08-03", {"line_id": "1", "quantity": 1})
    assert story.at("2024-08-03").tier == "regular"


def test_a_level_lost_to_inactivity_does_not_come_back_by_what_had_reached_it() -> None:
    inactivity = {"rule": "SHO-01", "months": 6, "restore": "ignored"}
    story = shop(tiers={**TIERS, "inactivity": inactivity})
    story.order("A", "2024-02-01", line(40_000))
    assert story.at("2024-08-02").tier == "regular"
    story.order("B", "2024-08-03", line(1_000))
    assert story.at("2024-08-03").tier == "regular"
    story.order("C", "2024-08-04", line(60_000))
    assert story.at("2024-08-04").tier == "silver"


def test_a_level_lost_to_inactivity_is_reached_anew_once_its_amount_was_gone() -> None:
    inactivity = {"rule": "SHO-01", "months": 6, "restore": "ignored"}
    story = shop(tiers={**TIERS, "window": {"type": "rolling_months", "months": 8}, "inactivity": inactivity})
    story.order("A", "2024-02-01", line(40_000))
    assert story.at("2024-09-01").tier == "regular"
    story.order("B", "2024-12-01", line(40_000))
    assert story.at("2024-12-01").tier == "bronze"


def test_a_level_is_told_under_the_rule_of_the_judgement_that_moved_it(heard: Heard) -> None:
    yearly = {"on": {"yearly": "01-01"}, "over": "previous_calendar_year", "rule": "SHO-03"}
    story = shop(tiers={**TIERS, "judgements": [yearly]})
    story.order("A", "2024-02-01", line(40_000))
    assert story.at("2025-01-01").tier == "bronze"
    assert [told["rule"] for told in heard.on("tier-changed")] == ["SHO-03"]


# -- the pool


def test_only_what_is_in_the_pool_prolongs_it() -> None:
    pool = {"rule": "SHO-04", "kinds": ["regular"], "months": 12, "prolonged_by": ["grant", "available"]}
    story = shop(expiry={"pool": pool, "fixed_rule": "SHO-04"})
    story.adjusted(100, "2024-12-10")
    story.adjusted(5, "2025-05-10", kind="limited", expires_on="2025-06-30")
    assert story.at("2025-05-10").lots[-1].expires_on == date(2025, 12, 10)


@pytest.mark.parametrize("prolonged_by", ["use", "order"])
def test_a_pool_that_begins_with_the_first_grant_lapses_though_nothing_ever_prolongs_it(prolonged_by: str) -> None:
    pool = {"rule": "SHO-04", "months": 12, "prolonged_by": [prolonged_by], "begins": "grant"}
    story = shop(expiry={"pool": pool})
    story.adjusted(100, "2024-02-01")
    assert story.at("2025-02-01").available == 100
    assert story.at("2025-02-02").available == 0


def test_a_pool_that_begins_with_what_prolongs_it_does_not_lapse_before() -> None:
    pool = {"rule": "SHO-04", "months": 12, "prolonged_by": ["use"], "begins": "prolonged"}
    story = shop(expiry={"pool": pool})
    story.adjusted(100, "2024-02-01")
    assert story.at("2034-02-02").available == 100


# -- deliveries

ON_DELIVERY: dict[str, Any] = {"rule": "SHO-03", "after": [{"event": "delivery"}], "shown": "order"}


def test_what_was_delivered_has_left() -> None:
    story = shop(maturity=ON_DELIVERY)
    story.order("A", "2024-02-01", line(10_000))
    story.delivered("A", "2024-02-03")
    assert (story.at("2024-02-03").available, story.findings("2024-02-03")) == (100, [])
    story.shipped("A", "2024-02-03 12:01:00")
    assert (story.at("2024-02-04").available, story.findings("2024-02-04")) == (100, [])


def test_lines_of_a_delivery_without_a_dispatch_narrow_it() -> None:
    story = shop(maturity={**ON_DELIVERY, "by": "line"})
    story.order("A", "2024-02-01", line(10_000, line_id="1"), line(20_000, line_id="2"))
    story.delivered("A", "2024-02-03", {"line_id": "2", "quantity": 1})
    assert story.at("2024-02-03").available == 200


def test_a_delivery_that_names_its_shipment_is_of_that_shipment_alone() -> None:
    story = shop(maturity={**ON_DELIVERY, "by": "shipment"})
    story.order("A", "2024-02-01", line(10_000, line_id="1"), line(20_000, line_id="2"))
    story.shipped("A", "2024-02-02", {"line_id": "1", "quantity": 1}, shipment_id="S1")
    story.shipped("A", "2024-02-02 13:00:00", {"line_id": "2", "quantity": 1}, shipment_id="S2")
    story.delivered("A", "2024-02-03", shipment_id="S1")
    assert (story.at("2024-02-03").available, story.at("2024-02-03").pending) == (100, 200)
    story.delivered("A", "2024-02-04", shipment_id="S2")
    assert story.at("2024-02-04").available == 300


# -- used points, refunded in cash first


@pytest.mark.parametrize(
    ("weights", "back"),
    [
        # 1,100 for each of two pieces and 500 to send them; 1,500 points pay goods first, so 700 of the goods was cash.
        ("tax_inclusive", 400),
        # Spread over the shipping too, 1,222 of them sit on the goods, of which 978 was cash.
        ("with_shipping", 122),
    ],
)
def test_cash_first_refunds_the_cash_that_goods_were_paid_with(weights: str, back: int) -> None:
    story = shop(reversal__split={"order": "cash_first", "weights": weights})
    story.adjusted(1_500, "2024-01-02")
    story.order("A", "2024-02-01", line(1_000, 2, line_id="1"), shipping_fee=500, points_used=1_500)
    story.returned("A", "2024-02-02", {"line_id": "1", "quantity": 1})
    assert story.order_at("A", "2024-02-02").points_returned == back
    story.returned("A", "2024-02-03", {"line_id": "1", "quantity": 1})
    assert story.order_at("A", "2024-02-03").points_returned == 1_500
