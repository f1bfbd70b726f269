"""Hostile terms files: the shipped ones with values and text changed. A file is a function of its seed."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import lru_cache
from random import Random
from typing import Any, Final

from worker.decide.program import Program
from worker.programs.terms_file import TermsError, read, shipped, versions
from worker.programs.validation import checked

VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    10**12 + 1,
    2**63,
    10**40,
    0.5,
    float("inf"),
    float("nan"),
    "",
    " ",
    "x" * 300,
    "0.015",
    "1e5",
    "1e999999",
    "-0",
    "0.000000001",
    "NaN",
    "Infinity",
    "²",
    "１",
    "9999-12-31",
    "0001-01-01",
    "2026-02-30",
    "2026-11-20",
    "9999-12-31T23:59:59+14:00",
    "0001-01-01T00:00:00-14:00",
    "2024-01-01T00:00:00+09:00",
    "Asia/Tokyo",
    "Asia",
    "../../etc/passwd",
    "/etc/passwd",
    "\u0000",
    "all",
    [],
    {},
    [[]],
    [{}],
    {"x": 1},
    {"1": {"2": "3"}},
    "02-29",
    "13-01",
    "JPY",
    "EUR",
)
TEXT: Final = (
    "&a [*a]",
    "*b",
    "&a",
    "!!python/object/apply:os.system [x]",
    "!!int ''",
    "!!float x",
    "!!bool x",
    "!!timestamp 2020-99-99",
    "!!binary x",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "<<: {a: 1}",
    "? [a, b]\n: 1",
    "? {a: 1}\n: 1",
    "1:30:30",
    "0x1F",
    "0b1",
    "1_000",
    "9" * 5_000,
    ".inf",
    ".nan",
    "~",
    "- - - - -",
    "[" * 60,
    "{" * 60,
    "\t",
    "\x00",
    "---\n",
    "...\n",
    "%YAML 9.9\n",
    "'",
    '"',
    "|\n",
    ">\n",
    ": ",
    "#",
    "\ufeff",
    "\x85",
    "a: 1\na: 2\n",
    "=",
    "yes",
    "\ud7ff",
    "😀",
)


PROBLEM_CHARACTERS_MAX: Final = 10_000


@lru_cache(maxsize=1)
def files() -> tuple[tuple[str, dict[str, Any]], ...]:
    """The shipped files, as text and as values."""
    return tuple((text, read(text)) for text in (path.read_text(encoding="utf-8") for path in shipped().values()))


def hostile_values(rng: Random) -> dict[str, Any]:
    """The values of a file with a few things wrong, or nothing."""
    _, values = rng.choice(files())
    changed = deepcopy(values)
    for _ in range(rng.choice((1, 1, 2, 4))):
        container, name = _place(rng, changed)
        if rng.random() < 0.15 and len(container) > 1:
            del container[name]
        else:
            container[name] = rng.choice((*VALUES, *_same_kind(rng, values)))
    return changed


def hostile_text(rng: Random) -> str:
    """Some lines of a file with anything put between."""
    text, _ = rng.choice(files())
    lines = text.splitlines(keepends=True)
    start = rng.choice((0, rng.randrange(len(lines))))
    text = "".join(lines[start : start + rng.randrange(1, 30)])
    for _ in range(rng.choice((1, 2, 5))):
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice(TEXT) + text[at + rng.choice((0, 0, 1, 20)) :]
    return text


def _place(rng: Random, values: Any) -> tuple[Any, Any]:
    at = values
    while True:
        name = rng.choice(list(at) if isinstance(at, dict) else range(len(at)))
        inner = at[name]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.15:
            return at, name
        at = inner


def _same_kind(rng: Random, values: Any) -> list[Any]:
    container, name = _place(rng, values)
    return [container[name]] * 10


def judge_text(text: str) -> str:
    """Read a file: what came of it. Anything but values or TermsError is raised."""
    try:
        values = read(text)
        json.dumps(values, default=str)
    except TermsError as error:
        _judge(error)
        return "refused"
    return judge_values(values)


def judge_values(values: dict[str, Any]) -> str:
    """Make a program of values as the command line does: what came of it. Anything but a program or TermsError is raised."""
    try:
        Program(versions(values))
    except TermsError as error:
        _judge(error)
        return "refused"
    try:
        checked(values, "terms")
    except TermsError as error:
        _judge(error)
        return "loaded"
    return "valid"


def _judge(error: TermsError) -> None:
    assert error.problems
    assert all(len(problem) < PROBLEM_CHARACTERS_MAX for problem in error.problems), "a problem without end"
