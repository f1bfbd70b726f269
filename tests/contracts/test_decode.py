"""From bytes to an event, or to a reason that an operator understands."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from contracts.events import EVENT_TYPES, Event
from contracts.events.base import Contract
from contracts.events.fields import MONEY_MAX
from contracts.events.parts import BonusPoints, Line
from contracts.generate import ROOT
from tests.contracts.records import ATTRIBUTES, EVENING, LINE, ORDER, binary, broken, event, headers_of, read, record, structured
from worker.decode import Broken, Limits, Reason, Skipped
from worker.decode.problems import MONEY_FIELDS

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
DATA = json.dumps(ORDER).encode()
ENVELOPE = {**ATTRIBUTES, "data": ORDER}


def test_both_content_modes_give_the_same_event() -> None:
    extras = {"traceparent": TRACE, "recordedtime": "2026-11-20T09:00:05Z"}
    sent = event(binary(**extras))
    assert sent == event(structured(**extras))
    assert (sent.source, sent.id, sent.type, sent.program, sent.subject) == (
        "/shop/orders",
        "E-1",
        "order.placed",
        "lenovo-pro",
        "O-1",
    )
    assert sent.time == datetime(2026, 11, 20, 0, 0, tzinfo=UTC)
    assert sent.recorded_time == datetime(2026, 11, 20, 9, 0, 5, tzinfo=UTC)
    assert sent.traceparent == TRACE


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("content-type", b"application/json"),),
        (("Content-Type", b"application/cloudevents+json; charset=UTF-8"),),
        (("content-type", b"application/cloudevents+json"), *headers_of({"id": "another"})),
    ],
)
def test_structured_mode_is_known_by_its_content_type_or_its_content(headers: Any) -> None:
    assert event(record(json.dumps(ENVELOPE).encode(), headers)) == event(structured())


@pytest.mark.parametrize("content_type", [None, b"application/json; charset=utf-8", b"text/json", b"application/order+json"])
def test_binary_mode_takes_json_by_any_of_its_names(content_type: bytes | None) -> None:
    headers = headers_of(ATTRIBUTES) if content_type is None else (*headers_of(ATTRIBUTES), ("content-type", content_type))
    assert event(record(DATA, headers)) == event(binary())


def test_what_does_not_matter_may_be_missing_or_broken() -> None:
    extra = (("trace-id", b"\xff\xfe"), ("nothing", None), ("ce_unknown", b"\xff"), ("ce_dataschema", None))
    assert event(record(DATA, (*headers_of(ATTRIBUTES), *extra), key=None)) == event(binary())


def test_unknown_fields_are_kept_in_the_body_and_count_for_the_digest() -> None:
    plain, more = event(binary()), event(binary({**ORDER, "gift": {"note": "のし", "wrap": 1.5}}))
    assert plain.data == more.data
    assert plain.digest != more.digest
    assert json.loads(more.body)["gift"] == {"note": "のし", "wrap": 1.5}


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        (binary({**ORDER, "lines": [LINE, {**LINE, "unit_price": 1.5}]}), "data.lines.1.unit_price"),
        (structured({**ORDER, "points_used": -1}), "data.points_used"),
        (binary({**ORDER, "lines": [LINE, 5]}), "data.lines.1"),
        (binary([]), "data"),
        (structured(time="2026-11-20"), "time"),
        (binary(id=None), "id"),
        (record(DATA, (*headers_of(ATTRIBUTES), ("ce_source", b"/again"))), "source"),
        (record(DATA, (*headers_of(ATTRIBUTES)[:-1], ("ce_subject", b"\xff"))), "subject"),
        (record(DATA, (*headers_of(ATTRIBUTES), ("Content-Type", b"text/plain"))), "content-type"),
        (binary(b"{"), None),
        (record(None, ()), None),
    ],
)
def test_what_is_broken_says_which_attribute_or_field_is_at_fault(sent: Any, path: str | None) -> None:
    assert broken(sent).path == path


def test_the_digest_ignores_how_json_was_written() -> None:
    backwards = json.dumps(dict(reversed(list({**ORDER, "note": "のし"}.items()))), indent=3, ensure_ascii=True).encode()
    assert event(binary(backwards)).digest == event(binary({"note": "のし", **ORDER})).digest
    assert event(binary(time="2026-11-20T00:00:00Z")).digest == event(binary()).digest


@pytest.mark.parametrize(
    "other",
    [
        {"time": "2026-11-20T09:00:00.000001+09:00"},
        {"program": "belle-maison"},
        {"program": None},
        {"data": {**ORDER, "points_used": 1}},
    ],
)
def test_the_digest_tells_other_content_under_the_same_id(other: dict[str, Any]) -> None:
    assert event(binary(**other)).digest != event(binary()).digest


def test_an_unknown_type_is_skipped_whatever_else_is_in_it() -> None:
    assert read(binary(b"\xff", type="order.archived", time=None)) == Skipped("order.archived")
    assert read(structured({"x": 1}, type="order.archived", id=None)) == Skipped("order.archived")


def test_a_malformed_trace_is_dropped_and_costs_nothing() -> None:
    assert event(binary(traceparent="00-xyz")).traceparent is None
    assert event(structured(traceparent=5)).traceparent is None


def with_order(**changes: Any) -> bytes:
    return json.dumps({**ORDER, **changes}).encode()


HOSTILE_DATA: list[tuple[str, bytes | None, Reason, str]] = [
    ("null value", None, "empty_value", "null or empty"),
    ("empty value", b"", "empty_value", "null or empty"),
    ("2 MB", b" " * 2_000_000, "too_large", "at most 1048576 bytes, has 2000000"),
    ("not JSON", b"order_id=1", "not_json", "should be JSON"),
    ("cut off", DATA[:-5], "not_json", "should be JSON"),
    ("something after it", DATA + b"{}", "not_json", "trailing"),
    ("byte order mark", b"\xef\xbb\xbf" + DATA, "not_json", "byte 0"),
    ("UTF-16", DATA.decode().encode("utf-16"), "not_utf8", "at byte 0"),
    ("not UTF-8", DATA.replace(b"O-1", b"O\xff1"), "not_utf8", "should be UTF-8"),
    ("surrogate in UTF-8", DATA.replace(b"O-1", b"\xed\xa0\x80"), "not_utf8", "should be UTF-8"),
    ("half a surrogate pair", DATA.replace(b"O-1", b"\\ud800"), "bad_text", "surrogate"),
    ("the other half", DATA.replace(b"O-1", b"\\udc00x"), "bad_text", "surrogate"),
    ("NUL", DATA.replace(b"O-1", b"O\\u00001"), "bad_text", "NUL"),
    ("NUL in an unknown field", with_order(note=["a", {"b": "c\x00"}]), "bad_text", "NUL"),
    ("NUL in a key", with_order(**{"a\x00": 1}), "bad_text", "NUL"),
    ("raw NUL", DATA.replace(b"O-1", b"O\x001"), "not_json", "should be JSON"),
    ("NaN", DATA.replace(b"12000", b"NaN", 1), "not_json", "should be JSON"),
    ("Infinity", DATA.replace(b"12000", b"-Infinity", 1), "not_json", "should be JSON"),
    ("1e400", DATA.replace(b"12000", b"1e400", 1), "number_out_of_range", "finite"),
    ("1e400 in an unknown field", b'{"note": -1e400}', "number_out_of_range", "finite"),
    ("beyond 64 bits", with_order(note=2**63), "number_out_of_range", "64 bits"),
    ("below 64 bits", with_order(note=[-(2**63) - 1]), "number_out_of_range", "64 bits"),
    ("5,000 digits", b'{"note": ' + b"9" * 5000 + b"}", "number_out_of_range", "64 bits"),
    ("duplicate key", DATA[:-1] + b', "store": "x"}', "duplicate_key", "the field store"),
    ("duplicate key, escaped", DATA[:-1] + b', "stor\\u0065": "x"}', "duplicate_key", "the field store"),
    ("duplicate key with colons around", b'{"time": ":::", "time": "x"}', "duplicate_key", "the field time"),
    ("duplicate personal key", b'{"Taro Yamada": 1, "Taro Yamada": 2}', "duplicate_key", "a field should"),
    ("duplicate personal key that could be a field", b'{"yamada": 1, "yamada": 2}', "duplicate_key", "a field should"),
    ("duplicate inside", b'{"a": [{"points": 1, "points": 1}]}', "duplicate_key", "the field points"),
    ("too deep", b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}", "too_deep", "at most 64"),
    ("far too deep", b"[" * 1_000_000, "too_deep", "at most 64"),
    ("float money", with_order(lines=[{**LINE, "unit_price": 12000.0}]), "float_money", "data.lines.0.unit_price"),
    ("float fee", with_order(shipping_fee=0.0), "float_money", "data.shipping_fee: should be an integer in the minor unit"),
    ("exponent money", DATA.replace(b"12000", b"12e3", 1), "float_money", "is a float"),
    ("text for money", with_order(shipping_fee="500"), "bad_data", "is a string"),
    ("true for money", with_order(shipping_fee=True), "bad_data", "is true or false"),
    ("float points", with_order(points_used=1.0), "bad_data", "data.points_used: should be an integer, is a float"),
    ("negative money", with_order(shipping_fee=-1), "bad_data", "greater than or equal to 0"),
    ("huge money", with_order(shipping_fee=MONEY_MAX + 1), "bad_data", "less than or equal to 1000000000000"),
    ("negative quantity", with_order(lines=[{**LINE, "quantity": -1}]), "bad_data", "data.lines.0.quantity"),
    ("a decimal quantity", with_order(lines=[{**LINE, "quantity": 1.5}]), "bad_data", "send 1 and, beside it, `measures`"),
    ("a measure in decimals", with_order(lines=[{**LINE, "measures": {"g": 1.5}}]), "bad_data", "0.measures: should be whole"),
    ("a unit of somebody's", with_order(lines=[{**LINE, "measures": {"Taro": -1}}]), "bad_data", "0.measures: should be gr"),
    ("21 measures", with_order(lines=[{**LINE, "measures": dict.fromkeys(map(str, range(21)), 1)}]), "bad_data", "at most 20"),
    ("float discount of the order", with_order(order_discount=1.0), "float_money", "data.order_discount: should be an integer"),
    ("a discount above the goods", with_order(order_discount=70_501), "bad_data", "order_discount should be at most"),
    ("the same line twice", with_order(lines=[LINE, LINE]), "bad_data", "entry 1 repeats"),
    ("no lines", with_order(lines=[]), "bad_data", "data.lines: should have at least 1 item"),
    ("1,001 lines", with_order(lines=[LINE] * 1001), "bad_data", "at most 1000 items"),
    ("order id of 900 kB", with_order(order_id="x" * 900_000), "bad_data", "data.order_id: should have at most 200"),
    ("newline in an id", with_order(order_id="a\nb"), "bad_data", "no control, format or line-separator"),
    ("date that does not exist", with_order(planned_ship_date="2026-02-30"), "bad_data", "a day that exists"),
    ("date out of range", with_order(planned_ship_date="9999-12-31"), "bad_data", "from 1970 to 2200"),
    ("float rate", with_order(lines=[{**LINE, "point_rate": 0.5}]), "bad_data", "data.lines.0.point_rate: should be a string"),
    ("rate out of range", with_order(lines=[{**LINE, "point_rate": "101"}]), "bad_data", "from 0 to 100"),
    ("bad currency", with_order(currency="yen"), "bad_data", "three capital letters"),
    ("unknown channel", with_order(channel="fax"), "bad_data", "data.channel: should be 'web', 'phone' or 'store'"),
    ("missing field", b'{"order_id": "O-1"}', "bad_data", "data.store: should be there, is missing (and 2 more)"),
    ("a list", b"[]", "bad_data", "data: should be an object, is a list"),
    ("null", b"null", "bad_data", "data: should be an object, is null"),
]


@pytest.mark.parametrize(
    ("value", "reason", "detail"), [case[1:] for case in HOSTILE_DATA], ids=[case[0] for case in HOSTILE_DATA]
)
def test_hostile_data_is_broken_for_a_reason(value: bytes | None, reason: Reason, detail: str) -> None:
    outcome = broken(record(value, (*headers_of(ATTRIBUTES), ("content-type", b"application/json"))))
    assert outcome.reason == reason
    assert detail in outcome.detail
    assert len(outcome.detail) < 300


HOSTILE_ATTRIBUTES: list[tuple[dict[str, Any], Reason, str]] = [
    ({"specversion": None}, "not_cloudevents", "specversion should be 1.0"),
    ({"specversion": "0.3"}, "not_cloudevents", "specversion should be 1.0"),
    ({"id": None}, "missing_attribute", "id should be there"),
    ({"source": None}, "missing_attribute", "source should be there"),
    ({"type": None}, "missing_attribute", "type should be there"),
    ({"time": None}, "missing_attribute", "time should be there"),
    ({"id": ""}, "bad_attribute", "id should have 1 to 200 characters, has 0"),
    ({"source": "x" * 201}, "bad_attribute", "source should have 1 to 200 characters, has 201"),
    ({"program": "p\x00"}, "bad_attribute", "program should hold no control, format"),
    ({"subject": "x" * 201}, "bad_attribute", "subject should have"),
    ({"time": "2026-11-20T09:00:00"}, "bad_time", "has no offset"),
    ({"time": "2026-11-20"}, "bad_time", "RFC 3339"),
    ({"time": "1763596800"}, "bad_time", "RFC 3339"),
    ({"time": "2026-W47-5T09:00:00Z"}, "bad_time", "RFC 3339"),
    ({"time": "2026-11-20T09:00:00+23:59"}, "bad_time", "at most 14:00"),
    ({"time": "2026-11-20T09:00:00+09:60"}, "bad_time", "at most 14:00"),
    ({"time": "2026-02-30T09:00:00Z"}, "bad_time", "that exist"),
    ({"time": "1969-12-31T23:59:59Z"}, "bad_time", "1970"),
    ({"time": "1970-01-01T00:00:00+09:00"}, "bad_time", "1970"),
    ({"time": "0000-01-01T00:00:00Z"}, "bad_time", "1970"),
    ({"time": "9999-12-31T23:59:59-14:00"}, "bad_time", "9998"),
    ({"time": "2026-11-20T03:05:01Z"}, "time_too_far_ahead", "at most 300 seconds ahead"),
    ({"recordedtime": "2026-11-20T09:00:00"}, "bad_time", "recordedtime"),
]


@pytest.mark.parametrize(("attributes", "reason", "detail"), HOSTILE_ATTRIBUTES)
@pytest.mark.parametrize("mode", [binary, structured])
def test_hostile_attributes_are_broken_for_a_reason(mode: Any, attributes: Any, reason: Reason, detail: str) -> None:
    outcome = broken(mode(**attributes))
    if outcome.reason == "bad_text":  # NUL in structured mode is found by the parser
        assert "NUL" in outcome.detail
        return
    if mode is structured and attributes == {"specversion": None}:
        assert outcome.reason == "not_cloudevents"
        return
    assert outcome.reason == reason
    assert detail in outcome.detail


def test_a_time_within_the_skew_is_taken_and_fractions_are_read() -> None:
    assert event(binary(time="2026-11-20T03:05:00Z")).time == datetime(2026, 11, 20, 3, 5, tzinfo=UTC)
    assert event(binary(time="2026-11-20t09:00:00.123456789+14:00")).time.microsecond == 123456


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (record(DATA), "not_cloudevents"),
        (record(b"[]"), "not_cloudevents"),
        (record(b"x"), "not_json"),
        (record(json.dumps([ENVELOPE]).encode(), (("content-type", b"application/cloudevents-batch+json"),)), "not_json_content"),
        (record(b"Obj\x01", (("content-type", b"application/cloudevents+avro"),)), "not_json_content"),
        (record(DATA, (*headers_of(ATTRIBUTES), ("content-type", b"application/xml"))), "not_json_content"),
        (record(DATA, (*headers_of(ATTRIBUTES), ("content-type", b"\xff"))), "bad_attribute"),
        (record(DATA, (*headers_of(ATTRIBUTES), ("ce_id", b"E-2"))), "bad_attribute"),
        (record(DATA, (*headers_of({**ATTRIBUTES, "time": ""})[:-1], ("ce_program", b"\xff"))), "bad_attribute"),
        (
            record(DATA, tuple((name, None if name == "ce_id" else value) for name, value in headers_of(ATTRIBUTES))),
            "missing_attribute",
        ),
        (record(DATA, tuple((f"h{n}", b"") for n in range(101))), "too_large"),
        (record(DATA, (*headers_of(ATTRIBUTES), ("x", b"x" * 65_536))), "too_large"),
        (structured(id=5), "bad_attribute"),
        (record(json.dumps({**ENVELOPE, "datacontenttype": "text/xml"}).encode()), "not_json_content"),
        (record(json.dumps({**ENVELOPE, "data_base64": "e30="}).encode()), "not_json_content"),
        (record(json.dumps(ATTRIBUTES).encode()), "bad_data"),
        (record(json.dumps({**ENVELOPE, "specversion": 1.0}).encode()), "not_cloudevents"),
        (record(json.dumps(ENVELOPE).encode()[:-1] + b',"id":"E-2"}'), "duplicate_key"),
    ],
)
def test_a_record_that_is_no_cloud_event_of_ours_is_broken(sent: Any, reason: Reason) -> None:
    assert broken(sent).reason == reason


def test_limits_are_settings() -> None:
    assert broken(binary(), Limits(value_bytes_max=100)).reason == "too_large"
    assert broken(binary(), Limits(depth_max=2)).reason == "too_deep"
    assert broken(binary(time="2026-11-20T03:00:01Z"), Limits(skew_seconds_max=0)).reason == "time_too_far_ahead"
    assert isinstance(read(binary(time="2026-11-20T04:00:00Z"), Limits(skew_seconds_max=3600)), Event)


@pytest.mark.parametrize(
    "value", [b'{"a":"' + b'\\"' * 500_000, b'{"a":' + b"[]," * 340_000, b'"' * 1_000_000, b"[[" + b'"\\' * 500_000]
)
def test_hostile_records_of_one_megabyte_are_refused_in_linear_time(value: bytes) -> None:
    started = datetime.now(UTC)
    assert isinstance(read(record(value[:1_048_576], headers_of(ATTRIBUTES))), Broken)
    assert (datetime.now(UTC) - started).total_seconds() < 2


def test_money_is_told_from_other_integers_by_its_field() -> None:
    models: list[type[Contract]] = [*EVENT_TYPES.values(), Line, BonusPoints]
    known = {name for model in models for name in model.model_fields}
    assert known >= MONEY_FIELDS
    assert "points_used" not in MONEY_FIELDS


def test_reasons_are_a_closed_set() -> None:
    tried = {reason for _, _, reason, _ in HOSTILE_DATA} | {reason for _, reason, _ in HOSTILE_ATTRIBUTES}
    assert set(get_args(Reason)) - tried == {
        *("not_json_content", "decoder_failed"),
        *("wrong_topic", "wrong_source", "above_ceiling"),  # tried where there are topics: tests/pipeline/test_topics.py
        *("unsigned", "bad_signature"),  # tests/contracts/test_signatures.py
    }


SECRET = "Hanako-Yamada"


def places(node: Any) -> Iterator[tuple[Any, str | int]]:
    """Every field and entry below `node`, as its container and its name there."""
    for name, inner in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, name
        if isinstance(inner, dict | list):
            yield from places(inner)


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "in").glob("*.json")), ids=lambda path: path.stem)
@pytest.mark.parametrize(
    "wrong", [f"{SECRET}\n", SECRET * 20, [SECRET, 1], {SECRET: SECRET}, [{SECRET: 1}] * 2, {SECRET: {"a": SECRET}}, 0.5]
)
def test_a_detail_names_the_place_and_never_the_value(path: Path, wrong: Any) -> None:
    text = path.read_text()
    count = sum(1 for _ in places(json.loads(text)["data"]))
    for position in range(count):
        sent = json.loads(text)
        container, name = list(places(sent["data"]))[position]
        container[name] = wrong
        outcome = broken(record(json.dumps(sent).encode()), now=EVENING)
        assert outcome.reason in ("bad_data", "float_money")
        assert SECRET not in outcome.detail
        # What a sender calls something (an attribute) is a value too: the place is told as far as the contract has names.
        named = "attributes" if container is sent["data"].get("attributes") else name
        assert isinstance(named, int) or f"{named}: " in outcome.detail or f"{named}." in outcome.detail


def test_even_a_fault_of_the_decoder_does_not_stop_the_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("M-1 owes 5")

    # By its name: the package has a function of the module's name.
    monkeypatch.setattr(sys.modules["worker.decode.decode"], "read", fail)
    outcome = broken(binary())
    assert outcome.reason == "decoder_failed"
    assert "M-1" not in outcome.detail
