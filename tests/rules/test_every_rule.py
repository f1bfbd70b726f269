"""Every rule of every program does something that a test shows, or says why it has no effect; so does every reading."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from contracts.terms import Alternative, Question, Rule, Terms
from tests.rules.covered import COMMON_QUESTIONS, QUESTIONS, QUESTIONS_IN_ALL, RULES, RULES_IN_ALL, Covered, other_readings
from tests.rules.test_common_readings import READINGS as COMMON
from worker.programs.terms_file import load, shipped

TERMS = {code: load(path).versions[0].terms for code, path in shipped().items()}


def stories_of(code: str) -> Iterator[ModuleType]:
    """The modules that tell a program's stories: `test_<code>.py` and those whose names go on from there."""
    for path in sorted(Path(__file__).parent.glob(f"test_{code.replace('-', '_')}*.py")):
        yield importlib.import_module(f"tests.rules.{path.stem}")


def _readings_of(code: str) -> set[tuple[str, str]]:
    """Question and alternative of each reading told in a program's stories."""
    own = [reading for module in stories_of(code) for reading in getattr(module, "READINGS", ())]
    return {(reading.question, reading.alternative) for reading in (*own, *COMMON.get(code, ()))}


def _value(terms: Terms, path: str) -> object:
    """What a dotted path of a terms file leads to; a list's items go by number or by their id or name."""
    at: object = terms
    for name in path.split("."):
        if isinstance(at, BaseModel):
            assert name in type(at).model_fields, f"{path}: there is no {name}"
            at = getattr(at, name)
        elif isinstance(at, tuple) and name.isdigit():
            at = at[int(name)]
        elif isinstance(at, tuple):
            at = next(each for each in at if name in (getattr(each, "id", None), getattr(each, "name", None)))
        else:
            assert isinstance(at, dict), f"{path}: nothing lies under {name}"
            at = at[name]
    return at


def _rules() -> Iterator[tuple[str, Rule]]:
    return ((code, rule) for code, terms in TERMS.items() for rule in terms.rules)


def _alternatives() -> Iterator[tuple[str, Question, Alternative]]:
    return ((code, asked, other) for code, terms in TERMS.items() for asked in terms.questions for other in asked.alternatives)


@pytest.mark.parametrize(("code", "rule"), [pytest.param(code, rule, id=rule.id) for code, rule in _rules()])
def test_each_rule_names_a_parameter_and_a_test_or_its_reason(code: str, rule: Rule) -> None:
    for path in rule.parameters:
        assert _value(TERMS[code], path) is not None, f"{path} holds nothing that could carry {rule.id} out"
    if rule.no_effect is None:
        name = f"test_{rule.id.lower().replace('-', '_')}_"
        assert any(each.startswith(name) for module in stories_of(code) for each in dir(module)), f"no test is called {name}..."


@pytest.mark.parametrize("code", TERMS)
def test_no_rule_of_the_published_terms_is_left_out(code: str) -> None:
    prefix, rules = RULES[code]
    assert [rule.id for rule in TERMS[code].rules] == [f"{prefix}-{number:02}" for number in range(1, rules + 1)]


@pytest.mark.parametrize("code", TERMS)
def test_no_question_and_none_of_its_alternatives_is_left_out(code: str) -> None:
    prefix, _ = RULES[code]
    own = [f"{prefix}-Q{number}" for number in range(1, QUESTIONS[code] + 1)]
    asked = {question.id: question for question in TERMS[code].questions}
    assert list(asked) == [*own, *COMMON_QUESTIONS]
    for id_, question in asked.items():
        named = [other.id.replace("_", "-") for other in question.alternatives]
        assert tuple(named) == other_readings(code, id_), id_
        assert question.alternatives or question.no_alternative


def test_the_count_is_told_at_the_end(covered: Covered) -> None:
    for code, terms in TERMS.items():
        without = [rule for rule in terms.rules if rule.no_effect is not None]
        told = _readings_of(code)
        readings = [
            (asked.id, other.id) for asked in terms.questions for other in asked.alternatives if (asked.id, other.id) in told
        ]
        covered.add(code, len(terms.rules), len(without), {asked.id for asked in terms.questions}, len(readings))
    assert covered.rules == RULES_IN_ALL
    assert len(covered.questions) == QUESTIONS_IN_ALL
    assert covered.readings == sum(len(asked.alternatives) for terms in TERMS.values() for asked in terms.questions)


@pytest.mark.parametrize(
    ("code", "question", "other"),
    [pytest.param(code, asked, other, id=f"{code}-{asked.id}-{other.id}") for code, asked, other in _alternatives()],
)
def test_each_other_reading_is_told_in_a_story(code: str, question: Question, other: Alternative) -> None:
    assert (question.id, other.id) in _readings_of(code)


@pytest.mark.parametrize("code", TERMS)
def test_every_rule_that_something_is_posted_under_is_one_of_the_published_terms(code: str) -> None:
    known = {rule.id for rule in TERMS[code].rules}
    assert set(_rule_ids(TERMS[code].model_dump(exclude={"rules", "questions"}))) <= known


def _rule_ids(values: object) -> Iterator[str]:
    if isinstance(values, dict):
        for key, value in values.items():
            if (key == "rule" or key.endswith("_rule")) and isinstance(value, str):
                yield value
            else:
                yield from _rule_ids(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _rule_ids(value)
