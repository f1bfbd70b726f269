"""Boundaries of the calendar, one second before each and at it: days, months and years turn in Japan, wherever the clock is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.rules.story import SECOND, Story, instant, line


def balance_at(code: str, granted: str, **lot: Any) -> Callable[[str], int]:
    """What is left at an instant of 100 points that a member got."""

    def tell(at: str) -> int:
        story = Story(code)
        story.registered(granted)
        story.enrolled(granted)
        story.adjusted(100 - story.at(granted).available, granted, **lot)
        return story.at(at).available

    return tell


def ordered_at(code: str, price: int, **changes: Any) -> Callable[[str], int]:
    """What an order of an instant is credited with."""

    def tell(at: str) -> int:
        story = Story(code, {path.replace("__", "."): value for path, value in changes.items()})
        story.registered("2023-06-01")
        story.enrolled("2023-06-01")
        story.order("A", "2024-06-01", line(60_000))
        story.order("B", at, line(price))
        return story.order_at("B", (instant(at) + timedelta(days=1)).isoformat()).points_credited

    return tell


def usable_of_an_order(at: str) -> int:
    """What is usable at an instant of an order of 1 June, besides what registering brought."""
    story = Story("scolar")
    story.registered("2024-01-05")
    story.order("A", "2024-06-01", line(60_000))
    return story.at(at).available - 500


def last_day_of_goods_sent_at(code: str) -> Callable[[str], str]:
    """The last usable day of what goods earn that leave at an instant."""

    def tell(at: str) -> str:
        story = Story(code)
        story.enrolled("2024-01-05")
        story.order("A", "2026-01-10" if code == "belle-maison" else "2024-03-01", line(10_000))
        story.shipped("A", at)
        return str(story.at((instant(at) + timedelta(days=40)).isoformat()).lots[0].expires_on)

    return tell


def stage_at(ordered: str) -> Callable[[str], str | None]:
    """A member's stage at an instant, after an order of 50,000 yen that was sent the same day."""

    def tell(at: str) -> str | None:
        story = Story("scolar")
        story.registered("2024-01-05")
        story.order("A", ordered, line(50_000))
        story.shipped("A", ordered)
        return story.at(at).tier

    return tell


def class_at(at: str) -> str | None:
    """A member's class at an instant, after a purchase of 30,000 yen on 29 February."""
    story = Story("ansage")
    story.registered("2024-01-05", channel="web")
    story.order("A", "2024-02-29", line(30_000, tax=0))
    story.shipped("A", "2024-02-29")
    return story.at(at).tier


def class_in_four_months_at(at: str) -> str | None:
    """The same after a purchase of 31 October, where four months count: February has no such day."""
    story = Story("ansage", {"tiers.window.months": 4})
    story.registered("2024-01-05", channel="web")
    story.order("A", "2024-10-31", line(30_000, tax=0))
    story.shipped("A", "2024-10-31")
    return story.at(at).tier


DOUBLE = {
    "earning__campaigns": [
        {"id": "c", "rule": "LEN-15", "effect": "multiply", "times": "2", "when": {"since": "2024-08-01", "until": "2024-08-30"}}
    ]
}
LIMIT = {"earning__caps__0__points": 700}

CASES: dict[str, tuple[Callable[[str], object], str, object, object]] = {
    "midnight: a last day is over": (
        balance_at("belle-maison", "2026-01-10", expires_on="2026-03-10"),
        "2026-03-11 00:00:00",
        100,
        0,
    ),
    "midnight: the tenth day begins": (usable_of_an_order, "2024-06-11 00:00:00", 0, 600),
    "midnight: a campaign begins": (ordered_at("lenovo-pro", 10_000, **DOUBLE), "2024-08-01 00:00:00", 100, 200),
    "midnight: a campaign is over": (ordered_at("lenovo-pro", 10_000, **DOUBLE), "2024-08-31 00:00:00", 200, 100),
    "month end: goods sent": (last_day_of_goods_sent_at("belle-maison"), "2026-03-01 00:00:00", "2027-02-28", "2027-03-31"),
    "month end: points lapse": (balance_at("lenovo-pro", "2024-07-14"), "2025-02-01 00:00:00", 100, 0),
    "year end: the limit starts anew": (ordered_at("lenovo-pro", 20_000, **LIMIT), "2025-01-01 00:00:00", 100, 200),
    "leap day: a year after the change": (balance_at("puppy", "2024-02-29"), "2025-03-01 00:00:00", 100, 0),
    "leap day: goods sent on it": (last_day_of_goods_sent_at("belle-maison"), "2028-03-01 00:00:00", "2029-02-28", "2029-03-31"),
    "leap day: it is the last day": (
        last_day_of_goods_sent_at("belle-maison"),
        "2027-03-01 00:00:00",
        "2028-02-29",
        "2028-03-31",
    ),
    "leap day: a year of purchases is over": (class_at, "2025-03-01 00:00:00", "silver", "regular"),
    "31st and six months": (balance_at("lenovo-pro", "2024-08-31"), "2025-03-01 00:00:00", 100, 0),
    "31st and four months of purchases": (class_in_four_months_at, "2025-03-01 00:00:00", "silver", "regular"),
    "10 January: the last look at the old year": (stage_at("2024-12-31"), "2025-01-10 00:00:00", "Member", "Silver"),
    "10 January: a purchase of the new year's first day is judged a day later": (
        stage_at("2025-01-01"),
        "2025-01-11 00:00:00",
        "Member",
        "Silver",
    ),
    "Japan and UTC: a last day is over at three in the afternoon": (
        balance_at("belle-maison", "2026-01-10", expires_on="2026-03-10"),
        "2026-03-10T15:00:00+00:00",
        100,
        0,
    ),
    "Japan and UTC: the year turns at three in the afternoon": (
        ordered_at("lenovo-pro", 20_000, **LIMIT),
        "2024-12-31T15:00:00+00:00",
        100,
        200,
    ),
    "Japan and UTC: so does the month of an issue": (
        last_day_of_goods_sent_at("belle-maison"),
        "2026-02-28T15:00:00Z",
        "2027-02-28",
        "2027-03-31",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_second_before_and_at(name: str) -> None:
    tell, boundary, before, at = CASES[name]
    assert tell((instant(boundary) - SECOND).isoformat()) == before
    assert tell(boundary) == at
