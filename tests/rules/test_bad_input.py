"""What does not fit, in every program: each has one outcome, a finding that says so, and books that still add up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.rules.story import Story, line, pieces
from worker.programs.terms_file import shipped

CODES = tuple(shipped())
LATER = "2024-12-20"

every_program = pytest.mark.parametrize("code", CODES)


def member(code: str) -> Story:
    """A member of a program with 1,000 points to spend."""
    story = Story(code)
    story.registered("2024-03-01")
    story.enrolled("2024-03-01")
    story.adjusted(1_000 - story.at("2024-03-01").available, "2024-03-02")
    return story


def bought(code: str, points_used: int = 0, quantity: int = 3) -> Story:
    """The same with an order of some pieces, paid, shipped and delivered."""
    story = member(code)
    lines = line(10_000, quantity, line_id="1"), line(3_000, line_id="2", sku="OTHER")
    story.order("A", "2024-04-01", *lines, points_used=points_used or None)
    story.paid("A", "2024-04-01")
    story.shipped("A", "2024-04-02")
    story.delivered("A", "2024-04-04")
    return story


def same_but_for_findings(story: Story, other: Story) -> None:
    """Both members have the same: what was odd did nothing."""
    odd, plain = story.at(LATER), other.at(LATER)
    for name in ("available", "pending", "on_hold", "due_back", "reserved", "lapsed_total", "forfeited_total", "tier", "lots"):
        assert getattr(odd, name) == getattr(plain, name), name
    assert odd.orders == plain.orders


# -- goods that come back


@every_program
def test_a_return_of_more_than_was_bought_takes_what_there_is(code: str) -> None:
    story, plain = bought(code), bought(code)
    story.returned("A", "2024-04-10", pieces("1", 5))
    plain.returned("A", "2024-04-10", pieces("1", 3))
    same_but_for_findings(story, plain)
    (finding,) = story.at(LATER).findings
    assert (finding.code, finding.order_id, finding.detail) == ("more_than_left", "A", "1 2")


@every_program
def test_what_is_left_of_a_line_counts_over_all_earlier_returns(code: str) -> None:
    story, plain = bought(code, points_used=500), bought(code, points_used=500)
    for day, n in (("10", 2), ("11", 2), ("12", 1)):
        story.returned("A", f"2024-04-{day}", pieces("1", n))
    plain.returned("A", "2024-04-10", pieces("1", 2))
    plain.returned("A", "2024-04-11", pieces("1", 1))
    same_but_for_findings(story, plain)
    assert [(each.code, each.detail) for each in story.at(LATER).findings] == [
        ("more_than_left", "1 1"),
        ("more_than_left", "1 1"),
    ]


@every_program
def test_one_line_named_by_id_and_by_sku_comes_back_once(code: str) -> None:
    story, plain = bought(code, quantity=1), bought(code, quantity=1)
    story.returned("A", "2024-04-10", pieces("1"), {"sku": "SKU", "quantity": 1})
    plain.returned("A", "2024-04-10", pieces("1"))
    same_but_for_findings(story, plain)
    assert story.findings(LATER) == ["more_than_left"]


@every_program
def test_everything_returned_twice_comes_back_once(code: str) -> None:
    story, plain = bought(code, points_used=500), bought(code, points_used=500)
    for each in (story, plain):
        each.returned("A", "2024-04-10")
    story.returned("A", "2024-04-11")
    same_but_for_findings(story, plain)
    assert story.findings(LATER) == ["nothing_left"]


@every_program
def test_a_line_that_the_order_does_not_have_is_left_aside(code: str) -> None:
    story, plain = bought(code), bought(code)
    story.returned("A", "2024-04-10", pieces("9"), pieces("2"))
    plain.returned("A", "2024-04-10", pieces("2"))
    same_but_for_findings(story, plain)
    assert [(each.code, each.detail) for each in story.at(LATER).findings] == [("unknown_line", "9")]


# -- cancels beside returns


@every_program
def test_a_cancel_after_a_return_takes_only_the_rest(code: str) -> None:
    story, plain = bought(code, points_used=500), bought(code, points_used=500)
    for each in (story, plain):
        each.returned("A", "2024-04-10", pieces("1", 2))
    story.cancelled("A", "2024-04-11", pieces("1", 3))
    plain.cancelled("A", "2024-04-11", pieces("1", 1))
    same_but_for_findings(story, plain)
    assert [(each.code, each.detail) for each in story.at(LATER).findings] == [("more_than_left", "1 2")]


@every_program
def test_a_return_after_a_cancel_of_everything_finds_nothing(code: str) -> None:
    story, plain = member(code), member(code)
    for each in (story, plain):
        each.order("A", "2024-04-01", line(10_000), points_used=500)
        each.cancelled("A", "2024-04-02")
    story.returned("A", "2024-04-10")
    same_but_for_findings(story, plain)
    assert story.findings(LATER) == ["nothing_left"]


@every_program
def test_goods_that_were_cancelled_do_not_ship(code: str) -> None:
    story, plain = member(code), member(code)
    for each in (story, plain):
        each.order("A", "2024-04-01", line(10_000, 2, line_id="1"), line(3_000, line_id="2"))
        each.paid("A", "2024-04-01")
        each.cancelled("A", "2024-04-02", pieces("1", 2))
    story.shipped("A", "2024-04-03", pieces("1", 2), pieces("2"))
    plain.shipped("A", "2024-04-03", pieces("2"))
    for each in (story, plain):
        each.delivered("A", "2024-04-05")
    same_but_for_findings(story, plain)
    assert [(each.code, each.detail) for each in story.at(LATER).findings] == [("more_than_left", "1 2")]


@every_program
def test_an_order_that_was_cancelled_whole_does_not_ship(code: str) -> None:
    story = member(code)
    story.order("A", "2024-04-01", line(10_000))
    story.cancelled("A", "2024-04-02")
    story.shipped("A", "2024-04-03")
    assert story.order_at("A", LATER).points_credited == 0
    assert story.findings(LATER) == ["nothing_to_ship"]


@every_program
def test_what_was_delivered_has_left_though_nobody_said_so(code: str) -> None:
    story, plain = member(code), member(code)
    for each in (story, plain):
        each.order("A", "2024-04-01", line(10_000, 2, line_id="1"))
        each.paid("A", "2024-04-01")
        each.shipped("A", "2024-04-02", pieces("1"))
    plain.shipped("A", "2024-04-04", pieces("1"))
    for each in (story, plain):
        each.delivered("A", "2024-04-04", pieces("1", 2))
    assert story.at(LATER) == plain.at(LATER)


@every_program
def test_more_than_was_ordered_is_not_delivered(code: str) -> None:
    story, plain = member(code), member(code)
    for each in (story, plain):
        each.order("A", "2024-04-01", line(10_000, 2, line_id="1"))
        each.paid("A", "2024-04-01")
        each.shipped("A", "2024-04-02")
    story.delivered("A", "2024-04-04", pieces("1", 3))
    plain.delivered("A", "2024-04-04", pieces("1", 2))
    same_but_for_findings(story, plain)
    assert story.findings(LATER) == ["more_than_left"]


# -- rejected orders


AFTER_REJECTION: dict[str, Callable[[Story], None]] = {
    "shipment": lambda story: story.shipped("A", "2024-04-05"),
    "payment": lambda story: story.paid("A", "2024-04-05"),
    "delivery": lambda story: story.delivered("A", "2024-04-05"),
    "cancel": lambda story: story.cancelled("A", "2024-04-05"),
    "return": lambda story: story.returned("A", "2024-04-05"),
    "exchange": lambda story: story.exchange("received", "A", "2024-04-05"),
}


@pytest.mark.parametrize("what", AFTER_REJECTION)
@every_program
def test_nothing_happens_to_an_order_that_was_rejected(code: str, what: str) -> None:
    story, plain = member(code), member(code)
    for each in (story, plain):
        each.order("A", "2024-04-01", line(50_000), points_used=1_001)
        verdict = each.order_at("A", "2024-04-02").redemption
        assert verdict is not None
        assert verdict.decision == "rejected"
    AFTER_REJECTION[what](story)
    same_but_for_findings(story, plain)
    assert story.findings(LATER) == ["order_rejected"]


# -- exchanges, payments


@every_program
def test_an_exchange_of_a_line_that_is_not_there_changes_nothing(code: str) -> None:
    story, plain = bought(code), bought(code)
    story.exchange("received", "A", "2024-04-10", pieces("9"))
    same_but_for_findings(story, plain)
    assert [(each.code, each.detail) for each in story.at(LATER).findings] == [("unknown_line", "9")]


@every_program
def test_an_exchange_after_everything_came_back_finds_nothing_left(code: str) -> None:
    story, plain = bought(code), bought(code)
    for each in (story, plain):
        each.returned("A", "2024-04-10")
    story.exchange("received", "A", "2024-04-11", pieces("2"))
    same_but_for_findings(story, plain)
    assert story.findings(LATER) == ["more_than_left"]


@every_program
def test_a_second_payment_does_nothing(code: str) -> None:
    story, plain = bought(code), bought(code)
    story.paid("A", "2024-05-01")
    same_but_for_findings(story, plain)
    assert story.findings(LATER) == ["paid_twice"]


# -- manual changes, rewards


@every_program
def test_an_adjustment_beyond_the_account_is_owed_and_set_off_later(code: str) -> None:
    story = member(code)
    story.adjusted(-1_300, "2024-04-01")
    assert (story.at("2024-04-02").available, story.findings("2024-04-02")) == (-300, ["adjusted_below_zero"])
    story.adjusted(500, "2024-04-03")
    now = story.at("2024-04-04")
    assert (now.available, sum(lot.points for lot in now.lots)) == (200, 200)


@every_program
def test_more_than_there_is_cannot_be_held_or_released(code: str) -> None:
    story = member(code)
    story.held("2024-04-01", points=1_200)
    assert (story.at("2024-04-02").on_hold, story.at("2024-04-02").available) == (1_000, 0)
    story.released("2024-04-03", points=1_100)
    assert (story.at("2024-04-04").on_hold, story.at("2024-04-04").available) == (0, 1_000)
    assert story.findings("2024-04-04") == ["held_more_than_available", "released_more_than_held"]


@every_program
def test_a_reward_that_nobody_offers_is_rejected(code: str) -> None:
    story = member(code)
    story.tell("reward.requested", "2024-04-01", member_id="M1", request_id="R1", reward_sku="A_YACHT", quantity=1)
    (request,) = story.at("2024-04-02").requests
    assert (request.decision, request.reason, request.points) == ("rejected", "reward_not_offered", 0)
    assert story.at("2024-04-02").available == 1_000


@every_program
def test_one_order_id_with_other_content_leaves_the_first_standing(code: str) -> None:
    story, plain = bought(code), bought(code)
    story.order("A", "2024-04-03", line(99_999))
    same_but_for_findings(story, plain)
    (finding,) = story.at(LATER).findings
    assert (finding.code, finding.order_id, finding.detail) == ("order_twice", "A", "other content")


LISTED = {
    "a return of more than is left": test_what_is_left_of_a_line_counts_over_all_earlier_returns,
    "a cancel after a return": test_a_cancel_after_a_return_takes_only_the_rest,
    "a return after a cancel": test_a_return_after_a_cancel_of_everything_finds_nothing,
    "a return of a rejected order": test_nothing_happens_to_an_order_that_was_rejected,
    "an exchange of an unknown line": test_an_exchange_of_a_line_that_is_not_there_changes_nothing,
    "a shipment of a cancelled line": test_goods_that_were_cancelled_do_not_ship,
    "a second payment": test_a_second_payment_does_nothing,
    "two orders under one id": test_one_order_id_with_other_content_leaves_the_first_standing,
    "an adjustment beyond the account": test_an_adjustment_beyond_the_account_is_owed_and_set_off_later,
    "a reward that nobody offers": test_a_reward_that_nobody_offers_is_rejected,
}
"""What shops send that does not fit, and where its outcome is told; each in every program."""


def test_each_is_told_in_every_program() -> None:
    for told in LISTED.values():
        marks = [mark.args for mark in getattr(told, "pytestmark", ())]
        assert ("code", CODES) in marks, told.__name__
