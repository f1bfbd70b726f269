"""What-if: values of the terms changed for one run, from `--set path=value` and from a file of overrides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from worker.decide.program import Program
from worker.terms import TermsError, changed, read, text_of, versions


class _Loader(yaml.SafeLoader):
    """YAML in which only whole numbers, true, false and null are more than text: rates and dates are text in the terms."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))


def program_with(path: Path, overrides: Path | None, settings: Sequence[str]) -> Program:
    """The program of a terms file with an overrides file and then single settings put over it. Raises TermsError, OSError."""
    values = read(text_of(path), path.name)
    if overrides is not None:
        over = _yaml(text_of(overrides), overrides.name)
        if not isinstance(over, dict):
            raise TermsError(overrides.name, ["should be a mapping: sections as in a terms file, or dotted paths"])
        for dotted, value in _paths(over, values, overrides.name):
            values = changed(values, {dotted: value})
    for setting in settings:
        dotted, equals, text = setting.partition("=")
        if not equals or not all(dotted.split(".")):
            raise TermsError(f"--set {setting}", ["should be path=value, such as earning.rounding.mode=floor"])
        try:
            values = changed(values, {dotted: _yaml(text, f"--set {setting}")})
        except TermsError as error:
            raise TermsError(f"--set {setting}", error.problems) from None
    return Program(versions(values, path.name))


def _yaml(text: str, source: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with less in it
    except (yaml.YAMLError, RecursionError) as error:
        raise TermsError(source, [f"not YAML: {' '.join(str(error).split())}"]) from None


def _paths(over: Mapping[Any, Any], under: Any, source: str, before: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The overrides as dotted paths: a mapping goes into what is there, anything else takes its place."""
    for name, value in over.items():
        if not isinstance(name, str | int):
            raise TermsError(source, [f"{'.'.join(before)}: a key should be text, is {name!r}"])
        here = (*before, str(name))
        there = _at(under, str(name).split("."))
        if isinstance(value, Mapping) and value and isinstance(there, dict | list):
            yield from _paths(value, there, source, here)
        else:
            yield ".".join(here), value


def _at(values: Any, names: Sequence[str]) -> Any:
    """What stands under these names (a list's items by number or `id`); None if nothing does."""
    for name in names:
        if isinstance(values, dict):
            values = values.get(name)
        elif isinstance(values, list):
            numbered = values[int(name)] if name.isdigit() and int(name) < len(values) else None
            values = next(
                (each for each in values if isinstance(each, dict) and each.get("id", each.get("name")) == name), numbered
            )
        else:
            return None
    return values
