"""Periods of the terms: in which one a day lies, and the names under which something is counted in it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from contracts.terms import Period
from worker.decide.calendar import DAY, WEEKDAYS, Days

_EVER: Final = date(1, 1, 1)
_MONTHS: Final = {"quarter": 3, "half_year": 6, "year": 12}


def first_of(days: Days, period: Period, day: date, joined: date | None = None) -> date:
    """The first day of the period in which a day lies; of the last so many days, the day itself, which is counted on its own.

    `joined`: when the member did, from which the member's own years are counted (unknown: calendar years).
    """
    if period.day or period.rolling_days is not None:
        return day
    if period.once is not None:
        return period.once.days[0]
    if period.week is not None:
        return day - timedelta(days=(day.weekday() - WEEKDAYS.index(period.week)) % 7)
    if period.month is not None:
        first = day.replace(day=period.month)
        return first if first <= day else days.month_first(first, -1).replace(day=period.month)
    if period.member_year:
        return _own_year(days, joined or date(day.year, 1, 1), day)
    for name, months in _MONTHS.items():
        begins = getattr(period, name)
        if begins is not None:
            return last_begun(days, begins, months, day)
    return _EVER


def next_first(days: Days, period: Period, first: date) -> date:
    """The first day of the period that follows the one of which the first day is given."""
    if period.day:
        return first + DAY
    if period.once is not None:
        return period.once.days[1] + DAY
    if period.week is not None:
        return first + 7 * DAY
    months = next((months for name, months in _MONTHS.items() if getattr(period, name) is not None), 12)
    return days.add_months(first, 1 if period.month is not None else months)


def _own_year(days: Days, joined: date, day: date) -> date:
    first = days.add_months(joined, 12 * (day.year - joined.year))
    return first if first <= day else days.add_months(joined, 12 * (day.year - joined.year - 1))


@lru_cache(maxsize=4096)
def last_begun(days: Days, begins: str, months: int, day: date) -> date:
    """The latest day by a day on which a period of so many months began, counted from a day of every year."""
    first = date.fromisoformat(f"{day.year - 1}-{begins}")
    starts = (days.add_months(first, n) for n in range(0, 24, months))
    return max(each for each in starts if each <= day)


def name_of(days: Days, period: Period, day: date, joined: date | None = None) -> str:
    """The name of the period in which a day lies: of a calendar year and month as people write them, else its first day."""
    if period.year == "01-01":
        return f"{day.year:04d}"
    return day.isoformat()[:7] if period.month == 1 else first_of(days, period, day, joined).isoformat()


def is_over(name: str, at: datetime, days_kept: int) -> bool:
    """Whether a period that is named by its first day began so many days ago that nothing is counted in it any more."""
    return len(name) == len(_EVER.isoformat()) and _EVER.isoformat() < name < (at.date() - days_kept * DAY).isoformat()
