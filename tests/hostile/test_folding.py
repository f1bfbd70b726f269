"""No event that is accepted fences an account, in any program, whatever it says; and what is published keeps its contract."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from time import monotonic
from typing import Final

import pytest
import structlog

from tests.hostile.folding import fold
from tests.hostile.lives import programs

SECONDS: Final = float(os.environ.get("HOSTILE_SECONDS", "0.5"))
"""For each program."""
FIRST: Final = int(os.environ.get("HOSTILE_SEED", "0"))
RECORD_SECONDS_MAX: Final = 2.0
"""Processor time of one record on average over its batch. The slowest of a long run takes a twentieth."""
LIVES_MIN: Final = 2


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("code", sorted(programs()))
def test_no_accepted_event_fences_an_account(code: str) -> None:
    end = monotonic() + SECONDS
    seed, accepted, applied = FIRST, 0, 0
    while monotonic() < end or seed < FIRST + LIVES_MIN:
        outcomes, slowest = fold(code, seed)
        assert slowest < RECORD_SECONDS_MAX, f"{code} seed {seed}: {slowest:.2f} s a record"
        accepted += outcomes["accepted"]
        applied += outcomes["applied"]
        seed += 1
    # The lives are made to be accepted; else nothing would be shown here.
    assert applied > 0.7 * accepted > 0
