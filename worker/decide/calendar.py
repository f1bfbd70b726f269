"""Dates of a program: its zone, its months, its business days (COM-C1, COM-C2, COM-C3, COM-Q2)."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from contracts.terms import Calendar, DayOfMonth, Deadline

DAY = timedelta(days=1)
_LEAP_DAY = "02-29"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def in_year(month_day: str, year: int) -> date:
    """A month and day ("12-03") in a year; 29 February is the day before where there is none."""
    if month_day == _LEAP_DAY and not calendar.isleap(year):
        return date(year, 2, 28)
    return date(year, int(month_day[:2]), int(month_day[3:]))


def recurring_in(year: int, yearly: Iterable[str], monthly: int | None) -> Iterator[date]:
    """The days of a year that come back every year ("02-01"), and the one of every month, if there is one."""
    for month_day in yearly:
        yield in_year(month_day, year)
    for month in range(1, 13) if monthly is not None else ():
        yield date(year, month, monthly or 1)


@lru_cache(maxsize=65536)
def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


class Days:
    """Calendar arithmetic of one version of the terms. Instants are UTC, dates are dates of the program's zone."""

    __slots__ = ("_holidays", "_month_end", "_offset_days", "_workdays", "zone")

    def __init__(self, zone: str, rules: Calendar) -> None:
        self.zone = ZoneInfo(zone)
        self._month_end = rules.month_end
        self._offset_days = rules.days_after
        self._holidays = frozenset(rules.holidays)
        self._workdays = frozenset(WEEKDAYS.index(name) for name in rules.workdays)

    def date_of(self, at: datetime) -> date:
        """The date in the program's zone at an instant."""
        return at.astimezone(self.zone).date()

    def start(self, day: date) -> datetime:
        """The instant at which a day begins."""
        return _midnight(day, self.zone)

    def end(self, day: date) -> datetime:
        """The instant after the last one of a day: what is usable through `day` lapses here (COM-C3)."""
        return _midnight(day + DAY, self.zone)

    def days_after(self, at: datetime, days: int) -> datetime:
        """N days after an instant: the start of that calendar day, or exactly N times 24 hours (COM-Q2)."""
        if days == 0:
            return at
        if self._offset_days == "exact":
            return at + days * DAY
        return self.start(self.date_of(at) + days * DAY)

    def business_days_after(self, at: datetime, days: int) -> datetime:
        """The start of the n-th business day after the day of an instant; the instant itself for none."""
        day, left = self.date_of(at), days
        while left > 0:
            day += DAY
            left -= self.is_business_day(day)
        return self.start(day) if days else at

    def is_business_day(self, day: date) -> bool:
        """Whether a day is a workday and no holiday."""
        return day.weekday() in self._workdays and day not in self._holidays

    def on_day(self, at: datetime, on: DayOfMonth) -> datetime:
        """The beginning of the day of a month that the terms name, for what is due at an instant."""
        day, later = self.date_of(at), on.months_later
        while True:
            first = self.month_first(day, later)
            found = self.start(self.month_last(first) if on.day < 0 else first.replace(day=on.day))
            if found >= at:
                return found
            later += 1

    def add_months(self, day: date, months: int) -> date:
        """The same day so many months later; where there is none, the month's last day or the first after it (COM-C2)."""
        index = day.year * 12 + day.month - 1 + months
        year, month = index // 12, index % 12 + 1
        last = calendar.monthrange(year, month)[1]
        if day.day <= last:
            return date(year, month, day.day)
        return date(year, month, last) + (DAY if self._month_end == "roll_forward" else timedelta(0))

    def month_last(self, day: date) -> date:
        """The last day of a date's month."""
        return day.replace(day=calendar.monthrange(day.year, day.month)[1])

    def month_first(self, day: date, months: int = 0) -> date:
        """The first day of a date's month, or of the month so many months later."""
        index = day.year * 12 + day.month - 1 + months
        return date(index // 12, index % 12 + 1, 1)

    def weekday(self, at: datetime) -> str:
        """The weekday at an instant, as in the terms ("mon")."""
        return WEEKDAYS[self.date_of(at).weekday()]

    def minute_of(self, at: datetime) -> str:
        """The day, hour and minute in the program's zone at an instant, like "2026-12-04T20:05"."""
        return at.astimezone(self.zone).isoformat(timespec="minutes")[:16]

    def time_of(self, at: datetime) -> str:
        """The hour and minute in the program's zone at an instant, like "20:05"."""
        return at.astimezone(self.zone).strftime("%H:%M")

    def deadline_end(self, planned: date, deadline: Deadline) -> datetime:
        """The instant after a deadline: the end of the n-th business day before the planned date."""
        day = planned
        left = deadline.business_days
        while left > 0:
            day -= DAY
            left -= self.is_business_day(day)
        return self.end(day)
