"""The fold says of random histories what a naive reading of the terms says."""

from __future__ import annotations

import os

import pytest

from contracts.events import Event
from tests.oracle.comparison import difference, disagreement
from tests.oracle.histories import kept
from tests.oracle.programs import PROGRAMS

EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "60"))
FIRST = int(os.environ.get("ORACLE_SEED", "0"))


@pytest.mark.parametrize("code", sorted(PROGRAMS))
def test_fold_and_naive_rules_agree(code: str) -> None:
    for seed in range(FIRST, FIRST + EXAMPLES):
        assert not disagreement(code, seed)


@pytest.mark.parametrize(("why", "events"), kept())
def test_they_agree_where_they_once_did_not(why: str, events: list[Event]) -> None:
    assert not difference(str(events[0].program), events), why
