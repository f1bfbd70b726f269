"""While a large batch is decoded or folded, others get their turn."""

from __future__ import annotations

import pytest

from tests.flows.bad_records import gift
from tests.flows.system import Raw
from tests.pipeline.harness import Harness
from worker.processing.folding import AT_ONCE_FACTS
from worker.processing.pipeline import AT_ONCE_BYTES


def turns(records: list[Raw]) -> int:
    """How often decoding lets others have their turn."""
    harness = Harness()
    # A coroutine gives None for each turn that it grants, until it ends.
    return sum(1 for turn in harness.pipeline._decode(harness.read(records).records, frozenset()).__await__() if turn is None)


def large(size: int) -> Raw:
    return Raw("commerce.order", b"x" * size)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([gift("M", 1, f"small-{number}") for number in range(100)], 0),
        ([large(AT_ONCE_BYTES // 2)] * 8, 2),
        ([large(AT_ONCE_BYTES * 4)] * 5, 5),
    ],
    ids=["small ones together", "larger ones a few at a time", "the largest one by one"],
)
def test_decoding_lets_others_have_their_turn_by_bytes(records: list[Raw], expected: int) -> None:
    assert turns(records) == expected


@pytest.mark.parametrize(("count", "expected"), [(AT_ONCE_FACTS, 0), (AT_ONCE_FACTS * 3 + 3, 3)])
def test_folding_lets_others_have_their_turn_by_facts(count: int, expected: int) -> None:
    harness = Harness()
    records = harness.read([gift(f"M-{number}", 1, f"gift-{number}") for number in range(count)])
    # The store in memory answers at once: every turn that is granted is granted by decoding or folding.
    assert sum(1 for turn in harness.pipeline.process(records).__await__() if turn is None) == expected
