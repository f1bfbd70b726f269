"""Facts told a moment before what they are about, or twice under an id of their own, delivered in any order."""

from __future__ import annotations

import pytest

from contracts.statement import Statement
from tests.rules.any_order import Fact, fact, in_any_order, placed
from tests.rules.story import Story, line, pieces

BELLE = "bellemaison"
BY_SHIPMENT = {"maturity.by": "shipment", "maturity.after": [{"event": "delivery"}], "maturity.shown": "order"}
"""Points that become usable for each shipment when it arrives."""


def codes(says: Statement) -> list[str]:
    return [each.code for each in says.findings]


def two_parcels(*more: Fact, set_: dict[str, object] | None = None) -> Statement:
    """An order of 10,000 and 4,000 yen that goes in two parcels, as far as they are told."""
    lines = line(10_000, line_id="1"), line(4_000, line_id="2")
    first = placed("2024-08-01 10:00:00", *lines, store=BELLE)
    return in_any_order("belle-maison", (first, *more), "2024-08-20", BY_SHIPMENT if set_ is None else set_)


def sent(shipment: str | None, line_id: str, at: str) -> Fact:
    return fact("shipment.dispatched", at, shipment_id=shipment, lines=[pieces(line_id)])


def arrived(shipment: str | None, at: str, *line_ids: str) -> Fact:
    return fact("shipment.delivered", at, shipment_id=shipment, lines=[pieces(each) for each in line_ids] or "all")


# -- deliveries


def test_a_parcel_that_arrives_seconds_before_it_left_is_that_parcel() -> None:
    says = two_parcels(
        arrived("S1", "2024-08-02 10:00:00"),
        sent("S1", "1", "2024-08-02 10:00:30"),
        sent("S2", "2", "2024-08-02 10:01:00"),
    )
    assert (says.available, says.pending) == (50, 20)
    assert codes(says) == ["timed_before_shipment"]


def test_a_parcel_that_arrives_before_it_left_and_after_the_other_left_is_that_parcel() -> None:
    says = two_parcels(
        sent("S2", "2", "2024-08-02 09:00:00"),
        arrived("S1", "2024-08-02 10:00:00"),
        sent("S1", "1", "2024-08-02 10:00:30"),
    )
    assert (says.available, says.pending) == (50, 20)


def test_a_parcel_that_arrives_and_never_left_is_none_that_left_by_another_name() -> None:
    says = two_parcels(sent("S2", "2", "2024-08-02 09:00:00"), arrived("S1", "2024-08-02 10:00:00"))
    assert (says.available, says.pending) == (50, 20)


def test_what_arrives_and_nobody_says_left_has_left() -> None:
    says = two_parcels(arrived("S1", "2024-08-02 10:00:00", "1"))
    assert (says.available, says.pending) == (50, 20)
    assert codes(says) == []


def test_a_parcel_that_is_told_to_have_left_after_it_arrived_takes_no_other_piece_along() -> None:
    lines = (line(5_000, 2, line_id="1"),)
    facts = (
        placed("2024-08-01 10:00:00", *lines, store=BELLE),
        arrived(None, "2024-08-02 10:00:00", "1"),
        sent(None, "1", "2024-08-02 10:00:30"),
    )
    says = in_any_order("belle-maison", facts, "2024-08-20", {**BY_SHIPMENT, "maturity.after": [{"event": "shipment"}]})
    assert (says.available, says.pending) == (25, 25)
    assert codes(says) == []


def test_a_shipment_that_is_told_twice_under_its_id_leaves_once() -> None:
    lines = (line(5_000, 2, line_id="1"),)
    facts = (
        placed("2024-08-01 10:00:00", *lines, store=BELLE),
        sent("S1", "1", "2024-08-02 10:00:00"),
        sent("S1", "1", "2024-08-02 11:00:00"),
    )
    says = in_any_order("belle-maison", facts, "2024-08-20", {**BY_SHIPMENT, "maturity.after": [{"event": "shipment"}]})
    assert (says.available, says.pending) == (25, 25)
    assert codes(says) == ["shipment_twice"]


def test_a_delivery_that_is_told_twice_under_its_id_arrives_once() -> None:
    says = two_parcels(
        arrived("S1", "2024-08-02 10:00:00", "1"),
        arrived("S1", "2024-08-02 12:00:00", "1"),
        sent("S2", "2", "2024-08-03 10:00:00"),
    )
    assert (says.available, says.pending) == (50, 20)
    assert codes(says) == ["delivery_twice"]


# -- releases


def released_and_held(released: str, held: str) -> Statement:
    """A gift of 300 points, of which 100 are released at one instant and held at another."""
    facts = (
        fact("points.adjusted", "2024-08-01 09:00:00", points=300, reason="gift"),
        fact("points.released", released, points=100, reason="fine"),
        fact("points.held", held, points=100, reason="look"),
    )
    return in_any_order("belle-maison", facts, "2024-08-03")


def test_points_released_a_second_before_they_are_held_can_be_used() -> None:
    says = released_and_held("2024-08-01 09:59:59", "2024-08-01 10:00:00")
    assert (says.available, says.on_hold, codes(says)) == (300, 0, ["timed_before_hold"])


def test_a_release_of_nothing_lets_nothing_go_that_is_held_a_day_later() -> None:
    says = released_and_held("2024-08-01 10:00:00", "2024-08-02 10:00:00")
    assert (says.available, says.on_hold, codes(says)) == (200, 100, ["released_more_than_held"])


def test_an_order_released_a_second_before_it_is_held_is_not_held() -> None:
    facts = (
        placed("2024-08-01 10:00:00", store=BELLE),
        fact("shipment.dispatched", "2024-08-02 10:00:00", lines="all"),
        fact("points.released", "2024-08-03 09:59:59", order_id="A", reason="fine"),
        fact("points.held", "2024-08-03 10:00:00", order_id="A", reason="look"),
    )
    says = in_any_order("belle-maison", facts, "2024-08-04")
    assert (says.available, says.on_hold, codes(says)) == (50, 0, ["timed_before_hold"])


def test_a_reservation_given_up_a_second_before_it_is_made_holds_nothing() -> None:
    facts = (
        fact("redemption.released", "2024-08-01 09:59:59", redemption_id="R"),
        fact("redemption.requested", "2024-08-01 10:00:00", redemption_id="R", points=100, store=BELLE),
    )
    gift = fact("points.adjusted", "2024-08-01 09:00:00", points=300, reason="gift")
    says = in_any_order("belle-maison", facts, "2024-08-01 10:05:00", first=(gift,))
    assert (says.available, says.reserved, codes(says)) == (300, 0, ["timed_before_reservation"])


# -- parcels of one exchange


def exchanged(*parcels: Fact) -> Statement:
    facts = (
        placed("2024-08-01 10:00:00", line(8_000, line_id="1"), store=BELLE),
        fact("shipment.dispatched", "2024-08-01 11:00:00", lines="all"),
        fact("exchange.received", "2024-08-05 10:00:00", exchange_id="X", lines="all"),
        *parcels,
    )
    return in_any_order("belle-maison", facts, "2024-08-20")


def replacement(at: str, *lines: object, **more: str) -> Fact:
    return fact("exchange.shipped", at, exchange_id="X", lines=lines, **more)


def test_a_second_parcel_of_an_exchange_earns_though_its_lines_have_no_ids() -> None:
    says = exchanged(replacement("2024-08-06", line(5_000, sku="MAT")), replacement("2024-08-07", line(3_000, sku="CUP")))
    assert (says.available, codes(says)) == (40, [])


def test_equal_parcels_are_one_that_is_told_twice() -> None:
    says = exchanged(replacement("2024-08-06", line(5_000, sku="MAT")), replacement("2024-08-07", line(5_000, sku="MAT")))
    assert (says.available, codes(says)) == (25, ["exchange_twice"])


def test_equal_parcels_of_two_shipments_are_two() -> None:
    same = line(5_000, sku="MAT", line_id="9")
    says = exchanged(replacement("2024-08-06", same, shipment_id="S1"), replacement("2024-08-07", same, shipment_id="S2"))
    assert (says.available, codes(says)) == (50, [])


def test_a_replacement_is_named_by_what_the_shop_calls_it_and_its_exchange() -> None:
    story = Story("belle-maison")
    story.bought("A", "2024-08-01", line(8_000, sku="RUG", line_id="1"))
    story.exchange("received", "A", "2024-08-07", pieces("1"))
    story.exchange("shipped", "A", "2024-08-08", line(5_000, sku="MAT", line_id="1"))
    story.returned("A", "2024-08-12", {"line_id": "1", "exchange_id": "X1", "quantity": 1})
    assert story.at("2024-08-13").available == 0
    assert story.findings("2024-08-13") == []


# -- which line


@pytest.mark.parametrize(("reading", "left"), [("for_the_member", 50), ("for_the_shop", 25), ("first", 25)])
def test_of_which_line_a_piece_is_that_is_named_by_its_product_is_a_term(reading: str, left: int) -> None:
    story = Story("belle-maison", {"reversal.line_by_sku": reading})
    story.bought("A", "2024-08-01", line(10_000, sku="MUG", line_id="1"), line(5_000, sku="MUG", line_id="2"))
    story.returned("A", "2024-08-05", {"sku": "MUG", "quantity": 1})
    assert story.at("2024-08-06").available == left
    assert story.findings("2024-08-06") == ["line_chosen"]


def test_where_it_is_the_same_whichever_line_it_is_there_was_no_choice() -> None:
    story = Story("belle-maison")
    story.bought("A", "2024-08-01", line(5_000, sku="MUG", line_id="1"), line(5_000, sku="MUG", line_id="2"))
    story.returned("A", "2024-08-05", {"sku": "MUG", "quantity": 1})
    assert story.findings("2024-08-06") == []
