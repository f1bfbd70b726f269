"""Puts what pydantic finds into words for an operator: path, what is wrong, what would be right; never the value."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from contracts.events import EVENT_TYPES, CountedAmount, EventRef, OpenedLot, RefundLine
from contracts.events.base import Contract
from contracts.events.fields import COUNTRY_PATTERN, CURRENCY_PATTERN, DATE_PATTERN, ID_PATTERN, PRINTABLE_PATTERN, RATE_PATTERN
from contracts.events.members import Birth
from contracts.events.parts import BonusPoints, Line, LineRef
from worker.decode.record import BrokenRecordError

MONEY_FIELDS: Final = frozenset(
    {"unit_price", "discount", "tax", "list_price", "shipping_fee", "other_fees", "order_discount", "amount"}
)
_AS_MEASURES: Final = {
    "quantity": "should be a number of whole pieces, is a decimal one; send 1 and, beside it, `measures` in whole thousandths"
    ' of the unit (1.5 kg: {"g": 1500})',
    "measures": 'should be whole numbers, holds a decimal one; send thousandths of the unit (1.5 kg: {"g": 1500})',
}
"""How to send what is sold by decimals, by the field in which somebody tried."""
_MODELS: Final[tuple[type[Contract], ...]] = (
    *EVENT_TYPES.values(),
    Line,
    LineRef,
    BonusPoints,
    OpenedLot,
    CountedAmount,
    EventRef,
    RefundLine,
    Birth,
)
FIELDS: Final = frozenset(name for model in _MODELS for name in model.model_fields)
"""Every name of a field of data: only these may be told, as any other was made by whoever sent it."""
_PATTERNS: Final = {
    PRINTABLE_PATTERN: "should hold no control characters, holds some",
    ID_PATTERN: "should hold no control, format or line-separator characters, holds some",
    CURRENCY_PATTERN: "should be three capital letters, is not",
    COUNTRY_PATTERN: "should be two capital letters, is not",
    RATE_PATTERN: 'should be a decimal string from 0 to 100 with at most 8 decimals ("0.015"), is not',
    DATE_PATTERN: "should be a day from 1970 to 2200 (2026-11-20), is not",
}
_EXPECTED: Final = {
    "string_type": "a string",
    "int_type": "an integer",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "model_type": "an object",
}


def broken_data(error: ValidationError) -> BrokenRecordError:
    """The first mistake in the data, and how many more there are."""
    places: dict[tuple[str | int, ...], ErrorDetails] = {}
    for one in error.errors(include_url=False):
        if one["type"] == "default_factory_not_called":
            continue  # follows from another mistake
        place = _place(one)
        # Alternatives report each: what a list should have been says more than that it is not "all".
        if place not in places or places[place]["type"] == "literal_error":
            places[place] = one
    # An entry that is wrong makes its list look too short: what contains another mistake is not one of its own.
    around = {place[:depth] for place in places for depth in range(len(place))}
    inner = [place for place in places if place not in around]
    path = _path(inner[0])
    detail = f"{path}: {_sentence(places[inner[0]], inner[0])}"
    if len(inner) > 1:
        detail += f" (and {len(inner) - 1} more)"
    is_float = isinstance(places[inner[0]].get("input"), float) and inner[0] and inner[0][-1] in MONEY_FIELDS
    return BrokenRecordError("float_money" if is_float else "bad_data", detail, path)


def _place(one: ErrorDetails) -> tuple[str | int, ...]:
    # Names of alternatives of a union stand in the location too; only fields and positions are kept.
    return tuple(part for part in one["loc"] if isinstance(part, int) or part in FIELDS)


def _path(place: tuple[str | int, ...]) -> str:
    return ".".join(["data", *map(str, place)])


def _sentence(one: ErrorDetails, place: tuple[str | int, ...]) -> str:
    kind = one["type"]
    context: dict[str, Any] = one.get("ctx", {})
    if kind == "missing":
        return "should be there, is missing"
    if kind == "int_type" and isinstance(one.get("input"), float) and place and place[-1] in _AS_MEASURES:
        return _AS_MEASURES[str(place[-1])]
    if kind in _EXPECTED:
        unit = " in the minor unit" if place and place[-1] in MONEY_FIELDS else ""
        words = f"{_EXPECTED[kind]}{unit}" + (' or "all"' if place and place[-1] == "lines" and kind == "tuple_type" else "")
        return f"should be {words}, is {_json_kind(one.get('input'))}"
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(str(context.get("pattern")), "should have another form")
    if kind == "value_error":
        return "should be a day that exists, is not"
    # The remaining messages name bounds and choices, never the input.
    return one["msg"].replace("Input should", "should").replace("String should", "should").replace("Tuple should", "should")


def _json_kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    for type_, name in ((int, "an integer"), (float, "a float"), (str, "a string"), (dict, "an object"), (list, "a list")):
        if isinstance(value, type_):
            return name
    return "another value"
