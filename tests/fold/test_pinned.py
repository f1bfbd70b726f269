"""What was posted stays posted: a change of the fold's code moves no number that nobody meant to move."""

from __future__ import annotations

import pytest

from tests.fold.pinned import SEEDS, digest, pinned
from worker.programs.terms_file import shipped

SEEDS_A_TEST = 4


@pytest.mark.parametrize("first", SEEDS[::SEEDS_A_TEST])
@pytest.mark.parametrize("code", sorted(shipped()))
def test_ledgers_are_what_they_were_with_the_code_before(code: str, first: int) -> None:
    for seed in range(first, first + SEEDS_A_TEST):
        moved = f"if it was meant to move, python -m tests.fold.pinned; to see it: python -m tests.fold.pinned {code} {seed}"
        assert digest(code, seed) == pinned()[code][seed], moved
