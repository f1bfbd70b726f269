"""Terms may take any mechanism away, or bring it back: what it left in accounts stays, and the ledger is one fold still."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings

from tests.fold.examples import EXAMPLES, batches, programs, seeds, tried
from tests.fold.histories import history
from tests.fold.stored import StoredAccounts, compare_all
from tests.fold.variants import values_of
from worker.decide.program import Program
from worker.programs.terms_file import changed, versions

GONE: dict[str, Any] = {
    "tiers": None,
    "rewards": None,
    "redemption.subscription": None,
    "redemption.full": None,
    "redemption.not_redeemable": None,
    "redemption.minimum_left": [],
    "expiry.pool": None,
    "expiry.terms": [],
    "earning.caps": [],
    "earning.exchange": None,
    "earning.campaigns": [],
    "activities": [],
    "notice_days": [],
}
"""What a program can do without."""


@lru_cache
def amended(code: str, *, first: bool) -> Program:
    """A shipped program without its mechanisms from a day on (or, `first`, up to that day)."""
    values = values_of(code)
    rates = [{"rate": "0.01"}]
    gone = {**GONE, **{f"earning.components.{index}.rates": rates for index, _ in enumerate(values["earning"]["components"])}}
    day = "2025-02-01T00:00:00+09:00"
    if not first:
        return Program(versions(changed(values, {"amendments": [{"effective_from": day, "set": gone}]}), code))
    back = {path: _value(values, path) for path in gone}
    return Program(versions(changed(values, {**gone, "amendments": [{"effective_from": day, "set": back}]}), code))


def _value(values: Any, path: str) -> Any:
    for name in path.split("."):
        if values is None:
            return GONE[path]
        values = values[int(name)] if isinstance(values, list) else values.get(name, GONE.get(path))
    return values


@programs
@pytest.mark.parametrize("first", [False, True], ids=["taken away", "brought"])
@settings(tried, max_examples=max(2, EXAMPLES // 3))
@given(seed=seeds)
def test_a_mechanism_that_terms_take_away_or_bring_leaves_one_fold(code: str, first: bool, seed: int) -> None:
    program = amended(code, first=first)
    life = history(program, seed, orders=8)
    books = StoredAccounts(program)
    for batch in batches(life.events, Random(seed)):
        books.deliver(batch)
    books.run_clock(life.end)
    compare_all(books, life, life.end)
