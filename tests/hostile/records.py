"""Hostile records: valid ones of every type with anything in any place changed. A record is a function of its seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from random import Random
from typing import Any, Final

from contracts.events import EVENT_TYPES
from contracts.generate import ROOT
from worker.decode import Record

CANARY: Final = "ZQXJKV"
"""Stands in every text that is put into a record: it may come back nowhere but in the record itself."""
TEXTS: Final = (
    CANARY,
    f"{CANARY}\n",
    CANARY * 40,
    CANARY * 400,
    f"\u202e{CANARY}",
    f"{CANARY}\x00",
    f"{CANARY}\ud800",
    f"{CANARY}'; --",
    f"%s{CANARY}",
    f"{{{CANARY}}}",
    "",
    " ",
    "all",
    "null",
    "１",
    "2026-13-45",
    "2026-02-29",
    "9999-12-31",
    "0001-01-01",
    "86400",
    "1e5",
    "-1",
    "0.015",
    "101",
    "JPY",
    "jpy",
    "１００",
    "100.000000001",
)
NUMBERS: Final = (
    0,
    -0.0,
    -1,
    1,
    0.5,
    1e300,
    1e-320,
    10**12,
    10**12 + 1,
    -(10**12) - 1,
    10**6,
    10**6 + 1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    10**30,
)
RAW: Final = (
    b"NaN",
    b"Infinity",
    b"1e400",
    b"-1e400",
    b"4.9e-324",
    b"9" * 400,
    b"0x10",
    b"01",
    b"+1",
    b'"\\ud800"',
    b'"\\u0000"',
    b'"\\u0061"',
    b'"\xff"',
    b"'a'",
    b"tru",
    b"[" * 100 + b"]" * 100,
    b'{"a":1,"a":2}',
    b'{"a":1,"\\u0061":2}',
    b"//",
    b"",
    b"\x00",
    b"[1,]",
    b"\xef\xbb\xbf1",
)
TIMES: Final = (
    "2026-11-20T09:00:00+09:00",
    "2026-11-20T09:00:00",
    "9999-12-31T23:59:59Z",
    "9998-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00+14:00",
    "2026-11-20T09:00:00+23:59",
    "2026-11-20 09:00:00Z",
    "2026-11-20T24:00:00Z",
    "2026-11-20T09:00:60Z",
    "2026-11-20T09:00:00.123456789012345678Z",
    "2026-11-20T09:00:00٫5Z",
    "２０２６-11-20T09:00:00Z",
    CANARY,
)
ATTRIBUTES: Final = (
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "program",
    "subject",
    "recordedtime",
    "traceparent",
    "extension",
)
MEDIA: Final = (
    b"application/json",
    b"application/cloudevents+json",
    b"application/cloudevents+json; charset=utf-8",
    b"application/cloudevents-batch+json",
    b"application/cloudevents+avro",
    b"text/xml",
    b"text/json",
    b"",
    b"\xff",
    CANARY.encode(),
    b"application/x+json;" * 50,
)


@lru_cache(maxsize=1)
def examples() -> tuple[dict[str, Any], ...]:
    """The examples of the contract, one or more of every type, as structured events."""
    return tuple(json.loads(path.read_text()) for path in sorted((ROOT / "examples" / "in").glob("*.json")))


def hostile(rng: Random) -> Record:
    """An example with one to a few things wrong, or nothing."""
    event = json.loads(json.dumps(rng.choice(examples())))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        _change_data(rng, event) if rng.random() < 0.75 else _change_attribute(rng, event)
    sent, headers = _structured(rng, event) if rng.random() < 0.5 else _binary(rng, event)
    value = _broken(rng, sent) if rng.random() < 0.25 else sent
    if rng.random() < 0.15:
        headers = _odd(rng, headers)
    key = rng.choice((None, b"", b"key", b"\xff" * 10, CANARY.encode()))
    stamp = rng.choice((0, -1, 1_760_000_000_000, 2**63 - 1))
    return Record("commerce.order", rng.randrange(4), rng.randrange(2**40), stamp, key, value, tuple(headers))


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    for name, inner in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, name
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _anything(rng: Random) -> Any:
    """A value that may be wrong in its type, its size, its form, or not at all."""
    roll = rng.random()
    if roll < 0.4:
        return rng.choice(TEXTS)
    if roll < 0.75:
        return rng.choice(NUMBERS)
    if roll < 0.85:
        return rng.choice((None, True, False))
    if roll < 0.95:
        return rng.choice(
            ([], {}, [CANARY], {CANARY: CANARY}, [[[[1]]]], [None] * 51, [{}] * 1001, {"quantity": 1, "sku": CANARY})
        )
    return [_anything(rng) for _ in range(rng.randrange(4))]


def _change_data(rng: Random, event: dict[str, Any]) -> None:
    data = event.get("data")
    places = list(_places(data)) if isinstance(data, dict | list) else []
    if not places or rng.random() < 0.03:
        event["data"] = _anything(rng)
        return
    container, name = rng.choice(places)
    roll = rng.random()
    if roll < 0.6:
        container[name] = _anything(rng)
    elif roll < 0.7:
        del container[name]
    elif roll < 0.8 and isinstance(container, list):
        container.extend(container[: rng.choice((1, 2, 50))] * rng.choice((1, 1, 30)))
    elif roll < 0.9 and isinstance(container, dict):
        container[rng.choice((CANARY, "", "\u202e", "member_id", "lines", "note"))] = _anything(rng)
    else:
        other, there = rng.choice(places)
        if isinstance(other[there], str | int | None):
            container[name] = other[there]


def _change_attribute(rng: Random, event: dict[str, Any]) -> None:
    name = rng.choice((*ATTRIBUTES, "datacontenttype", "data_base64", "data"))
    if rng.random() < 0.2:
        event.pop(name, None)
    elif name in ("time", "recordedtime"):
        event[name] = rng.choice(TIMES)
    elif name == "type":
        event[name] = rng.choice((*EVENT_TYPES, *TEXTS, 5))
    else:
        event[name] = _anything(rng)


def _json(rng: Random, value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, None, None, 3)))
    return text.encode("utf-8", "surrogatepass")


def _structured(rng: Random, event: dict[str, Any]) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    headers: list[tuple[str, bytes | None]] = [("content-type", rng.choice(MEDIA))] if rng.random() < 0.7 else []
    if rng.random() < 0.6:
        headers = [("content-type", b"application/cloudevents+json")]
    return _json(rng, event), headers


def _binary(rng: Random, event: dict[str, Any]) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    headers: list[tuple[str, bytes | None]] = []
    for name, value in event.items():
        if name != "data":
            text = value if isinstance(value, str) else json.dumps(value)
            headers.append((f"ce_{name}", text.encode("utf-8", "surrogatepass")))
    if rng.random() < 0.6:
        headers.append(("content-type", rng.choice(MEDIA) if rng.random() < 0.2 else b"application/json"))
    return _json(rng, event.get("data")), headers


def _broken(rng: Random, value: bytes) -> bytes | None:
    """Bytes that are no longer what they were."""
    at = rng.randrange(len(value) + 1)
    roll = rng.randrange(7)
    if roll == 0:
        return rng.choice((None, b""))
    if roll == 1:
        return value[:at]
    if roll == 2:
        return value[:at] + bytes([rng.randrange(256)]) + value[at + 1 :]
    if roll == 3:
        return value[:at] + rng.choice(RAW) + value[at:]
    if roll == 4:
        return value + rng.choice((b"{}", b"\x00", b",", value))
    if roll == 5:  # a value, in place of one
        start = value.find(b":", at) + 1
        end = min((place for place in (value.find(b",", start), value.find(b"}", start)) if place > 0), default=start)
        return value[:start] + rng.choice(RAW) + value[end:]
    return value.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-32", "utf-8-sig", "cp037")), "replace")


def _odd(rng: Random, headers: list[tuple[str, bytes | None]]) -> list[tuple[str, bytes | None]]:
    """Headers given twice, null, not UTF-8, without end."""
    roll = rng.randrange(5)
    name = f"ce_{rng.choice(ATTRIBUTES)}"
    if roll == 0 and headers:
        return [*headers, rng.choice(headers)]
    if roll == 1:
        return [*headers, (name, rng.choice((None, b"", b"\xff", CANARY.encode())))]
    if roll == 2:
        return [*headers, *((f"{CANARY}{number}", b"x") for number in range(rng.choice((1, 100, 101, 1000))))]
    if roll == 3:
        return [
            *headers,
            (rng.choice(("x", CANARY, "", "\u202e", "caf\\xe9")), CANARY.encode() * rng.choice((1, 10_923, 20_000))),
        ]
    return [(header, value) for header, value in headers if rng.random() < 0.8]
