"""Paying with points at its edges: which condition holds, how many are taken, and what stands when late news comes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.story import MEMBER, Story, instant, line, pieces, verdict
from tests.rules.test_ansage import joined, set_points


def shop(**set_: Any) -> Story:
    return Story("belle-maison", {path.replace("__", "."): value for path, value in set_.items()})


def reserved(story: Story, points: int, at: str, name: str = "R", **data: Any) -> None:
    story.tell("redemption.requested", at, member_id=MEMBER, redemption_id=name, points=points, store="bellemaison", **data)


# -- how the rest is paid


def test_of_what_must_be_left_to_pay_the_first_row_that_fits_holds_alone() -> None:
    rows = [
        {"rule": "ANS-10", "payment_methods": ["credit_card"], "card_brands": ["jcb"], "amount": 50},
        {"rule": "ANS-09", "payment_methods": ["credit_card"], "amount": 100},
    ]
    for brand, outcome in (("jcb", "accepted"), ("visa", "remaining_below_payment_minimum")):
        story = joined(5_000, Story("ansage", {"redemption.minimum_left": rows}))
        story.order("A", "2024-07-01", line(1_000), points_used=1_040, card_brand=brand)
        assert verdict(story) == outcome


@pytest.mark.parametrize(
    ("method", "most"), [("cod", 5_500), ("bank_transfer", 5_499), ("np_deferred", 5_490), ("credit_card", 5_400)]
)
def test_points_set_in_advance_are_used_up_to_the_last_that_the_way_of_payment_allows(method: str, most: int) -> None:
    story = joined(9_000, Story("ansage", {"redemption.minimum_left.2.amount": 10}))
    set_points(story, "R", "2024-06-20", 8_000, subscription_id="S1")
    story.order("A", "2024-07-01", line(5_000), course="subscription", subscription_id="S1", payment_method=method)
    assert (story.order_at("A", "2024-07-01").points_used, story.at("2024-07-01").available) == (most, 9_000 - most)


@pytest.mark.parametrize(("maximum", "unit", "used"), [(500, 1, 500), (None, 1, 800), (500, 300, 300), (None, 300, 600)])
def test_points_set_in_advance_are_used_within_what_the_terms_of_the_orders_day_allow(
    maximum: int | None, unit: int, used: int
) -> None:
    less = {
        "effective_from": "2024-07-01T00:00:00+09:00",
        "set": {"redemption.maximum": maximum, "redemption.unit": unit},
    }
    story = joined(1_000, Story("ansage", {"amendments": [less]}))
    set_points(story, "R", "2024-06-20", 800, subscription_id="S1")
    story.order("A", "2024-07-01", line(5_000), course="subscription", subscription_id="S1")
    assert story.order_at("A", "2024-07-01").points_used == used


# -- reservations


def test_a_reservation_may_hold_all_there_is_and_no_more() -> None:
    story = shop()
    story.adjusted(100, "2024-08-01")
    reserved(story, 101, "2024-08-02 10:00:00", "too many")
    reserved(story, 100, "2024-08-02 10:00:01", "all")
    now = story.at("2024-08-02 10:00:02")
    assert [(each.request_id, each.reason) for each in now.requests] == [("too many", "insufficient_points"), ("all", None)]
    assert (now.available, now.reserved) == (0, 100)


@pytest.mark.parametrize(
    ("points", "store", "reason"),
    [
        (0, "bellemaison", "below_minimum"),
        (90, "bellemaison", "below_minimum"),
        (100, "bellemaison", None),
        (150, "bellemaison", "not_a_multiple"),
        (500, "bellemaison", None),
        (600, "bellemaison", "above_maximum"),
        (100, "elsewhere", "store_not_eligible"),
    ],
)
def test_a_reservation_keeps_within_what_one_order_may_use(points: int, store: str, reason: str | None) -> None:
    story = shop(redemption__minimum=100, redemption__maximum=500, redemption__unit=100)
    story.adjusted(1_000, "2024-08-01")
    told: dict[str, Any] = {"member_id": MEMBER, "redemption_id": "R", "points": points, "store": store}
    story.tell("redemption.requested", "2024-08-02 10:00:00", **told)
    (found,) = story.at("2024-08-02 10:00:00").requests
    assert (found.reason, story.at("2024-08-02 10:00:00").reserved) == (reason, 0 if reason else points)


def test_a_reservation_ends_at_its_time_and_what_has_ended_is_not_given_up() -> None:
    story = shop()
    story.adjusted(100, "2024-08-01")
    reserved(story, 40, "2024-08-02 10:00:00", expires_in_seconds=600)
    assert story.at("2024-08-02 10:09:59").reserved == 40
    assert (story.at("2024-08-02 10:10:00").reserved, story.at("2024-08-02 10:10:00").available) == (0, 100)
    for name in ("R", "nobody's"):
        story.tell("redemption.released", "2024-08-02 10:20:00", member_id=MEMBER, redemption_id=name)
    now = story.at("2024-08-02 10:20:00")
    assert [(each.code, each.detail) for each in now.findings] == [
        ("release_without_reservation", "R"),
        ("release_without_reservation", "nobody's"),
    ]
    assert now.available == 100


def test_an_order_whose_reservation_is_found_late_to_have_ended_keeps_its_points_from_what_is_there() -> None:
    story = shop()
    story.adjusted(100, "2024-08-01")
    reserved(story, 40, "2024-08-02 10:00:00")
    story.order("A", "2024-08-02 10:10:00", line(1_000), redemption_id="R")
    story.tell("redemption.released", "2024-08-02 10:05:00", "2024-08-03", member_id=MEMBER, redemption_id="R")
    now = story.at("2024-08-03")
    assert (now.available, now.reserved, story.order_at("A", "2024-08-03").points_used) == (60, 0, 40)
    story.cancelled("A", "2024-08-04")
    assert story.at("2024-08-04").available == 100


# -- points that nobody can name any more


def test_points_that_were_never_there_come_back_as_one_lot_of_their_order_however_many_parts_they_come_in() -> None:
    story = joined(300)
    story.order("A", "2024-07-01", line(1_000, 3), points_used=300, payment_method="cod")
    story.adjusted(-300, "2024-06-30", recorded="2024-07-02")
    assert story.at("2024-07-02").available == -300
    for hour in (10, 11, 12):
        story.cancelled("A", f"2024-07-03 {hour}:00:00", pieces("1"))
    story.adjusted(300, "2024-07-04", recorded="2024-07-05")
    at = instant("2024-07-17 00:00:00")
    assert (story.one_second_before(at.isoformat()).available, story.at(at.isoformat()).available) == (0, 300)
    (lot,) = [each for each in story.simulation.ledgers[MEMBER].lots.values() if each.order_id == "A" and each.available]
    assert (lot.points, lot.available) == (300, 300)


# -- a pool of some kinds


def test_a_pool_of_some_kinds_lets_the_others_be() -> None:
    story = Story("scolar", {"expiry.pool.kinds": ["regular"]})
    story.registered("2024-01-05")
    story.adjusted(40, "2024-01-06", kind="gift")
    assert [(each.kind, str(each.expires_on), each.points) for each in story.at("2024-01-07").lots] == [
        ("regular", "2025-01-05", 500),
        ("gift", "None", 40),
    ]
    assert story.at("2025-02-01").available == 40


def test_a_fresh_lot_of_points_that_came_back_is_of_that_many() -> None:
    story = shop(reversal__back_expiry={"mode": "fresh"})
    story.adjusted(100, "2024-08-01", expires_on="2024-12-31")
    story.order("A", "2024-08-02", line(30), line(30), points_used=60, payment_method="credit_card")
    story.cancelled("A", "2024-08-03")
    fresh = [each for each in story.simulation.ledgers[MEMBER].lots.values() if "~" in each.part]
    assert [(each.points, each.available) for each in fresh] == [(60, 60)]
