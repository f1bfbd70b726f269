"""What holds for each of these programs: its terms are carried out whole, and no order of delivery changes what they come to."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from contracts.terms_doubts import doubts
from tests.rules.programs.retold import ledger
from tests.rules.story import PROGRAMS
from worker.programs.validation import validated

HERE = Path(__file__)
NAMES = sorted(path.stem.removeprefix("test_") for path in HERE.parent.glob("test_*.py") if "any_order" not in path.stem)
STORIES = [name for name in NAMES if hasattr(import_module(f"tests.rules.programs.test_{name}"), "life")]
ORDERS = 6


@pytest.mark.parametrize("name", STORIES)
def test_every_rule_is_carried_out_and_none_is_in_doubt(name: str) -> None:
    program = validated(PROGRAMS[name.replace("_", "-")])
    terms = program.versions[-1].terms
    assert doubts([each.terms for each in program.versions]) == []
    assert [rule.id for rule in terms.rules if rule.in_part or rule.not_carried_out] == []


@pytest.mark.parametrize("name", STORIES)
def test_a_life_told_in_any_order_is_the_same_ledger(name: str) -> None:
    told = import_module(f"tests.rules.programs.test_{name}")
    story = told.life()
    at = told.END
    as_told = ledger(story, at)
    for seed in range(ORDERS):
        assert ledger(story.again(seed), at) == as_told, f"in the order {seed}"
