"""One is told in the singular, everything else in the plural."""

from __future__ import annotations

import pytest

from contracts.counting import counted


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 accounts"), (1, "1 account"), (2, "2 accounts"), (1_000, "1,000 accounts"), (-1, "-1 accounts")]
)
def test_a_number_and_its_noun(number: int, told: str) -> None:
    assert counted(number, "account") == told


def test_a_plural_of_its_own() -> None:
    assert [counted(number, "entry is", "entries are") for number in (1, 2)] == ["1 entry is", "2 entries are"]
