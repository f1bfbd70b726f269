"""Points that turn into something else: vouchers by stamps, by the calendar, on request; other points; miles for a partner."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from contracts.terms_checks import contradictions
from tests.explain.story import ExplainedStory
from tests.rules.story import Story, line, verdict
from worker.programs.terms_file import TermsError
from worker.reading.explain import text

RULE = "SHO-05"
COFFEE = {"name": "free_coffee", "item": "coffee", "lasts": {"months": 3}}
STAMPS = {"id": "stamps", "rule": RULE, "points": 10, "at": "threshold", "into": "voucher", "voucher": COFFEE}
FIVE_HUNDRED = {"name": "500_off", "value": 500, "lasts": {"months": 6, "to": "month_end"}}
SEASON = {
    "id": "season", "rule": RULE, "points": 500, "at": "calendar", "on": {"yearly": ["02-01", "06-01", "10-01"]},
    "into": "voucher", "voucher": FIVE_HUNDRED,
}
MILES = {
    "id": "miles", "rule": RULE, "points": 1_000, "minimum": 5_000, "at": "request", "into": "partner",
    "limits": [{"points": 20_000, "period": "day"}, {"points": 30_000, "period": "month"}],
}


def converting(*conversions: dict[str, Any], story: type[Story] = Story, **set_: Any) -> Any:
    """The shop with conversions, and a member who joined on 1 January 2024. A visit is a stamp."""
    visit = {"id": "visit", "rule": "SHO-02", "event": "activity.completed", "points": 1, "once_per": "event"}
    changes = {"conversions": list(conversions), "activities": [visit], **set_}
    told = story("shop", {path.replace("__", "."): value for path, value in changes.items()})
    told.registered("2024-01-01")
    return told


def visit(story: Story, *days: int, month: int = 2, **data: Any) -> None:
    for day in days:
        story.tell("activity.completed", f"2024-{month:02}-{day:02}", member_id="M1", activity="visit", reference="v", **data)


def available(story: Story, *instants: str) -> list[int]:
    return [story.at(at).available for at in instants]


# -- as soon as a block is there: a stamp card


def test_ten_stamps_are_a_voucher_as_soon_as_the_tenth_is_there() -> None:
    story = converting(STAMPS)
    visit(story, *range(1, 10))
    assert (available(story, "2024-02-09"), story.vouchers("2024-02-09")) == ([9], {})
    visit(story, 10)
    told = story.at("2024-02-10")
    assert told.available == 0
    last = date(2024, 5, 10)
    assert [each.model_dump(exclude_none=True) for each in told.vouchers] == [
        {"voucher_id": "stamps:1", "name": "free_coffee", "status": "open", "expires_on": last, "item": "coffee"}
    ]
    assert [(each.points, each.source, each.target) for each in story.entries() if each.reason == "convert"] == [
        (1, "available", "spent")
    ] * 10
    assert story.rules("convert") == {RULE}


def test_what_is_left_of_a_block_stays_and_every_full_one_is_a_voucher() -> None:
    story = converting(STAMPS)
    story.adjusted(37, "2024-02-01")
    assert available(story, "2024-02-01") == [7]
    assert story.vouchers("2024-02-01") == {"stamps:1": "open", "stamps:2": "open", "stamps:3": "open"}
    story.adjusted(3, "2024-02-02")
    assert list(story.vouchers("2024-02-02")) == ["stamps:1", "stamps:2", "stamps:3", "stamps:4"]


def test_a_hundred_vouchers_come_at_a_time_and_the_rest_with_the_next_that_happens() -> None:
    story = converting(STAMPS)
    story.adjusted(1_205, "2024-02-01")
    assert (available(story, "2024-02-01"), len(story.vouchers("2024-02-01"))) == ([205], 100)
    visit(story, 2)
    assert (available(story, "2024-02-02"), len(story.vouchers("2024-02-02"))) == ([6], 120)


def test_only_points_of_the_kinds_that_are_named_are_converted() -> None:
    story = converting({**STAMPS, "kinds": ["stamp"]})
    story.adjusted(100, "2024-02-01")
    story.adjusted(8, "2024-02-02", kind="stamp")
    assert story.vouchers("2024-02-02") == {}
    story.adjusted(5, "2024-02-03", kind="stamp")
    assert story.vouchers("2024-02-03") == {"stamps:1": "open"}
    assert [(lot.kind, lot.points) for lot in story.at("2024-02-03").lots] == [("regular", 100), ("stamp", 3)]


def test_nobody_converts_who_takes_no_part_yet() -> None:
    story = converting(STAMPS, membership__by="enrolment")
    story.adjusted(12, "2024-02-01")
    assert story.vouchers("2024-02-01") == {}
    story.enrolled("2024-02-02")
    assert (story.vouchers("2024-02-02"), available(story, "2024-02-02")) == ({"stamps:1": "open"}, [2])


# -- used, lapsed, voided


def test_a_voucher_is_used_once() -> None:
    story = converting(STAMPS)
    story.adjusted(10, "2024-02-01")
    story.voucher("used", "stamps:1", "2024-02-02")
    assert (story.vouchers("2024-02-02"), story.findings("2024-02-02")) == ({"stamps:1": "used"}, [])
    story.voucher("used", "stamps:1", "2024-02-03")
    story.voucher("used", "stamps:2", "2024-02-03")
    assert story.vouchers("2024-02-03") == {"stamps:1": "used"}
    assert sorted(story.findings("2024-02-03")) == ["unknown_voucher", "voucher_used"]


def test_a_voucher_lapses_when_its_last_day_is_over() -> None:
    story = converting(STAMPS)
    story.adjusted(10, "2024-02-01")
    assert story.vouchers("2024-05-01 23:59:59") == {"stamps:1": "open"}
    assert story.vouchers("2024-05-02 00:00:00") == {"stamps:1": "lapsed"}
    story.voucher("used", "stamps:1", "2024-05-02")
    assert story.findings("2024-05-02") == ["voucher_lapsed"]


def test_a_use_of_the_last_day_that_is_told_late_was_in_time() -> None:
    story = converting(STAMPS)
    story.adjusted(10, "2024-02-01")
    assert story.vouchers("2024-05-03") == {"stamps:1": "lapsed"}
    story.voucher("used", "stamps:1", "2024-05-01 23:00:00", recorded="2024-05-04")
    assert (story.vouchers("2024-05-04"), story.findings("2024-05-04")) == ({"stamps:1": "used"}, [])


@pytest.mark.parametrize(("lasts", "last"), [({"days": 30}, "2024-03-02"), ({"to": "month_end"}, "2024-02-29"), (None, None)])
def test_how_long_a_voucher_lasts(lasts: dict[str, Any] | None, last: str | None) -> None:
    story = converting({**STAMPS, "voucher": {**COFFEE, "lasts": lasts}})
    story.adjusted(10, "2024-02-01")
    (voucher,) = story.at("2024-02-01").vouchers
    assert voucher.expires_on == last or str(voucher.expires_on) == last
    assert story.vouchers("2028-01-01") == {"stamps:1": "open" if last is None else "lapsed"}


def test_a_voided_voucher_cannot_be_used_and_its_points_stay_spent() -> None:
    story = converting(STAMPS)
    story.adjusted(20, "2024-02-01")
    story.voucher("voided", "stamps:1", "2024-02-02", reason="stolen")
    story.voucher("used", "stamps:1", "2024-02-03")
    story.voucher("used", "stamps:2", "2024-02-03")
    story.voucher("voided", "stamps:2", "2024-02-04")
    story.voucher("voided", "stamps:2", "2024-02-05")
    assert story.vouchers("2024-02-05") == {"stamps:1": "voided", "stamps:2": "voided"}
    assert (story.findings("2024-02-05"), available(story, "2024-02-05")) == (["voucher_voided", "voucher_voided"], [0])


def test_a_use_that_is_timed_before_the_voucher_takes_effect_with_it() -> None:
    story = converting(STAMPS)
    story.voucher("used", "stamps:1", "2024-02-01 11:59:59")
    story.adjusted(10, "2024-02-01 12:00:00")
    assert story.vouchers("2024-02-02") == {"stamps:1": "used"}
    assert story.findings("2024-02-02") == ["timed_before_voucher"]


# -- the order on which it was used


def test_the_voucher_of_a_cancelled_order_stays_used_or_is_given_back_as_the_terms_say() -> None:
    for says, status in (("used", "used"), ("given_back", "given_back")):
        story = converting({**STAMPS, "voucher": {**COFFEE, "order_cancelled": says}}, earning__components=[])
        story.adjusted(10, "2024-02-01")
        story.order("A", "2024-02-02", line(1_000, 2, line_id="1"))
        story.voucher("used", "stamps:1", "2024-02-02", "A")
        story.cancelled("A", "2024-02-03", {"line_id": "1", "quantity": 1})
        assert story.vouchers("2024-02-03") == {"stamps:1": "used"}, "only a part of it was cancelled"
        story.cancelled("A", "2024-02-04")
        assert story.vouchers("2024-02-04") == {"stamps:1": status}


BY_RETURN = {**STAMPS, "voucher": {**COFFEE, "order_returned": "given_back"}}


def test_the_voucher_of_a_returned_order_is_given_back_when_nothing_of_it_is_kept() -> None:
    story = converting(BY_RETURN, earning__components=[])
    story.adjusted(20, "2024-02-01")
    for n, order_id in enumerate("AB", 1):
        story.bought(order_id, "2024-02-02", line(1_000, 2, line_id="1"))
        story.voucher("used", f"stamps:{n}", "2024-02-02", order_id)
    story.returned("A", "2024-02-03", {"line_id": "1", "quantity": 1}, return_id="R1")
    assert story.vouchers("2024-02-03") == {"stamps:1": "used", "stamps:2": "used"}, "only a part of it came back"
    story.returned("A", "2024-02-04", {"line_id": "1", "quantity": 1}, return_id="R2")
    assert story.vouchers("2024-02-04") == {"stamps:1": "given_back", "stamps:2": "used"}
    story.tell("return.withdrawn", "2024-02-05", order_id="A", return_id="R1")
    assert story.vouchers("2024-02-05") == {"stamps:1": "used", "stamps:2": "used"}


def test_a_voucher_that_comes_back_with_a_return_stays_used_where_the_order_is_cancelled() -> None:
    story = converting(BY_RETURN, earning__components=[])
    story.adjusted(10, "2024-02-01")
    story.order("A", "2024-02-02", line(1_000))
    story.voucher("used", "stamps:1", "2024-02-02", "A")
    story.cancelled("A", "2024-02-03")
    assert story.vouchers("2024-02-03") == {"stamps:1": "used"}


GIVEN_BACK = {**STAMPS, "voucher": {**COFFEE, "order_cancelled": "given_back"}}


def _used_on_a(**set_: Any) -> Story:
    story: Story = converting(GIVEN_BACK, earning__components=[], **set_)
    story.adjusted(10, "2024-02-01")
    story.order("A", "2024-02-02", line(1_000))
    story.voucher("used", "stamps:1", "2024-02-02", "A")
    return story


def test_a_voucher_that_was_given_back_keeps_its_last_day() -> None:
    story = _used_on_a()
    story.cancelled("A", "2024-02-04")
    assert story.vouchers("2024-05-01 23:59:59") == {"stamps:1": "given_back"}
    assert story.vouchers("2024-05-02 00:00:00") == {"stamps:1": "lapsed"}
    late = _used_on_a()
    late.cancelled("A", "2024-06-01")
    assert late.vouchers("2024-06-01") == {"stamps:1": "lapsed"}


def test_an_order_that_goes_on_after_all_uses_its_voucher_again_unless_another_has() -> None:
    story = _used_on_a()
    story.cancelled("A", "2024-02-04")
    story.tell("order.reinstated", "2024-02-05", order_id="A")
    assert story.vouchers("2024-02-05") == {"stamps:1": "used"}
    other = _used_on_a()
    other.cancelled("A", "2024-02-04")
    other.order("B", "2024-02-04 13:00:00", line(1_000))
    other.voucher("used", "stamps:1", "2024-02-04 13:00:00", "B")
    other.tell("order.reinstated", "2024-02-05", order_id="A")
    assert (other.vouchers("2024-02-05"), other.findings("2024-02-05")) == ({"stamps:1": "used"}, ["voucher_used"])
    other.cancelled("A", "2024-02-06")
    assert other.vouchers("2024-02-06") == {"stamps:1": "used"}, "it was used on B"
    other.cancelled("B", "2024-02-07")
    assert other.vouchers("2024-02-07") == {"stamps:1": "given_back"}


def test_a_voucher_whose_use_is_told_after_the_cancel_of_its_order_comes_back_all_the_same() -> None:
    for recorded in (None, "2024-02-05"):
        story = converting(GIVEN_BACK, earning__components=[])
        story.adjusted(10, "2024-02-01")
        story.order("A", "2024-02-02", line(1_000))
        story.cancelled("A", "2024-02-03")
        at = "2024-02-04" if recorded is None else "2024-02-02 13:00:00"
        story.voucher("used", "stamps:1", at, "A", recorded=recorded)
        assert story.vouchers("2024-02-05") == {"stamps:1": "given_back"}


def test_a_voucher_used_before_its_order_is_told() -> None:
    story = converting(GIVEN_BACK, earning__components=[])
    story.adjusted(10, "2024-02-01")
    story.voucher("used", "stamps:1", "2024-02-02 11:00:00", "A")
    story.order("A", "2024-02-02", line(1_000))
    story.cancelled("A", "2024-02-03")
    assert story.vouchers("2024-02-03") == {"stamps:1": "given_back"}


# -- points that a voucher was made of, and that are taken back


def _bought_and_returned(**more: Any) -> Story:
    """1,000 points of an order and 100 others: two vouchers of 500 are made; then the order comes back."""
    story: Story = converting({**STAMPS, "points": 500, "voucher": FIVE_HUNDRED, **more})
    story.adjusted(100, "2024-02-01")
    story.order("A", "2024-02-02", line(100_000, line_id="1"))
    assert (story.vouchers("2024-02-02"), available(story, "2024-02-02")) == ({"stamps:1": "open", "stamps:2": "open"}, [100])
    story.returned("A", "2024-02-03")
    return story


def test_vouchers_are_kept_and_their_points_owed() -> None:
    story = _bought_and_returned()
    assert (story.vouchers("2024-02-03"), available(story, "2024-02-03")) == ({"stamps:1": "open", "stamps:2": "open"}, [-900])


def test_vouchers_are_withdrawn_newest_first_until_nothing_is_owed() -> None:
    story = _bought_and_returned(reversed="withdrawn")
    # 1,000 are revoked, 100 are there: 900 are owed, which two vouchers cover; 100 are left of them.
    assert story.vouchers("2024-02-03") == {"stamps:1": "withdrawn", "stamps:2": "withdrawn"}
    assert available(story, "2024-02-03") == [100]
    story.voucher("used", "stamps:2", "2024-02-04")
    assert story.findings("2024-02-04") == ["voucher_withdrawn"]
    story.adjusted(400, "2024-02-05")
    assert story.vouchers("2024-02-05")["stamps:3"] == "open"


def test_a_used_voucher_is_not_withdrawn_and_what_it_does_not_cover_is_owed() -> None:
    story = converting({**STAMPS, "points": 500, "voucher": FIVE_HUNDRED, "reversed": "withdrawn"})
    story.order("A", "2024-02-02", line(100_000, line_id="1"))
    story.voucher("used", "stamps:2", "2024-02-02 13:00:00")
    story.returned("A", "2024-02-03")
    assert story.vouchers("2024-02-03") == {"stamps:1": "withdrawn", "stamps:2": "used"}
    assert available(story, "2024-02-03") == [-500]


def test_points_that_never_were_made_no_voucher() -> None:
    story = converting(STAMPS)
    visit(story, *range(1, 11))
    assert story.vouchers("2024-02-11") == {"stamps:1": "open"}
    visited = {"source": "story", "id": "e003"}
    story.tell("points.voided", "2024-02-09 13:00:00", "2024-02-12", member_id="M1", event=visited, reason="x")
    assert (story.vouchers("2024-02-12"), available(story, "2024-02-12")) == ({}, [9])
    visit(story, 13)
    assert story.vouchers("2024-02-13") == {"stamps:1": "open"}


# -- by the calendar


def test_every_500_are_a_voucher_on_the_first_of_february_june_and_october_and_the_rest_is_carried() -> None:
    story = converting(SEASON, expiry={})
    story.adjusted(1_250, "2024-01-15")
    assert (available(story, "2024-01-31 23:59:59"), story.vouchers("2024-01-31 23:59:59")) == ([1_250], {})
    assert available(story, "2024-02-01 00:00:00") == [250]
    told = story.at("2024-02-01 00:00:00").vouchers
    assert [(each.voucher_id, each.value, str(each.expires_on)) for each in told] == [
        ("season:2024-02-01:1", 500, "2024-08-31"),
        ("season:2024-02-01:2", 500, "2024-08-31"),
    ]
    story.adjusted(249, "2024-03-01")
    assert available(story, "2024-06-01") == [499]
    story.adjusted(1, "2024-07-01")
    assert available(story, "2024-09-30 23:59:59", "2024-10-01 00:00:00") == [500, 0]
    assert story.vouchers("2024-10-01") == {
        "season:2024-02-01:1": "lapsed", "season:2024-02-01:2": "lapsed",
        "season:2024-10-01:1": "open",
    }


def test_points_told_late_are_converted_on_the_day_on_which_they_were_there() -> None:
    story = converting(SEASON, expiry={})
    story.adjusted(400, "2024-01-15")
    assert available(story, "2024-02-05") == [400]
    story.adjusted(100, "2024-01-20", recorded="2024-02-05")
    assert (available(story, "2024-02-05"), story.vouchers("2024-02-05")) == ([0], {"season:2024-02-01:1": "open"})


def test_points_whose_last_day_was_yesterday_are_converted_no_more() -> None:
    story = converting(SEASON)
    story.adjusted(500, "2024-01-15", expires_on="2024-01-31")
    assert (story.at("2024-02-01").lapsed_total, story.vouchers("2024-02-01")) == (500, {})


def test_a_day_of_every_month_and_terms_that_begin_to_convert_later() -> None:
    monthly = {**SEASON, "on": {"monthly": 10}, "voucher": {**FIVE_HUNDRED, "lasts": None}}
    amended = [{"effective_from": "2024-03-05T00:00:00+09:00", "set": {"conversions": [monthly]}}]
    story = converting(amendments=amended, expiry={})
    story.adjusted(700, "2024-01-15")
    assert available(story, "2024-03-09 23:59:59", "2024-03-10 00:00:00") == [700, 200]
    story.adjusted(300, "2024-03-11")
    assert list(story.vouchers("2024-04-10")) == ["season:2024-03-10:1", "season:2024-04-10:1"]


# -- when the member asks


def test_miles_are_given_to_a_partner_in_thousands_from_5000_on_and_20000_a_day() -> None:
    story = converting(MILES, expiry={})
    story.adjusted(60_000, "2024-02-01")
    asked = [4_000, 5_500, 21_000, 5_000, 15_000, 5_000]
    for number, points in enumerate(asked):
        story.converts("miles", f"2024-02-02 {10 + number}:00:00", points, request=f"C{number}")
    told = [(each.decision, each.reason) for each in story.at("2024-02-02 23:00:00").requests]
    assert told == [
        *[("rejected", "below_minimum"), ("rejected", "not_a_multiple"), ("rejected", "limit_reached")],
        *[("accepted", None), ("accepted", None), ("rejected", "limit_reached")],
    ]
    assert available(story, "2024-02-02 23:00:00") == [40_000]
    story.converts("miles", "2024-02-03", 11_000, request="C7")
    story.converts("miles", "2024-02-03 13:00:00", 10_000, request="C8")
    assert available(story, "2024-02-03 23:00:00") == [30_000], "30,000 a month are what may be given away"
    story.converts("miles", "2024-03-01", 20_000, request="C9")
    assert available(story, "2024-03-01 23:00:00") == [10_000]
    assert story.vouchers("2024-03-01") == {}


def test_a_request_that_is_told_twice_counts_once() -> None:
    story = converting(MILES, expiry={})
    story.adjusted(20_000, "2024-02-01")
    for at in ("2024-02-02", "2024-02-03"):
        story.converts("miles", at, 5_000)
    assert (available(story, "2024-02-03"), story.findings("2024-02-03")) == ([15_000], ["conversion_twice"])


def test_a_request_is_for_one_block_unless_it_says_more_and_there_must_be_enough() -> None:
    asked = {**STAMPS, "at": "request", "maximum": 20}
    story = converting(asked)
    story.adjusted(35, "2024-02-01")
    story.converts("stamps", "2024-02-02")
    story.converts("stamps", "2024-02-03", 20, request="C2")
    story.converts("stamps", "2024-02-04", 30, request="C3")
    story.converts("stamps", "2024-02-04", request="C4")
    story.converts("tea", "2024-02-04", request="C5")
    assert available(story, "2024-02-05") == [5]
    assert story.vouchers("2024-02-05") == {"stamps:C1:1": "open", "stamps:C2:1": "open", "stamps:C2:2": "open"}
    reasons = {each.request_id: each.reason for each in story.at("2024-02-05").requests}
    assert reasons == {
        "C1": None, "C2": None, "C3": "above_maximum", "C4": "insufficient_points", "C5": "conversion_not_offered"
    }


def test_a_long_request_id_makes_a_voucher_that_can_be_used() -> None:
    story = converting({**STAMPS, "at": "request"})
    story.adjusted(20, "2024-02-01")
    for end in "ab":
        story.converts("stamps", "2024-02-02", request="𠮷" * 198 + end)
    first, second = story.at("2024-02-02").vouchers
    assert first.voucher_id != second.voucher_id
    assert max(len(first.voucher_id), len(second.voucher_id)) <= 200
    story.voucher("used", first.voucher_id, "2024-02-03")
    assert story.vouchers("2024-02-03")[first.voucher_id] == "used"


def test_points_of_one_kind_become_points_of_another_at_a_rate() -> None:
    swap = {"id": "swap", "rule": RULE, "kinds": ["regular"], "points": 100, "at": "request", "into": "points"}
    story = converting({**swap, "kind": "gift", "gives": 80})
    story.adjusted(350, "2024-02-01")
    story.converts("swap", "2024-02-02", 300)
    assert [(lot.kind, lot.points) for lot in story.at("2024-02-02").lots] == [("regular", 50), ("gift", 240)]
    moved = [(each.points, each.source, each.target) for each in story.entries() if each.reason == "convert"]
    assert moved == [(300, "available", "spent"), (240, "granted", "available")]


def test_a_conversion_makes_points_for_another_at_once_in_whatever_order_they_stand() -> None:
    first = {"id": "up", "rule": RULE, "kinds": ["visit"], "points": 2, "at": "threshold", "into": "points"}
    chain = [{**STAMPS, "kinds": ["stamp"]}, {**first, "kind": "stamp", "gives": 5}]
    for conversions in (chain, chain[::-1]):
        story = converting(*conversions)
        story.adjusted(4, "2024-02-01", kind="visit")
        assert (story.vouchers("2024-02-01"), available(story, "2024-02-01")) == ({"stamps:1": "open"}, [0])


def test_no_more_can_be_asked_for_than_the_member_may_use() -> None:
    most = [{"rule": RULE, "points": 1_500}]
    story = converting({**MILES, "minimum": None}, expiry={}, redemption__limits=most)
    story.adjusted(5_000, "2024-02-01")
    for number, points in enumerate((2_000, 1_000)):
        story.converts("miles", "2024-02-02", points, request=f"C{number}")
    reasons = [each.reason for each in story.at("2024-02-02").requests]
    assert (reasons, available(story, "2024-02-02")) == (["insufficient_points", None], [4_000])


def test_an_order_and_a_conversion_want_the_same_points() -> None:
    story = converting({**MILES, "minimum": None}, expiry={})
    story.adjusted(1_000, "2024-02-01")
    story.converts("miles", "2024-02-02", 1_000)
    story.order("A", "2024-02-03", line(1_000), points_used=500)
    assert verdict(story, "A") == "insufficient_points"
    assert available(story, "2024-02-03") == [0]


def test_asking_is_a_use_that_prolongs_a_pool_and_the_clock_is_none() -> None:
    pool = {"pool": {"rule": "SHO-04", "months": 3, "prolonged_by": ["use"], "begins": "grant"}}
    for at, day in (("request", "2024-05-10"), ("threshold", "2024-05-01")):
        story = converting({**STAMPS, "at": at, "points": 100}, expiry=pool)
        story.adjusted(50, "2024-02-01")
        story.adjusted(90, "2024-02-05")
        if at == "request":
            story.converts("stamps", "2024-02-10")
        (lot,) = story.at("2024-02-10").lots
        assert (lot.points, str(lot.expires_on)) == (40, day)


# -- explained


def test_it_is_explained_what_points_were_converted_into() -> None:
    story = converting({**STAMPS, "points": 500, "voucher": FIVE_HUNDRED}, story=ExplainedStory)
    story.adjusted(1_200, "2024-02-01")
    told = text(story.told("2024-02-02", "en"))
    assert told.count("500 points converted") == 2
    assert "for stamps:1: 1 × 500 = 500" in told
    assert "for stamps:2: 1 × 500 = 500" in told


# -- terms


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"voucher": None}, "what the voucher is (voucher) is said of into: voucher"),
        ({"voucher": {"name": "v"}}, "a voucher is good for a value in money or for an item"),
        ({"voucher": {**COFFEE, "value": 5}}, "a voucher is good for a value in money or for an item"),
        ({"into": "points"}, "(voucher) is said of into: voucher, and of no other"),
        ({"into": "points", "voucher": None}, "(gives) of which kind come of a block is said of into: points"),
        ({"at": "calendar"}, "the days (on) are said of at: calendar"),
        ({"on": {"yearly": ["02-01"], "monthly": 1}}, "some of every year or one of every month"),
        ({"limits": [{"points": 5, "period": {"rolling_days": 3}}]}, "periods that follow each other"),
    ],
)
def test_a_conversion_that_lacks_something_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(TermsError, match=re.escape(says)):
        converting({**STAMPS, **change})


_SWAP = {"id": "a", "rule": RULE, "kinds": ["x"], "points": 2, "at": "threshold", "into": "points", "kind": "y", "gives": 1}


@pytest.mark.parametrize(
    ("conversions", "path"),
    [
        ([{**_SWAP, "kind": "x"}], "conversions.0.kind"),
        ([{**_SWAP, "kinds": []}], "conversions.0.kinds"),
        ([_SWAP, {**_SWAP, "id": "b", "kinds": ["y"], "kind": "x"}], "conversions.0.kind"),
        ([STAMPS, STAMPS], "conversions"),
        ([{**STAMPS, "limits": [{"points": 50, "period": "day"}]}], "conversions.0.limits"),
        ([{**STAMPS, "minimum": 20}], "conversions.0.minimum"),
        ([{**STAMPS, "maximum": 20}], "conversions.0.maximum"),
        ([{**MILES, "maximum": 4_000}], "conversions.0.maximum"),
        ([{**MILES, "minimum": 5_500}], "conversions.0.minimum"),
        ([{**MILES, "limits": [{"points": 4_999, "period": "day"}]}], "conversions.0.limits.0.points"),
        ([{**MILES, "reversed": "withdrawn"}], "conversions.0.reversed"),
        ([{**MILES, "at": "threshold", "minimum": None, "limits": []}], "conversions.0.into"),
        ([STAMPS, {**STAMPS, "id": "second"}], "conversions.1.kinds"),
    ],
)
def test_conversions_that_do_not_go_together_are_refused(conversions: list[dict[str, Any]], path: str) -> None:
    terms = converting(*conversions).program.versions[0].terms
    assert path in [each.path for each in contradictions(terms)]


def test_a_conversion_is_not_called_like_an_activity_that_brings_vouchers() -> None:
    gift = {"id": "stamps", "rule": "SHO-02", "event": "activity.completed", "voucher": COFFEE}
    for activities, found in (([gift], ["conversions.0.id"]), ([{**gift, "id": "gift"}], [])):
        terms = converting(STAMPS, activities=activities).program.versions[0].terms
        assert [each.path for each in contradictions(terms)] == found
