"""CloudEvents attributes: bounded strings and times, whichever content mode they came in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from unicodedata import category

from contracts.counting import counted
from contracts.events import EVENT_TYPES
from worker.decode.record import BrokenRecordError, Limits, Skipped

READ: Final = frozenset(
    {"specversion", "id", "source", "type", "time", "program", "subject", "recordedtime", "traceparent", "signature"}
)
"""Names of the attributes that are looked at."""
_CHARACTERS_MAX: Final = 200
_UNSEEN: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Categories of characters that no attribute holds: control, format, line and paragraph separators."""
_RFC3339: Final = re.compile(
    r"([0-9]{4})-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,18})?(?:[Zz]|[+-]([0-9]{2}):([0-9]{2}))"
)
_NAIVE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?")
_OFFSET_MINUTES_MAX: Final = 14 * 60
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{1,200}={0,2}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Attributes(NamedTuple):
    """The attributes that are read; times in UTC."""

    id: str
    source: str
    type: str
    time: datetime
    program: str | None
    subject: str | None
    recorded_time: datetime | None
    traceparent: str | None
    signature: str | None


def read(sent: Mapping[str, Any], now: datetime, limits: Limits) -> Attributes | Skipped:
    """Checks the attributes by name; a type that is not known ends the look at all others.

    Raises BrokenRecordError: not_cloudevents, missing_attribute, bad_attribute, bad_time, time_too_far_ahead.
    """
    version = sent.get("specversion")
    if version != "1.0":
        raise BrokenRecordError("not_cloudevents", "specversion should be 1.0, is missing or another", "specversion")
    type_ = _required(sent, "type")
    if type_ not in EVENT_TYPES:
        return Skipped(type_)
    time = _instant(_required(sent, "time"), "time")
    if time > now and time > now + timedelta(seconds=limits.skew_seconds_max):
        most = counted(limits.skew_seconds_max, "second")
        raise BrokenRecordError("time_too_far_ahead", f"time should be at most {most} ahead of now, is further ahead", "time")
    recorded = _optional(sent, "recordedtime")
    return Attributes(
        id=_required(sent, "id"),
        source=_required(sent, "source"),
        type=type_,
        time=time,
        program=_optional(sent, "program"),
        subject=_optional(sent, "subject"),
        recorded_time=None if recorded is None else _instant(recorded, "recordedtime"),
        traceparent=_trace(sent.get("traceparent")),
        signature=_signature(sent.get("signature")),
    )


def _required(sent: Mapping[str, Any], name: str) -> str:
    value = _optional(sent, name)
    if value is None:
        raise BrokenRecordError("missing_attribute", f"{name} should be there, is missing", name)
    return value


def _optional(sent: Mapping[str, Any], name: str) -> str | None:
    value = sent.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BrokenRecordError("bad_attribute", f"{name} should be a string, is another JSON value", name)
    if not 1 <= len(value) <= _CHARACTERS_MAX:
        raise BrokenRecordError("bad_attribute", f"{name} should have 1 to {_CHARACTERS_MAX} characters, has {len(value)}", name)
    if not value.isprintable() and any(category(character) in _UNSEEN for character in value):
        wrong = f"{name} should hold no control, format or line-separator characters, holds some"
        raise BrokenRecordError("bad_attribute", wrong, name)
    return value


def _instant(text: str, name: str) -> datetime:
    match = _RFC3339.fullmatch(text)
    if match is None:
        right = "RFC 3339 with an offset (2026-11-20T09:00:00+09:00)"
        wrong = "has no offset" if _NAIVE.fullmatch(text) else "is not"
        raise BrokenRecordError("bad_time", f"{name} should be {right}, {wrong}", name)
    year, hours, minutes = match.groups()
    if int(year) < _FIRST_YEAR or int(year) > _LAST_YEAR:
        raise BrokenRecordError("bad_time", f"{name} should lie between {_FIRST_YEAR} and {_LAST_YEAR}, does not", name)
    if hours is not None and (int(minutes) > 59 or int(hours) * 60 + int(minutes) > _OFFSET_MINUTES_MAX):
        raise BrokenRecordError("bad_time", f"{name} should have an offset of at most 14:00, has a larger one", name)
    try:
        instant = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except ValueError:
        raise BrokenRecordError("bad_time", f"{name} should be a day and time that exist, is not", name) from None
    if instant < _EPOCH:
        raise BrokenRecordError("bad_time", f"{name} should not lie before 1970, does", name)
    return instant


def _trace(value: Any) -> str | None:
    # Trace Context asks to drop what is malformed: telemetry must not cost an order its points.
    if isinstance(value, str) and _TRACEPARENT.fullmatch(value):
        return value
    return None


def _signature(value: Any) -> str | None:
    # Where none is asked for, nobody looks at it; where one is, what is no text of base64 is none.
    return value if isinstance(value, str) and _BASE64.fullmatch(value) else None
