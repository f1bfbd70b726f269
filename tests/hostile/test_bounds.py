"""The table of bounds in `worker/decode/README.md`: at each bound a record is accepted, one above it is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import pytest

from contracts.events import Event
from tests.contracts.records import ATTRIBUTES, LINE, NOW, ORDER, binary, headers_of, read, record
from worker.decode import Broken, Record

README: Final = Path(__file__).parents[2] / "worker" / "decode" / "README.md"
TABLE: Final = {
    name: int(value) for name, value in re.findall(r"^\| ([^|]+?) \| (\d+) \| `\w+\.py` \|$", README.read_text(), re.MULTILINE)
}
DATA: Final = json.dumps(ORDER).encode()
HEADERS: Final = headers_of(ATTRIBUTES)
BONUS: Final = {"points": 1}


def order(**changes: Any) -> Record:
    return binary({**ORDER, **changes})


def line(**changes: Any) -> Record:
    return order(lines=[{**LINE, **changes}])


def told(type_: str, **data: Any) -> Record:
    return binary({"member_id": "M", **data}, type=type_)


def numbered(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{**LINE, "line_id": str(number), **fields} for number in range(count)]


def padded(size: int) -> Record:
    headers = (*HEADERS, ("x", b""))
    return record(DATA, (*headers[:-1], ("x", bytes(size - sum(len(name) + len(value or b"") for name, value in headers)))))


def nested(depth: int) -> bytes:
    return b'{"order_id":"O","x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def paid(data: bytes) -> Record:
    return record(data, headers_of({**ATTRIBUTES, "type": "order.paid"}))


def at_offset(minutes: int) -> Record:
    return binary(time=datetime(2026, 11, 1, tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes))).isoformat())


def spread_bonuses(count: int) -> Record:
    lines = numbered(20)
    for number in range(count):
        lines[number % 20].setdefault("bonus_points", []).append(BONUS)
    return order(lines=lines)


MAKE: Final[dict[str, Callable[[int], Record]]] = {
    "bytes of a value": lambda n: record(DATA + b" " * (n - len(DATA)), HEADERS),
    "headers": lambda n: record(DATA, (*HEADERS, *((f"h{number}", b"") for number in range(n - len(HEADERS))))),
    "bytes of all headers": padded,
    "depth of JSON": lambda n: paid(nested(n)),
    "objects and lists in a value": lambda n: paid(b'{"order_id":"O","x":[' + b",".join([b"{}"] * (n - 2)) + b"]}"),
    "largest integer, known field or not": lambda n: order(note=n),
    "characters of an attribute": lambda n: binary(id="x" * n),
    "seconds ahead of now": lambda n: binary(time=(NOW + timedelta(seconds=n)).isoformat()),
    "minutes of an offset": at_offset,
    "characters of an id or a text": lambda n: order(order_id="注" * n),
    "money of a field": lambda n: line(list_price=n),
    "points of a field": lambda n: order(points_used=n),
    "quantity": lambda n: line(quantity=n, unit_price=1),
    "rate": lambda n: line(point_rate=str(n)),
    "year of a day": lambda n: order(planned_ship_date=f"{n}-12-31"),
    "seconds of a reservation": lambda n: told(
        "redemption.requested", redemption_id="R", points=1, store="s", expires_in_seconds=n
    ),
    "lines of an order": lambda n: order(lines=numbered(n)),
    "lines of a reversal": lambda n: binary(
        {"order_id": "O", "lines": [{"line_id": str(number), "quantity": 1} for number in range(n)]}, type="return.received"
    ),
    "tags of a line": lambda n: line(tags=["x"] * n),
    "bonus points of a line": lambda n: line(bonus_points=[BONUS] * n),
    "bonus points of an order": spread_bonuses,
    "money of an order": lambda n: order(lines=[{**LINE, "quantity": 1, "unit_price": n, "discount": n, "tax": n}]),
    "lots of an opening balance": lambda n: told("balance.opened", lots=[{"points": 1}] * n),
    "amounts of an opening balance": lambda n: told("balance.opened", counted=[{"on": "2026-01-01", "amount": 1}] * n),
}


def test_every_bound_of_the_table_is_tried_and_no_other() -> None:
    assert set(TABLE) == set(MAKE)


@pytest.mark.parametrize("name", MAKE)
def test_at_a_bound_a_record_is_accepted_and_one_above_it_refused(name: str) -> None:
    bound = TABLE[name]
    accepted = read(MAKE[name](bound))
    assert isinstance(accepted, Event), accepted
    refused = read(MAKE[name](bound + 1))
    assert isinstance(refused, Broken)
    assert refused.reason not in ("decoder_failed", "not_json")
