"""What holds of each of these programs: nothing in its file is in doubt, every rule is carried out, and the facts of its story
come to one ledger in whatever order they are delivered."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from contracts.terms_doubts import doubts
from tests.rules.programs.harness import in_any_order
from tests.rules.story import PROGRAMS, Story
from worker.programs.validation import validated

_HERE = Path(__file__).parent
MODULES = {code: import_module(f"{__package__}.test_{code}") for code in PROGRAMS if (_HERE / f"test_{code}.py").exists()}
TOURS = {code: module.tour for code, module in MODULES.items() if hasattr(module, "tour")}


@pytest.mark.parametrize("code", TOURS)
def test_its_terms_could_be_published_and_nothing_in_them_is_in_doubt(code: str) -> None:
    assert validated(PROGRAMS[code]).code == code
    assert doubts([version.terms for version in Story(code).program.versions]) == []


@pytest.mark.parametrize("code", TOURS)
def test_every_rule_of_it_is_carried_out_or_moves_no_points(code: str) -> None:
    rules = Story(code).program.versions[0].terms.rules
    assert 10 <= len(rules) <= 18
    assert {rule.status for rule in rules} <= {"carried_out", "no_effect"}


@pytest.mark.parametrize("code", TOURS)
def test_any_order_of_delivery_comes_to_the_same(code: str) -> None:
    in_any_order(*TOURS[code]())
