"""Records that break the contract, each in its own way, and what an operator should be told about each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.flows.system import TOPIC_OF, Raw

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
SHARED_STORE = "shared_shop"
"""A store that two programs name."""
DLQ_BYTES_MAX = 200_000
"""What the DLQ topic of activities takes."""
LINE = {"sku": "S", "quantity": 1, "unit_price": 1000, "tax": 100}
ORDER = {"order_id": "BAD", "member_id": "BAD", "store": "bellemaison", "lines": [LINE], "payment_method": "credit_card"}


@dataclass(frozen=True, slots=True)
class Bad:
    """A record and the dead letter that it becomes: the reason, and words that its detail holds."""

    record: Raw
    reason: str
    words: str


def raw(
    type_: str,
    id_: str,
    data: Mapping[str, Any] | bytes | None,
    *,
    topic: str | None = None,
    key: bytes | None = b"key",
    more: tuple[tuple[str, bytes | None], ...] = (),
    **attributes: str | None,
) -> Raw:
    """An event in binary mode, on the topic of its type; an attribute None is left out."""
    given: dict[str, str | None] = {"specversion": "1.0", "id": id_, "source": "/shop", "type": type_}
    given |= {"time": (NOW - HOUR).isoformat(), **attributes}
    headers = tuple((f"ce_{name}", value.encode()) for name, value in given.items() if value is not None)
    value = json.dumps(data).encode() if isinstance(data, Mapping) else data
    return Raw(topic or TOPIC_OF.get(type_, "commerce.order"), value, (*headers, *more), key)


def order(order_id: str, member: str | None, id_: str | None = None, time: datetime = NOW - HOUR, **data: Any) -> Raw:
    """An order of a member, or of a guest."""
    fields = {**ORDER, "order_id": order_id, "member_id": member, **data}
    return raw("order.placed", id_ or f"placed-{order_id}", fields, time=time.isoformat())


def gift(
    member: str, points: int, id_: str, program: str | None = "belle-maison", time: datetime = NOW - HOUR, **attributes: str
) -> Raw:
    """Points given by hand."""
    data = {"member_id": member, "points": points, "reason": "gift"}
    more = tuple((f"ce_{name}", value.encode()) for name, value in attributes.items())
    return raw("points.adjusted", id_, data, program=program, more=more, time=time.isoformat())


def shipped(order_id: str, id_: str, time: datetime = NOW - HOUR, **data: Any) -> Raw:
    """All of an order is sent."""
    fields = {"order_id": order_id, "lines": "all", **data}
    return raw("shipment.dispatched", id_, fields, time=time.isoformat())


def _placed(name: str, data: Mapping[str, Any] | bytes | None = None, **more: Any) -> Raw:
    return raw("order.placed", name, ORDER if data is None else data, **more)


def _priced(text: str) -> bytes:
    return json.dumps(ORDER).replace("1000", text).encode()


def _structured(**attributes: Any) -> bytes:
    event = {"specversion": "1.0", "id": "structured", "source": "/shop", "type": "order.placed", "data": ORDER}
    return json.dumps({**event, **attributes}).encode()


LATER = (NOW + 6 * HOUR).isoformat()
BAD: dict[str, Bad] = {
    "not JSON": Bad(_placed("b1", b'{"order_id": oops'), "not_json", "should be JSON"),
    "not UTF-8": Bad(_placed("b2", b'{"order_id": "\xff\xfe"}'), "not_utf8", "at byte 14"),
    "not CloudEvents": Bad(Raw("commerce.order", json.dumps(ORDER).encode(), (), b"key"), "not_cloudevents", "specversion"),
    "no time": Bad(_placed("b3", time=None), "missing_attribute", "time should be there"),
    "naive time": Bad(_placed("b4", time="2026-11-20T09:00:00"), "bad_time", "time should be RFC 3339 with an offset"),
    "naive time, structured": Bad(
        Raw("commerce.order", _structured(time="2026-11-20T09:00:00"), (), b"key"), "bad_time", "has no offset"
    ),
    "time too far ahead": Bad(_placed("b5", time=LATER), "time_too_far_ahead", "at most 300 seconds ahead of now"),
    "unknown program": Bad(_placed("b6", program="nobody's"), "unknown_program", "no terms are registered for it; known are"),
    "a store of two programs": Bad(_placed("b7", {**ORDER, "store": SHARED_STORE}), "ambiguous_store", "alpha and beta"),
    "no program and no store": Bad(gift("BAD", 1, "b8", program=None), "program_missing", "program: should be given"),
    "a redemption in a store of no program": Bad(
        raw("redemption.requested", "b9", {"member_id": "BAD", "redemption_id": "R", "points": 1, "store": "nowhere"}),
        "unknown_store",
        "data.store",
    ),
    "float money": Bad(_placed("b10", _priced("1000.0")), "float_money", "data.lines.0.unit_price: should be an integer"),
    "negative money": Bad(_placed("b11", _priced("-1")), "bad_data", "data.lines.0.unit_price"),
    "money beyond all bounds": Bad(_placed("b12", _priced("9" * 17)), "bad_data", "data.lines.0.unit_price"),
    "a number beyond 64 bits": Bad(_placed("b13", _priced("9" * 30)), "number_out_of_range", "64 bits"),
    "NaN": Bad(_placed("b14", _priced("NaN")), "not_json", "should be JSON"),
    "2 MB": Bad(_placed("b15", b"[" + b" " * 2_000_000 + b"]"), "too_large", "at most 1048576 bytes, has 2000002"),
    "NUL in text": Bad(_placed("b16", {**ORDER, "member_id": "a\0b"}), "bad_text", "NUL"),
    "NUL in an attribute": Bad(_placed("b17\0", source="/shop"), "bad_attribute", "id should hold no control, format"),
    "a null header": Bad(_placed("b18", source=None, more=(("ce_source", None),)), "missing_attribute", "source"),
    "a header not in UTF-8": Bad(_placed("b19", source=None, more=(("ce_source", b"\xff\xfe"),)), "bad_attribute", "UTF-8"),
    "a header given twice": Bad(_placed("b20", more=(("ce_id", b"other"),)), "bad_attribute", "ce_id should be there once"),
    "null key": Bad(_placed("b21", b"{}", key=None), "bad_data", "data.order_id: should be there"),
    "empty value": Bad(_placed("b22", b""), "empty_value", "null or empty"),
    "tombstone": Bad(Raw("commerce.order", None, (), b"key"), "empty_value", "null or empty"),
    "neither key nor value": Bad(Raw("commerce.order", None, (), None), "empty_value", "null or empty"),
    "same id with other data": Bad(gift("GOOD", 99, "good-0"), "conflict", "used for other content before"),
    "same id with other data, parked": Bad(shipped("NEVER", "parked", shipment_id="2"), "conflict", "other content before"),
    "larger than its DLQ topic takes": Bad(
        raw("review.posted", "b23", b"[" + b" " * 300_000 + b"]", topic="commerce.activity"), "bad_data", "data: should be"
    ),
}
"""By what is wrong with them. Before these: an order FIRST of GOOD, a shipment `parked` of the order NEVER."""
