"""Terms files: read strictly, turned into versions, changed for a what-if, and named by their hash."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from contracts.strict_yaml import QUOTE, StrictLoader
from contracts.terms import ProgramFile, Terms
from contracts.terms_checks import currencies_unknown, shares_too_high, zone_unknown
from contracts.terms_schema import nearest_names
from worker.decide.program import Program

_T = TypeVar("_T", Terms, ProgramFile)

PROGRAMS = Path(__file__).parents[2] / "contracts" / "programs"
"""The programs that are shipped."""
FILE_BYTES_MAX = 1024 * 1024
"""Of a terms file; the longest that is shipped has 30 KB."""


class TermsError(Exception):
    """A terms file is not right: each problem with its path, the value found and what would be right."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.problems = tuple(problems)


def text_of(path: Path) -> str:
    """The text of a file, of which no more is read than may be. Raises TermsError, OSError."""
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise TermsError(path.name, [f"larger than {FILE_BYTES_MAX} bytes"])
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise TermsError(path.name, [f"should be UTF-8, is not at byte {error.start}"]) from None


def values_of(text: str, loader: type[StrictLoader], source: str) -> Any:
    """What YAML says. Raises TermsError."""
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506 - a SafeLoader with less in it
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        what = ", ".join(filter(None, (error.context, error.problem)))
        if error.problem == "mapping values are not allowed here":
            what += f"; if a colon stands in a text, {QUOTE}"
        raise TermsError(source, [f"{where}not YAML: {what}"]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise TermsError(source, [f"not YAML: {' '.join(str(error).split())}"]) from None
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # PyYAML lets through what its constructors of numbers, dates and booleans raise.
        raise TermsError(source, [f"a value is not of the kind that its tag or form says: {str(error)[:200]}"]) from None


def read(text: str, source: str = "terms") -> dict[str, Any]:
    """The values of a terms file, not yet checked. Raises TermsError for what is not YAML."""
    if len(text.encode("utf-8", "surrogatepass")) > FILE_BYTES_MAX:
        raise TermsError(source, [f"larger than {FILE_BYTES_MAX} bytes"])
    values = values_of(text, StrictLoader, source)
    if not isinstance(values, dict):
        raise TermsError(source, ["should be a mapping of sections such as `program`, `membership`, `earning`"])
    return values


def set_path(values: Any, path: str, value: Any, source: str = "terms") -> None:
    """Change one value by its dotted path; a list's items go by number, or by their `id`."""
    *parents, last = path.split(".")
    at = values
    for name in parents:
        at = at.setdefault(name, {}) if isinstance(at, dict) else at[_position(at, name, path, source)]
    if isinstance(at, dict):
        at[last] = value
    elif isinstance(at, list):
        at[_position(at, last, path, source)] = value
    else:
        raise TermsError(source, [f"{path}: there is nothing to set under {'.'.join(parents)}"])


def _position(items: Any, name: str, path: str, source: str) -> int:
    if isinstance(items, list):
        if name.isdecimal() and len(name) < 10 and int(name) < len(items):
            return int(name)
        for index, item in enumerate(items):
            if isinstance(item, dict) and item.get("id", item.get("name")) == name:
                return index
    raise TermsError(source, [f"{path}: there is no item {name}"])


def versions(values: Mapping[str, Any], source: str = "terms") -> list[Terms]:
    """All versions of a terms file, the first and one for each amendment. Raises TermsError naming every mistake."""
    whole = _validate(ProgramFile, values, source)
    current = {name: deepcopy(value) for name, value in values.items() if name != "amendments"}
    found = [_version(current, source)]
    for index in range(len(whole.amendments)):
        current = deepcopy(current)
        given = values["amendments"][index]
        current["effective_from"] = given["effective_from"]
        for path, value in given["set"].items():
            set_path(current, path, deepcopy(value), source)
        found.append(_version(current, f"{source} (amendment of {given['effective_from']})"))
        if found[-1].effective_from <= found[-2].effective_from:
            raise TermsError(source, [f"amendments.{index}.effective_from: should be later than the version before it"])
    return found


def _version(values: Mapping[str, Any], source: str) -> Terms:
    terms = _validate(Terms, values, source)
    if wrong := [str(each) for each in (*zone_unknown(terms), *currencies_unknown(terms), *shares_too_high(terms))]:
        raise TermsError(source, wrong)
    return terms


def _validate(model: type[_T], values: Mapping[str, Any], source: str) -> _T:
    try:
        return model.model_validate_json(json.dumps(values, allow_nan=False), strict=True)
    except ValidationError as error:
        found = error.errors()
        # Of a list of which something is wrong, what is left is told as too short: that is no mistake of its own.
        inner = {each["loc"][:depth] for each in found for depth in range(len(each["loc"]))}
        raise TermsError(
            source, [_problem(each) for each in found if each["type"] != "too_short" or each["loc"] not in inner]
        ) from None
    except (TypeError, ValueError) as error:
        raise TermsError(source, [str(error)]) from None


def _problem(error: Any) -> str:
    path = ".".join(str(part) for part in error["loc"]) or "(file)"
    if error["type"] == "extra_forbidden":
        *section, name = error["loc"]
        return f"{path}: there is no {name} here; there may be {', '.join(nearest_names(section, str(name)))}"
    value = (
        "" if error["type"] == "missing" or isinstance(error.get("input"), dict | list) else f" (found: {error.get('input')!r})"
    )
    return f"{path}: {error['msg'].removeprefix('Value error, ')}{_like(error['type'], error.get('input'))}{value}"


def _like(kind: str, found: object) -> str:
    """For mistakes that pydantic tells without saying what would be right: an example of it."""
    if kind == "int_type":
        digits = isinstance(found, str) and re.fullmatch(r"-?(?:0|[1-9][0-9]*)", found)
        return f"; write it without quotes: {found}" if digits else "; write a whole number, such as 30"
    if kind == "bool_type":
        return "; write true or false, without quotes"
    if kind == "string_type" and isinstance(found, int | float):
        return "; write it in quotes"
    if kind.startswith(("datetime_", "timezone_")):
        return '; write it with its offset, like "2026-04-01T00:00:00+09:00"'
    return "; write it like 2026-04-01" if kind.startswith("date_") else ""


def load(path: Path, changes: Mapping[str, Any] | None = None) -> Program:
    """The program of a terms file, with values changed for a what-if. Raises TermsError, OSError."""
    return Program(versions(changed(read(text_of(path), path.name), changes or {}), path.name))


def changed(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A terms file's values with some set by dotted path."""
    values = deepcopy(values)
    for path, value in changes.items():
        set_path(values, path, value)
    return values


def shipped() -> dict[str, Path]:
    """The terms files that come with the package, by program code."""
    return {path.stem: path for path in sorted(PROGRAMS.glob("*.yaml"))}


def canonical(terms: Terms) -> bytes:
    """One version as canonical JSON: what is registered, and what its hash is taken of."""
    return json.dumps(terms.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def hash_of(terms: Terms) -> str:
    """The name of a version's content."""
    return sha256(canonical(terms)).hexdigest()
