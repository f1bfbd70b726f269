"""A balance of which a share is lost again and again while nothing prolongs it."""

from __future__ import annotations

from typing import Final

from tests.rules.heard import Heard
from tests.rules.story import Story, line

POOL: Final = {
    "rule": "PUP-25",
    "months": 12,
    "prolonged_by": ["use"],
    "begins": "grant",
    "share": "0.1",
    "again_months": 1,
}
"""Ten per cent a month after a year without use."""


def story() -> Story:
    """1,000 points of 10 January 2024, 300 of 1 June 2024."""
    told = Story("puppy", set={"expiry": {"pool": POOL}, "notice_days": [7]})
    told.registered("2024-01-01")
    told.adjusted(1_000, "2024-01-10")
    told.adjusted(300, "2024-06-01")
    return told


def test_a_tenth_lapses_each_month_after_a_year_without_use() -> None:
    told = story()
    assert told.at("2025-01-10").available == 1_300
    assert told.at("2025-01-11").available == 1_170
    assert told.at("2025-02-10").available == 1_170
    assert told.at("2025-02-11").available == 1_053
    assert told.at("2025-03-11").available == 948, "a tenth of 1,053 is 105, rounded down"
    assert told.at("2025-03-11").lapsed_total == 130 + 117 + 105


def test_a_use_begins_another_year() -> None:
    told = story()
    told.order("A", "2025-03-20", line(10_000), points_used=48)
    assert told.at("2025-04-11").available == 900
    assert told.at("2026-03-20").available == 900
    assert told.at("2026-03-21").available == 810


def test_the_statement_tells_what_lapses_next_and_what_does_not() -> None:
    lots = story().at("2025-01-20").lots
    assert [(str(lot.expires_on), lot.points) for lot in lots] == [("2025-02-10", 117), ("None", 1_053)]


def test_the_notice_is_of_the_share(heard: Heard) -> None:
    story().at("2025-02-05")
    told = [(each["points"], each["expires_on"], each["days_left"]) for each in heard.on("points-expiring")]
    assert told == [(130, "2025-01-10", 7), (117, "2025-02-10", 7)]


def test_points_that_come_when_nothing_was_left_lapse_with_the_next_month() -> None:
    told = Story("puppy", set={"expiry": {"pool": POOL}})
    told.adjusted(5, "2024-01-10")
    told.adjusted(-5, "2024-02-01")
    told.adjusted(1_000, "2025-06-15")
    assert told.at("2025-07-10").available == 1_000
    assert told.at("2025-07-11").available == 900
