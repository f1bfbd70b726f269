"""What the fold asks for: all rows of one kind at one go, and time, where news could still turn a refusal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from contracts.events import Event
from tests.fold.stored import StoredAccounts
from tests.fold.variants import as_shipped
from tests.rules.story import Story, instant, line
from worker.decide.account import Account
from worker.decide.errors import Defect
from worker.decide.order_records import Order
from worker.decide.program import Program
from worker.decide.state import Certainty, Request
from worker.decide.statement import statement
from worker.simulation import loading

MANY = 30
LOADS_MAX = 7
"""So often a fact may ask for more, however many rows it touches: one by one would be far more often."""


@pytest.fixture(autouse=True)
def _few_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "ROUNDS_MAX", LOADS_MAX)


class Told:
    """One member's events, told in order; by default with no more rows loaded than the facts need."""

    def __init__(self, of: str | Program, *, narrow: bool = True) -> None:
        self.program = as_shipped(of) if isinstance(of, str) else of
        self.books = StoredAccounts(self.program, narrow=narrow)
        self._events = 0

    def tell(self, type_: str, at: str, certainty: Certainty | None = None, **data: Any) -> None:
        """Deliver an event; `certainty`: how far the topics have been read, all of them if it is not given."""
        self._events += 1
        body = json.dumps({"member_id": "M1", **data}, sort_keys=True).encode()
        if type_.startswith(("order.", "shipment.", "return.")) and type_ != "order.placed":
            body = json.dumps(data, sort_keys=True).encode()
        event = Event.from_stored("story", f"e{self._events:03}", type_, instant(at), self.program.code, None, body)
        self.books.deliver([event], certainty=certainty)

    def clock(self, at: str, certainty: Certainty | None = None) -> None:
        self.books.run_clock(instant(at), certainty)

    def order(self, order_id: str, at: str, *lines: Any, certainty: Certainty | None = None, **data: Any) -> None:
        store = self.program.versions[0].terms.membership.stores.eligible[0]
        told = {"store": store, "payment_method": "credit_card", **data}
        self.tell("order.placed", at, certainty, order_id=order_id, lines=lines or [line(10_000)], **told)

    def lots(self, points: int = 10) -> None:
        """Many lots, each of a grant of its own."""
        for number in range(MANY):
            self.tell("points.adjusted", f"2024-02-{1 + number % 28:02} 1{number % 2}:00:00", points=points, reason="support")

    @property
    def available(self) -> int:
        return self.books.books["M1"].head.available


# -- rows


def _order_called_off(told: Told) -> int:
    told.lots()
    told.order("A", "2024-03-01", points_used=10 * MANY)
    told.tell("order.cancelled", "2024-03-02", order_id="A", lines="all", reason="customer_request")
    told.clock("2024-04-30")
    return told.available


def _held_and_released(told: Told) -> int:
    told.lots()
    told.tell("points.held", "2024-03-01", points=10 * MANY, reason="support")
    told.tell("points.released", "2024-03-02", points=10 * MANY, reason="support")
    return told.available


def _held_and_revoked(told: Told) -> int:
    told.lots()
    told.tell("points.held", "2024-03-01", points=10 * MANY, reason="support")
    told.tell("points.adjusted", "2024-03-02", points="all", reason="fraud")
    return told.available + 10 * MANY


def _reservation_given_up(told: Told) -> int:
    told.lots()
    store = told.program.versions[0].terms.membership.stores.eligible[0]
    told.tell("redemption.requested", "2024-03-01", redemption_id="R", points=10 * MANY, store=store)
    told.tell("redemption.released", "2024-03-01 12:01:00", redemption_id="R")
    return told.available


@pytest.mark.parametrize("happens", [_order_called_off, _held_and_released, _held_and_revoked, _reservation_given_up])
def test_however_many_lots_points_go_back_to_they_are_asked_for_at_one_go(happens: Callable[[Told], int]) -> None:
    told = Told("lenovo-pro")
    told.tell("member.enrolled", "2024-01-05")
    assert happens(told) == 10 * MANY


@pytest.mark.parametrize("goes", ["lowered", "order names its own"])
def test_points_set_in_advance_go_back_to_many_lots_at_one_go(goes: str) -> None:
    told = Told("ansage")
    told.tell("member.registered", "2024-01-05", channel="web")
    told.lots()
    told.tell("subscription.points-set", "2024-03-01", request_id="R1", subscription_id="S1", points=10 * MANY)
    if goes == "lowered":
        told.tell("subscription.points-set", "2024-03-02", request_id="R2", subscription_id="S1", points=0)
    else:
        told.order("A", "2024-03-02", course="subscription", subscription_id="S1", points_used=1)
    assert told.available == 10 * MANY - (goes != "lowered")


def test_a_reward_whose_delivery_is_called_off_gives_points_back_to_many_lots_at_one_go() -> None:
    told = Told(Story("ansage", {"rewards.carrier_reversed": "back_if_unshipped"}).program)
    told.tell("member.registered", "2024-01-05", channel="web")
    told.lots(30)
    told.order("A", "2024-03-02", line(1_000, category="points_excluded"))
    told.tell("reward.requested", "2024-03-03", request_id="R", reward_sku="CUTTING_BOARD", quantity=1)
    assert told.available == 30 * MANY - 700
    told.tell("order.cancelled", "2024-03-04", order_id="A", lines="all", reason="customer_request")
    assert told.available == 30 * MANY


def test_many_products_bought_many_orders_that_mature_and_many_rewards_are_asked_for_at_one_go() -> None:
    told = Told("scolar")
    told.tell("member.registered", "2024-01-05")
    told.order("A", "2024-03-01", *(line(100, sku=f"S{number}") for number in range(MANY)))
    told = Told("lenovo-pro")
    told.tell("member.enrolled", "2024-01-05")
    for number in range(MANY):
        told.order(f"A{number}", "2024-03-01", line(1_000))
        told.tell("shipment.dispatched", f"2024-03-02 {number % 24:02}:00:00", order_id=f"A{number}", lines="all")
    told.clock("2024-04-10")
    assert told.available == 10 * MANY
    told = Told("ansage")
    told.tell("member.registered", "2024-01-05", channel="web")
    told.tell("points.adjusted", "2024-01-06", points=700 * MANY, reason="support")
    for number in range(MANY):
        told.tell("reward.requested", "2024-03-01", request_id=f"R{number}", reward_sku="CUTTING_BOARD", quantity=1)
    told.order("A", "2024-03-02")
    requests = [each for each in told.books.books["M1"].items.values() if isinstance(each, Request)]
    assert [each.ships_with for each in requests] == ["A"] * MANY


def _facts(told: Told) -> Iterator[tuple[str, Callable[[], None]]]:
    """Facts one after the other, each of which names what it is about."""

    def fact(type_: str, at: str, **data: Any) -> tuple[str, Callable[[], None]]:
        return f"{type_} {at}", lambda: told.tell(type_, at, **data)

    store = told.program.versions[0].terms.membership.stores.eligible[0]
    plan: dict[str, Any] = {"course": "subscription", "subscription_id": "S1", "planned_delivery_date": "2024-03-20"}
    reserved: dict[str, Any] = {"redemption_id": "R", "points": 50, "store": store}
    yield fact("balance.opened", "2024-01-01", lots=[{"points": 5_000}])
    yield fact("member.registered", "2024-01-05", channel="web")
    yield fact("points.adjusted", "2024-01-06", points=700, reason="support")
    yield fact("redemption.requested", "2024-03-01 10:00:00", **reserved)
    yield "a reserved order", lambda: told.order("reserved", "2024-03-01 10:01:00", redemption_id="R")
    yield fact("redemption.requested", "2024-03-01 11:00:00", **{**reserved, "redemption_id": "Q"})
    yield fact("redemption.released", "2024-03-01 11:01:00", redemption_id="Q")
    yield fact("subscription.points-set", "2024-03-02", request_id="P", subscription_id="S1", points=100)
    yield "an order", lambda: told.order("A", "2024-03-03", **plan)
    yield "an order by its course", lambda: told.order("B", "2024-03-03", course="subscription")
    yield fact("shipment.dispatched", "2024-03-04", order_id="A", lines="all")
    yield fact("shipment.delivered", "2024-03-05", order_id="A", lines="all")
    yield fact("order.paid", "2024-03-05", order_id="A")
    yield fact("return.received", "2024-03-06", order_id="A", lines="all")
    yield fact("points.held", "2024-03-07", points=100, reason="support")
    yield fact("points.released", "2024-03-08", points=50, reason="support")
    yield fact("points.held", "2024-03-07", order_id="B", reason="support")
    yield fact("points.released", "2024-03-08", order_id="B", reason="support")
    yield fact("review.posted", "2024-03-09", review_id="W", sku="SKU")
    yield fact("reward.requested", "2024-03-10", request_id="G", reward_sku="CUTTING_BOARD", quantity=1)


MORE = {
    "ansage": ["subscription.points-set", "an order", "order.paid", "points.held", "reward.requested"],
    "scolar": ["order.paid", "points.held", "review.posted"],
}
"""Facts that reach for rows which only the account or its terms know: other deliveries, lots of an order, marks."""


@pytest.mark.parametrize("code", MORE)
def test_what_a_fact_names_is_there_with_the_first_load(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(code)
    again = []
    for name, happens in _facts(told):
        with monkeypatch.context() as once:
            once.setattr(loading, "ROUNDS_MAX", 1)
            try:
                happens()
            except Defect:
                again.append(name)
        if name in again:
            happens()
    assert [name.partition(" 2024")[0] for name in again] == MORE[code]


# -- time


def _pays(told: Told, at: str, certainty: Certainty) -> None:
    told.order("A", at, line(10_000), certainty=certainty, points_used=50)


def _reserves(told: Told, at: str, certainty: Certainty) -> None:
    told.tell("redemption.requested", at, certainty, redemption_id="A", points=50, store="ansage_online")


def _asks(told: Told, at: str, certainty: Certainty) -> None:
    told.tell("reward.requested", at, certainty, request_id="A", reward_sku="CUTTING_BOARD", quantity=1)


def _sets(told: Told, at: str, certainty: Certainty) -> None:
    told.tell("subscription.points-set", at, certainty, request_id="A", subscription_id="S1", points=50)


@pytest.mark.parametrize("ordered_at", ["2024-03-01 16:00:00", "2024-03-02 12:00:01"], ids=["amended after", "told before"])
@pytest.mark.parametrize("comes", [True, False])
def test_a_growth_that_news_could_cover_waits_and_the_order_stands_as_it_was(comes: bool, ordered_at: str) -> None:
    told = Told("ansage", narrow=False)
    told.tell("member.registered", "2024-01-05", channel="web")
    data = {"order_id": "A", "amendment_id": "AM1", "lines": [line(10_000)], "points_used": 50}
    told.order("A", ordered_at, line(10_000), certainty=Certainty(0, 1))
    told.tell("order.amended", "2024-03-02", Certainty(0, 1), **data)
    assert (_used(told), told.books.decisions) == (0, {})
    if comes:
        told.tell("points.adjusted", "2024-03-01 15:00:00", Certainty(2, 2), points=700, reason="support")
        assert _used(told) == 50, "an acceptance waits for nothing"
    told.clock("2024-03-02 13:00:00", Certainty(3, 3))
    assert _used(told) == (50 if comes else 0)
    (decision,) = told.books.decisions.values()
    assert decision.reason == (None if comes else "insufficient_points")
    # What comes late then has the order folded again, and the verdict stands.
    for at in ("2024-03-02 12:00:00.500", "2024-03-01 14:00:00"):
        told.tell("points.adjusted", at, Certainty(4, 4), points=1_000, reason="support")
        assert (_used(told), len(told.books.decisions)) == (50 if comes else 0, 1)


@pytest.mark.parametrize("withdrawn", [True, False])
def test_a_growth_of_an_order_whose_goods_seem_to_have_come_back_waits_for_news_that_they_stay(withdrawn: bool) -> None:
    told = Told("ansage", narrow=False)
    told.tell("member.registered", "2024-01-05", channel="web")
    told.tell("points.adjusted", "2024-02-01", points=700, reason="support")
    told.order("A", "2024-03-01", line(10_000))
    told.tell("shipment.dispatched", "2024-03-02", order_id="A", lines="all")
    told.tell("return.received", "2024-03-03", order_id="A", return_id="R1", lines="all")
    data = {"order_id": "A", "amendment_id": "AM1", "lines": [line(10_000)], "points_used": 50}
    told.tell("order.amended", "2024-03-04", Certainty(0, 1), **data)
    assert (_used(told), told.books.decisions) == (0, {}), "nothing is left to be paid, as far as is known"
    if withdrawn:
        told.tell("return.withdrawn", "2024-03-03 13:00:00", Certainty(1, 2), order_id="A", return_id="R1")
        assert _used(told) == 50, "an acceptance waits for nothing"
    told.clock("2024-03-04 13:00:00", Certainty(3, 3))
    assert _used(told) == (50 if withdrawn else 0)
    (decision,) = told.books.decisions.values()
    assert decision.reason == (None if withdrawn else "exceeds_payable")


def test_a_refused_order_that_comes_again_as_amended_waits_for_news_of_what_it_costs() -> None:
    told = Told("ansage", narrow=False)
    told.tell("member.registered", "2024-01-05", channel="web")
    told.tell("points.adjusted", "2024-02-01", points=700, reason="support")
    told.order("A", "2024-03-01", line(100), points_used=600)
    first = {"order_id": "A", "amendment_id": "AM1", "lines": [line(100)], "shipping_fee": 1_000, "points_used": 0}
    later = {"order_id": "A", "amendment_id": "AM2", "lines": [line(100)], "points_used": 600}
    told.tell("order.amended", "2024-03-03", Certainty(0, 1), **later)
    assert [each.reason for each in told.books.decisions.values()] == ["exceeds_payable"], "of the order as it was placed"
    told.tell("order.amended", "2024-03-02", Certainty(1, 2), **first)
    assert _used(told) == 600, "with the fee there is enough to be paid"


@pytest.mark.parametrize("amended", [True, False])
def test_an_order_waits_on_if_its_order_told_again_is_not_what_brings_it_to_stand(amended: bool) -> None:
    told = Told("ansage", narrow=False)
    told.tell("member.registered", "2024-01-05", channel="web")
    told.tell("points.adjusted", "2024-02-01", points=100, reason="support")
    told.order("A", "2024-03-01", line(10_000), certainty=Certainty(0, 1), points_used=600)
    if amended:
        data = {"order_id": "A", "amendment_id": "AM1", "lines": [line(10_000)], "points_used": 0}
        told.tell("order.amended", "2024-03-02", Certainty(0, 1), **data)
    told.order("A", "2024-03-03", line(10_000), certainty=Certainty(0, 1), points_used=50)
    verdicts = sorted((each.points, each.verdict) for each in told.books.decisions.values())
    assert verdicts == ([] if amended else [(50, "accepted"), (600, "rejected")])
    told.tell("points.adjusted", "2024-02-02", Certainty(1, 2), points=900, reason="support")
    assert _used(told) == (0 if amended else 50)
    first = next(each for each in told.books.decisions.values() if each.points == 600)
    assert first.verdict == ("accepted" if amended else "rejected")


def _used(told: Told) -> int:
    order = told.books.books["M1"].items["order", "A"]
    assert isinstance(order, Order)
    return order.used.points


@pytest.mark.parametrize("asks", [_pays, _reserves, _asks, _sets])
@pytest.mark.parametrize("comes", [True, False])
def test_a_refusal_that_news_could_turn_waits_for_all_to_be_read(
    asks: Callable[[Told, str, Certainty], None], comes: bool
) -> None:
    told = Told("ansage", narrow=False)
    told.tell("member.registered", "2024-01-05", channel="web")
    asks(told, "2024-03-02", Certainty(0, 1))
    assert (_decisions(told, "2024-03-02"), told.books.decisions) == (["waiting"], {})
    if comes:
        told.tell("points.adjusted", "2024-03-01 15:00:00", Certainty(2, 2), points=700, reason="support")
        assert _decisions(told, "2024-03-02") == ["accepted"], "an acceptance waits for nothing"
    told.clock("2024-03-02", Certainty(3, 3))
    assert _decisions(told, "2024-03-02") == ["accepted" if comes else "rejected"]
    (decision,) = told.books.decisions.values()
    assert decision.reason == (None if comes else "insufficient_points")


def _decisions(told: Told, at: str) -> list[str]:
    """What the member's statement says of everything that was asked for."""
    book = told.books.books["M1"]
    account = Account(told.program, book.head, dict(book.lots), dict(book.items), complete=True)
    account.at = instant(at)
    found = statement(account, "M1", 0, account.at, at)
    return [*(each.decision for each in found.requests), *(each.redemption.decision for each in found.orders if each.redemption)]


def _amended_before_it_was_ordered(told: Told) -> None:
    """An order that is refused, with an amendment of before it that asks for points too; another amendment brings it to stand."""
    told.tell("member.registered", "2024-01-05", channel="web")
    told.tell("points.adjusted", "2024-02-01", points=100, reason="support")
    told.order("A", "2024-03-02", line(10_000), points_used=600)
    told.tell("order.amended", "2024-03-01", order_id="A", amendment_id="AM1", lines=[line(10_000)], points_used=50)
    told.tell("order.amended", "2024-03-03", order_id="A", amendment_id="AM2", lines=[line(10_000)], points_used=0)


@pytest.mark.parametrize("narrow", [True, False], ids=["narrow", "whole"])
@pytest.mark.parametrize("others", [True, False], ids=["with verdicts on others", "alone"])
def test_a_verdict_on_what_was_told_before_its_order_is_recorded_once_and_stands_after_a_restore(
    narrow: bool, others: bool
) -> None:
    once = Told("ansage")
    _amended_before_it_was_ordered(once)
    verdicts = once.books.decisions
    assert sorted((each.points, each.verdict) for each in verdicts.values()) == [(50, "accepted"), (600, "rejected")]
    # What the world was told before the restore, with less there now: it stands, for it was told.
    again = Told("ansage", narrow=narrow)
    again.books.told = {name: each for name, each in verdicts.items() if others or each.points == 50}
    _amended_before_it_was_ordered(again)
    assert again.books.decisions == verdicts
    assert _used(again) == _used(once) == 50
    # Only the order's verdict was told before the restore: the one on the amendment is taken now, and recorded.
    partly = Told("ansage", narrow=narrow)
    partly.books.told = {name: each for name, each in verdicts.items() if each.points == 600}
    _amended_before_it_was_ordered(partly)
    assert partly.books.decisions == verdicts
