"""A return, an exchange or a payment that was told by mistake is as if it had not been, in whatever order all of it comes."""

from __future__ import annotations

from contracts.statement import Statement
from tests.rules.any_order import Fact, fact, in_any_order, placed
from tests.rules.story import Story, line, pieces

BELLE = "bellemaison"


def codes(says: Statement) -> list[str]:
    return [each.code for each in says.findings]


def bought(*more: Fact, at: str = "2024-08-20", **order: object) -> Statement:
    facts = (
        placed("2024-08-01 10:00:00", line(10_000, 2, line_id="1"), store=BELLE, **order),
        fact("shipment.dispatched", "2024-08-01 11:00:00", lines="all"),
        *more,
    )
    gift = fact("points.adjusted", "2024-07-31", points=1_000, reason="gift")
    return in_any_order("belle-maison", facts, at, first=(gift,))


def returned(at: str, return_id: str | None = "R", lines: object = "all") -> Fact:
    return fact("return.received", at, return_id=return_id, lines=lines)


def withdrawn(at: str, return_id: str = "R") -> Fact:
    return fact("return.withdrawn", at, return_id=return_id)


def test_a_return_that_is_withdrawn_takes_and_gives_back_nothing() -> None:
    says = bought(returned("2024-08-05"), withdrawn("2024-08-09"), points_used=500)
    assert (says.available, says.orders[0].points_returned, codes(says)) == (600, 0, [])


def test_between_the_two_it_stands_for_whoever_asks_about_then() -> None:
    story = Story("belle-maison")
    story.bought("A", "2024-08-01", line(10_000, line_id="1"))
    story.returned("A", "2024-08-05", return_id="R")
    assert story.at("2024-08-06").available == 0
    story.tell("return.withdrawn", "2024-08-09", order_id="A", return_id="R")
    assert story.at("2024-08-10").available == 50


def test_points_that_came_back_and_were_used_are_taken_again_below_zero() -> None:
    story = Story("belle-maison")
    story.adjusted(1_000, "2024-07-31")
    story.bought("A", "2024-08-01", line(10_000, line_id="1"), points_used=1_000)
    story.returned("A", "2024-08-05", return_id="R")
    story.bought("B", "2024-08-06", line(10_000, line_id="1"), points_used=1_000)
    story.tell("return.withdrawn", "2024-08-09", order_id="A", return_id="R")
    earned = sum(each.points_credited for each in story.at("2024-08-10").orders)
    assert story.at("2024-08-10").available == earned - 1_000


def test_a_return_withdrawn_a_second_before_it_is_told_does_not_count() -> None:
    says = bought(withdrawn("2024-08-05 09:59:59"), returned("2024-08-05 10:00:00"))
    assert (says.available, codes(says)) == (1_100, ["timed_before_return"])


def test_what_is_received_again_after_it_was_withdrawn_is_a_new_return() -> None:
    says = bought(returned("2024-08-05"), withdrawn("2024-08-09"), returned("2024-08-12"))
    assert (says.available, codes(says)) == (1_000, [])


def test_the_second_return_is_withdrawn_too() -> None:
    says = bought(returned("2024-08-05"), withdrawn("2024-08-09"), returned("2024-08-12"), withdrawn("2024-08-13"))
    assert (says.available, codes(says)) == (1_100, [])


def test_a_return_told_twice_under_its_id_counts_once_as_it_was_told_first() -> None:
    half = [pieces("1")]
    says = bought(returned("2024-08-05", lines=half), returned("2024-08-06", lines=half))
    assert (says.available, codes(says)) == (1_050, ["return_twice"])
    says = bought(returned("2024-08-05", lines=half), returned("2024-08-06"))
    assert says.available == 1_050
    assert [each.detail for each in says.findings] == ["return.received:R, other lines"]


def test_nothing_to_withdraw_is_a_finding() -> None:
    says = bought(withdrawn("2024-08-05", "NONE"), returned("2024-08-06"))
    assert (says.available, codes(says)) == (1_000, ["withdrawn_without_return"])


def test_a_withdrawn_return_gives_an_order_placed_meanwhile_the_points_of_its_tier() -> None:
    facts = (
        fact("member.registered", "2024-02-01"),
        placed("2024-02-02", line(60_000, line_id="1"), store="scolar_web"),
        fact("shipment.dispatched", "2024-02-03", lines="all"),
        returned("2024-02-20"),
        placed("2024-03-20", line(10_000), store="scolar_web", order_id="B"),
        fact("shipment.dispatched", "2024-03-21", order_id="B", lines="all"),
        withdrawn("2024-03-25"),
    )
    without = in_any_order("scolar", tuple(each for each in facts if not each[0].startswith("return.")), "2024-06-20")
    says = in_any_order("scolar", facts, "2024-06-20")
    assert says == without


def test_an_exchange_is_withdrawn_until_its_replacement_has_left() -> None:
    received = fact("exchange.received", "2024-08-05", exchange_id="X", lines=[pieces("1")])
    taken_back = fact("exchange.withdrawn", "2024-08-07", exchange_id="X")
    sent = fact("exchange.shipped", "2024-08-06", exchange_id="X", lines=[line(4_000, line_id="9")])
    assert bought(received, taken_back).available == 1_100
    says = bought(received, sent, taken_back)
    assert (says.available, codes(says)) == (1_070, ["withdrawn_after_replacement"])


PAID = {"maturity.after": [{"event": "payment"}], "maturity.by": "order", "maturity.shown": "order"}


def paid(*more: Fact) -> Statement:
    order = placed("2024-08-01 10:00:00", line(10_000, 2, line_id="1"), store=BELLE)
    return in_any_order("belle-maison", (order, fact("order.paid", "2024-08-02"), *more), "2024-08-20", PAID)


def test_a_payment_that_failed_has_not_been() -> None:
    says = paid(fact("payment.failed", "2024-08-04"))
    assert (says.available, says.pending, codes(says)) == (0, 100, [])


def test_a_payment_after_one_that_failed_counts() -> None:
    says = paid(fact("payment.failed", "2024-08-04", amount=5_000), fact("order.paid", "2024-08-05"))
    assert (says.available, says.pending, codes(says)) == (100, 0, [])


def test_an_attempt_that_failed_before_the_payment_undoes_nothing() -> None:
    says = paid(fact("payment.failed", "2024-08-01 12:00:00"))
    assert (says.available, says.pending, codes(says)) == (100, 0, ["nothing_paid"])
