"""A flood of broken records pauses its partition, and only a flood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.consume.breaker import Breaker, BreakerRule

NOW = datetime(2026, 4, 1, tzinfo=UTC)
RULE = BreakerRule(share_max=0.5, window_seconds=60, records_min=100, pause_seconds=30, pause_seconds_max=100, probe_records=20)
KEY = ("t", 0)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("records", "broken", "state"),
    [(100, 50, "closed"), (100, 51, "open"), (99, 99, "closed"), (1_000, 0, "closed"), (1_000, 1_000, "open")],
)
def test_it_opens_beyond_the_share_and_never_on_few_records(records: int, broken: int, state: str) -> None:
    assert Breaker(RULE).observe(KEY, records, broken, NOW) == state


def test_what_left_the_window_counts_no_more() -> None:
    breaker = Breaker(RULE)
    breaker.observe(KEY, 90, 90, NOW)
    assert breaker.observe(KEY, 90, 10, after(61)) == "closed"


def test_partitions_are_apart() -> None:
    breaker = Breaker(RULE)
    breaker.observe(KEY, 100, 100, NOW)
    assert breaker.observe(("t", 1), 100, 0, NOW) == "closed"
    assert breaker.allowance(KEY, NOW) == 0
    assert breaker.allowance(("t", 1), NOW) is None
    assert breaker.open_partitions() == (KEY,)


def test_after_the_pause_a_few_are_tried_and_good_ones_close_it() -> None:
    breaker = Breaker(RULE)
    breaker.observe(KEY, 100, 100, NOW)
    assert breaker.allowance(KEY, after(29)) == 0
    assert breaker.allowance(KEY, after(30)) == 20
    assert breaker.observe(KEY, 20, 1, after(31)) == "closed"
    assert breaker.allowance(KEY, after(31)) is None
    assert breaker.open_partitions() == ()


def test_broken_ones_open_it_again_for_twice_as_long_up_to_a_bound() -> None:
    breaker = Breaker(RULE)
    breaker.observe(KEY, 100, 100, NOW)
    at = 0.0
    for pause in (30, 60, 100, 100):
        assert breaker.allowance(KEY, after(at + pause - 1)) == 0
        at += pause
        assert breaker.allowance(KEY, after(at)) == 20
        assert breaker.observe(KEY, 20, 20, after(at)) == "open"


def test_a_partition_that_went_to_another_worker_is_forgotten() -> None:
    breaker = Breaker(RULE)
    breaker.observe(KEY, 100, 100, NOW)
    breaker.forget(KEY)
    assert breaker.open_partitions() == ()


@given(st.lists(st.tuples(st.integers(0, 200), st.floats(0, 0.5)), max_size=50))
def test_a_share_within_the_bound_never_opens_it(batches: list[tuple[int, float]]) -> None:
    breaker = Breaker(RULE)
    for second, (records, share) in enumerate(batches):
        assert breaker.observe(KEY, records, int(records * share), after(second)) == "closed"
