"""Judging tiers: the amount of a judgement's period, the occasions on which it is made, and the standing that each gives.

Pure functions of the terms and of the amounts that count; `tiers` and `tier_reviews` put in force what they say.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Final, Literal

from contracts.terms import Judgement, Tiers
from worker.decide.calendar import DAY
from worker.decide.periods import last_begun
from worker.decide.program import Version
from worker.decide.state import Head

YEAR_MONTHS = 12

Cause = Literal["more", "less", "date"]
"""Why levels are judged: the amount of the period became more or less, or the date has come."""


def index_of(tiers: Tiers, name: str) -> int:
    """A level's place from the bottom; a name that the terms no longer have counts as the lowest."""
    return next((index for index, level in enumerate(tiers.levels) if level.name == name), 0)


def level_for(tiers: Tiers, amount: int) -> int:
    """The index of the level that an amount reaches."""
    return max(index for index, level in enumerate(tiers.levels) if amount >= level.threshold or index == 0)


def standing(judgement: Judgement, reached: int, now: int, cause: Cause, withheld: int = 0) -> int:
    """The level that a judgement gives to who holds level `now` while the amount reaches level `reached`, both from the bottom.

    `withheld`: so many levels above `now` were lost to inactivity, and the terms let no amount bring them back. Less never raises
    a level. More costs none where levels fall one at a time, for then one may hold a level above one's amount for a while.
    """
    if reached > now + withheld:
        return reached if judgement.rises and cause != "less" else now
    if reached < now:
        if judgement.falls == "any":
            return reached
        if judgement.falls == "one_level" and cause != "more":
            return now - 1
    return now


def levels_withheld(tiers: Tiers, lost: int) -> int:
    """Of levels lost to inactivity, how many an amount that reaches them does not bring back."""
    return lost if tiers.inactivity is not None and tiers.inactivity.restore == "ignored" else 0


# -- amounts


class Counted:
    """Amounts by bucket, ready to be summed over many periods: somebody may have bought on every day of a year."""

    def __init__(self, windows: Mapping[str, int]) -> None:
        self._buckets = sorted(windows)
        self._sums = [0, *accumulate(windows[bucket] for bucket in self._buckets)]

    def between(self, first: date, end: date) -> int:
        """The sum of the buckets that begin on the first day or later, and before the end."""
        return self._sums[bisect_left(self._buckets, end.isoformat())] - self._sums[bisect_left(self._buckets, first.isoformat())]


CALENDAR: Final = {"calendar_year": YEAR_MONTHS, "previous_calendar_year": YEAR_MONTHS, "half_year": 6, "quarter": 3}
"""Windows that follow each other, by how many months they have."""


def _months_of(tiers: Tiers, period: str) -> int:
    """How many months a period has that follows another without a gap; 0: it rolls."""
    if period == "previous_period":
        return CALENDAR.get(tiers.window.type, YEAR_MONTHS)
    return CALENDAR.get(period, 0)


def period_of(tiers: Tiers, judgement: Judgement) -> str:
    """The kind of period whose amount is judged, as a window is called."""
    return tiers.window.type if judgement.over == "window" else judgement.over


def amount_of(version: Version, tiers: Tiers, period: str, counted: Counted, day: date) -> int:
    """What counts in a period as it lies on a day."""
    months = _months_of(tiers, period)
    if months:
        first = last_begun(version.days, tiers.window.begins, months, day)
        if period.startswith("previous"):
            return counted.between(version.days.add_months(first, -months), first)
        return counted.between(first, version.days.add_months(first, months))
    if period == "whole_months":
        return counted.between(version.days.month_first(day, -tiers.window.months), version.days.month_first(day))
    return counted.between(version.days.add_months(day, -tiers.window.months) + DAY, day + DAY)


# -- occasions


def cause_on(version: Version, tiers: Tiers, judgement: Judgement, counted: Counted, day: date) -> Cause | None:
    """Why a judgement is made at the beginning of a day, before anything counts on it; None if it is not made then."""
    on = judgement.on
    if not on.change:
        return "date" if day.day == on.monthly or f"{day.month:02d}-{day.day:02d}" == on.yearly else None
    period = period_of(tiers, judgement)
    before = amount_of(version, tiers, period, counted, day - DAY)
    after = amount_of(version, tiers, period, counted, day)
    return "more" if after > before else "less" if after < before else None


def is_dated(tiers: Tiers, day: date) -> bool:
    """Whether some judgement is made on a day whatever counts."""
    month_day = f"{day.month:02d}-{day.day:02d}"
    return any(judgement.on.monthly == day.day or judgement.on.yearly == month_day for judgement in tiers.judgements)


def _days_of(version: Version, tiers: Tiers, judgement: Judgement, buckets: list[date], today: date) -> list[date]:
    """Days at whose beginning time alone may let a judgement move a level: all that lie between now and the day on which the last
    amount has left the period, and one more."""
    if judgement.on.change:
        return _days_of_change(version, tiers, judgement, buckets)
    months = 2 * YEAR_MONTHS if period_of(tiers, judgement).startswith("previous") else max(tiers.window.months, YEAR_MONTHS)
    last = version.days.add_months(max(buckets, default=today), months)
    if judgement.on.yearly is not None:
        years = range(today.year, max(today.year, last.year) + 2)
        return [date.fromisoformat(f"{year:04d}-{judgement.on.yearly}") for year in years]
    first = version.days.month_first(today) + timedelta(days=(judgement.on.monthly or 1) - 1)
    ahead = (last.year - today.year) * YEAR_MONTHS + last.month - today.month
    return [first, *(version.days.add_months(first, n) for n in range(1, max(ahead, 0) + 3))]


def _days_of_change(version: Version, tiers: Tiers, judgement: Judgement, buckets: list[date]) -> list[date]:
    """Days on which time alone may change what a period holds. Into periods that are over before they are judged it brings
    amounts, so that it raises levels too."""
    days, months, period = version.days, tiers.window.months, period_of(tiers, judgement)
    if judgement.falls == "never" and (period == "rolling_months" or (_months_of(tiers, period) and "previous" not in period)):
        return []
    if period == "whole_months":
        return [days.month_first(bucket, n) for bucket in buckets for n in (1, months + 1)]
    if period == "rolling_months":
        found: list[date] = []
        for bucket in buckets:
            end = days.add_months(bucket, months)
            # Where a month has no such day, the window lets go of an amount a day sooner or later than that.
            near = (-1, 0, 1) if end.day != bucket.day or bucket.day == 1 else (0,)
            found += [end + timedelta(days=n) for n in near]
        return found
    months = _months_of(tiers, period)
    firsts = {last_begun(days, tiers.window.begins, months, bucket) for bucket in buckets}
    return [days.add_months(first, n * months) for first in firsts for n in (1, 2)]


def inactive_at(version: Version, tiers: Tiers, head: Head) -> datetime | None:
    """When inactivity next costs a level; None if there is none to lose."""
    rule, tier = tiers.inactivity, head.tier
    if rule is None or tier is None or tier.last_counted_on is None or index_of(tiers, tier.name) == 0:
        return None
    last, periods = tier.last_counted_on, tier.inactive_periods
    if tier.last_ordered_on is not None and tier.last_ordered_on > last:
        last, periods = tier.last_ordered_on, 0
    if periods and not rule.repeats:
        return None
    day = version.days.add_months(last, rule.months * (periods + 1))
    if rule.executed_on is not None:
        executed = date.fromisoformat(f"{day.year}-{rule.executed_on}")
        day = executed if executed >= day else date.fromisoformat(f"{day.year + 1}-{rule.executed_on}")
    return version.days.start(day)


def next_change(version: Version, head: Head, at: datetime) -> datetime | None:
    """The next instant at which the level changes if nothing happens until then."""
    tiers, tier = version.terms.tiers, head.tier
    if tiers is None or tier is None:
        return None
    inactive = inactive_at(version, tiers, head)
    now = index_of(tiers, tier.name)
    if now == 0 and level_for(tiers, sum(head.windows.values())) == 0:
        # The lowest level, and no period can hold enough for another: nothing to look for.
        return inactive
    today = version.days.date_of(at)
    buckets = [date.fromisoformat(bucket) for bucket in head.windows]
    ahead: set[tuple[date, int]] = set()
    for place, each in enumerate(tiers.judgements):
        ahead.update((day, place) for day in _days_of(version, tiers, each, buckets, today))
    if not ahead:
        return inactive
    counted = Counted(head.windows)
    for day, place in sorted(ahead):
        instant = version.days.start(day)
        if instant <= at:
            continue
        if inactive is not None and inactive <= instant:
            break
        judgement = tiers.judgements[place]
        reached = level_for(tiers, amount_of(version, tiers, period_of(tiers, judgement), counted, day))
        if reached == now:
            continue
        cause = cause_on(version, tiers, judgement, counted, day)
        if cause is not None and standing(judgement, reached, now, cause, levels_withheld(tiers, tier.lost)) != now:
            return instant
    return inactive
