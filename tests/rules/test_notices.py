"""Points about to lapse: told once for each last day, at the days that the terms name, with what is left of them then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.rules.heard import Heard
from tests.rules.story import MEMBER, Story, line

LOTS = {"notice_days": [30, 7, 0]}
"""Over the terms of a program whose points lapse lot by lot, here at ends of months."""
LAST = "2024-08-31"


def told(heard: Heard) -> list[tuple[str, int, str, int]]:
    """When it was told (by the balance of the same version), of how many points, their last day, and days left."""
    at = {data["version"]: data["effective_at"] for data in heard.on("balance-changed")}
    return [
        (at[each["version"]][:10], each["points"], each["expires_on"], each["days_left"]) for each in heard.on("points-expiring")
    ]


def lots(changes: Mapping[str, Any] | None = None) -> Story:
    story = Story("lenovo-pro", {**LOTS, **(changes or {})})
    story.enrolled("2024-01-01")
    story.adjusted(100, "2024-02-10", expires_on=LAST)
    return story


def test_a_last_day_is_told_at_each_of_the_days_that_the_terms_name(heard: Heard) -> None:
    story = lots()
    story.at("2024-12-31")
    # The day begins in Japan, so it is still the day before in UTC.
    assert told(heard) == [
        ("2024-07-31", 100, LAST, 30),
        ("2024-08-23", 100, LAST, 7),
        ("2024-08-30", 100, LAST, 0),
    ]


def test_a_notice_moves_no_points_and_has_a_version_of_its_own(heard: Heard) -> None:
    lots().at("2024-08-10")
    (notice,) = heard.on("points-expiring")
    balance = heard.on("balance-changed")[-1]
    assert (balance["version"], balance["entries"], balance["change"]["available"]) == (notice["version"], [], 0)
    assert balance["cause"] == {"type": "clock"}
    assert [data["version"] for data in heard.on("balance-changed")] == [1, 2]


def test_what_lapses_on_one_day_is_told_together_and_other_days_apart(heard: Heard) -> None:
    story = lots()
    story.adjusted(40, "2024-03-01", expires_on=LAST)
    story.adjusted(5, "2024-03-02", expires_on="2024-09-01")
    story.at("2024-08-10")
    assert told(heard) == [("2024-07-31", 140, LAST, 30), ("2024-08-01", 5, "2024-09-01", 30)]


def test_what_matures_into_an_empty_balance_as_its_day_of_notice_begins_is_told_on_it(heard: Heard) -> None:
    story = Story("scolar", {"activities": [], "notice_days": [356]})
    story.registered("2024-01-05")
    story.bought("A", "2024-01-05", line(10_000))
    story.at("2024-12-31")
    assert told(heard) == [("2024-01-14", 100, "2025-01-05", 356)]


def test_points_used_meanwhile_are_not_told(heard: Heard) -> None:
    story = lots()
    story.order("A", "2024-08-05", line(10_000), points_used=60)
    story.at("2024-08-25")
    story.order("B", "2024-08-26", line(10_000), points_used=40)
    story.at("2024-09-10")
    assert told(heard) == [("2024-07-31", 100, LAST, 30), ("2024-08-23", 40, LAST, 7)]


def test_points_that_come_between_two_days_are_told_from_the_next_one_on(heard: Heard) -> None:
    story = lots()
    story.at("2024-08-10")
    story.adjusted(11, "2024-08-11", expires_on=LAST)
    story.at("2024-08-20")
    assert told(heard) == [("2024-07-31", 100, LAST, 30)], "a day that went by is not told late"
    story.at("2024-08-25")
    assert told(heard)[1:] == [("2024-08-23", 111, LAST, 7)]


def test_points_handed_back_are_told_again_from_the_next_day_on(heard: Heard) -> None:
    story = lots()
    story.order("A", "2024-07-05", line(10_000), points_used=100)
    story.at("2024-08-10")
    assert told(heard) == []
    story.cancelled("A", "2024-08-11")
    story.at("2024-08-20")
    assert told(heard) == []
    story.at("2024-09-10")
    assert told(heard) == [("2024-08-23", 100, LAST, 7), ("2024-08-30", 100, LAST, 0)]


def test_a_late_fact_does_not_repeat_a_notice(heard: Heard) -> None:
    story = lots()
    story.at("2024-08-25")
    before = told(heard)
    story.order("A", "2024-07-20", line(10_000), points_used=60, recorded="2024-08-25")
    story.adjusted(7, "2024-02-15", expires_on=LAST, recorded="2024-08-26")
    assert told(heard) == before
    story.at("2024-09-10")
    assert told(heard)[len(before) :] == [("2024-08-30", 47, LAST, 0)]


def test_nothing_is_told_where_the_terms_name_no_days(heard: Heard) -> None:
    lots({"notice_days": []}).at("2024-12-31")
    assert heard.on("points-expiring") == []


# -- a balance that lapses as one

POOL = {"notice_days": [30, 7]}


def pool(changes: Mapping[str, Any] | None = None) -> Story:
    story = Story("puppy", {**POOL, **(changes or {})})
    story.registered("2024-01-01")
    story.adjusted(100, "2024-02-10")
    return story


def test_a_whole_balance_is_told_with_the_day_that_it_has_then(heard: Heard) -> None:
    story = pool()
    story.adjusted(50, "2024-02-20")
    story.at("2025-06-30")
    assert told(heard) == [("2025-01-20", 150, "2025-02-20", 30), ("2025-02-12", 150, "2025-02-20", 7)]


def test_a_day_that_moves_on_is_told_anew(heard: Heard) -> None:
    story = pool()
    story.at("2025-01-20")
    story.adjusted(1, "2025-01-21")
    story.at("2026-01-15")
    assert told(heard) == [
        ("2025-01-10", 100, "2025-02-10", 30),
        ("2025-12-21", 101, "2026-01-21", 30),
        ("2026-01-13", 101, "2026-01-21", 7),
    ]


def test_an_empty_balance_is_not_told_and_a_new_one_only_of_days_to_come(heard: Heard) -> None:
    story = pool({"expiry.pool.prolonged_by": ["use"]})
    story.order("A", "2024-03-01", line(10_000), points_used=100)
    story.at("2025-02-10")
    story.adjusted(30, "2025-02-11")
    story.at("2025-02-15")
    assert told(heard) == []
    story.at("2025-03-10")
    assert told(heard) == [("2025-02-21", 30, "2025-03-01", 7)]


@pytest.mark.parametrize("points", [1, 100])
def test_revoked_points_are_not_told(heard: Heard, points: int) -> None:
    story = pool()
    story.adjusted(-points, "2024-02-10 13:00:00")
    story.at("2025-01-20")
    assert told(heard) == ([("2025-01-10", 99, "2025-02-10", 30)] if points == 1 else [])


def test_a_day_of_notice_without_points_leaves_an_account_as_it_is() -> None:
    story = Story("puppy", {"notice_days": [60, 30]})
    story.registered("2024-01-05")
    story.adjusted(100, "2024-02-01")
    story.adjusted(-100, "2024-02-02")
    story.enrolled("2024-03-01")
    before = story.simulation.ledgers[MEMBER].row
    assert before is not None
    story.at("2024-12-20")
    after = story.simulation.ledgers[MEMBER].row
    assert after is not None
    assert (after.head.last, after.head.pool_notice_at) == (before.head.last, before.head.pool_notice_at)
