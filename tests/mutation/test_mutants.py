"""Mutants are made, planted and noticed as they should be; and what is said of survivors is said of mutants that there are."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from contracts.terms import Calendar, Rate
from tests.mutation import reached, results
from tests.mutation.campaign import Result, Status
from tests.mutation.mutants import Mutant, all_mutants, mutants_of, mutated, sample
from tests.mutation.plant import plant
from tests.mutation.reached import Learned, Reach, Watched, digest_of, who_runs
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
    assert not set(results.explained()) - names


def test_every_survivor_that_is_counted_is_explained_and_the_published_table_is_that_of_the_results_that_are_kept() -> None:
    kept, why = results.read(results.KEPT).values(), results.explained()
    assert [line["mutant"] for line in kept if results.fate(line, why) == "survived"] == []
    assert results.table(kept, why) in results.README.read_text()


def test_of_all_results_the_last_of_each_mutant_is_kept_while_its_function_stays_as_it_was(tmp_path: Path) -> None:
    one, other, gone = list(mutants_of("m", "def f(a, b):\n    return a < b\ndef g(a):\n    return a + 1\n"))
    file, kept = tmp_path / "build" / "mutants.ndjson", tmp_path / "kept.ndjson"
    statuses: list[tuple[Mutant, Status]] = [(one, "survived"), (other, "killed"), (gone, "killed"), (one, "timeout")]
    for mutant, status in statuses:
        results.append(file, Result(mutant, status, "", 1, 0.5))
    results.keep([one, replace(other, digest="other")], file, kept)
    assert {name: line["status"] for name, line in results.read(kept, file).items()} == {one.name: "timeout"}
    results.keep([one], file, kept)
    assert list(results.read(kept)) == [one.name]


def test_a_table_counts_what_is_the_same_among_all_and_not_among_what_can_be_noticed(tmp_path: Path) -> None:
    survivors, readme = tmp_path / "survivors.yaml", tmp_path / "README.md"
    survivors.write_text("[{mutants: ['m.f: a', 'm.f: b'], same: true, why: x}, {mutants: ['n.g: c'], why: y}]")
    why = results.explained(survivors)
    lines = [{"mutant": f"m.f: {name}", "status": "killed"} for name in "uvwxyz"]
    lines += [{"mutant": name, "status": "survived"} for name in ("m.f: a", "m.f: b", "n.g: c", "n.g: d")]
    readme.write_text(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n")
    results.write(lines, why, readme)
    text = readme.read_text()
    assert "10 in 2 modules" in text
    assert "| noticed by a test, of all | ≥ 90 % | 6 (60.0 %) |" in text
    assert "| noticed by a test, of those that can be noticed |  | 6 (75.0 %) |" in text
    assert [row[-4:-2] for row in text.splitlines() if row.startswith("| alive")] == [" 2", " 1", " 1"]
    assert "old" not in text


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
    change = "FINAL: 'reward_not_offered' -> 'reward_not_offered~'"
    assert "reward_not_offered" in redemption.FINAL
    assert _planted(mutants, "redemption", change, lambda: "reward_not_offered" not in redemption.FINAL)


def test_what_was_worked_out_before_is_forgotten_when_a_mutant_is_planted(mutants: Mutants) -> None:
    rate = Rate(share="0.5")
    assert amounts.factor(rate).unit == 1
    assert _planted(mutants, "amounts", "factor: 1 -> 2", lambda: amounts.factor(rate).unit == 2)


def test_a_test_is_known_by_what_it_runs(mutants: Mutants, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learned = Learned(tmp_path / "notes.json")
    with Watched() as watched:
        modes: tuple[amounts.RoundingMode, ...] = ("floor", "ceil")
        for name in modes:
            watched.ran.clear()
            assert amounts.divide(1, 2, name) == (name == "ceil")
            learned.tests[name] = Reach(digest_of(Path(__file__)), 0.1, frozenset(watched.ran))
    watched.ran.clear()
    assert amounts.divide(1, 2) == 0
    assert not watched.ran, "the real code runs again"
    learned.write()
    monkeypatch.setattr(reached, "all_functions", lambda: frozenset({"new.function"}))
    assert not Learned(tmp_path / "notes.json").tests, "a function that is new may be run by any"
    monkeypatch.undo()
    known = Learned(tmp_path / "notes.json")
    assert known.knows("ceil", Path(__file__))
    by_place = known.by_place(iter(known.tests))
    found = {each.what: who_runs(each, by_place) for each in mutants["amounts"] if each.where == "divide"}
    assert found["numerator // denominator -> numerator * denominator"] == {"floor"}
    assert found["-(-numerator // denominator) -> -numerator // denominator"] == {"ceil"}
    assert found["mode == 'floor' -> mode != 'floor'"] == {"floor", "ceil"}
    assert found["2 -> 3"] == set(), "nobody rounds half up"
    changed = replace(next(each for each in mutants["amounts"] if each.where == "divide"), digest="other")
    assert who_runs(changed, by_place) == {"floor", "ceil"}
    assert who_runs(replace(changed, where="new"), by_place) is None
    learned.tests["later"] = Reach("", 0.1, frozenset({f"amounts.divide {changed.digest} body.9"}))
    assert who_runs(changed, learned.by_place(iter(learned.tests))) == {"floor", "ceil"}, "what only it was is not forgotten"


def test_a_planted_method_is_run(mutants: Mutants) -> None:
    days, day = Days("Asia/Tokyo", Calendar()), date(2024, 2, 28)
    assert days.end(day) == datetime(2024, 2, 28, 15, tzinfo=UTC)
    assert _planted(mutants, "calendar", "Days.end: day + DAY -> day - DAY", lambda: days.end(day).day == 26)
