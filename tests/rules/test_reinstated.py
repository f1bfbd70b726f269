"""What was cancelled by mistake goes on: it keeps its date, its terms and its points, or is refused as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from contracts.statement import Statement
from tests.rules.any_order import Fact, fact, in_any_order, placed
from tests.rules.story import Story, line, pieces
from tests.rules.test_bad_input import CODES

BELLE = "bellemaison"
AT_ONCE: dict[str, Any] = {"reversal.used_points.0.outcome": "back", "reversal.used_points.0.days": 0}


def codes(says: Statement) -> list[str]:
    return [each.code for each in says.findings]


def bought(*more: Fact, set_: Mapping[str, Any] | None = None, points_used: int = 0) -> Statement:
    order = placed("2024-08-01 10:00:00", line(10_000, 2, line_id="1"), store=BELLE, points_used=points_used)
    gift = fact("points.adjusted", "2024-07-31", points=1_000, reason="gift")
    return in_any_order("belle-maison", (order, *more), "2024-08-20", set_, first=(gift,))


def cancelled(at: str, lines: object = "all") -> Fact:
    return fact("order.cancelled", at, reason="customer_request", lines=lines)


def goes_on(at: str, **lines: object) -> Fact:
    return fact("order.reinstated", at, **lines)


SHIPPED = fact("shipment.dispatched", "2024-08-05", lines="all")


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("lines", ["all", [pieces("1")]], ids=["all", "a piece"])
def test_it_earns_and_costs_what_it_would_have(code: str, lines: Any) -> None:
    plain, story = Story(code, AT_ONCE), Story(code, AT_ONCE)
    for each in (plain, story):
        each.registered("2024-03-01")
        each.enrolled("2024-03-01")
        each.adjusted(1_000 - each.at("2024-03-01").available, "2024-03-02")
        each.order("A", "2024-04-01", line(10_000, 2, line_id="1"), points_used=600)
    story.tell("order.cancelled", "2024-04-02", order_id="A", reason="customer_request", lines=lines)
    story.tell("order.reinstated", "2024-04-03", order_id="A")
    for each in (plain, story):
        each.paid("A", "2024-04-04")
        each.shipped("A", "2024-04-05")
    one, other = plain.at("2024-06-30"), story.at("2024-06-30")
    for name in ("available", "pending", "due_back", "tier", "lots", "orders", "findings"):
        assert getattr(other, name) == getattr(one, name), name


def test_in_whatever_order_it_is_told_it_goes_on() -> None:
    says = bought(cancelled("2024-08-02"), goes_on("2024-08-03"), SHIPPED, points_used=600)
    assert (says.available, says.orders[0].points_returned, codes(says)) == (500, 0, [])


def test_a_part_of_what_was_cancelled_goes_on() -> None:
    says = bought(cancelled("2024-08-02"), goes_on("2024-08-03", lines=[pieces("1")]), SHIPPED, points_used=600)
    assert (says.orders[0].points_returned, says.orders[0].points_credited) == (300, 50)


def test_where_its_points_were_spent_elsewhere_it_stays_cancelled_as_a_whole() -> None:
    story = Story("belle-maison")
    story.adjusted(1_000, "2024-07-31")
    story.order("A", "2024-08-01", line(10_000, line_id="1"), points_used=1_000)
    story.cancelled("A", "2024-08-02")
    story.order("B", "2024-08-03", line(10_000, line_id="1"), points_used=500)
    story.tell("order.reinstated", "2024-08-04", order_id="A")
    assert story.at("2024-08-05").available == 500
    assert story.findings("2024-08-05") == ["reinstatement_not_covered"]


def called_off(code: str, points: int) -> Story:
    """A member with so many points, who used 600 of them on an order that is cancelled the day after."""
    story = Story(code)
    story.registered("2024-03-01")
    story.enrolled("2024-03-01")
    story.adjusted(points - story.at("2024-03-01").available, "2024-03-02")
    story.order("A", "2024-04-01", line(10_000), points_used=600)
    story.cancelled("A", "2024-04-02")
    return story


def test_points_on_their_way_back_stay() -> None:
    story = called_off("ansage", 600)
    assert story.at("2024-04-03").due_back == 600
    story.tell("order.reinstated", "2024-04-04", order_id="A")
    now = story.at("2024-05-30")
    assert (now.available, now.due_back, story.order_at("A", "2024-05-30").points_returned) == (0, 0, 0)


def test_what_the_cancel_forfeited_is_used_again() -> None:
    story = called_off("puppy", 1_000)
    assert story.at("2024-04-03").forfeited_total == 600
    story.tell("order.reinstated", "2024-04-04", order_id="A")
    assert (story.at("2024-04-05").forfeited_total, story.at("2024-04-05").available) == (0, 400)


def test_points_that_lapsed_only_because_they_came_back_late_count_as_there() -> None:
    story = Story("belle-maison")
    story.adjusted(1_000, "2024-07-31", expires_on="2024-08-31")
    story.order("A", "2024-08-01", line(10_000), points_used=1_000)
    story.cancelled("A", "2024-09-02")
    assert story.at("2024-09-03").lapsed_total == 1_000
    story.tell("order.reinstated", "2024-09-04", order_id="A")
    assert (story.at("2024-09-05").lapsed_total, story.at("2024-09-05").available) == (0, 0)
    story.shipped("A", "2024-09-06")
    assert story.at("2024-09-07").available == 50


def test_a_cancel_told_a_second_after_it_was_taken_back_does_not_stand() -> None:
    says = bought(goes_on("2024-08-02 09:59:59"), cancelled("2024-08-02 10:00:00"), SHIPPED)
    assert (says.available, codes(says)) == (1_100, ["timed_before_cancel"])


def test_nothing_to_reinstate_is_a_finding() -> None:
    says = bought(goes_on("2024-08-02"), SHIPPED)
    assert (says.available, codes(says)) == (1_100, ["nothing_to_reinstate"])


def test_a_parcel_that_was_refused_and_is_taken_after_all_has_left() -> None:
    says = bought(SHIPPED, cancelled("2024-08-07"), goes_on("2024-08-08"))
    assert (says.available, codes(says)) == (1_100, [])
