"""What holds of each of these programs: nothing in its file is in doubt, every rule is carried out, and the facts of its story
come to one ledger in whatever order they are delivered."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from contracts.terms_doubts import doubts
from tests.rules.programs.harness import in_any_order
from tests.rules.programs.retold import ledger
from tests.rules.story import PROGRAMS
from worker.programs.validation import validated

_HERE = Path(__file__).parent
_FILES = {code: f"test_{code.replace('-', '_')}" for code in PROGRAMS}
MODULES = {code: import_module(f"{__package__}.{name}") for code, name in _FILES.items() if (_HERE / f"{name}.py").exists()}
TOURS = {code: module.tour for code, module in MODULES.items() if hasattr(module, "tour")}
"""Stories whose wishes to use points come after what happened before them."""
LIVES = {code: module for code, module in MODULES.items() if hasattr(module, "life")}
"""Stories that are told again under the verdicts that were told."""
ORDERS = 6


def test_there_are_twelve_of_them() -> None:
    assert len({**TOURS, **LIVES}) == len(TOURS) + len(LIVES) == 12


@pytest.mark.parametrize("code", MODULES)
def test_its_terms_could_be_published_and_nothing_in_them_is_in_doubt(code: str) -> None:
    program = validated(PROGRAMS[code])
    assert program.code == code
    assert doubts([version.terms for version in program.versions]) == []


@pytest.mark.parametrize("code", MODULES)
def test_every_rule_of_it_is_carried_out_or_moves_no_points(code: str) -> None:
    rules = validated(PROGRAMS[code]).versions[-1].terms.rules
    assert 10 <= len(rules) <= 18
    assert {rule.status for rule in rules} <= {"carried_out", "no_effect"}


@pytest.mark.parametrize("code", TOURS)
def test_any_order_of_delivery_comes_to_the_same(code: str) -> None:
    in_any_order(*TOURS[code]())


@pytest.mark.parametrize("code", LIVES)
def test_a_life_told_in_any_order_is_the_same_ledger(code: str) -> None:
    told = LIVES[code]
    story = told.life()
    at = told.END
    as_told = ledger(story, at)
    for seed in range(ORDERS):
        assert ledger(story.again(seed), at) == as_told, f"in the order {seed}"
