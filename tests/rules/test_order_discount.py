"""A discount on a whole order is a discount on its lines, and a coupon is something that conditions can ask for."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import pytest

from contracts.statement import Statement
from tests.rules.any_order import Fact, fact, in_any_order, placed
from tests.rules.story import Story, line, pieces

BELLE = "bellemaison"
GIFT = fact("points.adjusted", "2024-07-31", points=5_000, reason="gift")
SHIPPED = fact("shipment.dispatched", "2024-08-05", lines="all")
PEN, INK = line(10_000, 2, line_id="1"), line(4_000, line_id="2", sku="INK")
OUTLET = line(6_000, line_id="3", sku="OUT", category="sale")


def bought(*more: Fact, lines: tuple[Any, ...] = (PEN, INK), set_: Mapping[str, Any] | None = None, **order: Any) -> Statement:
    """A member with 5,000 points who orders on the 1st, as it stands on the 20th; a point is half a percent of the goods."""
    facts = (placed("2024-08-01 10:00:00", *lines, store=BELLE, **order), *more)
    return in_any_order("belle-maison", facts, "2024-08-20", set_, first=(GIFT,))


def earned(says: Statement) -> int:
    return says.orders[0].points_credited


def codes(says: Statement) -> list[str]:
    return [each.code for each in says.findings]


# -- the discount


def test_an_order_earns_on_what_is_left_after_its_discount() -> None:
    assert earned(bought(SHIPPED, order_discount=4_000)) == 100


def test_it_is_the_same_as_a_discount_on_each_line_by_its_amount() -> None:
    of_lines = (line(10_000, 2, line_id="1", discount=2_500), line(4_000, line_id="2", sku="INK", discount=500))
    gone = fact("return.received", "2024-08-08", lines=[pieces("1")])
    taxes = [each["tax"] for each in of_lines]
    of_order = ({**PEN, "tax": taxes[0]}, {**INK, "tax": taxes[1]})
    for facts in ((SHIPPED,), (SHIPPED, gone)):
        as_told = bought(*facts, lines=of_order, order_discount=3_000, points_used=3_000)
        assert as_told == bought(*facts, lines=of_lines, points_used=3_000)


def test_the_rest_of_a_share_falls_to_the_last_line() -> None:
    # 100 yen over three lines of 10,000: 33, 33 and 34.
    three = tuple(line(10_000, line_id=name, sku=name, tax=0) for name in "123")
    by_line = {"earning.rounding.scope": "line", "earning.components.0.rates": [{"rate": "0.5"}]}
    for name, points in (("1", 9_967 // 2), ("3", 9_966 // 2)):
        others = [pieces(each) for each in "123" if each != name]
        kept = bought(SHIPPED, fact("return.received", "2024-08-08", lines=others), lines=three, set_=by_line, order_discount=100)
        assert earned(kept) == points


def test_no_line_bears_more_than_it_costs() -> None:
    many = tuple(line(1, line_id=str(n), sku=str(n), tax=0) for n in range(1, 5))
    says = bought(SHIPPED, lines=many, order_discount=3, set_={"earning.components.0.rates": [{"rate": "0.9"}]})
    assert earned(says) == 0
    one = bought(SHIPPED, lines=many, order_discount=2, set_={"earning.components.0.rates": [{"rate": "0.99"}]})
    assert earned(one) == 1


@pytest.mark.parametrize(
    ("how", "points"),
    [
        ({}, 53),  # 1,333 of the 2,000 off: 10,667 earn
        ({"excluded_lines": "last"}, 50),
        ({"by": "pieces"}, 56),  # 666 off
        ({"by": "amount_with_tax"}, 55),  # half of it, as each costs 12,000
    ],
    ids=["excluded lines share", "they bear it last", "by pieces", "with tax"],
)
def test_the_terms_say_how_it_is_spread(how: Mapping[str, Any], points: int) -> None:
    # One piece for 12,000 that earns; two for 3,000 each, and as much tax, that do not.
    lines = (line(12_000, line_id="1", tax=0), {**OUTLET, "tax": 6_000, "quantity": 2, "unit_price": 3_000})
    set_ = {f"earning.order_discount.{name}": value for name, value in how.items()}
    excluded = {"earning.excluded": [{"rule": "BEL-05", "categories": ["sale"]}]}
    says = bought(SHIPPED, lines=lines, order_discount=2_000, set_={**excluded, **set_})
    assert earned(says) == points


def test_what_the_other_lines_cannot_bear_excluded_lines_do() -> None:
    excluded = {"earning.excluded": [{"rule": "BEL-05", "categories": ["sale"]}], "earning.order_discount.excluded_lines": "last"}
    says = bought(SHIPPED, lines=(line(10_000, line_id="1"), OUTLET), order_discount=12_000, set_=excluded, points_used=4_400)
    assert (earned(says), says.orders[0].redemption and says.orders[0].redemption.decision) == (0, "accepted")


def test_returns_in_any_order_come_to_the_same() -> None:
    goods = (line(3_333, 3, line_id="1", tax=500), line(777, 2, line_id="2", sku="INK", tax=90))
    single = ("1", "1", "1", "2", "2")
    whole = bought(SHIPPED, fact("return.received", "2024-08-08", lines="all"), lines=goods, order_discount=999, points_used=500)
    found = set()
    for number, order in enumerate(sorted(set(permutations(single)))):
        story = Story("belle-maison")
        story.adjusted(5_000, "2024-07-31")
        story.order("A", "2024-08-01", *goods, order_discount=999, points_used=500)
        story.shipped("A", "2024-08-05")
        for day, name in enumerate(order, 6):
            story.returned("A", f"2024-08-{day:02}", pieces(name), return_id=f"R{number}-{day}")
        says = story.at("2024-08-20")
        found.add((says.available, earned(says), says.orders[0].points_returned))
    assert found == {(whole.available, 0, 500)}


def test_an_amendment_may_bring_a_discount_change_it_or_leave_it() -> None:
    def amended(**data: Any) -> Fact:
        return fact("order.amended", "2024-08-02", amendment_id="AM1", lines=[PEN], **data)

    assert earned(bought(amended(order_discount=4_000), SHIPPED)) == 80
    assert earned(bought(amended(), SHIPPED, order_discount=4_000)) == 80
    assert earned(bought(amended(order_discount=0), SHIPPED, order_discount=4_000)) == 100


def test_a_discount_that_is_left_above_the_goods_of_an_amendment_takes_all_of_them() -> None:
    less = fact("order.amended", "2024-08-02", amendment_id="AM1", lines=[INK])
    says = bought(less, SHIPPED, order_discount=9_000)
    assert (earned(says), codes(says)) == (0, ["discount_above_goods"])


# -- coupons


NO_POINTS_WITH_A_COUPON = {
    "earning.components.0.rates": [{"rate": "0", "when": {"with_coupon": True}}, {"rate": "0.005"}],
}


@pytest.mark.parametrize(("coupons", "points"), [([], 120), (["SPRING"], 0)], ids=["without", "with"])
def test_where_a_coupon_was_used_there_may_be_no_points(coupons: list[str], points: int) -> None:
    assert earned(bought(SHIPPED, coupons=coupons, set_=NO_POINTS_WITH_A_COUPON)) == points


@pytest.mark.parametrize(
    ("coupons", "points"), [(["spring"], 240), (["OTHER", "ＳＰＲＩＮＧ"], 240), (["OTHER"], 120), ([], 120)], ids=str
)
def test_a_campaign_may_ask_for_a_coupon_by_its_code_however_it_is_written(coupons: list[str], points: int) -> None:
    double = [{"id": "c", "rule": "BEL-04", "effect": "multiply", "times": "2", "when": {"coupons": ["Spring"]}}]
    assert earned(bought(SHIPPED, coupons=coupons, set_={"earning.campaigns": double})) == points
