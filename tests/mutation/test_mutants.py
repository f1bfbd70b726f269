"""Mutants are made, planted and noticed as they should be; and what is said of survivors is said of mutants that there are."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from contracts.terms import Calendar, Rate
from tests.mutation.__main__ import explained
from tests.mutation.mutants import Mutant, all_mutants, mutants_of, mutated, sample
from tests.mutation.plant import plant
from worker.decide import amounts, redemption
from worker.decide.amounts import part as imported_earlier
from worker.decide.calendar import Days

CASES = {
    "return a < b": {"return a <= b"},
    "return a and b": {"return a or b", "return b", "return a"},
    "return not a": {"return a"},
    "return a - b": {"return a + b"},
    "return a if b else c": {"return c if b else a"},
    "return [a for a in b if c]": {"return [a for a in b]"},
    "return min(a, b)": {"return max(a, b)"},
    "return replace(a, x=b, y=c)": {"return replace(a, y=c)", "return replace(a, x=b)"},
    "a(b)": {"pass"},
    "a.x = b": {"pass"},
    "a += b": {"pass", "a -= b"},
    "return 'a'": {"return 'a~'"},
    "return 7": {"return 8"},
    "if a:\n        b()": {"if True:\n        b()", "if False:\n        b()", "if a:\n        pass"},
}


Mutants = dict[str, list[Mutant]]


@pytest.fixture(scope="module")
def mutants() -> Mutants:
    """All of them."""
    return all_mutants()


@pytest.mark.parametrize("code", CASES, ids=lambda code: code.splitlines()[0])
def test_every_kind_of_change_is_made_once(code: str) -> None:
    source = f"def f(a, b, c):\n    {code}\n"
    bodies = [ast.unparse(mutated(source, mutant)).partition("\n    ")[2] for mutant in mutants_of("m", source)]
    assert sorted(bodies) == sorted(CASES[code])


@pytest.mark.parametrize(
    "code", ["assert a < b", "raise ValueError(a + 1)", "'''What it is.'''", "return f'{a} of {b}'", "x: 'A' = a"]
)
def test_what_no_test_could_notice_is_left_alone(code: str) -> None:
    assert not list(mutants_of("m", f"def f(a, b, c):\n    {code}\n"))


def test_mutants_have_names_of_their_own_and_a_sample_has_some_of_every_module(mutants: Mutants) -> None:
    every = [mutant.name for found in mutants.values() for mutant in found]
    assert len(set(every)) == len(every)
    drawn = sample(1, mutants)
    assert sorted(mutant.name for mutant in drawn) == sorted(every)
    assert drawn != sample(2, mutants)
    assert {mutant.module for mutant in drawn[:500]} >= {name for name, found in mutants.items() if len(found) > len(every) / 250}


def test_what_is_explained_is_there(mutants: Mutants) -> None:
    names = {mutant.name for found in mutants.values() for mutant in found}
    assert not set(explained()) - names


def _planted(mutants: Mutants, module: str, name: str, see: Callable[[], bool]) -> bool:
    """Whether a process of its own sees the change that a mutant makes."""
    mutant = next(each for each in mutants[module] if each.name == f"{module}.{name}")
    child = os.fork()
    if child == 0:
        try:
            plant(mutant)
            os._exit(0 if see() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


def test_a_planted_function_is_run_by_whoever_imported_it(mutants: Mutants) -> None:
    def see() -> bool:
        return imported_earlier(7, 2, 2) == 28

    assert imported_earlier(7, 2, 2) == 7
    assert _planted(mutants, "amounts", "part: whole * pieces // of -> whole * pieces * of", see)
    assert imported_earlier(7, 2, 2) == 7


def test_a_planted_table_is_the_one_that_is_read(mutants: Mutants) -> None:
    change = "WAITS: 'not_a_member' -> 'not_a_member~'"
    assert "not_a_member" in redemption.WAITS
    assert _planted(mutants, "redemption", change, lambda: "not_a_member" not in redemption.WAITS)


def test_what_was_worked_out_before_is_forgotten_when_a_mutant_is_planted(mutants: Mutants) -> None:
    rate = Rate(share="0.5")
    assert amounts.factor(rate).unit == 1
    assert _planted(mutants, "amounts", "factor: 1 -> 2", lambda: amounts.factor(rate).unit == 2)


def test_a_planted_method_is_run(mutants: Mutants) -> None:
    days, day = Days("Asia/Tokyo", Calendar()), date(2024, 2, 28)
    assert days.end(day) == datetime(2024, 2, 28, 15, tzinfo=UTC)
    assert _planted(mutants, "calendar", "Days.end: day + DAY -> day - DAY", lambda: days.end(day).day == 26)
