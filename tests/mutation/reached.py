"""Which tests run which parts of the fold: while they are learned, every statement of its functions notes that it is run.

Far quicker than tracing lines. What was learned is kept between runs, by test, and learned anew when the test's file changes.
"""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final

from tests.mutation.mutants import FOLDER, PACKAGE, Mutant, functions_of
from tests.mutation.plant import Unplantable, codes, function

NOTES: Final = Path("build/mutants-learned.json")
_NOTE: Final = "__ran__"
_BLOCKS: Final = ("body", "orelse", "finalbody")


def _statement_of(mutant: Mutant) -> str:
    """The way to a mutant's statement from its function on."""
    way = mutant.path[mutant.depth :]
    last = max(place for place, (field, index) in enumerate(way) if field in _BLOCKS and index >= 0)
    return "/".join(f"{field}.{index}" for field, index in way[: last + 1])


class Watched:
    """The fold's functions with a note before every statement, from `with` to its end. `ran`: what was noted since it was
    cleared, functions as they stand and their statements."""

    def __init__(self) -> None:
        self.ran: set[str] = set()
        self._before: list[tuple[FunctionType, CodeType]] = []

    def __enter__(self) -> Watched:
        for path in sorted(FOLDER.glob("[a-z]*.py")):
            module = import_module(f"{PACKAGE}.{path.stem}")
            vars(module)[_NOTE] = self.ran.add
            tree = ast.parse(path.read_text())
            found = list(functions_of(tree))
            for where, root, digest in found:
                _note_statements(root, f"{path.stem}.{where} {digest}", "")
            compiled = {each.co_qualname: each for each in codes(compile(ast.fix_missing_locations(tree), str(path), "exec"))}
            for where, _, _ in found:
                try:
                    known = function(module, where)
                except Unplantable:
                    continue
                self._before.append((known, known.__code__))
                known.__code__ = compiled[where]
        return self

    def __exit__(self, *_: object) -> None:
        for known, code in self._before:
            known.__code__ = code


def _note_statements(node: ast.AST, function_: str, way: str) -> None:
    for field, value in ast.iter_fields(node):
        for index, each in enumerate(value) if isinstance(value, list) else ():
            if isinstance(each, ast.stmt | ast.ExceptHandler | ast.match_case):
                _note_statements(each, function_, f"{way}{field}.{index}/")
        if field in _BLOCKS and isinstance(value, list):
            notes = [ast.Constant(f"{function_} {way}{field}.{index}") for index, _ in enumerate(value)]
            calls = [ast.Expr(ast.Call(ast.Name(_NOTE, ast.Load()), [note], [])) for note in notes]
            value[:] = [each for pair in zip(calls, value, strict=True) for each in pair]


@dataclass(slots=True)
class Reach:
    """What is known of one test: the digest of its file, how long it takes, and what it runs."""

    digest: str
    seconds: float
    ran: frozenset[str]


class Learned:
    """What is known of all tests."""

    def __init__(self, notes: Path = NOTES) -> None:
        self.tests: dict[str, Reach] = {}
        self._notes = notes
        if notes.exists():
            told: dict[str, Any] = json.loads(notes.read_text())
            names = told["names"]
            # Nobody knows which tests run a function that is new.
            known = told["tests"] if all_functions() <= set(told.get("functions", ())) else {}
            for test, (digest, seconds, ran) in known.items():
                self.tests[test] = Reach(digest, seconds, frozenset(names[number] for number in ran))

    def write(self) -> None:
        """Note it for the next run."""
        numbers: dict[str, int] = {}
        tests = {
            name: [test.digest, test.seconds, [numbers.setdefault(each, len(numbers)) for each in sorted(test.ran)]]
            for name, test in self.tests.items()
        }
        self._notes.parent.mkdir(parents=True, exist_ok=True)
        self._notes.write_text(json.dumps({"names": list(numbers), "tests": tests, "functions": sorted(all_functions())}))

    def knows(self, name: str, path: Path) -> bool:
        """Whether a test is known as its file stands."""
        known = self.tests.get(name)
        return known is not None and known.digest == digest_of(path)

    def by_place(self, names: Iterator[str]) -> dict[str, set[str]]:
        """Tests by the statements that they run, and by the functions, as they stand or stood ("module.where")."""
        found: dict[str, set[str]] = defaultdict(set)
        for name in names:
            for each in self.tests[name].ran:
                function_, digest, _ = each.rsplit(" ", 2)
                for key in (each, f"{function_} {digest}", function_):
                    found[key].add(name)
        return found


@cache
def all_functions() -> frozenset[str]:
    """The functions of the fold ("module.where")."""
    trees = ((path.stem, ast.parse(path.read_text())) for path in FOLDER.glob("[a-z]*.py"))
    return frozenset(f"{module}.{where}" for module, tree in trees for where, _, _ in functions_of(tree))


@cache
def digest_of(path: Path) -> str:
    """A digest of a file."""
    return blake2b(path.read_bytes(), digest_size=8).hexdigest()


def who_runs(mutant: Mutant, by_place: dict[str, set[str]]) -> set[str] | None:
    """The tests that run a mutant's statement, and those that ran its function as it was before it changed. None: not known."""
    if mutant.place not in by_place:
        return None
    now = f"{mutant.place} {mutant.digest}"
    before = by_place[mutant.place] - by_place.get(now, set())
    return by_place.get(f"{now} {_statement_of(mutant)}", set()) | before
