"""What holds for any input: decoding never fails, and nothing but the content of an event counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.events import EVENT_TYPES, Event
from tests.contracts.records import ATTRIBUTES, NOW, Headers, binary, event, headers_of, read, record, structured
from worker.decode import Broken, Limits, Skipped
from worker.decode.record import BrokenRecordError
from worker.decode.strict_json import canonical, parse

text = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp")), min_size=1, max_size=20)
day = st.dates(datetime(1970, 1, 1).date(), datetime(2200, 12, 31).date()).map(str)  # noqa: DTZ001 - a day
scalar = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | text
json_value = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)


@st.composite
def line(draw: st.DrawFn, position: int) -> dict[str, Any]:
    quantity, unit_price = draw(st.integers(1, 1000)), draw(st.integers(0, 10**6))
    drawn: dict[str, Any] = {
        "line_id": f"L{position}",
        "sku": draw(text),
        "quantity": quantity,
        "unit_price": unit_price,
        "discount": draw(st.integers(0, quantity * unit_price)),
        "tax": draw(st.integers(0, 10**6)),
    }
    for name, values in (("category", text), ("tags", st.lists(text, max_size=3)), ("list_price", st.integers(0, 10**6))):
        if draw(st.booleans()):
            drawn[name] = draw(values)
    return drawn


@st.composite
def order(draw: st.DrawFn) -> dict[str, Any]:
    drawn: dict[str, Any] = {
        "order_id": draw(text),
        "member_id": draw(text | st.none()),
        "store": draw(text),
        "lines": [draw(line(position)) for position in range(draw(st.integers(1, 4)))],
        "shipping_fee": draw(st.integers(0, 10**6)),
        "points_used": draw(st.integers(0, 10**6)),
        "payment_method": draw(text),
        "planned_ship_date": draw(day | st.none()),
    }
    known = EVENT_TYPES["order.placed"].model_fields
    drawn.update(draw(st.dictionaries(text.filter(lambda name: name not in known), json_value, max_size=2)))
    return drawn


@st.composite
def instant(draw: st.DrawFn) -> datetime:
    offset = timezone(timedelta(minutes=draw(st.integers(-14 * 60, 14 * 60))))
    low, high = datetime(1970, 1, 2), datetime(2026, 11, 20)  # noqa: DTZ001 - an offset is put to it later
    return draw(st.datetimes(low, high)).replace(tzinfo=UTC).astimezone(offset)


@given(order(), instant())
def test_any_order_within_the_contract_reads_the_same_in_both_modes(data: dict[str, Any], time: datetime) -> None:
    sent = event(binary(data, time=time.isoformat()))
    assert sent == event(structured(data, time=time.isoformat()))
    assert sent.time == time
    assert json.loads(sent.body) == data
    assert Event.from_stored(sent.source, sent.id, sent.type, sent.time, sent.program, None, sent.body).digest == sent.digest


@given(order())
def test_how_json_is_written_does_not_count(data: dict[str, Any]) -> None:
    ascii_only = json.dumps(dict(reversed(data.items())), indent=1, ensure_ascii=True).encode()
    compact = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    assert event(binary(ascii_only)) == event(binary(compact))


@given(order())
def test_the_model_of_an_order_survives_its_own_json(data: dict[str, Any]) -> None:
    model = event(binary(data)).data
    assert type(model).model_validate_json(model.model_dump_json()) == model


@given(json_value)
def test_canonical_json_is_a_fixed_point(value: Any) -> None:
    found, text_ = parse(json.dumps(value).encode(), Limits())
    assert text_ == canonical(found)
    assert parse(text_, Limits())[1] == text_


pairs = st.lists(st.tuples(st.sampled_from(["a", "b", ":", '"', "\\", "é", "{"]), scalar), max_size=4)


@given(pairs, st.booleans())
def test_a_duplicate_key_is_found_however_it_is_written(fields: list[tuple[str, Any]], ascii_only: bool) -> None:
    written = ", ".join(f"{json.dumps(key, ensure_ascii=ascii_only)}: {json.dumps(value)}" for key, value in fields)
    sent = f"[{{{written}}}]".encode()
    if len({key for key, _ in fields}) == len(fields):
        assert parse(sent, Limits())[0] == json.loads(sent)
        return
    with pytest.raises(BrokenRecordError) as caught:
        parse(sent, Limits())
    assert caught.value.broken.reason == "duplicate_key"


header_name = st.sampled_from([f"ce_{name}" for name in ATTRIBUTES] + ["content-type", "ce_", "x"]) | st.text(max_size=10)
header_value = (
    st.none()
    | st.binary(max_size=30)
    | st.sampled_from([value.encode() for value in ATTRIBUTES.values()])
    | st.sampled_from([name.encode() for name in EVENT_TYPES])
    | st.sampled_from([b"application/json", b"application/cloudevents+json"])
)
hostile_json = st.recursive(
    scalar | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
).map(lambda value: json.dumps(value).encode())


@given(st.none() | st.binary() | hostile_json, st.lists(st.tuples(header_name, header_value), max_size=12).map(tuple))
@example(b"\x00", headers_of(ATTRIBUTES))
def test_decoding_never_raises_whatever_comes(value: bytes | None, headers: Headers) -> None:
    outcome = read(record(value, headers))
    assert isinstance(outcome, Event | Skipped | Broken)
    assert not (isinstance(outcome, Broken) and outcome.reason == "decoder_failed")


@given(
    st.sampled_from(sorted(EVENT_TYPES)),
    hostile_json | st.dictionaries(st.text(), json_value).map(lambda d: json.dumps(d).encode()),
)
def test_decoding_any_data_of_any_type_never_fails(type_: str, value: bytes) -> None:
    outcome = read(record(value, headers_of({**ATTRIBUTES, "type": type_})))
    assert isinstance(outcome, Event | Broken)
    assert not (isinstance(outcome, Broken) and outcome.reason == "decoder_failed")


@given(st.text(max_size=40) | st.datetimes().map(lambda t: t.isoformat() + "Z"))
def test_a_time_is_read_as_python_reads_it_or_refused(time: str) -> None:
    outcome = read(structured(time=time))
    if isinstance(outcome, Event):
        assert outcome.time == datetime.fromisoformat(time.upper())
        assert datetime(1970, 1, 1, tzinfo=UTC) <= outcome.time <= NOW + timedelta(minutes=5)
