"""From the bytes of one record to an event, or to the reason why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from contracts.currencies import MINOR_DIGITS
from contracts.events import EVENT_TYPES, Event, OrderPlaced, Origin, digest_of
from worker.decode.admission import refusal
from worker.decode.attributes import READ, Attributes, read
from worker.decode.problems import broken_data
from worker.decode.record import BATCH_TOO_LARGE, Admission, Broken, BrokenRecordError, Limits, Record, Skipped
from worker.decode.strict_json import canonical, parse

_STRUCTURED: Final = "application/cloudevents+json"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PREFIX: Final = "ce_"
_VALIDATORS: Final = {name: model.model_validate_json for name, model in EVENT_TYPES.items()}


def decode(record: Record, now: datetime, limits: Limits, admission: Admission | None = None) -> Event | Skipped | Broken:
    """Reads a CloudEvents 1.0 record in binary or structured mode. `now` must have an offset. Never raises.
    `admission`: what may come by the record's topic; None: the record comes from no topic (a file, a story).

    An event lies too far ahead only if it does so for every clock that can be trusted: `now`, and that of a broker which noted
    when it took the record. A producer's own time for the record is no witness for the time of its event.
    """
    origin = None if admission is None else Origin(record.topic, record.partition, record.offset)
    try:
        decoded = _decode(record, _latest(record, now), limits, origin)
        if isinstance(decoded, Skipped):
            return decoded
        event, signature = decoded
        if admission is not None:
            refused = refusal(event, signature, record.topic, admission)
            return event if refused is None else replace(refused, source=event.source)
        return event
    except BrokenRecordError as error:
        return error.broken
    except Exception as error:  # noqa: BLE001 - whatever a record makes us do wrong, its partition must go on
        return Broken("decoder_failed", f"the decoder failed with {type(error).__name__}; the record is kept")


def _latest(record: Record, now: datetime) -> datetime:
    return max(now, _EPOCH + timedelta(milliseconds=record.timestamp_ms)) if record.appended else now


def _decode(record: Record, now: datetime, limits: Limits, origin: Origin | None) -> tuple[Event, str | None] | Skipped:
    """The event, and its signature as it was sent."""
    value = record.value
    if not value:
        raise BrokenRecordError("empty_value", "value should be an event, is null or empty")
    if record.is_batch:
        raise BrokenRecordError("too_large", BATCH_TOO_LARGE)
    _check_size(value, record.headers, limits)
    content_type, sent = _headers(record.headers)
    if sent and content_type != _STRUCTURED:
        return _sent_by(sent, partial(_binary_body, content_type, value, limits), now, limits, origin)
    envelope = _envelope(content_type, value, limits)
    return _sent_by(envelope, partial(_structured_body, envelope), now, limits, origin)


def _check_size(value: bytes, headers: tuple[tuple[str, bytes | None], ...], limits: Limits) -> None:
    if len(value) > limits.value_bytes_max:
        raise BrokenRecordError("too_large", f"value should have at most {limits.value_bytes_max} bytes, has {len(value)}")
    if len(headers) > limits.headers_max:
        raise BrokenRecordError("too_large", f"record should have at most {limits.headers_max} headers, has {len(headers)}")
    size = 0
    for name, content in headers:
        size += len(name) + (0 if content is None else len(content))
    if size > limits.header_bytes_max:
        raise BrokenRecordError("too_large", f"headers should have at most {limits.header_bytes_max} bytes, have {size}")


def _headers(headers: tuple[tuple[str, bytes | None], ...]) -> tuple[str | None, dict[str, str]]:
    """Media type without parameters, and the CloudEvents attributes; what is not read may be broken as it likes."""
    content_type: str | None = None
    sent: dict[str, str] = {}
    for name, content in headers:
        if name.startswith(_PREFIX):
            attribute = name[len(_PREFIX) :]
            if attribute not in READ:
                sent.setdefault(attribute, "")
                continue
            if attribute in sent:
                raise BrokenRecordError("bad_attribute", f"{name} should be there once, is there more than once", attribute)
            if content is not None:
                sent[attribute] = _text(name, content)
        elif name.lower() == "content-type" and content is not None:
            content_type = _text(name, content).partition(";")[0].strip().lower()
    return content_type, sent


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        path = name.removeprefix(_PREFIX).lower()
        raise BrokenRecordError("bad_attribute", f"header {name} should be UTF-8, is not", path) from None


def _is_json(content_type: str | None) -> bool:
    return content_type is None or content_type in ("application/json", "text/json") or content_type.endswith("+json")


def _binary_body(content_type: str | None, value: bytes, limits: Limits) -> bytes:
    if not _is_json(content_type):
        raise BrokenRecordError("not_json_content", "content-type should be application/json, is another", "content-type")
    return parse(value, limits)[1]


def _envelope(content_type: str | None, value: bytes, limits: Limits) -> Mapping[str, Any]:
    if content_type is not None and content_type.startswith("application/cloudevents") and content_type != _STRUCTURED:
        wrong = f"content-type should be {_STRUCTURED}, is another event format or a batch"
        raise BrokenRecordError("not_json_content", wrong, "content-type")
    envelope, _ = parse(value, limits)
    if not isinstance(envelope, dict) or "specversion" not in envelope:
        raise BrokenRecordError(
            "not_cloudevents", "should be a CloudEvent: ce_ headers, or a JSON object with specversion; is neither"
        )
    return envelope


def _structured_body(envelope: Mapping[str, Any]) -> bytes:
    _check_data(envelope)
    return canonical(envelope["data"])


def _sent_by(
    sent: Mapping[str, Any], body: Callable[[], bytes], now: datetime, limits: Limits, origin: Origin | None
) -> tuple[Event, str | None] | Skipped:
    """The event of these attributes and this body. What is broken in it is said to be of the source that it names."""
    try:
        attributes = read(sent, now, limits)
        if isinstance(attributes, Skipped):
            return attributes
        return _event(attributes, body(), origin), attributes.signature
    except BrokenRecordError as error:
        source = sent.get("source")
        if isinstance(source, str):
            error.broken = replace(error.broken, source=source)
        raise


def _check_data(envelope: Mapping[str, Any]) -> None:
    content_type = envelope.get("datacontenttype")
    if content_type is not None and not (
        isinstance(content_type, str) and _is_json(content_type.partition(";")[0].strip().lower())
    ):
        raise BrokenRecordError("not_json_content", "datacontenttype should be application/json, is another", "datacontenttype")
    if "data_base64" in envelope:
        raise BrokenRecordError("not_json_content", "data should be JSON in the field data, is in data_base64", "data_base64")
    if "data" not in envelope:
        raise BrokenRecordError("bad_data", "data should be there, is missing", "data")


def _event(attributes: Attributes, body: bytes, origin: Origin | None) -> Event:
    try:
        data = _VALIDATORS[attributes.type](body)
    except ValidationError as error:
        raise broken_data(error) from None
    if isinstance(data, OrderPlaced) and data.currency not in MINOR_DIGITS:
        # Of what is kept already this is not asked: whatever leaves the list, a fact stays a fact.
        raise BrokenRecordError("bad_data", "data.currency: should be a currency of ISO 4217, is none", "data.currency")
    return Event(
        id=attributes.id,
        source=attributes.source,
        type=attributes.type,
        time=attributes.time,
        program=attributes.program,
        subject=attributes.subject,
        recorded_time=attributes.recorded_time,
        traceparent=attributes.traceparent,
        data=data,
        body=body,
        digest=digest_of(attributes.type, attributes.time, attributes.program, body),
        origin=origin,
    )
