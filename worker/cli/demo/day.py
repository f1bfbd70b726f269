"""The day that the demo plays: events from the examples as records, in both content modes, and one broken record among them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any, Final

from contracts.events import TOPIC_OF

BROKEN_TOPIC: Final = "commerce.order"
_DATE: Final = re.compile(rb'"(\d{4})(-\d\d-\d\d)')

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Sent:
    """A record to be sent: its topic (without prefix), key, value and headers."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


def broken_record() -> bytes:
    """A record that breaks the contract, as a producer sent it."""
    return (files("contracts") / "examples" / "broken-record.bin").read_bytes()


def lines(now: datetime) -> tuple[list[bytes], int]:
    """The events, one a line, and how many years they were put back, so that all of them lie before `now`."""
    day = (files("contracts") / "examples" / "day.ndjson").read_bytes()
    last = max(datetime.fromisoformat(json.loads(line)["time"]) for line in day.splitlines())
    years = 0
    while last.replace(year=last.year - years) > now:
        years += 1
    if years:
        day = _DATE.sub(lambda found: b'"%d%s' % (int(found[1]) - years, found[2]), day)
    return day.splitlines(), years


def records(day: list[bytes]) -> Iterator[Sent]:
    """The records of the day in order; every other one in the other content mode, the broken one after the first orders."""
    broken_after = len(day) // 2
    for number, line in enumerate(day):
        envelope = json.loads(line)
        data = envelope.pop("data")
        key = str(data.get("order_id") or data["member_id"]).encode()
        topic = TOPIC_OF[envelope["type"]]
        if number % 2:
            yield Sent(topic, key, line, [("content-type", b"application/cloudevents+json")])
        else:
            yield Sent(topic, key, _bytes(data), _headers(envelope))
        if number == broken_after:
            yield Sent(BROKEN_TOPIC, b"L-9099", broken_record(), [("content-type", b"application/cloudevents+json")])


def _headers(envelope: dict[str, Any]) -> Headers:
    content_type = envelope.pop("datacontenttype", "application/json")
    return [(f"ce_{name}", str(value).encode()) for name, value in envelope.items()] + [("content-type", content_type.encode())]


def _bytes(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
