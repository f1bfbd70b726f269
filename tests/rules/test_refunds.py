"""Money that goes back without goods: what was earned follows it, what was used stays used, and nothing is taken twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.statement import Statement
from tests.rules.any_order import Fact, fact, in_any_order, placed
from tests.rules.story import Story, line, pieces

BELLE = "bellemaison"


def codes(says: Statement) -> list[str]:
    return [each.code for each in says.findings]


def bought(*more: Fact, set_: Mapping[str, Any] | None = None, **order: Any) -> Statement:
    """An order of two pieces of 10,000 yen and one of 4,000, with tax of a tenth, that brings 120 points."""
    lines = line(10_000, 2, line_id="1"), line(4_000, line_id="2")
    facts = (
        placed("2024-08-01 10:00:00", *lines, store=BELLE, **order),
        fact("shipment.dispatched", "2024-08-01 11:00:00", lines="all"),
        *more,
    )
    return in_any_order("belle-maison", facts, "2024-08-20", set_)


def refund(at: str, refund_id: str = "F", **what: Any) -> Fact:
    return fact("refund.issued", at, refund_id=refund_id, **what)


def of_line(line_id: str, amount: int) -> list[dict[str, Any]]:
    return [{"line_id": line_id, "amount": amount}]


def returned(at: str, *lines: Any) -> Fact:
    return fact("return.received", at, lines=lines or "all")


def test_points_earned_follow_the_part_without_tax() -> None:
    assert bought(refund("2024-08-05", lines=of_line("1", 4_400))).available == 100


def test_an_amount_of_the_order_is_spread_over_its_goods() -> None:
    assert bought(refund("2024-08-05", amount=13_200)).available == 60


def test_of_shipping_it_takes_nothing_that_the_goods_earned() -> None:
    assert bought(refund("2024-08-05", amount=550, of="shipping"), shipping_fee=550).available == 120


def test_where_fees_earn_a_refund_of_shipping_takes_what_they_earned() -> None:
    earn = {"earning.fees": "earn"}
    assert bought(set_=earn, shipping_fee=2_000).available == 130
    assert bought(refund("2024-08-05", amount=2_000, of="shipping"), set_=earn, shipping_fee=2_000).available == 120


def test_where_the_terms_ignore_refunds_nothing_moves() -> None:
    says = bought(refund("2024-08-05", amount=13_200), set_={"reversal.refunds": "ignored"})
    assert (says.available, codes(says)) == (120, [])


def test_a_refund_told_twice_under_its_id_counts_once() -> None:
    says = bought(refund("2024-08-05", lines=of_line("1", 4_400)), refund("2024-08-06", lines=of_line("1", 4_400)))
    assert (says.available, codes(says)) == (100, ["refund_twice"])


def test_two_refunds_are_two() -> None:
    says = bought(refund("2024-08-05", lines=of_line("1", 4_400)), refund("2024-08-06", "G", lines=of_line("1", 4_400)))
    assert (says.available, codes(says)) == (80, [])


def test_the_money_for_what_came_back_is_not_taken_twice() -> None:
    says = bought(returned("2024-08-04", pieces("2")), refund("2024-08-05", lines=of_line("2", 4_400)))
    assert (says.available, codes(says)) == (100, [])
    says = bought(refund("2024-08-04", lines=of_line("2", 4_400)), returned("2024-08-05", pieces("2")))
    assert (says.available, codes(says)) == (100, [])


def test_what_is_left_after_what_came_back_comes_off_the_pieces_that_are_kept() -> None:
    says = bought(returned("2024-08-04", pieces("1")), refund("2024-08-05", lines=of_line("1", 13_200)))
    assert says.available == 60


def test_a_piece_that_comes_back_later_takes_what_it_still_was_worth() -> None:
    assert bought(refund("2024-08-04", lines=of_line("1", 8_800)), returned("2024-08-05", pieces("1"))).available == 50


def test_no_more_is_taken_than_the_goods_brought() -> None:
    says = bought(refund("2024-08-05", lines=of_line("2", 10_000)))
    assert says.available == 100
    assert [(each.code, each.detail) for each in says.findings] == [("refund_above_price", "5600")]


def test_points_used_stay_used() -> None:
    story = Story("belle-maison")
    story.adjusted(1_000, "2024-07-31")
    story.bought("A", "2024-08-01", line(10_000, line_id="1"), points_used=1_000)
    story.tell("refund.issued", "2024-08-05", order_id="A", refund_id="F", amount=11_000)
    order = story.order_at("A", "2024-08-06")
    assert (order.points_used, order.points_returned, order.points_credited) == (1_000, 0, 0)


def test_what_counts_toward_a_tier_follows_the_money() -> None:
    kept, refunded = Story("scolar"), Story("scolar")
    for story in (kept, refunded):
        story.registered("2024-02-01")
        story.bought("A", "2024-02-02", line(60_000, line_id="1"))
    refunded.tell("refund.issued", "2024-02-03", order_id="A", refund_id="F", amount=66_000)
    assert (kept.at("2024-04-20").tier, refunded.at("2024-04-20").tier) == ("Silver", "Member")


def charged_back(at: str, **what: Any) -> Fact:
    return fact("payment.charged_back", at, **what)


def test_a_payment_that_is_charged_back_takes_what_it_earned_whatever_refunds_do() -> None:
    ignored = {"reversal.refunds": "ignored"}
    assert bought(charged_back("2024-08-05"), set_=ignored).available == 0
    assert bought(charged_back("2024-08-05", amount=26_400), set_=ignored).available == 0
    assert bought(charged_back("2024-08-05", amount=13_200), set_=ignored).available == 60
    assert bought(charged_back("2024-08-05", lines=[pieces("1")]), set_=ignored).available == 70
    assert bought(charged_back("2024-08-05", lines="all"), set_=ignored).available == 0


def test_a_payment_charged_back_after_a_return_pays_for_what_came_back_first() -> None:
    says = bought(returned("2024-08-04", pieces("1")), charged_back("2024-08-05", amount=11_000))
    assert (says.available, codes(says)) == (70, [])
