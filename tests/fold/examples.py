"""How many examples a property is tried on, and from which seeds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from contracts.events import Event
from tests.fold import variants
from tests.fold.histories import History, history
from worker.decide.program import Program
from worker.programs.terms_file import shipped

EXAMPLES: Final = int(os.environ.get("FOLD_EXAMPLES", "8"))
CONSERVATION_EXAMPLES: Final = int(os.environ.get("CONSERVATION_EXAMPLES", "200"))
"""Examples of the conservation property for each of the five programs: a thousand in an ordinary run."""
FIRST: Final = int(os.environ.get("FOLD_SEED", "0"))

seeds = st.integers(min_value=FIRST, max_value=FIRST + 10**9)
tried = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FOLD_SEED" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
"""Settings of every property: the same examples each time, unless `FOLD_SEED` is set."""
programs = pytest.mark.parametrize("code", sorted(shipped()))
"""Each shipped program; half of the examples are played under it as it is, half under other choices of its mechanisms."""


def draw(code: str, seed: int, *, contested: bool = True) -> tuple[Program, History, Random]:
    """A program, a history of it, and a source of further choices. `contested`: with orders that somebody else placed too; of
    these a verdict hangs on when that became known, and a command decides about what was before it."""
    program = variants.variant(code, seed) if seed % 2 else variants.as_shipped(code)
    return program, history(program, seed, contested=contested, split=True), Random(seed)


def batches(events: tuple[Event, ...], rng: Random, most: int = 12) -> Iterator[tuple[Event, ...]]:
    """The events in random order and in random batches."""
    left = list(events)
    rng.shuffle(left)
    while left:
        size = rng.randrange(1, most)
        yield tuple(left[:size])
        left = left[size:]
