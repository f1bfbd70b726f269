"""What a model of the contract takes and what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.events import (
    RANK,
    TOPICS_IN,
    TYPES,
    BalanceChanged,
    CauseOut,
    Change,
    EntryOut,
    Event,
    OrderCancelled,
    OrderPlaced,
    OrderSplit,
    PointsAdjusted,
    PointsHeld,
    RedemptionDecided,
    ShipmentDelivered,
    SubscriptionPointsSet,
)
from contracts.events.parts import Line
from tests.contracts.records import LINE, ORDER, binary, event


def order(**changes: Any) -> OrderPlaced:
    return OrderPlaced.model_validate_json(json.dumps({**ORDER, **changes}))


def line(**changes: Any) -> Line:
    return Line.model_validate_json(json.dumps({**LINE, **changes}))


def test_every_type_has_one_row_with_a_model_of_its_own() -> None:
    assert len({each.name for each in TYPES}) == len({each.model for each in TYPES}) == len(TYPES)
    assert [name for types in TOPICS_IN.values() for name in types] == [each.name for each in TYPES if each.topic is not None]


def test_business_order_at_one_instant_puts_causes_before_effects() -> None:
    ranked = sorted(RANK, key=RANK.__getitem__)
    expected = ["member.enrolled", "survey.won", "redemption.requested", "order.placed", "order.paid", "order.rescheduled"]
    expected += ["shipment.dispatched", "shipment.delivered", "order.cancelled", "return.received", "exchange.received"]
    expected += ["points.adjusted"]
    assert sorted(expected, key=ranked.index) == expected
    assert len({RANK[name] for name in expected}) == len(expected)


def test_signed_in_is_true_by_default_for_a_member_and_false_for_a_guest() -> None:
    assert order().signed_in is True
    assert order(signed_in=False).signed_in is False
    assert order(member_id=None).signed_in is False


def test_total_is_goods_after_discount_with_tax_and_fees() -> None:
    assert order(shipping_fee=550, other_fees=330).total == 3 * (24000 - 500 + 2350) + 880


def test_a_discount_on_the_order_is_taken_off_its_total() -> None:
    told = order(lines=[LINE], order_discount=23_500)
    assert told.total == LINE["tax"]


def test_an_order_goes_on_as_two_at_least_each_under_an_id_of_its_own() -> None:
    def split(*into: dict[str, Any]) -> OrderSplit:
        return OrderSplit.model_validate_json(json.dumps({"order_id": "A", "into": into}))

    lines = [{"line_id": "1", "quantity": 1}]
    one, other = {"order_id": "A1", "lines": lines}, {"order_id": "A2", "lines": lines}
    assert [part.order_id for part in split(one, other).into] == ["A1", "A2"]
    for into in ([one], [one, one], [one, {**other, "lines": []}], [one, {**other, "lines": [*lines, *lines]}]):
        with pytest.raises(ValidationError):
            split(*into)


def test_lines_without_an_id_are_named_by_their_position() -> None:
    unnamed = {key: value for key, value in LINE.items() if key != "line_id"}
    placed = order(lines=[unnamed, {**LINE, "line_id": "A"}, unnamed])
    assert [key for key, _ in placed.keyed_lines()] == ["1", "A", "3"]


@pytest.mark.parametrize("second", [{"line_id": "1"}, {"line_id": None}])
def test_two_lines_of_an_order_never_have_the_same_key(second: dict[str, Any]) -> None:
    first = {**LINE, "line_id": "1" if second["line_id"] else "2"}
    with pytest.raises(ValidationError, match="name each line once"):
        order(lines=[first, {**LINE, **second}])


@pytest.mark.parametrize("wrong", ["1", True, 1.0, 1.5, -1, None, 10**12 + 1, 2**70, [1]])
@pytest.mark.parametrize("field", ["unit_price", "discount", "tax"])
def test_money_is_a_bounded_integer_and_nothing_else(field: str, wrong: Any) -> None:
    with pytest.raises(ValidationError):
        line(**{field: wrong})


@pytest.mark.parametrize("wrong", ["1", True, 1.0, 0, -1, 1_000_001])
def test_a_quantity_is_an_integer_from_one_to_a_million(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        line(quantity=wrong)


def test_a_discount_is_at_most_what_the_line_costs() -> None:
    assert line(discount=24000).goods == 0
    with pytest.raises(ValidationError, match="discount should be at most"):
        line(discount=24001)


def test_amounts_stay_below_a_bound_that_sums_cannot_overflow() -> None:
    with pytest.raises(ValidationError, match="should be at most"):
        line(unit_price=10**12, quantity=2)
    with pytest.raises(ValidationError, match="total should be at most"):
        order(lines=[{**LINE, "line_id": str(n), "unit_price": 10**12, "quantity": 1} for n in range(2)])


@pytest.mark.parametrize("sent", ["0", "0.015", "99.99999999", "100", "100.00"])
def test_a_rate_is_read_exactly(sent: str) -> None:
    assert line(point_rate=sent).point_rate == Decimal(sent)


@pytest.mark.parametrize("wrong", [0.015, 1, "1e-2", "-0.1", "100.1", "101", "0.123456789", ".5", "5.", "", "NaN", "１"])
def test_a_rate_is_a_decimal_string_from_0_to_100(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        line(point_rate=wrong)


@pytest.mark.parametrize(
    "wrong", ["2026-02-30", "1969-12-31", "2201-01-01", "20261120", "86400", "2026-11-20T00:00:00", 20261120]
)
def test_a_date_is_a_day_between_1970_and_2200(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        order(planned_ship_date=wrong)
    assert order(planned_ship_date="2028-02-29").planned_ship_date == date(2028, 2, 29)


@pytest.mark.parametrize("wrong", ["", "x" * 201, "a\nb", "a\u0000", "\u007f", "\u0085", 5, ["a"]])
def test_an_id_is_a_short_text_without_control_characters(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        order(order_id=wrong)
    assert order(order_id="注文 １\U0001f600").order_id == "注文 １\U0001f600"


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": "fax"},
        {"course": "rental"},
        {"currency": "jpy"},
        {"currency": "YEN!"},
        {"lines": []},
        {"lines": [LINE] * 1001},
        {"lines": "all"},
        {"points_used": -1},
        {"use_all_points": 1},
    ],
)
def test_an_order_outside_the_contract_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        order(**wrong)


@pytest.mark.parametrize("name", ["order_id", "store", "lines", "payment_method"])
def test_an_order_needs_what_no_default_can_stand_for(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        OrderPlaced.model_validate_json(json.dumps({key: value for key, value in ORDER.items() if key != name}))


def cancelled(lines: Any) -> OrderCancelled:
    return OrderCancelled.model_validate_json(json.dumps({"order_id": "O-1", "reason": "out_of_stock", "lines": lines}))


def test_a_reversal_names_all_lines_or_some() -> None:
    assert cancelled("all").lines == "all"
    some = cancelled([{"line_id": "1", "quantity": 1}, {"sku": "1", "quantity": 2}]).lines
    assert some != "all"
    assert [(ref.line_id, ref.sku, ref.quantity) for ref in some] == [("1", None, 1), (None, "1", 2)]
    assert ShipmentDelivered.model_validate_json('{"order_id": "O-1"}').lines == "all"


@pytest.mark.parametrize(
    "wrong",
    [
        "ALL",
        [],
        [{"quantity": 1}],
        [{"line_id": "1"}],
        [{"line_id": "1", "quantity": 0}],
        [{"line_id": "1", "quantity": 1}, {"line_id": "1", "sku": "A", "quantity": 1}],
        [{"sku": "A", "quantity": 1}, {"sku": "A", "quantity": 1}],
    ],
)
def test_a_reversal_that_names_no_line_or_one_twice_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        cancelled(wrong)


def test_an_adjustment_is_a_number_or_everything() -> None:
    def points(value: Any) -> Any:
        return PointsAdjusted.model_validate_json(json.dumps({"member_id": "M", "points": value, "reason": "r"})).points

    assert points(-5) == -5
    assert points("all") == "all"
    for wrong in ("5", "most", 10**12 + 1, -(10**12) - 1, 1.0, None):
        with pytest.raises(ValidationError):
            points(wrong)


@pytest.mark.parametrize("wrong", [{}, {"points": 5, "order_id": "O-1"}])
def test_a_hold_is_of_points_or_of_an_order(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="either points or order_id"):
        PointsHeld.model_validate_json(json.dumps({"member_id": "M", "reason": "r", **wrong}))


def test_subscription_points_are_for_an_order_or_a_subscription() -> None:
    with pytest.raises(ValidationError, match="order_id or subscription_id"):
        SubscriptionPointsSet.model_validate_json('{"member_id": "M", "request_id": "R", "points": 5}')


def test_an_accepted_event_is_immutable() -> None:
    placed = event(binary())
    with pytest.raises(AttributeError):
        placed.id = "other"  # type: ignore[misc]  # must fail
    with pytest.raises(ValidationError):
        placed.data.order_id = "other"  # type: ignore[attr-defined]  # must fail


def test_a_stored_event_comes_back_the_same() -> None:
    sent = event(binary({**ORDER, "gift_note": "のし"}, traceparent=f"00-{'a' * 32}-{'b' * 16}-01", subject=None))
    in_tokyo = sent.time.astimezone(timezone(timedelta(hours=9)))
    again = Event.from_stored(sent.source, sent.id, sent.type, in_tokyo, sent.program, sent.traceparent, sent.body)
    assert again == sent
    assert again.time.tzinfo is UTC
    assert (again.order_id, again.member_id, again.rank) == ("O-1", "M-1", 40)
    assert again.key == (sent.time, 40, "/shop/orders", "E-1")


def balance(**changes: Any) -> BalanceChanged:
    fields: dict[str, Any] = {
        "program": "belle-maison",
        "member_id": "M-1",
        "epoch": 0,
        "version": 3,
        "available": -20,
        "pending": 0,
        "on_hold": 0,
        "change": Change(available=-120, pending=0, on_hold=0),
        "effective_at": datetime(2026, 11, 20, tzinfo=UTC),
        "cause": CauseOut.clock(),
        "entries": (EntryOut(reason="lapse", points=120, from_="available", to="lapsed", rule="BEL-18"),),
    }
    return BalanceChanged(**{**fields, **changes})


def test_a_published_balance_reads_back_and_leaves_out_what_is_not_set() -> None:
    sent = balance()
    assert BalanceChanged.model_validate_json(sent.to_json()) == sent
    assert json.loads(sent.to_json())["entries"] == [
        {"reason": "lapse", "points": 120, "from": "available", "to": "lapsed", "rule": "BEL-18"}
    ]
    assert json.loads(sent.to_json())["cause"] == {"type": "clock"}


def test_what_is_published_has_a_cause_and_a_time_with_an_offset() -> None:
    with pytest.raises(ValidationError):
        balance(effective_at=datetime(2026, 11, 20))  # noqa: DTZ001 - without an offset: to be refused
    with pytest.raises(ValidationError, match="be the clock"):
        CauseOut(type="order.placed", source="/shop")
    with pytest.raises(ValidationError, match="be the clock"):
        CauseOut(type="clock", source="/shop", id="1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"decision": "rejected"},
        {"decision": "accepted", "reason": "below_minimum"},
        {"decision": "accepted", "order_id": None},
        {"decision": "rejected", "reason": "because"},
    ],
)
def test_a_decision_names_its_subject_and_a_reason_exactly_if_rejected(wrong: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"program": "p", "member_id": "m", "epoch": 0, "version": 1, "order_id": "O-1", "points": 5}
    with pytest.raises(ValidationError):
        RedemptionDecided(**{**fields, **wrong})


def test_an_order_has_at_most_five_hundred_bonus_points_over_all_lines() -> None:
    """Each is a grant of its own in what is published about the order, which must stay far below Kafka's size of a message."""
    bonuses = [{"points": 1}] * 50

    def order(lines: int) -> dict[str, object]:
        line = {"sku": "S", "quantity": 1, "unit_price": 100, "tax": 10, "bonus_points": bonuses}
        return {"order_id": "A", "store": "s", "payment_method": "cod", "lines": [line] * lines}

    assert len(OrderPlaced.model_validate_json(json.dumps(order(10))).lines) == 10
    with pytest.raises(ValidationError, match="at most 500 bonus_points"):
        OrderPlaced.model_validate_json(json.dumps(order(11)))
