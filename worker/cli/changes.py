"""What-if: values of the terms changed for one run, from `--set path=value` and from a file of overrides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.strict_yaml import StrictLoader
from worker.decide.program import Program
from worker.programs.terms_file import TermsError, changed, read, text_of, values_of, versions


class _Loader(StrictLoader):
    """As a terms file is read, but a number with decimals is text, as rates are in the terms; a list's items may go by number,
    and nothing at all is null."""

    key_types = (str, int)
    empty_is_null = True


_FLOAT, _NULL = "tag:yaml.org,2002:float", "tag:yaml.org,2002:null"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _FLOAT]
    for first, resolvers in StrictLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_NULL, re.compile("^$"), [""])


def program_with(path: Path, overrides: Path | None, settings: Sequence[str]) -> Program:
    """The program of a terms file with an overrides file and then single settings put over it. Raises TermsError, OSError."""
    values = read(text_of(path), path.name)
    if overrides is not None:
        over = values_of(text_of(overrides), _Loader, overrides.name)
        if not isinstance(over, dict):
            raise TermsError(overrides.name, ["should be a mapping: sections as in a terms file, or dotted paths"])
        for dotted, value in _paths(over, values, overrides.name):
            values = changed(values, {dotted: value})
    for setting in settings:
        dotted, equals, text = setting.partition("=")
        if not equals or not all(dotted.split(".")):
            raise TermsError(f"--set {setting}", ["should be path=value, such as earning.rounding.mode=floor"])
        try:
            values = changed(values, {dotted: values_of(text, _Loader, f"--set {setting}")})
        except TermsError as error:
            raise TermsError(f"--set {setting}", error.problems) from None
    return Program(versions(values, path.name))


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
