"""Records as producers send them, in both CloudEvents content modes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from contracts.events import Event
from worker.decode import Broken, Limits, Record, Skipped, decode

NOW: Final = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
EVENING: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
"""When all examples have happened."""
ATTRIBUTES: Final = {
    "specversion": "1.0",
    "id": "E-1",
    "source": "/shop/orders",
    "type": "order.placed",
    "time": "2026-11-20T09:00:00+09:00",
    "program": "lenovo-pro",
    "subject": "O-1",
}
LINE: Final = {"line_id": "1", "sku": "TP-X1", "quantity": 2, "unit_price": 12000, "discount": 500, "tax": 2350}
ORDER: Final = {
    "order_id": "O-1",
    "member_id": "M-1",
    "store": "lenovo_pro_jp",
    "lines": [LINE, {**LINE, "line_id": "2", "sku": "DOCK"}, {**LINE, "line_id": "3", "sku": "MOUSE"}],
    "payment_method": "credit_card",
}
Headers = tuple[tuple[str, bytes | None], ...]


def record(value: bytes | None, headers: Headers = (), key: bytes | None = b"O-1") -> Record:
    return Record(topic="commerce.order", partition=0, offset=7, timestamp_ms=0, key=key, value=value, headers=headers)


def headers_of(attributes: Mapping[str, Any]) -> Headers:
    return tuple((f"ce_{name}", value.encode()) for name, value in attributes.items())


def binary(data: Any = ORDER, **attributes: Any) -> Record:
    """Data in the value, attributes in headers; a value of bytes is sent as it is, an attribute None is left out."""
    sent = {name: value for name, value in {**ATTRIBUTES, **attributes}.items() if value is not None}
    value = data if isinstance(data, bytes) else json.dumps(data).encode()
    return record(value, (*headers_of(sent), ("content-type", b"application/json")))


def structured(data: Any = ORDER, **attributes: Any) -> Record:
    sent = {name: value for name, value in {**ATTRIBUTES, **attributes}.items() if value is not None}
    return record(json.dumps({**sent, "data": data}).encode(), (("content-type", b"application/cloudevents+json"),))


def read(sent: Record, limits: Limits | None = None, now: datetime = NOW) -> Event | Skipped | Broken:
    return decode(sent, now, limits or Limits())


def event(sent: Record) -> Event:
    outcome = read(sent)
    assert isinstance(outcome, Event), outcome
    return outcome


def broken(sent: Record, limits: Limits | None = None, now: datetime = NOW) -> Broken:
    outcome = read(sent, limits, now)
    assert isinstance(outcome, Broken), outcome
    return outcome
