"""What was seen to hurt: each a record that a producer may send, with what becomes of it and the most that it may cost."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from time import thread_time
from typing import Any, Final

import pytest

from contracts.events import EVENT_TYPES, Event
from tests.contracts.records import ATTRIBUTES, LINE, ORDER, binary, headers_of, read, record, structured
from worker.decode import Broken, Limits, Record

RECORD_SECONDS_MAX: Final = 1.0
"""Processor time of one record, on a machine that is busy with other things. The slowest here takes a quarter of it."""
BYTES_A_BYTE_MAX: Final = 60
"""Memory at the worst moment, by each byte of a record of the largest size."""
SIZE: Final = Limits().value_bytes_max
ROOM: Final = SIZE - 300
"""For the data, where attributes stand beside it."""
MANY: Final = Limits().containers_max - 2
"""As many objects as one list may hold. Each that is wrong was once a finding of its own, and compared with all others: 10,000
empty lines, 40 KB, took 160 seconds."""


def filled(start: bytes, part: bytes, end: bytes, joint: bytes = b",") -> bytes:
    """A text of nearly the largest size: `part` as often as it fits."""
    count = (ROOM - len(start) - len(end)) // (len(part) + len(joint))
    return start + joint.join([part] * count) + end


def lines(**changes: Any) -> bytes:
    """An order with as many lines of this kind as fit."""
    start = json.dumps({**ORDER, "lines": []}).encode()
    before, _, after = start.partition(b"[]")
    return filled(before + b"[", json.dumps(changes).encode(), b"]" + after)


def different(write: Callable[[int], bytes], start: bytes, end: bytes, count: int) -> bytes:
    """Parts that differ from each other."""
    return start + b",".join(write(number) for number in range(count)) + end


LARGE: dict[str, tuple[bytes, str]] = {
    "lines that are wrong in everything": (lines(), "too_large"),
    "lines that are no objects": (filled(b'{"order_id":"O","lines":[', b"0", b"]}"), "bad_data"),
    "lines with a wrong quantity": (lines(**{**LINE, "quantity": 0}), "bad_data"),
    "lines with many wrong tags": (lines(**LINE, tags=[1] * 1_000), "bad_data"),
    "lines with many wrong bonus points": (lines(**LINE, bonus_points=[{}] * 1_000), "too_large"),
    "the same line again and again": (lines(**LINE), "bad_data"),
    "floats next to infinity": (filled(b'{"a":[', b"1.7976931348623157e308", b"]}"), "bad_data"),
    "floats next to nothing": (filled(b'{"a":[', b"4.9e-324", b"]}"), "bad_data"),
    "floats beyond infinity": (filled(b'{"a":[', b"1e400", b"]}"), "number_out_of_range"),
    "a float of a million digits": (b'{"a":0.' + b"1" * (ROOM - 10) + b"}", "bad_data"),
    "an integer of a million digits": (b'{"a":' + b"1" * (ROOM - 10) + b"}", "number_out_of_range"),
    "integers of twenty digits": (filled(b'{"a":[', b"1" * 20, b"]}"), "number_out_of_range"),
    "integers that just fit": (filled(b'{"a":[', b"9223372036854775807", b"]}"), "bad_data"),
    "an exponent of a million digits": (b'{"a":1e' + b"9" * (ROOM - 10) + b"}", "number_out_of_range"),
    "NaN": (filled(b'{"a":[', b"NaN", b"]}"), "not_json"),
    "half surrogates": (filled(b'{"a":"', b"\\ud800", b'"}', b""), "bad_text"),
    "escaped NULs": (filled(b'{"a":"', b"\\u0000", b'"}', b""), "bad_text"),
    "escapes": (filled(b'{"a":"', b"\\n", b'"}', b""), "bad_data"),
    "colons after backslashes": (filled(b'{"a":"', b"\\\\:", b'"}', b""), "bad_data"),
    "keys that all differ": (different(lambda n: b'"%d":0' % n, b"{", b"}", 100_000), "bad_data"),
    "keys that all differ, one escaped": (different(lambda n: b'"%d":0' % n, b'{"\\u0061":1,', b"}", 99_000), "bad_data"),
    "keys that are all the same": (filled(b"{", b'"a":0', b"}"), "duplicate_key"),
    "nothing but brackets": (b"[" * ROOM, "too_deep"),
    "brackets in strings": (filled(b'{"a":["', b"[{", b'"]}', b""), "bad_data"),
    "brackets that open and close": (filled(b'{"a":[', b"[]", b"]}"), "too_large"),
    "brackets after an open string": (filled(b'"', b'\\"[', b"", b""), "not_json"),
    "quotes": (b'"' * ROOM, "not_json"),
    "backslashes": (b"\\" * ROOM, "not_json"),
    "spaces": (b" " * ROOM, "not_json"),
    "spaces around an order": (b" " * (ROOM - 400) + json.dumps(ORDER).encode(), "accepted"),
    "an order id of 1 MB": (json.dumps({**ORDER, "order_id": "x" * (ROOM - 500)}).encode(), "bad_data"),
    "an unknown field of 1 MB": (json.dumps({**ORDER, "note": "x" * (ROOM - 500)}).encode(), "accepted"),
    "not UTF-8": (b'{"a":"' + b"\xff" * (ROOM - 10) + b'"}', "not_utf8"),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_no_record_costs_more_than_a_bounded_time(name: str, mode: str) -> None:
    data, reason = LARGE[name]
    if mode == "structured":
        sent = record(json.dumps(ATTRIBUTES).encode()[:-1] + b',"data":' + data + b"}")
    else:
        sent = record(data, headers_of(ATTRIBUTES))
    assert 0.8 * SIZE < len(sent.value or b"") <= SIZE
    started = thread_time()
    outcome = read(sent)
    spent = thread_time() - started
    assert spent < RECORD_SECONDS_MAX, f"{name} took {spent:.2f} s"
    assert isinstance(outcome, Event | Broken)
    assert (outcome.reason if isinstance(outcome, Broken) else "accepted") == reason, outcome


LISTS: Final = [
    (name, field) for name, model in EVENT_TYPES.items() for field in ("lines", "lots", "counted") if field in model.model_fields
]


@pytest.mark.parametrize(("type_", "field"), LISTS)
def test_no_list_of_any_type_costs_more_than_a_bounded_time(type_: str, field: str) -> None:
    for part in (b"{}", b"null", b'{"quantity":1}', b'{"points":1}'):
        data = b'{"%s":[' % field.encode() + b",".join([part] * MANY) + b"]}"
        sent = record(data, headers_of({**ATTRIBUTES, "type": type_}))
        started = thread_time()
        outcome = read(sent)
        assert thread_time() - started < RECORD_SECONDS_MAX
        assert isinstance(outcome, Broken)
        assert outcome.reason == "bad_data"
        assert len(outcome.detail) < 200


HEAVIEST: Final = (
    "keys that all differ",
    "keys that all differ, one escaped",
    "brackets that open and close",
    "lines that are wrong in everything",
    "floats next to nothing",
    "the same line again and again",
)


@pytest.mark.parametrize("name", HEAVIEST)
def test_memory_stays_within_a_multiple_of_the_record(name: str) -> None:
    sent = record(LARGE[name][0], headers_of(ATTRIBUTES))
    tracemalloc.start()
    try:
        read(sent)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < BYTES_A_BYTE_MAX * SIZE, f"{peak / SIZE:.0f} bytes a byte"


def _attribute(name: str, value: str) -> list[Record]:
    return [binary(**{name: value}), structured(**{name: value})]


@pytest.mark.parametrize("name", ["id", "source", "type", "time", "program", "subject", "recordedtime"])
@pytest.mark.parametrize("value", ["x" * 1_000_000, "2026-11-20T09:00:00." + "1" * 1_000_000 + "Z", "\u202e" * 170_000])
def test_attributes_of_1_mb_are_refused_by_their_length(name: str, value: str) -> None:
    outcomes = [read(sent) for sent in _attribute(name, value)]
    assert [outcome.reason for outcome in outcomes if isinstance(outcome, Broken)] == ["too_large", "bad_attribute"]


@pytest.mark.parametrize(
    "time",
    [
        "9999-12-31T23:59:59Z",
        "9998-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "1970-01-01T00:00:00+00:01",
        "2026-11-20T09:00:00+23:59",
        "2026-11-20T09:00:00-14:01",
        "2026-11-20T09:00:00+14:60",
        "2026-02-29T09:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T23:59:60Z",
        "2026-11-20T09:00:00+09:00[Asia/Tokyo]",
        "2026-11-20T09:00:00\u066b5Z",
        "\uff12026-11-20T09:00:00Z",
    ],
)
def test_times_at_the_ends_of_time_are_refused_and_do_not_overflow(time: str) -> None:
    for name in ("time", "recordedtime"):
        for sent in _attribute(name, time):
            outcome = read(sent)
            if name == "recordedtime" and time.startswith("9998"):
                assert isinstance(outcome, Event)
                continue
            assert isinstance(outcome, Broken), outcome
            assert outcome.reason in ("bad_time", "time_too_far_ahead")
