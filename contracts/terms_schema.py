"""The JSON Schema of a terms file, for editors: completion, descriptions, and mistakes marked while one types.

It knows the form of a file; how its values must go together, only `loyalty program validate` knows (`contracts.terms_checks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from contracts.schemas import schema_of
from contracts.terms import ProgramFile
from contracts.terms.values import PERIODS, SHARE_PATTERN
from contracts.terms_reference import described

_SHARE = {
    "description": 'A share of the amount, below 1, such as "0.01".',
    "type": ["string", "integer"],
    "pattern": SHARE_PATTERN,
    "maximum": 0,
}


def terms_schema() -> dict[str, Any]:
    """The schema of a file with all its amendments."""
    schema = described(schema_of(ProgramFile))
    definitions = schema["definitions"]
    # Short forms, which stand in for {share: ...}, {change: true} and the like.
    definitions["Rate"] = {"anyOf": [_SHARE, definitions["Rate"]]}
    definitions["Occasion"] = {"anyOf": [{"const": "change"}, definitions["Occasion"]]}
    definitions["Period"] = {"anyOf": [{"enum": list(PERIODS)}, definitions["Period"]]}
    definitions["Around"] = {"anyOf": [{"enum": ["month", "day"]}, definitions["Around"]]}
    definitions["Nth"] = {"anyOf": [{"type": "integer", "minimum": 1}, definitions["Nth"]]}
    definitions["Holding"] = {"anyOf": [{"const": "next_period"}, definitions["Holding"]]}
    return {**schema, "title": "Terms of a point program"}


_schema = cache(terms_schema)


def names_at(path: Sequence[str | int]) -> list[str]:
    """The names that a section of a terms file may have; none where its names are free."""
    return sorted({name for section in _sections(path) for name in section.get("properties", {})})


def nearest_names(path: Sequence[str | int], wrong: str) -> list[str]:
    """Which names of a section could be meant by one that it does not have: those spelled alike, or else all."""
    names = names_at(path)
    return get_close_matches(wrong, names, n=2) or names


def _sections(path: Sequence[str | int]) -> list[dict[str, Any]]:
    """The schemas that a path may lead to; parts of the path that name the choice in a union lead nowhere further."""
    found = _plain(_schema())
    for name in path:
        inner = [
            each["items"] if isinstance(name, int) else each["properties"][name]
            for each in found
            if ("items" in each if isinstance(name, int) else name in each.get("properties", {}))
        ]
        found = [plain for each in inner for plain in _plain(each)] or found
    return found


def _plain(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """A schema without references and choices."""
    if "$ref" in schema:
        return _plain(_schema()["definitions"][schema["$ref"].rpartition("/")[2]])
    if "allOf" in schema or "anyOf" in schema:
        return [plain for each in (*schema.get("allOf", ()), *schema.get("anyOf", ())) for plain in _plain(each)]
    return [schema]
