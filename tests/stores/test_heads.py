"""A head stands in its row in less room than its days would take by name, and comes back as it was."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from msgspec.structs import replace

from worker.decide.state import Head, blank
from worker.decide.tier_records import Tier
from worker.persist.encoding import encode
from worker.persist.heads import encode_head, head_of

BEGIN = date(2024, 2, 27)


def head(amounts: dict[date, int]) -> Head:
    windows = {day.isoformat(): amount for day, amount in amounts.items()}
    misleading = Tier('"days":["2026-01-01",[1]]')
    return replace(blank(), available=5, tier=misleading, windows=windows, clock_due_at=datetime(2026, 1, 1, tzinfo=UTC))


def days(count: int, every: int = 1) -> list[date]:
    return [BEGIN + timedelta(days=n * every) for n in range(count)]


CASES = {
    "none": {},
    "few": dict.fromkeys(days(5), 7),
    "every day of a year": {day: 1_000 + day.day for day in days(366)},
    "every third day": dict.fromkeys(days(200, 3), 9),
    "one a month": dict.fromkeys(days(40, 30), 9),
    "less than nothing": dict.fromkeys(days(40), -3),
    "a day that came to nothing": dict.fromkeys(days(40), 3) | {BEGIN: 0},
    "one of long ago": dict.fromkeys(days(40), 3) | {date(1970, 1, 1): 4},
    "the last days that there are": dict.fromkeys((date(9999, 12, 31) - timedelta(days=n) for n in range(40)), 3),
}


@pytest.mark.parametrize("case", CASES)
def test_a_head_comes_back_as_it_was_with(case: str) -> None:
    kept = head(CASES[case])
    assert head_of({"head": encode_head(kept)}) == kept


def test_any_amounts_by_day_come_back() -> None:
    rng = Random(3)
    for _ in range(300):
        span = days(rng.randrange(60, 300))
        kept = head({day: rng.randrange(-5, 100_000) for day in rng.sample(span, rng.randrange(60))})
        assert head_of({"head": encode_head(kept)}) == kept


def test_every_day_of_a_year_takes_a_third_of_the_room() -> None:
    rng = Random(4)
    kept = head({day: rng.randrange(1_000, 99_999) for day in days(366)})
    assert len(encode_head(kept)) < 0.4 * len(encode(kept))
