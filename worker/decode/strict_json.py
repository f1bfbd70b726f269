"""JSON that means one thing: no duplicate keys, no numbers beyond 64 bits, no NUL, no lone surrogates, bounded depth and count.

msgspec parses (it refuses NaN, lone surrogates and raw control characters by itself). What it lets pass is found
here by byte counts that cost next to nothing on a usual record, and looked at closely only where the counts give cause.
"""

from __future__ import annotations

import json
import re
from math import isinf
from typing import Any, Final

import msgspec

from worker.decode.attributes import READ
from worker.decode.problems import FIELDS
from worker.decode.record import BrokenRecordError, Limits

_INTEGER_MIN: Final = -(2**63)
_INTEGER_MAX: Final = 2**63 - 1
# Possessive, and content with a missing end: linear time on any input.
_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_DIGITS_ALIKE: Final = bytes.maketrans(b"123456789", b"000000000")
# 19 digits are the fewest that may lie outside 64 bits.
_MANY_DIGITS: Final = b"0" * 19
_NAMED: Final = FIELDS | READ | {"data", "datacontenttype"}
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def _finite(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise ValueError("not finite")
    return value


# msgspec's own reading of numbers near the ends of the range of floats costs 20 us each, Python's half a microsecond.
_decode: Final = msgspec.json.Decoder(float_hook=_finite).decode
_encode: Final = msgspec.json.Encoder(order="sorted").encode


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8: equal content gives equal bytes."""
    return _encode(value)


def parse(raw: bytes, limits: Limits) -> tuple[Any, bytes]:
    """The value of a JSON text, and its canonical form.

    Raises BrokenRecordError: too_deep, too_large, not_utf8, not_json, number_out_of_range, bad_text, duplicate_key.
    """
    if raw.count(b"[") + raw.count(b"{") > limits.depth_max:
        _check_nesting(raw, limits)
    try:
        value = _decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _diagnosis(raw, error) from None
    text = _encode(value)
    escaped = b"\\" in raw
    if _MANY_DIGITS in raw.translate(_DIGITS_ALIKE) or (escaped and b"\\u0000" in raw):
        _check_values(value)
    # Parsing keeps the last of equal keys, so a duplicate costs a colon. Colons in strings are the same on both sides
    # unless some may be escaped.
    if escaped or raw.count(b":") != text.count(b":"):
        json.loads(raw, object_pairs_hook=_each_key_once)
    return value, text


def _check_nesting(raw: bytes, limits: Limits) -> None:
    # Looked at before parsing, which would recurse. Up to its first error a parser sees the same strings as the pattern.
    depth = 0
    brackets = _STRINGS.sub(b"", raw).translate(None, _NOT_BRACKETS)
    for bracket in brackets[: 2 * limits.containers_max + 1]:
        if bracket in b"[{":
            depth += 1
            if depth > limits.depth_max:
                raise BrokenRecordError("too_deep", f"JSON should be nested at most {limits.depth_max} deep")
        else:
            depth -= 1
    # An empty list is two bytes here and a hundred times as many in memory.
    if brackets.count(b"[") + brackets.count(b"{") > limits.containers_max:
        raise BrokenRecordError("too_large", f"JSON should hold at most {limits.containers_max} objects and lists")


def _check_values(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise BrokenRecordError("bad_text", "text should not hold NUL (\\u0000)")
    elif isinstance(value, int):
        if not _INTEGER_MIN <= value <= _INTEGER_MAX:
            raise BrokenRecordError("number_out_of_range", "integers should fit into 64 bits")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_values(key)
            _check_values(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_values(inner)


def _each_key_once(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            # Only names of the contract are repeated: a key made of somebody's data must not reach a log.
            field = f"the field {name}" if name in _NAMED else "a field"
            raise BrokenRecordError("duplicate_key", f"{field} should be there once in its object, is there more than once")
        seen.add(name)


def _diagnosis(raw: bytes, error: Exception) -> BrokenRecordError:
    try:
        raw.decode()
    except UnicodeDecodeError as bad:
        return BrokenRecordError("not_utf8", f"should be UTF-8, is not at byte {bad.start}")
    if isinstance(error, msgspec.ValidationError):
        return BrokenRecordError("number_out_of_range", "numbers should be finite, and integers fit into 64 bits")
    if _SURROGATE.search(raw) and _python_reads(raw):
        return BrokenRecordError("bad_text", "text should not hold half of a surrogate pair (\\ud800 to \\udfff)")
    # msgspec names the kind of mistake and the byte, never the content.
    return BrokenRecordError("not_json", f"should be JSON: {error}")


def _python_reads(raw: bytes) -> bool:
    try:
        json.loads(raw)
    except ValueError:
        return False
    return True
