"""The fold says of random histories what a naive reading of the terms says."""

from __future__ import annotations

import os

import pytest

from tests.oracle.comparison import disagreement
from tests.oracle.programs import PROGRAMS

EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "60"))
FIRST = int(os.environ.get("ORACLE_SEED", "0"))


@pytest.mark.parametrize("code", sorted(PROGRAMS))
def test_fold_and_naive_rules_agree(code: str) -> None:
    for seed in range(FIRST, FIRST + EXAMPLES):
        assert not disagreement(code, seed)
