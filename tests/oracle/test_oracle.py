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


KEPT = (
    *(("belle-maison", seed) for seed in (748, 1074, 2026, 2127, 2532, 2642, 3196, 3237)),  # BEL-10: which parcel loses what
    ("lenovo-pro", 3937),  # LEN-20: a cut within a line that ships in parts
)
"""Lives in which the two once differed."""


@pytest.mark.parametrize(("code", "seed"), KEPT)
def test_they_agree_where_they_once_did_not(code: str, seed: int) -> None:
    assert not disagreement(code, seed)
