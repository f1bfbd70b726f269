"""Orders that ship, change and come back in parts: what each part earns, when, and what is taken back of it once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.rules.story import MEMBER, Story, line, pieces
from tests.rules.test_ansage import joined, request, reward, set_points
from worker.decide.state import Decision, Request
from worker.simulation.simulate import Simulation


def told(code: str, **set_: Any) -> Story:
    story = Story(code, {path.replace("__", "."): value for path, value in set_.items()})
    story.registered("2023-06-01", channel="web")
    story.enrolled("2023-06-01")
    return story


def shop(**set_: Any) -> Story:
    """Belle Maison: a point for every full 200 yen ex tax, with each shipment."""
    return told("belle-maison", **set_)


def lenovo(**set_: Any) -> Story:
    """One percent ex tax of each line, shown with the order and usable 30 days after the shipment, for six months."""
    return told("lenovo-pro", **{"earning__components__purchase__rates": [{"rate": "0.01"}], **set_})


def credited(story: Story, at: str, order_id: str = "A") -> int:
    return story.order_at(order_id, at).points_credited


# -- amounts over parts


def test_parts_of_a_line_that_ship_one_by_one_earn_what_the_line_does() -> None:
    story = shop()
    story.order("A", "2024-08-01", line(334, 3, discount=2))
    for day, points in ((2, 1), (3, 3), (4, 5)):
        story.shipped("A", f"2024-08-0{day}", pieces("1"))
        assert credited(story, f"2024-08-0{day}") == points


def test_fees_earn_with_the_ordered_goods_that_earn() -> None:
    story = shop(earning__fees="earn")
    story.bought("A", "2024-08-01", line(1_000), line(9_000, category="sale"), shipping_fee=1_000)
    assert credited(story, "2024-08-02") == 10
    story.exchange("received", "A", "2024-08-03", pieces("1"))
    story.exchange("shipped", "A", "2024-08-04", line(5_000))
    assert credited(story, "2024-08-04") == 25, "the replacement is no part of what the fees were paid for"


@pytest.mark.parametrize(("shown", "left"), [("order", 2), ("never", 1)])
def test_a_share_is_taken_back_of_what_is_cancelled_where_it_had_been_shown(shown: str, left: int) -> None:
    story = lenovo(maturity__shown=shown, reversal__earned_points__amount="returned_share")
    story.order("A", "2024-03-01", line(199, 2))
    story.cancelled("A", "2024-03-02", pieces("1"))
    story.shipped("A", "2024-03-03")
    assert credited(story, "2024-04-03") == left


def test_a_share_is_taken_back_of_the_line_that_came_back_and_of_no_other() -> None:
    story = lenovo(reversal__earned_points__amount="returned_share", earning__rounding__scope="line")
    story.order("A", "2024-03-01", line(199, 2), line(199, 2))
    assert credited(story, "2024-03-01") == 6
    story.cancelled("A", "2024-03-02", pieces("1"))
    assert credited(story, "2024-03-02") == 5


def test_used_points_that_sit_on_what_is_left_keep_to_it_when_more_is_cancelled() -> None:
    story = joined(1_000)
    plan = {"course": "subscription", "planned_delivery_date": "2024-07-17"}
    story.order("A", "2024-07-01", line(1_000, 4), **plan)
    story.cancelled("A", "2024-07-02", pieces("1"))
    set_points(story, "R1", "2024-07-03", 300, order_id="A")
    story.cancelled("A", "2024-07-04", pieces("1"))
    assert story.at("2024-07-04").due_back == 100
    story.shipped("A", "2024-07-15")
    assert credited(story, "2024-07-15") == (2_200 - 200) * 3 // 100


# -- dates


def test_a_second_notice_of_the_delivery_moves_no_date() -> None:
    story = shop(maturity__by="order", maturity__after=[{"event": "delivery", "days": 10}, {"event": "payment", "days": 0}])
    story.bought("A", "2024-08-01", line(2_000))
    story.delivered("A", "2024-08-02")
    story.delivered("A", "2024-08-07")
    story.paid("A", "2024-08-10")
    assert [credited(story, day) for day in ("2024-08-11", "2024-08-12")] == [0, 10]


def test_one_planned_date_is_moved_and_the_other_stays() -> None:
    story = joined(1_000)
    plan = {"planned_ship_date": "2024-07-12", "planned_delivery_date": "2024-07-17", "course": "subscription"}
    story.order("A", "2024-07-01", line(5_000), **plan)
    story.tell("order.rescheduled", "2024-07-02", order_id="A", planned_delivery_date="2024-07-18")
    reward(story, "too late to send", "2024-07-11")
    assert request(story, "too late to send", "2024-07-11").ships_with is None
    set_points(story, "in time", "2024-07-16 23:59:59", 10, order_id="A")
    story.tell("order.rescheduled", "2024-07-16 23:59:59", order_id="A", planned_ship_date="2024-07-19")
    reward(story, "in time to send", "2024-07-16 23:59:59")
    set_points(story, "too late", "2024-07-17", 20, order_id="A")
    found = {each.request_id: each.ships_with or each.reason for each in story.at("2024-07-17").requests}
    assert found == {
        "too late to send": "A",
        "in time": None,
        "in time to send": "insufficient_points",
        "too late": "deadline_passed",
    }


@pytest.mark.parametrize("by", ["order", "shipment"])
def test_the_level_at_the_shipment_stays_that_of_what_shipped(by: str) -> None:
    rates = [{"rate": {"points": 2, "per": 200}, "when": {"tiers": ["S2"]}}, {"rate": {"points": 1, "per": 200}}]
    story = shop(earning__tier_at="trigger", earning__components__basic__rates=rates, maturity__by=by)
    story.order("A", "2024-08-01", line(60_000), line(1_000, 2, category="sale"))
    story.order("B", "2024-08-01", line(2_000, 2))
    story.shipped("B", "2024-09-02")
    assert credited(story, "2024-09-02", "B") == 80
    assert story.at("2025-03-02").tier == "S0"
    story.returned("B", "2025-03-02", pieces("1"))
    assert credited(story, "2025-03-02", "B") == 40


def test_points_that_are_voided_while_their_order_is_held_name_the_last_day_that_they_would_have_had() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000))
    story.held("2024-03-01", order_id="A")
    story.shipped("A", "2024-03-02")
    story.returned("A", "2024-03-20")
    assert [(each.points, str(each.expires_on)) for each in story.entries() if each.reason == "void"] == [(100, "2024-10-31")]


def test_of_pieces_that_shipped_one_by_one_the_last_to_go_comes_back_first() -> None:
    story = lenovo()
    story.order("A", "2024-02-28", line(3_000, 3))
    for day in ("01", "05", "10"):
        story.shipped("A", f"2024-03-{day}", pieces("1"))
    story.returned("A", "2024-04-01", pieces("1"))
    assert (story.at("2024-04-01").available, story.at("2024-04-01").pending) == (30, 30)
    assert (story.at("2024-04-04").available, story.at("2024-04-04").pending) == (60, 0), "30 days after the second"


# -- taken back once


def test_points_that_were_used_or_have_lapsed_are_taken_back_once_over_all_returns() -> None:
    story = lenovo()
    story.bought("A", "2024-01-10", line(5_000, 2))
    story.order("B", "2024-03-01", line(5_000), points_used=50, payment_method="cod")
    story.returned("A", "2024-09-02", pieces("1"))
    now = story.at("2024-09-02")
    assert (now.lapsed_total, now.revoked_total, now.available) == (50, 0, 0)
    story.returned("A", "2024-09-03", pieces("1"))
    assert (story.at("2024-09-03").revoked_total, story.at("2024-09-03").available) == (50, -50)


def test_points_that_lapsed_on_their_way_back_are_not_taken_again_with_the_goods_that_had_earned_them() -> None:
    story = lenovo()
    story.bought("A", "2024-01-10", line(10_000))
    story.order("B", "2024-03-01", line(5_000), points_used=100, payment_method="cod")
    story.cancelled("B", "2024-09-05")
    story.adjusted(70, "2024-09-06")
    assert (story.at("2024-09-20").lapsed_total, story.at("2024-09-20").available) == (100, 70)
    story.returned("A", "2024-09-20")
    assert story.at("2024-09-20").available == 70


def test_points_that_were_revoked_while_pending_are_not_taken_again_with_their_goods() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000))
    story.adjusted("all", "2024-03-02")
    assert (story.at("2024-03-02").pending, story.at("2024-03-02").revoked_total) == (0, 100)
    story.adjusted(70, "2024-03-03")
    story.shipped("A", "2024-03-04")
    story.returned("A", "2024-03-20")
    assert (story.at("2024-03-20").revoked_total, story.at("2024-03-20").available) == (100, 70)


def test_what_an_order_owes_is_taken_from_its_own_lots_before_others_that_lapse_sooner() -> None:
    story = lenovo()
    story.bought("A", "2024-01-10", line(10_000), line(10_000))
    story.order("B", "2024-03-01", line(5_000), points_used=100, payment_method="cod")
    story.adjusted(50, "2024-03-02", expires_on="2024-05-31")
    story.returned("A", "2024-03-03", pieces("1"))
    assert [(str(lot.expires_on), lot.points) for lot in story.at("2024-03-03").lots] == [("2024-05-31", 50)]


def test_a_cancel_takes_what_has_not_left_and_lets_the_rest_mature() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(3_000, 2))
    story.shipped("A", "2024-03-02", pieces("1"))
    story.cancelled("A", "2024-03-03", pieces("1"))
    assert (story.at("2024-03-03").pending, story.at("2024-04-02").available) == (30, 30)


def test_parts_that_come_back_at_one_instant_with_a_fresh_term_are_one_lot() -> None:
    story = joined(300, Story("ansage", {"reversal.back_expiry.mode": "fresh"}))
    story.order("A", "2024-07-01", line(1_000, 3), points_used=300, payment_method="cod")
    for hour in (10, 11, 12):
        story.cancelled("A", f"2024-07-03 {hour}:00:00", pieces("1"))
    assert story.at("2024-07-17").available == 300
    found = [each for each in story.simulation.ledgers[MEMBER].lots.values() if each.available]
    assert [(each.points, each.available) for each in found] == [(300, 300)]


# -- limits


def test_what_a_limit_cut_is_not_made_up_for_when_there_is_room_again() -> None:
    story = lenovo(earning__caps=[{"rule": "LEN-20", "points": 100}])
    story.order("A", "2024-03-01", line(4_000))
    story.order("B", "2024-03-02", line(3_000, 3))
    assert [credited(story, "2024-03-02", each) for each in "AB"] == [40, 60]
    story.cancelled("A", "2024-03-03")
    story.shipped("B", "2024-03-04", pieces("1"))
    assert credited(story, "2024-03-04", "B") == 60
    story.shipped("B", "2024-03-05", pieces("1"))
    assert credited(story, "2024-03-05", "B") == 60


@pytest.mark.parametrize("dated_by", ["order", "grant"])
def test_parts_that_ship_into_a_limit_keep_what_it_left_them(dated_by: str) -> None:
    story = lenovo(earning__caps=[{"rule": "LEN-20", "points": 100, "dated_by": dated_by}], maturity__shown="trigger")
    story.bought("A", "2024-03-01", line(2_500))
    story.order("B", "2024-03-02", line(3_000, 3))
    for day, points in ((3, 30), (4, 60), (5, 75)):
        story.shipped("B", f"2024-03-0{day}", pieces("1"))
        assert credited(story, f"2024-03-0{day}", "B") == points
    story.cancelled("A", "2024-03-06")
    story.delivered("B", "2024-03-07")
    assert [credited(story, "2024-03-07", each) for each in "AB"] == [0, 75]
    story.returned("B", "2024-03-08", pieces("1"))
    assert credited(story, "2024-03-08", "B") == 60


def test_points_that_had_not_yet_come_under_a_limit_leave_no_room_in_it_when_they_are_taken_back() -> None:
    story = shop(
        earning__caps=[{"rule": "BEL-21", "points": 25, "period": "calendar_month", "dated_by": "grant"}],
        earning__tier_at="trigger",
        maturity__shown="order",
    )
    story.bought("before", "2024-02-10", line(60_000, category="sale"))
    story.bought("tier", "2024-02-10", line(60_000))
    story.order("A", "2024-08-31", line(2_000))
    assert story.at("2024-08-31").tier == "S2"
    assert credited(story, "2024-08-31") == 30, "ten for the goods, twenty for the level"
    story.shipped("A", "2024-09-02")
    assert (story.at("2024-09-02").tier, credited(story, "2024-09-02")) == ("S0", 10)
    story.bought("B", "2024-09-03", line(4_000))
    assert credited(story, "2024-09-03", "B") == 15


# -- what rides along


def rewards(story: Story, at: str) -> Mapping[str, str | None]:
    return {each.request_id: each.ships_with for each in story.at(at).requests}


def test_a_reward_that_is_paid_at_the_shipment_waits_for_the_next_one_while_its_points_are_gone() -> None:
    story = joined(700, Story("ansage", {"rewards.deducted_at": "shipment"}))
    story.order("A", "2024-07-01", line(1_000, category="points_excluded"), planned_ship_date="2024-07-12")
    reward(story, "R", "2024-07-02")
    story.adjusted(-1, "2024-07-03")
    story.shipped("A", "2024-07-12")
    found = [(each.code, each.order_id, each.detail) for each in story.at("2024-07-12").findings]
    assert (found, story.at("2024-07-12").available) == ([("reward_not_covered", "A", "R")], 699)
    story.adjusted(1, "2024-07-13")
    story.order("B", "2024-07-13", line(1_000, category="points_excluded"), planned_ship_date="2024-07-19")
    assert rewards(story, "2024-07-13") == {"R": "B"}
    story.shipped("B", "2024-07-19")
    assert story.at("2024-07-19").available == 0


def test_a_reward_is_asked_for_once_under_one_name_unless_it_was_refused() -> None:
    story = joined(700)
    reward(story, "R", "2024-07-02", "ILLUST_POUCH")
    assert request(story, "R", "2024-07-02").reason == "insufficient_points"
    reward(story, "R", "2024-07-03")
    assert (story.at("2024-07-03").available, story.findings("2024-07-03")) == (0, [])
    reward(story, "R", "2024-07-04")
    assert (story.at("2024-07-04").available, story.findings("2024-07-04")) == (0, ["reward_twice"])


@pytest.mark.parametrize(("carrier_rule", "posted"), [("ANS-15", "ANS-15"), (None, "ANS-13")])
def test_a_reward_whose_delivery_is_called_off_gives_its_points_back_under_that_rule(
    carrier_rule: str | None, posted: str
) -> None:
    story = joined(700, Story("ansage", {"rewards.carrier_reversed": "back_if_unshipped", "rewards.carrier_rule": carrier_rule}))
    story.order("A", "2024-07-01", line(1_000), planned_ship_date="2024-07-12")
    reward(story, "R", "2024-07-02")
    story.cancelled("A", "2024-07-03")
    assert (story.at("2024-07-03").available, story.rules("hand_back")) == (700, {posted})
    kept = story.simulation.ledgers[MEMBER].items["request", "reward:R"]
    assert isinstance(kept, Request)
    assert (kept.status, kept.spent) == ("released", ())


@pytest.mark.parametrize("gone", ["rewards", "redemption.subscription"])
def test_what_was_accepted_under_terms_that_offered_it_moves_nothing_under_terms_that_do_not(gone: str) -> None:
    story = Story("ansage", {gone: None})
    told = Decision(source="story", id="asked", verdict="accepted", points=700)
    story.simulation = Simulation(story.program, {("story", "asked"): told})
    joined(1_000, story)
    if gone == "rewards":
        item: dict[str, Any] = {"reward_sku": "CUTTING_BOARD", "quantity": 1}
        story.tell("reward.requested", "2024-07-02", id_="asked", member_id=MEMBER, request_id="R", **item)
    else:
        told_of: dict[str, Any] = {"subscription_id": "S1", "points": 700}
        story.tell("subscription.points-set", "2024-07-02", id_="asked", member_id=MEMBER, request_id="R", **told_of)
    assert (request(story, "R", "2024-07-02").decision, story.at("2024-07-02").available) == ("rejected", 1_000)


def test_rewards_that_wait_when_the_terms_offer_none_any_more_wait_on_and_harm_nobody() -> None:
    ended = {"effective_from": "2024-07-08T00:00:00+09:00", "set": {"rewards": None}}
    story = joined(1_000, Story("ansage", {"amendments": [ended], "rewards.deducted_at": "shipment"}))
    reward(story, "R", "2024-07-02")
    story.order("A", "2024-07-09", line(1_000, category="points_excluded"), planned_ship_date="2024-07-19")
    assert rewards(story, "2024-07-09") == {"R": None}
    story.shipped("A", "2024-07-19")
    assert (rewards(story, "2024-07-19"), story.at("2024-07-19").available) == ({"R": None}, 1_000)


def test_deliveries_are_followed_for_rewards_alone_and_for_settings_alone() -> None:
    story = joined(1_000, Story("ansage", {"redemption.subscription": None}))
    story.order("A", "2024-07-01", line(1_000), planned_ship_date="2024-07-12")
    reward(story, "R", "2024-07-02")
    assert rewards(story, "2024-07-02") == {"R": "A"}
    story = joined(1_000, Story("ansage", {"rewards": None}))
    story.order("A", "2024-07-01", line(1_000), course="subscription", subscription_id="S1")
    set_points(story, "R", "2024-07-02", 300, subscription_id="S1")
    assert story.order_at("A", "2024-07-02").points_used == 300
