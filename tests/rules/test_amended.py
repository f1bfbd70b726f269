"""An order that is changed after it was placed is what it would be if it had been placed so, but for what has left before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from contracts.statement import Statement
from tests.rules.any_order import Fact, fact, in_any_order, placed
from tests.rules.heard import Heard
from tests.rules.story import Story, line, pieces
from tests.rules.test_bad_input import CODES

BELLE = "bellemaison"
GIFT = fact("points.adjusted", "2024-07-31", points=1_000, reason="gift")
SHIPPED = fact("shipment.dispatched", "2024-08-05", lines="all")
TWO = line(10_000, 2, line_id="1")
OTHER = line(4_000, line_id="2", sku="OTHER")


def codes(says: Statement) -> list[str]:
    return [each.code for each in says.findings]


def bought(*more: Fact, lines: tuple[Any, ...] = (TWO,), set_: Mapping[str, Any] | None = None, **order: Any) -> Statement:
    """A member with 1,000 points who orders on the 1st, as it stands on the 20th; a point is half a percent of the goods."""
    facts = (placed("2024-08-01 10:00:00", *lines, store=BELLE, **order), *more)
    return in_any_order("belle-maison", facts, "2024-08-20", set_, first=(GIFT,))


def amended(at: str, *lines: Mapping[str, Any], id_: str = "AM1", **data: Any) -> Fact:
    return fact("order.amended", at, amendment_id=id_, lines=lines, **data)


def earned(says: Statement) -> int:
    return says.orders[0].points_credited


# -- goods


@pytest.mark.parametrize(
    ("lines", "points"),
    [
        ((line(10_000, 3, line_id="1"),), 150),
        ((line(10_000, 1, line_id="1"),), 50),
        ((line(8_000, 2, line_id="1"),), 80),
        ((line(10_000, 2, line_id="1", discount=2_000),), 90),
        ((TWO, OTHER), 120),
        ((OTHER,), 20),
        ((line(10_000, 1, line_id="1"), line(10_000, 3, line_id="2")), 200),
    ],
    ids=["more", "fewer", "cheaper", "discounted", "a line added", "another line instead", "moved to a dearer line"],
)
def test_it_earns_by_what_it_has_become_whatever_comes_first(lines: tuple[Any, ...], points: int) -> None:
    says = bought(amended("2024-08-02", *lines), SHIPPED)
    assert (says.available, earned(says), codes(says)) == (1_000 + points, points, [])


@pytest.mark.parametrize(("price", "points"), [(12_000, 120), (9_000, 90)], ids=["dearer", "cheaper"])
def test_after_its_goods_have_left_the_difference_is_posted(price: int, points: int) -> None:
    says = bought(SHIPPED, amended("2024-08-10", line(price, 2, line_id="1")))
    assert (says.available, codes(says)) == (1_000 + points, [])


def test_what_is_added_after_the_rest_has_left_waits_to_be_sent() -> None:
    more = amended("2024-08-10", line(10_000, 3, line_id="1"), OTHER)
    assert bought(SHIPPED, more).available == 1_100
    assert bought(SHIPPED, more, fact("shipment.dispatched", "2024-08-12", lines=[pieces("1")])).available == 1_150
    assert bought(SHIPPED, more, fact("shipment.dispatched", "2024-08-12", lines="all")).available == 1_170


def test_what_has_left_stays_though_it_is_told_away() -> None:
    says = bought(SHIPPED, amended("2024-08-10", line(10_000, 1, line_id="1")))
    assert (says.available, codes(says)) == (1_100, ["amended_below_shipped"])


def test_a_removed_line_that_has_left_stays_at_its_price() -> None:
    says = bought(SHIPPED, amended("2024-08-10", line(5_000, 2, line_id="1")), lines=(TWO, OTHER))
    assert (earned(says), codes(says)) == (50 + 20, ["amended_below_shipped"])


def test_of_a_line_that_has_left_in_part_only_that_part_stays() -> None:
    says = bought(
        fact("shipment.dispatched", "2024-08-05", lines=[pieces("1", 2)]),
        amended("2024-08-10", OTHER),
        fact("shipment.dispatched", "2024-08-12", lines="all"),
        lines=(line(10_000, 3, line_id="1"),),
    )
    assert (earned(says), codes(says)) == (100 + 20, ["amended_below_shipped"])


def test_pieces_that_came_back_are_among_those_told() -> None:
    back = fact("return.received", "2024-08-08", lines=[pieces("1")])
    says = bought(SHIPPED, back, amended("2024-08-10", line(8_000, 2, line_id="1")))
    assert (earned(says), codes(says)) == (40, [])


def test_pieces_that_were_cancelled_are_not_among_those_told_and_may_go_on() -> None:
    facts = (
        fact("order.cancelled", "2024-08-02", reason="customer_request", lines=[pieces("1")]),
        amended("2024-08-03", line(8_000, 2, line_id="1")),
        SHIPPED,
    )
    three = (line(10_000, 3, line_id="1"),)
    assert earned(bought(*facts, lines=three)) == 80
    assert earned(bought(*facts, fact("order.reinstated", "2024-08-04", lines="all"), lines=three)) == 120


def test_a_return_afterwards_is_of_the_goods_as_they_were_amended() -> None:
    says = bought(amended("2024-08-02", line(8_000, 3, line_id="1")), SHIPPED, fact("return.received", "2024-08-08", lines="all"))
    assert (says.available, earned(says)) == (1_000, 0)


def test_lines_without_ids_are_known_by_their_products() -> None:
    first, second = line(10_000, 2), line(4_000, sku="OTHER")
    says = bought(SHIPPED, amended("2024-08-10", line(4_000, sku="OTHER"), line(3_000, 2, sku="THIRD")), lines=(first, second))
    # The first has left, so it stays; the third has not.
    assert (earned(says), codes(says)) == (120, ["amended_below_shipped"])


def test_amended_twice_it_is_as_it_was_told_last() -> None:
    one, other = amended("2024-08-02", OTHER), amended("2024-08-03", line(10_000, 3, line_id="1"), id_="AM2")
    assert earned(bought(one, other, SHIPPED)) == 150


def test_told_twice_under_its_id_it_counts_as_it_was_told_first() -> None:
    says = bought(amended("2024-08-02", OTHER), amended("2024-08-03", line(10_000, 3, line_id="1")), SHIPPED)
    assert (earned(says), codes(says)) == (20, ["amendment_twice"])


def test_told_a_second_before_its_order_it_takes_effect_with_it() -> None:
    says = bought(amended("2024-08-01 09:59:59", OTHER), SHIPPED)
    assert (earned(says), codes(says)) == (20, ["timed_before_order"])


def test_fees_that_are_left_out_stay() -> None:
    story = Story("belle-maison", {"earning.fees": "earn"})
    story.order("A", "2024-08-01", TWO, shipping_fee=1_000, other_fees=2_000)
    story.tell("order.amended", "2024-08-02", order_id="A", amendment_id="AM1", lines=[TWO], shipping_fee=5_000)
    story.shipped("A", "2024-08-05")
    assert story.at("2024-08-20").available == (20_000 + 5_000 + 2_000) // 200


# -- points used


@pytest.mark.parametrize("amend_at", ["2024-08-02", "2024-08-10"], ids=["before it leaves", "after"])
@pytest.mark.parametrize(("before", "after"), [(0, 300), (300, 600), (600, 200), (600, 0), (300, 300)])
def test_it_costs_the_points_that_it_is_amended_to(before: int, after: int, amend_at: str) -> None:
    says = bought(amended(amend_at, TWO, points_used=after), SHIPPED, points_used=before)
    order = says.orders[0]
    assert (says.available, order.points_used, order.points_returned) == (1_100 - after, after, 0)
    assert codes(says) == []


def test_points_that_are_left_out_stay_and_pay_for_what_there_is_then() -> None:
    one = bought(amended("2024-08-02", OTHER), SHIPPED, points_used=600)
    assert (one.available, one.orders[0].points_used) == (1_000 - 600 + 20, 600)
    gone = bought(amended("2024-08-02", OTHER), fact("order.cancelled", "2024-08-03", reason="x", lines="all"), points_used=600)
    assert (gone.available, gone.orders[0].points_returned) == (1_000, 600)


def test_points_above_what_is_then_payable_come_back_at_once() -> None:
    says = bought(amended("2024-08-02", line(200, 2, line_id="1")), SHIPPED, points_used=600)
    assert (says.available, says.orders[0].points_used) == (1_000 - 440 + 2, 440)


def test_more_points_than_there_are_refuse_the_whole_amendment() -> None:
    says = bought(amended("2024-08-02", line(10_000, 3, line_id="1"), points_used=1_100), SHIPPED, points_used=300)
    assert (says.available, says.orders[0].points_used, earned(says)) == (800, 300, 100)
    assert [(each.code, each.detail) for each in says.findings] == [("amendment_refused", "AM1: insufficient_points")]


def test_a_growth_is_told_as_a_redemption_under_its_amendment(heard: Heard) -> None:
    story = Story("belle-maison")
    story.adjusted(1_000, "2024-07-31")
    story.order("A", "2024-08-01", TWO, points_used=300)
    story.tell("order.amended", "2024-08-02", order_id="A", amendment_id="AM1", lines=[TWO], points_used=600)
    story.tell("order.amended", "2024-08-03", order_id="A", amendment_id="AM2", lines=[TWO], points_used=1_600)
    story.tell("order.amended", "2024-08-04", order_id="A", amendment_id="AM3", lines=[TWO], points_used=100)
    told = heard.on("redemption-decided")
    assert [(each.get("amendment_id"), each["decision"], each["points"], each["order_id"]) for each in told] == [
        (None, "accepted", 300, "A"),
        ("AM1", "accepted", 600, "A"),
        ("AM2", "rejected", 1_600, "A"),
    ]


def test_what_comes_back_is_in_its_lots_as_if_the_lower_number_had_been_used() -> None:
    def lots(*used: int) -> object:
        story = Story("belle-maison")
        story.adjusted(500, "2024-07-30", expires_on="2024-09-30")
        story.adjusted(500, "2024-07-31", expires_on="2024-10-31")
        story.order("A", "2024-08-01", TWO, points_used=used[0])
        for number, points in enumerate(used[1:]):
            data: dict[str, Any] = {"order_id": "A", "amendment_id": f"AM{number}", "lines": [TWO], "points_used": points}
            story.tell("order.amended", f"2024-08-0{2 + number}", **data)
        return story.at("2024-08-20").lots

    assert lots(800, 200) == lots(200)
    assert lots(800, 200, 600) == lots(600)


def test_after_a_return_only_the_difference_of_the_points_comes_back() -> None:
    facts = SHIPPED, fact("return.received", "2024-08-08", lines=[pieces("1")])
    again = bought(*facts, amended("2024-08-10", TWO, points_used=600), points_used=600)
    assert (again.available, again.orders[0].points_returned) == (1_000 - 600 + 300 + 50, 300)
    less = bought(*facts, amended("2024-08-10", TWO, points_used=500), points_used=600)
    assert (less.available, less.orders[0].points_used) == (1_000 - 600 + 300 + 100 + 50, 500)


# -- orders that were refused


def test_a_refused_order_that_is_amended_is_as_sent_again() -> None:
    story = Story("belle-maison")
    story.adjusted(1_000, "2024-07-31")
    story.order("A", "2024-08-01", TWO, points_used=1_500)
    story.paid("A", "2024-08-01 18:00:00")
    assert story.order_at("A", "2024-08-02").redemption.decision == "rejected"  # type: ignore[union-attr]
    story.tell("order.amended", "2024-08-03", order_id="A", amendment_id="AM1", lines=[TWO], points_used=700)
    story.shipped("A", "2024-08-05")
    says = story.at("2024-08-20")
    assert (says.available, says.orders[0].points_used, earned(says)) == (400, 700, 100)
    assert says.orders[0].redemption.decision == "accepted"  # type: ignore[union-attr]


def test_a_refused_order_asks_for_its_points_again_where_the_amendment_names_none() -> None:
    story = Story("belle-maison")
    story.adjusted(1_000, "2024-07-31")
    story.order("A", "2024-08-01", TWO, points_used=1_500)
    story.tell("order.amended", "2024-08-03", order_id="A", amendment_id="AM1", lines=[TWO])
    assert story.order_at("A", "2024-08-04").redemption.decision == "rejected"  # type: ignore[union-attr]
    story.adjusted(1_000, "2024-08-05")
    story.tell("order.amended", "2024-08-06", order_id="A", amendment_id="AM1", lines=[OTHER])
    story.shipped("A", "2024-08-07")
    assert (story.at("2024-08-20").available, story.at("2024-08-20").orders[0].points_credited) == (520, 20)


# -- all programs


LINES = line(10_000, 3, line_id="1"), line(7_000, 2, line_id="2", sku="OTHER"), line(900, 5, line_id="3", sku="THIRD")
BEFORE: Mapping[str, tuple[tuple[Any, ...], int]] = {
    "fewer pieces": ((line(10_000, 1, line_id="1"), *LINES[1:]), 600),
    "more pieces": ((line(10_000, 9, line_id="1"), *LINES[1:]), 600),
    "fewer lines": (LINES[:1], 600),
    "more lines": ((*LINES, line(50_000, line_id="4")), 600),
    "other prices": ((line(100_000, 3, line_id="1"), line(5_000, 2, line_id="2", sku="OTHER", discount=999), LINES[2]), 600),
    "more points": (LINES, 900),
    "fewer points": (LINES, 500),
    "no points": (LINES, 0),
}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("before", BEFORE)
def test_amended_before_it_leaves_it_is_as_if_it_had_been_placed_so(code: str, before: str) -> None:
    plain, story = Story(code), Story(code)
    lines, used = BEFORE[before]
    for each in (plain, story):
        each.registered("2024-03-01")
        each.enrolled("2024-03-01")
        each.adjusted(1_000 - each.at("2024-03-01").available, "2024-03-02")
    plain.order("A", "2024-04-01", *LINES, points_used=600, shipping_fee=500)
    story.order("A", "2024-04-01", *lines, points_used=used, shipping_fee=300)
    data: dict[str, Any] = {"lines": LINES, "points_used": 600, "shipping_fee": 500}
    story.tell("order.amended", "2024-04-01 12:00:00", order_id="A", amendment_id="AM1", **data)
    for each in (plain, story):
        each.paid("A", "2024-04-04")
        each.shipped("A", "2024-04-05", pieces("1", 2), pieces("3"))
        each.shipped("A", "2024-04-06")
        each.delivered("A", "2024-04-07")
        each.returned("A", "2024-04-20", pieces("2"))
    one, other = plain.at("2024-06-30"), story.at("2024-06-30")
    same = ["available", "pending", "due_back", "forfeited_total", "tier", "lots", "orders", "findings"]
    if (code, before) == ("scolar", "no points"):
        same.remove("lots")  # what it earned until points were used on it has prolonged the balance
    for name in same:
        assert getattr(other, name) == getattr(one, name), name


@pytest.mark.parametrize("code", CODES)
def test_told_as_it_stands_nothing_changes(code: str) -> None:
    plain, story = Story(code), Story(code)
    for each in (plain, story):
        each.registered("2024-03-01")
        each.enrolled("2024-03-01")
        each.adjusted(1_000 - each.at("2024-03-01").available, "2024-03-02")
        each.order("A", "2024-04-01", *LINES, points_used=600, shipping_fee=500)
        each.paid("A", "2024-04-04")
        each.shipped("A", "2024-04-05", pieces("1", 2), pieces("2", 2))
        each.returned("A", "2024-04-10", pieces("1"))
    story.tell("order.amended", "2024-04-12", order_id="A", amendment_id="AM1", lines=LINES, points_used=600)
    for each in (plain, story):
        each.shipped("A", "2024-04-15")
        each.delivered("A", "2024-04-16")
        each.returned("A", "2024-05-01")
    one, other = plain.at("2024-08-30"), story.at("2024-08-30")
    for name in ("available", "pending", "due_back", "forfeited_total", "tier", "lots", "orders", "findings"):
        assert getattr(other, name) == getattr(one, name), name
