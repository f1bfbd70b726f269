"""An order that is told again after a cancel of all of it: it stays cancelled with a finding, or goes on as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.rules.story import Story, line
from tests.rules.test_bad_input import CODES

GOES_ON = {"reversal.resent_after_cancel": "reinstated"}


def told_again(code: str, set_: Mapping[str, Any] | None = None, **again: Any) -> Story:
    """A member with 1,000 points whose order of 10,000 was cancelled, and told again a day later."""
    story = Story(code, set_ or {})
    story.registered("2024-03-01")
    story.enrolled("2024-03-01")
    story.adjusted(1_000 - story.at("2024-03-01").available, "2024-03-02")
    story.order("A", "2024-04-01", line(10_000), points_used=600)
    story.cancelled("A", "2024-04-02")
    story.order("A", "2024-04-03", line(10_000), points_used=600, **again)
    return story


@pytest.mark.parametrize("code", CODES)
def test_it_stays_cancelled_with_a_finding_where_the_terms_say_so(code: str) -> None:
    story = told_again(code, {"reversal.resent_after_cancel": "finding"})
    (finding,) = story.at("2024-04-04").findings
    assert (finding.code, finding.order_id, finding.detail) == ("order_twice", "A", "same content, after its cancel")
    assert story.order_at("A", "2024-04-04").points_credited == 0


@pytest.mark.parametrize("code", CODES)
def test_it_goes_on_and_earns_what_it_would_have_earned_where_the_terms_say_so(code: str) -> None:
    plain = Story(code)
    plain.registered("2024-03-01")
    plain.enrolled("2024-03-01")
    plain.adjusted(1_000 - plain.at("2024-03-01").available, "2024-03-02")
    plain.order("A", "2024-04-01", line(10_000), points_used=600)
    story = told_again(code, {**GOES_ON, "reversal.used_points.0.outcome": "back", "reversal.used_points.0.days": 0})
    for each in (plain, story):
        each.paid("A", "2024-04-04")
        each.shipped("A", "2024-04-05")
    one, other = plain.at("2024-06-30"), story.at("2024-06-30")
    for name in ("available", "pending", "due_back", "tier", "lots"):
        assert getattr(other, name) == getattr(one, name), name
    assert story.order_at("A", "2024-06-30").points_credited == plain.order_at("A", "2024-06-30").points_credited
    assert story.findings("2024-06-30") == []


def test_points_on_their_way_back_pay_again() -> None:
    story = told_again("ansage", GOES_ON)
    now = story.at("2024-04-04")
    assert (now.available, now.due_back) == (400, 0)
    order = story.order_at("A", "2024-04-04")
    assert (order.points_used, order.points_returned) == (1_200, 600)


def test_what_was_forfeited_stays_so() -> None:
    story = told_again("puppy", GOES_ON)
    assert story.order_at("A", "2024-04-04").points_forfeited == 600
    assert story.order_at("A", "2024-04-04").points_credited == 0
    story.adjusted(600, "2024-04-05")
    story.order("A", "2024-04-06", line(10_000), points_used=600)
    assert (story.at("2024-04-07").available, story.at("2024-04-07").forfeited_total) == (400, 600)


def test_it_stays_cancelled_while_its_points_are_not_there() -> None:
    story = Story("scolar")
    story.registered("2024-03-01")
    story.adjusted(500, "2024-03-02")
    story.order("A", "2024-04-01", line(10_000), points_used=600)
    story.cancelled("A", "2024-04-02")
    story.order("B", "2024-04-03", line(10_000), points_used=900)
    story.order("A", "2024-04-04", line(10_000), points_used=600)
    order = story.order_at("A", "2024-04-05")
    assert (order.points_used, order.points_returned, order.points_credited) == (600, 600, 0)
    assert story.at("2024-04-05").available == 100


@pytest.mark.parametrize("how", ["pro_rata", "cash_first", "points_first"])
def test_a_return_of_what_goes_on_gives_back_what_was_paid_again_and_no_more(how: str) -> None:
    story = Story("belle-maison", {**GOES_ON, "reversal.split.order": how})
    story.adjusted(1_000, "2024-08-01")
    story.order("A", "2024-08-02", line(400, 2, line_id="1"), points_used=800)
    story.cancelled("A", "2024-08-03")
    story.order("A", "2024-08-04", line(400, 2, line_id="1"), points_used=800)
    assert story.at("2024-08-04").available == 200
    story.shipped("A", "2024-08-05")
    back = {"pro_rata": 400, "cash_first": 360, "points_first": 440}[how]
    story.returned("A", "2024-08-06", {"line_id": "1", "quantity": 1})
    assert story.at("2024-08-06").available == 200 + back + story.order_at("A", "2024-08-06").points_credited
    story.returned("A", "2024-08-07", {"line_id": "1", "quantity": 1})
    assert story.at("2024-08-08").available == 1_000


def test_other_content_after_the_cancel_is_a_finding() -> None:
    story = told_again("scolar", shipping_fee=500)
    (finding,) = story.at("2024-04-04").findings
    assert (finding.code, finding.detail) == ("order_twice", "other content, after its cancel")


def test_an_order_of_which_something_came_back_is_not_cancelled_as_a_whole() -> None:
    story = Story("scolar")
    story.registered("2024-03-01")
    story.order("A", "2024-04-01", line(10_000, 2, line_id="1"))
    story.shipped("A", "2024-04-02")
    story.returned("A", "2024-04-03", {"line_id": "1", "quantity": 1})
    story.cancelled("A", "2024-04-04")
    story.order("A", "2024-04-05", line(10_000, 2, line_id="1"))
    (finding,) = story.at("2024-04-06").findings
    assert (finding.code, finding.detail) == ("order_twice", "same content")
