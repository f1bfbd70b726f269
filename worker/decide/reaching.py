"""Which level amounts reach: what counts in a period, what is carried over into it, and for how long a level holds.

Pure functions of the terms and of the amounts that count. Nothing is remembered of what was reached, so that goods which come
back and facts which are told late leave no trace.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from datetime import date, timedelta
from itertools import accumulate
from typing import Final

from contracts.terms import Judgement, Marks, Tiers
from worker.decide.calendar import DAY
from worker.decide.periods import last_begun
from worker.decide.program import Version

YEAR_MONTHS: Final = 12
_CARRIED_MAX: Final = 120
"""So many periods are looked ahead; who is carried further is looked at again then."""
_DAY_LENGTH: Final = len("2024-01-01")

Amounts = tuple[int, ...]
"""What counts, measure by measure."""

CALENDAR: Final = {"calendar_year": YEAR_MONTHS, "previous_calendar_year": YEAR_MONTHS, "half_year": 6, "quarter": 3}
"""Windows that follow each other, by how many months they have."""


def bucket_named(day: date, measure: str) -> str:
    """Under which name an amount is kept: its bucket's first day, and the measure if there are several."""
    return f"{day.isoformat()}:{measure}" if measure else day.isoformat()


def bucket_day(version: Version, tiers: Tiers, day: date) -> date:
    """The first day of the bucket that a day falls into: of its year (half year, quarter) or month, or the day itself."""
    if by_period(tiers):
        return last_begun(version.days, tiers.window.begins, CALENDAR[tiers.window.type], day)
    return version.days.month_first(day) if tiers.window.type == "whole_months" else day


def day_of(bucket: str) -> date:
    """The first day of a bucket."""
    return date.fromisoformat(bucket[:_DAY_LENGTH])


def is_of(bucket: str, measure: str) -> bool:
    """Whether a bucket holds amounts of a measure."""
    return bucket[_DAY_LENGTH + 1 :] == measure


class Counted:
    """Amounts by bucket, ready to be summed over many periods: somebody may have bought on every day of a year."""

    def __init__(self, tiers: Tiers, windows: Mapping[str, int]) -> None:
        ordered = sorted(windows)
        self._buckets: list[list[str]] = []
        self._sums: list[list[int]] = []
        for name, _ in tiers.measured:
            own = [bucket for bucket in ordered if is_of(bucket, name)]
            self._buckets.append(own)
            self._sums.append([0, *accumulate([windows[bucket] for bucket in own])])
        self.days: Final = sorted({day_of(bucket) for own in self._buckets for bucket in own}) if tiers.holds else []
        self.reached: list[list[date]] | None = None
        """For each level the days on which it was reached, once somebody asks."""
        self.carried: dict[date, Amounts] = {}
        """What is carried over into periods, by their first days, as far as somebody asked."""

    def between(self, first: date, end: date) -> Amounts:
        """The sums of the buckets that begin on the first day or later, and before the end."""
        begin, stop = first.isoformat(), end.isoformat()
        if len(self._sums) == 1:
            buckets, sums = self._buckets[0], self._sums[0]
            return (sums[bisect_left(buckets, stop)] - sums[bisect_left(buckets, begin)],)
        return tuple(
            [
                sums[bisect_left(buckets, stop)] - sums[bisect_left(buckets, begin)]
                for buckets, sums in zip(self._buckets, self._sums, strict=True)
            ]
        )

    def first_day(self) -> date | None:
        """The first bucket's."""
        found = [day_of(buckets[0]) for buckets in self._buckets if buckets]
        return min(found) if found else None

    def all(self) -> Amounts:
        """All that counts, whenever."""
        return tuple([sums[-1] for sums in self._sums])


# -- levels


def level_for(tiers: Tiers, amounts: Amounts) -> int:
    """The index of the level that amounts reach."""
    for index in range(len(tiers.marks) - 1, 0, -1):
        if is_reached(tiers.marks[index], amounts):
            return index
    return 0


def is_reached(marks: Marks, amounts: Amounts) -> bool:
    """Whether amounts come to what a level takes."""
    for mark, amount in zip(marks.amounts, amounts, strict=True):
        if mark is not None and (amount >= mark) != marks.together:
            return not marks.together
    return marks.together


def period_of(tiers: Tiers, judgement: Judgement) -> str:
    """The kind of period whose amount is judged, as a window is called."""
    return tiers.window.type if judgement.over == "window" else judgement.over


def months_of(tiers: Tiers, period: str) -> int:
    """How many months a period has that follows another without a gap; 0: it rolls."""
    if period == "previous_period":
        return CALENDAR.get(tiers.window.type, YEAR_MONTHS)
    return CALENDAR.get(period, 0)


def amounts_of(version: Version, tiers: Tiers, period: str, counted: Counted, day: date) -> Amounts:
    """What counts in a period as it lies on a day, with what is carried over into it."""
    months = months_of(tiers, period)
    if months:
        first = last_begun(version.days, tiers.window.begins, months, day)
        if period.startswith("previous"):
            first = version.days.add_months(first, -months)
        return _in_period(version, tiers, counted, first, months)
    if period == "whole_months":
        return counted.between(version.days.month_first(day, -tiers.window.months), version.days.month_first(day))
    return counted.between(version.days.add_months(day, -tiers.window.months) + DAY, day + DAY)


def in_period_with(version: Version, tiers: Tiers, counted: Counted, day: date) -> Amounts:
    """What counts in the period of the window in which a day lies, of windows that follow each other."""
    months = months_of(tiers, tiers.window.type)
    return _in_period(version, tiers, counted, last_begun(version.days, tiers.window.begins, months, day), months)


def _in_period(version: Version, tiers: Tiers, counted: Counted, first: date, months: int) -> Amounts:
    own = counted.between(first, version.days.add_months(first, months))
    if tiers.carry_over == "nothing":
        return own
    return _plus(own, _carried_into(version, tiers, counted, first, months))


def _carried_into(version: Version, tiers: Tiers, counted: Counted, first: date, months: int) -> Amounts:
    begun = counted.first_day()
    each = first if begun is None else min(last_begun(version.days, tiers.window.begins, months, begun), first)
    carried: Amounts = (0,) * len(tiers.measured)
    while each < first:
        following = version.days.add_months(each, months)
        known = counted.carried.get(following)
        if known is None:
            known = counted.carried[following] = _excess(tiers, _plus(counted.between(each, following), carried))
        carried, each = known, following
    return carried


def _plus(amounts: Amounts, more: Amounts) -> Amounts:
    return tuple([amount + each for amount, each in zip(amounts, more, strict=True)])


def _excess(tiers: Tiers, amounts: Amounts) -> Amounts:
    """What goes beyond the level that is reached. Nothing does where none above the lowest is, nor where another measure alone
    led to it."""
    reached = level_for(tiers, amounts)
    if reached == 0:
        return (0,) * len(amounts)
    marks, carried = tiers.marks[reached].amounts, [not tiers.carried or name in tiers.carried for name, _ in tiers.measured]
    return tuple(
        [
            max(amount - mark, 0) if mark is not None and goes_on else 0
            for amount, mark, goes_on in zip(amounts, marks, carried, strict=True)
        ]
    )


def periods_carried(tiers: Tiers, amounts: Amounts) -> int:
    """Into how many periods amounts may be carried over, each time less what a level takes."""
    if tiers.carry_over == "nothing":
        return 0
    takes = [[marks.amounts[n] or 0 for marks in tiers.marks[1:]] for n in range(len(amounts))]
    least = [min([mark for mark in each if mark], default=0) for each in takes]
    found = [amount // mark for amount, mark in zip(amounts, least, strict=True) if mark]
    return min(max(found, default=0), _CARRIED_MAX)


# -- how long a level holds


def by_period(tiers: Tiers) -> bool:
    """Whether a bucket is a whole period: it follows others, and nothing hangs on the day in it."""
    return tiers.window.type in CALENDAR and (tiers.holds is None or tiers.holds.months is None)


def months_held(tiers: Tiers) -> int:
    """How many months a level may hold at most beyond the period in which it was reached."""
    if tiers.holds is None:
        return 0
    return tiers.holds.months or (tiers.holds.periods or 0) * months_of(tiers, tiers.window.type)


def held_on(version: Version, tiers: Tiers, counted: Counted, day: date) -> int:
    """The highest of the levels that were reached and still hold on a day; 0 if none does."""
    if tiers.holds is None:
        return 0
    if tiers.holds.months is not None:
        return _held_for_months(version, tiers, counted, day, tiers.holds.months)
    months = months_of(tiers, tiers.window.type)
    first = last_begun(version.days, tiers.window.begins, months, day)
    return max(
        [
            level_for(tiers, _in_period(version, tiers, counted, version.days.add_months(first, -n * months), months))
            for n in range((tiers.holds.periods or 0) + 1)
        ]
    )


def _held_for_months(version: Version, tiers: Tiers, counted: Counted, day: date, months: int) -> int:
    if counted.reached is None:
        counted.reached = _days_reached(version, tiers, counted)
    for index in range(len(tiers.levels) - 1, 0, -1):
        days = counted.reached[index]
        known = bisect_right(days, day)
        if known and version.days.add_months(days[known - 1], months) > day:
            return index
    return 0


def _days_reached(version: Version, tiers: Tiers, counted: Counted) -> list[list[date]]:
    found: list[list[date]] = [[] for _ in tiers.levels]
    following = months_of(tiers, tiers.window.type)
    for day in sorted({_shows_on(version, tiers, each) for each in counted.days}):
        if following and "previous" not in tiers.window.type:
            amounts = counted.between(last_begun(version.days, tiers.window.begins, following, day), day + DAY)
        else:
            amounts = amounts_of(version, tiers, tiers.window.type, counted, day)
        for index in range(1, level_for(tiers, amounts) + 1):
            found[index].append(day)
    return found


def _shows_on(version: Version, tiers: Tiers, day: date) -> date:
    """The first day on which the window holds what counts under a day."""
    if tiers.window.type == "whole_months":
        return version.days.month_first(day, 1)
    if tiers.window.type == "previous_calendar_year":
        return version.days.add_months(last_begun(version.days, tiers.window.begins, YEAR_MONTHS, day), YEAR_MONTHS)
    return day


def ends_of_holding(version: Version, tiers: Tiers, buckets: list[date], carried: int) -> list[date]:
    """The days at whose beginning levels may hold no longer that were reached by amounts of these buckets.
    `carried`: into so many periods."""
    if tiers.holds is None:
        return []
    days = version.days
    if tiers.holds.months is None:
        months = months_of(tiers, tiers.window.type)
        firsts = {last_begun(days, tiers.window.begins, months, bucket) for bucket in buckets}
        last = (tiers.holds.periods or 0) + carried + 1
        return [days.add_months(first, n * months) for first in firsts for n in range(1, last + 1)]
    ends = {days.add_months(_shows_on(version, tiers, bucket), tiers.holds.months) for bucket in buckets}
    # Where a month has no such day, it is the one before or after.
    return [end + timedelta(days=n) for end in ends for n in (0, 1)]


def landing_holds_until(version: Version, tiers: Tiers, day: date) -> date | None:
    """The first day on which a level holds no longer to which somebody falls on a day, though nothing reaches it."""
    if tiers.holds is None:
        return None
    if tiers.holds.months is not None:
        return version.days.add_months(day, tiers.holds.months)
    months = months_of(tiers, tiers.window.type)
    return version.days.add_months(last_begun(version.days, tiers.window.begins, months, day), months)
