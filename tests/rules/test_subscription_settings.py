"""Points set in advance, whenever the terms take them: for which delivery they are, what replaces them, what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.story import MEMBER, Story, line
from tests.rules.test_ansage import joined, request, set_points
from tests.rules.test_ansage_subscription import subscribed
from worker.decide.state import Request

PLAN = {"course": "subscription", "subscription_id": "S1", "planned_delivery_date": "2024-07-17"}


def ansage(**set_: Any) -> Story:
    return Story("ansage", {f"redemption.{path.replace('__', '.')}": value for path, value in set_.items()})


def became(story: Story, request_id: str) -> tuple[str, str | None]:
    """What became of a setting, and the order that it is for."""
    kept = story.simulation.ledgers[MEMBER].items["request", f"subscription:{request_id}"]
    assert isinstance(kept, Request)
    return kept.status, kept.order_id


def used(story: Story, at: str) -> dict[str, int]:
    return {order.order_id: order.points_used for order in story.at(at).orders}


# -- which delivery


def test_a_setting_is_for_the_subscription_that_it_names() -> None:
    story = joined(1_000)
    story.order("one off", "2024-07-01", line(5_000), planned_delivery_date="2024-07-10")
    for name, day in (("S1", "2024-07-17"), ("S2", "2024-07-24")):
        story.order(name, "2024-07-01", line(5_000), **{**PLAN, "subscription_id": name, "planned_delivery_date": day})
    set_points(story, "R2", "2024-07-02", 200, subscription_id="S2")
    assert used(story, "2024-07-02") == {"one off": 0, "S1": 0, "S2": 200}
    set_points(story, "R1", "2024-07-02", 100, subscription_id="S1")
    assert used(story, "2024-07-02") == {"one off": 0, "S1": 100, "S2": 200}


def test_a_setting_that_comes_too_late_for_the_next_delivery_is_not_for_the_one_after_it() -> None:
    story = subscribed()
    story.order("B", "2024-07-02", line(5_000), **{**PLAN, "planned_delivery_date": "2024-08-16"})
    set_points(story, "R1", "2024-07-13", 300, subscription_id="S1")
    assert request(story, "R1", "2024-07-13").reason == "deadline_passed"
    assert used(story, "2024-07-13") == {"A": 0, "B": 0}


def test_a_delivery_of_a_store_that_takes_no_points_takes_none_that_were_set() -> None:
    story = subscribed(1_000, ansage(stores_excluded=["ansage_online"]))
    set_points(story, "R1", "2024-07-02", 300, order_id="A")
    assert request(story, "R1", "2024-07-02").reason == "store_not_eligible"


def test_a_setting_too_late_for_its_order_is_for_the_next_of_the_same_subscription() -> None:
    story = subscribed(1_000, ansage(subscription__late="next_delivery"))
    other = {**PLAN, "subscription_id": "S2", "planned_delivery_date": "2024-07-24"}
    story.order("other", "2024-07-01", line(5_000), **other)
    set_points(story, "R1", "2024-07-13", 300, order_id="A")
    assert (used(story, "2024-07-13"), story.at("2024-07-13").reserved) == ({"A": 0, "other": 0}, 300)
    story.order("B", "2024-07-14", line(5_000), **{**PLAN, "planned_delivery_date": "2024-08-16"})
    assert used(story, "2024-07-14") == {"A": 0, "B": 300, "other": 0}


def test_who_takes_no_part_sets_no_points() -> None:
    story = Story("ansage")
    story.order("A", "2024-07-01", line(5_000), **PLAN)
    set_points(story, "R1", "2024-07-02", 1, order_id="A")
    assert request(story, "R1", "2024-07-02").reason == "not_a_member"


@pytest.mark.parametrize(
    ("points", "reason"),
    [(99, "below_minimum"), (100, None), (150, "not_a_multiple"), (500, None), (600, "above_maximum"), (0, None)],
)
def test_a_setting_before_its_order_keeps_within_what_one_order_may_use(points: int, reason: str | None) -> None:
    story = joined(1_000, ansage(minimum=100, maximum=500, unit=100))
    set_points(story, "R1", "2024-06-20", points, subscription_id="S1")
    assert (request(story, "R1", "2024-06-20").reason, story.at("2024-06-20").reserved) == (reason, 0 if reason else points)


def test_a_lower_setting_gives_back_what_was_taken_last_and_keeps_to_the_rest() -> None:
    story = joined(0)
    for points, last in ((100, "2024-12-31"), (200, "2025-01-31")):
        story.adjusted(points, "2024-06-01", expires_on=last)
    for number, points in enumerate((300, 100, 50)):
        set_points(story, f"R{number}", f"2024-06-2{number}", points, subscription_id="S1")
        kept = story.simulation.ledgers[MEMBER].items["request", f"subscription:R{number}"]
        assert isinstance(kept, Request)
        assert [each.points for each in kept.spent] == [[100, 200], [100], [50]][number]
    found = {str(lot.expires_on): lot.points for lot in story.at("2024-06-23").lots}
    assert found == {"2024-12-31": 50, "2025-01-31": 200}


# -- one after the other


def test_the_name_of_a_request_counts_once_unless_it_was_refused() -> None:
    story = subscribed()
    set_points(story, "R1", "2024-07-02", 1_001, order_id="A")
    set_points(story, "R1", "2024-07-03", 300, order_id="A")
    assert (used(story, "2024-07-03"), story.findings("2024-07-03")) == ({"A": 300}, [])
    set_points(story, "R1", "2024-07-04", 500, order_id="A")
    assert (used(story, "2024-07-04"), story.findings("2024-07-04")) == ({"A": 300}, ["setting_twice"])


@pytest.mark.parametrize("taken_at", ["setting", "shipment", "cut_off"])
def test_each_setting_says_what_became_of_it(taken_at: str) -> None:
    story = subscribed(1_000, ansage(subscription__taken_at=taken_at))
    set_points(story, "R1", "2024-07-02", 300, order_id="A")
    assert became(story, "R1") == ("accepted", "A")
    set_points(story, "R2", "2024-07-03", 200, subscription_id="S1")
    assert [became(story, name) for name in ("R1", "R2")] == [("released", "A"), ("accepted", "A")]
    set_points(story, "R3", "2024-07-04", 1_001, order_id="A")
    assert [became(story, name) for name in ("R2", "R3")] == [("accepted", "A"), ("rejected", "A")]
    story.shipped("A", "2024-07-15")
    assert used(story, "2024-07-15") == {"A": 200}
    assert story.findings("2024-07-15") == []


@pytest.mark.parametrize("taken_at", ["setting", "shipment", "cut_off"])
def test_a_setting_that_waited_for_its_order_is_that_orders_and_can_be_replaced_there(taken_at: str) -> None:
    story = joined(1_000, ansage(subscription__taken_at=taken_at))
    set_points(story, "R1", "2024-06-20", 300, subscription_id="S1")
    set_points(story, "R2", "2024-06-21", 500, subscription_id="S1")
    assert story.at("2024-06-21").available == (500 if taken_at == "setting" else 1_000)
    assert [became(story, name) for name in ("R1", "R2")] == [("released", None), ("accepted", None)]
    story.order("A", "2024-07-01", line(5_000), **PLAN)
    assert became(story, "R2") == ("captured" if taken_at == "setting" else "accepted", "A")
    set_points(story, "R3", "2024-07-02", 400, subscription_id="S1")
    assert [became(story, name) for name in ("R2", "R3")] == [("released", "A"), ("accepted", "A")]
    story.shipped("A", "2024-07-15")
    assert (used(story, "2024-07-15"), story.at("2024-07-15").reserved) == ({"A": 400}, 0)
    assert story.findings("2024-07-15") == []


@pytest.mark.parametrize("taken_at", ["order", "shipment"])
def test_a_setting_goes_up_and_down_by_a_single_point(taken_at: str) -> None:
    story = subscribed(2, ansage(taken_at=taken_at))
    for day, points in enumerate((1, 2, 1, 0), 2):
        set_points(story, f"R{day}", f"2024-07-0{day}", points, order_id="A")
        now = story.at(f"2024-07-0{day}")
        assert (used(story, f"2024-07-0{day}"), now.available) == ({"A": points}, 2 - points)
        assert now.reserved == (points if taken_at == "shipment" else 0)


# -- what an order cannot take


@pytest.mark.parametrize("taken_at", ["setting", "shipment", "cut_off"])
def test_a_setting_comes_back_whole_where_the_order_can_take_nothing(taken_at: str) -> None:
    story = joined(1_000, ansage(subscription__taken_at=taken_at))
    set_points(story, "R1", "2024-06-20", 300, subscription_id="S1")
    # With a credit card 100 yen must be left to pay.
    story.order("A", "2024-07-01", line(90), **PLAN)
    assert (used(story, "2024-07-01"), story.at("2024-07-01").available) == ({"A": 0}, 1_000)
    assert [(each.code, each.detail) for each in story.at("2024-07-01").findings] == [("setting_cut", "300")]
    story.shipped("A", "2024-07-15")
    assert (used(story, "2024-07-15"), story.at("2024-07-15").available) == ({"A": 0}, 1_000 + 2)


def test_a_setting_below_what_the_order_named_itself_gives_the_difference_back_at_once() -> None:
    story = joined(1_000, ansage(subscription__taken_at="shipment"))
    story.order("A", "2024-07-01", line(5_000), points_used=300, **PLAN)
    set_points(story, "R1", "2024-07-02", 100, order_id="A")
    assert (used(story, "2024-07-02"), story.at("2024-07-02").available) == ({"A": 100}, 900)
    set_points(story, "R2", "2024-07-03", 400, order_id="A")
    assert (used(story, "2024-07-03"), story.at("2024-07-03").available) == ({"A": 100}, 900)
    story.shipped("A", "2024-07-15")
    assert (used(story, "2024-07-15"), story.at("2024-07-15").available) == ({"A": 400}, 600 + 153)


def test_what_is_taken_at_the_shipment_waits_for_it_whatever_comes_due_before() -> None:
    story = Story(
        "ansage",
        {
            "redemption.subscription.taken_at": "shipment",
            "maturity.after": [{"event": "payment", "days": 20}],
            "maturity.by": "order",
        },
    )
    subscribed(1_000, story)
    story.paid("A", "2024-07-01")
    set_points(story, "R1", "2024-07-02", 300, order_id="A")
    assert story.order_at("A", "2024-07-22").points_credited == 165, "credited after the deadline, before the shipment"
    assert story.at("2024-07-22").available == 1_165
    story.shipped("A", "2024-07-23")
    assert (used(story, "2024-07-23"), story.at("2024-07-23").available) == ({"A": 300}, 856)


def test_a_setting_that_was_cut_to_what_was_there_stays_at_that_number_when_points_are_found_late_to_have_gone_before() -> None:
    story = subscribed(400, ansage(uncovered="clipped"))
    set_points(story, "R1", "2024-07-02", 500, order_id="A")
    assert (request(story, "R1", "2024-07-02").points, used(story, "2024-07-02")) == (400, {"A": 400})
    story.adjusted(-100, "2024-06-30", recorded="2024-07-03")
    assert (request(story, "R1", "2024-07-03").points, used(story, "2024-07-03")) == (400, {"A": 400})
    assert story.at("2024-07-03").available == -100


# -- a verdict stands, though the points are found late to have gone before


@pytest.fixture
def gone() -> Story:
    """300 points were set aside for the next delivery, and had been taken back before, as it turned out."""
    story = joined(300)
    set_points(story, "R1", "2024-06-20", 300, subscription_id="S1")
    story.adjusted(-300, "2024-06-10", recorded="2024-06-21")
    now = story.at("2024-06-21")
    assert (now.available, now.reserved, now.on_hold) == (-300, 300, 0)
    return story


def test_what_is_withdrawn_sets_off_what_is_owed(gone: Story) -> None:
    set_points(gone, "R2", "2024-06-22", 100, subscription_id="S1")
    assert request(gone, "R2", "2024-06-22").reason == "insufficient_points", "a lower setting is a new one"
    set_points(gone, "R3", "2024-06-23", 0, subscription_id="S1")
    now = gone.at("2024-06-23")
    assert (now.available, now.reserved, now.on_hold) == (0, 0, 0)


def test_what_the_order_cannot_take_sets_off_what_is_owed(gone: Story) -> None:
    gone.order("A", "2024-07-01", line(300), **PLAN)
    now = gone.at("2024-07-01")
    assert (used(gone, "2024-07-01"), now.available, now.reserved, now.on_hold) == ({"A": 230}, -230, 0, 0)


def test_points_named_by_the_order_take_the_place_of_all_that_was_set_aside(gone: Story) -> None:
    gone.order("A", "2024-07-01", line(5_000), points_used=1, **PLAN)
    assert used(gone, "2024-07-01") == {"A": 0}, "nothing is there to pay with"
    gone.adjusted(301, "2024-07-02")
    gone.order("B", "2024-07-03", line(5_000), points_used=1, **PLAN)
    now = gone.at("2024-07-03")
    assert (used(gone, "2024-07-03"), now.available, now.reserved, now.on_hold) == ({"A": 0, "B": 1}, 300, 0, 0)


@pytest.mark.parametrize(("before", "since"), [("setting", "shipment"), ("shipment", "setting")])
def test_a_setting_made_under_other_terms_is_replaced_and_used_whole(before: str, since: str) -> None:
    path = "redemption.subscription.taken_at"
    other = {"effective_from": "2024-06-25T00:00:00+09:00", "set": {path: since}}
    for replaced in (False, True):
        story = joined(1_000, Story("ansage", {path: before, "amendments": [other]}))
        set_points(story, "R1", "2024-06-20", 300, subscription_id="S1")
        assert story.at("2024-06-20").reserved == (300 if before == "setting" else 0)
        if replaced:
            set_points(story, "R2", "2024-06-26", 200, subscription_id="S1")
            assert story.at("2024-06-26").reserved == (200 if since == "setting" else 0)
        story.order("A", "2024-07-01", line(5_000), **PLAN)
        story.shipped("A", "2024-07-15")
        points = 200 if replaced else 300
        now = story.at("2024-07-15")
        assert (used(story, "2024-07-15"), now.reserved, now.on_hold) == ({"A": points}, 0, 0)
        assert now.available == 1_000 - points + (5_500 - points) * 3 // 100
