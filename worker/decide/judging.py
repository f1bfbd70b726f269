"""Judging tiers: the occasions on which a judgement is made, and the standing that each gives.

Pure functions of the terms and of the amounts that count (`reaching`); `tiers` and `tier_reviews` put in force what they say.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from contracts.terms import Judgement, Tiers
from worker.decide import reaching
from worker.decide.calendar import DAY
from worker.decide.periods import last_begun
from worker.decide.program import Version
from worker.decide.reaching import YEAR_MONTHS, Counted, amounts_of, level_for, months_of, period_of
from worker.decide.state import Head
from worker.decide.tier_records import Tier

Cause = Literal["more", "less", "date"]
"""Why levels are judged: what counts in the period became more or less, or the date has come (also if some of it became more and
some less)."""


def index_of(tiers: Tiers, name: str) -> int:
    """A level's place from the bottom; a name that the terms no longer have counts as the lowest."""
    return next((index for index, level in enumerate(tiers.levels) if level.name == name), 0)


def own_index(tiers: Tiers, tier: Tier) -> int:
    """The place of the level that is the member's own, whatever was given for some time."""
    return index_of(tiers, tier.own or tier.name)


def given_index(tiers: Tiers, tier: Tier) -> int:
    """The place of the highest level that was given for some time."""
    return max([index_of(tiers, each.tier) for each in tier.given], default=0)


def standing(judgement: Judgement, reached: int, now: int, cause: Cause, withheld: int = 0, held: int = 0) -> int:
    """The level that a judgement gives to who has level `now` while what counts reaches level `reached`, both from the bottom.

    `withheld`: so many levels above `now` were lost to inactivity, and the terms let no amount bring them back. `held`: the level
    that was reached and still holds, below which none falls. Less never raises a level. More costs none where levels fall one at
    a time, for then one may have a level above one's amount for a while.
    """
    if reached > now + withheld:
        return reached if judgement.rises and cause != "less" else now
    if max(reached, held) < now:
        if judgement.falls == "any":
            return max(reached, held)
        if judgement.falls == "one_level" and cause != "more":
            return now - 1
    return now


def levels_withheld(tiers: Tiers, lost: int) -> int:
    """Of levels lost to inactivity, how many an amount that reaches them does not bring back."""
    return lost if tiers.inactivity is not None and tiers.inactivity.restore == "ignored" else 0


def held_on(version: Version, tiers: Tiers, tier: Tier, counted: Counted, day: date) -> int:
    """The level below which nobody with this standing falls on a day."""
    if tier.kept_until is not None and tier.kept_until > day:
        return own_index(tiers, tier)
    return reaching.held_on(version, tiers, counted, day)


# -- occasions


def cause_on(version: Version, tiers: Tiers, tier: Tier, judgement: Judgement, counted: Counted, day: date) -> Cause | None:
    """Why a judgement is made at the beginning of a day, before anything counts on it; None if it is not made then."""
    on = judgement.on
    if not on.change:
        return "date" if day.day == on.monthly or f"{day.month:02d}-{day.day:02d}" == on.yearly else None
    period = period_of(tiers, judgement)
    before = amounts_of(version, tiers, period, counted, day - DAY)
    changes = [after - was for after, was in zip(amounts_of(version, tiers, period, counted, day), before, strict=True)]
    if tiers.holds is not None:
        was = held_on(version, tiers, tier, counted, day - DAY)
        changes.append(min(held_on(version, tiers, tier, counted, day) - was, 0))
    return cause_of(changes)


def cause_of(changes: list[int]) -> Cause | None:
    """Why levels are judged after such changes of what counts; None if there are none."""
    more, less = max(changes) > 0, min(changes) < 0
    return "date" if more and less else "more" if more else "less" if less else None


def is_dated(tiers: Tiers, day: date) -> bool:
    """Whether some judgement is made on a day whatever counts."""
    month_day = f"{day.month:02d}-{day.day:02d}"
    return any(judgement.on.monthly == day.day or judgement.on.yearly == month_day for judgement in tiers.judgements)


def _days_of(version: Version, tiers: Tiers, judgement: Judgement, buckets: list[date], today: date, carried: int) -> list[date]:
    """Days at whose beginning time alone may let a judgement move a level: all that lie between now and the day on which the last
    amount has left the period, and one more. `carried`: into so many periods amounts may be carried over."""
    if judgement.on.change:
        days = _days_of_change(version, tiers, judgement, buckets, carried)
        return [*days, *reaching.ends_of_holding(version, tiers, buckets, carried)] if judgement.falls != "never" else days
    months = 2 * YEAR_MONTHS if period_of(tiers, judgement).startswith("previous") else max(tiers.window.months, YEAR_MONTHS)
    months += reaching.months_held(tiers) + carried * months_of(tiers, tiers.window.type)
    last = version.days.add_months(max(buckets, default=today), months)
    if judgement.on.yearly is not None:
        years = range(today.year, max(today.year, last.year) + 2)
        return [date.fromisoformat(f"{year:04d}-{judgement.on.yearly}") for year in years]
    first = version.days.month_first(today) + timedelta(days=(judgement.on.monthly or 1) - 1)
    ahead = (last.year - today.year) * YEAR_MONTHS + last.month - today.month
    return [first, *(version.days.add_months(first, n) for n in range(1, max(ahead, 0) + 3))]


def _days_of_change(version: Version, tiers: Tiers, judgement: Judgement, buckets: list[date], carried: int) -> list[date]:
    """Days on which time alone may change what a period holds. Into periods that are over before they are judged it brings
    amounts, so that it raises levels too."""
    days, months, period = version.days, tiers.window.months, period_of(tiers, judgement)
    if judgement.falls == "never" and (period == "rolling_months" or (months_of(tiers, period) and "previous" not in period)):
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
    months = months_of(tiers, period)
    firsts = {last_begun(days, tiers.window.begins, months, bucket) for bucket in buckets}
    return [days.add_months(first, n * months) for first in firsts for n in range(1, 3 + carried)]


def inactive_at(version: Version, tiers: Tiers, head: Head) -> datetime | None:
    """When inactivity next costs a level; None if there is none to lose."""
    rule, tier = tiers.inactivity, head.tier
    if rule is None or tier is None or tier.last_counted_on is None or own_index(tiers, tier) == 0:
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


class Coming(NamedTuple):
    """A change of the member's own level that time alone brings: when, to which level, and by which judgement (its place in the
    list; None: inactivity)."""

    at: datetime
    level: int
    place: int | None = None


def next_own(version: Version, tiers: Tiers, head: Head, tier: Tier, at: datetime) -> Coming | None:
    """The next change of the member's own level if nothing happens until then."""
    now = own_index(tiers, tier)
    inactive_from = inactive_at(version, tiers, head)
    inactive = None if inactive_from is None else Coming(inactive_from, now - 1)
    most = _most(tiers, head)
    if now == 0 and level_for(tiers, most) == 0:
        # The lowest level, and no period can hold enough for another: nothing to look for.
        return inactive
    today = version.days.date_of(at)
    buckets = [reaching.day_of(bucket) for bucket in head.windows]
    ahead: set[tuple[date, int]] = set()
    carried = reaching.periods_carried(tiers, most)
    spanned = buckets if tier.kept_until is None else [*buckets, tier.kept_until]
    for place, each in enumerate(tiers.judgements):
        ahead.update((day, place) for day in _days_of(version, tiers, each, spanned, today, carried))
        if tier.kept_until is not None and each.on.change:
            ahead.add((tier.kept_until, place))
    if not ahead:
        return inactive
    counted = Counted(tiers, head.windows)
    for day, place in sorted(ahead):
        instant = version.days.start(day)
        if instant <= at:
            continue
        if inactive is not None and inactive.at <= instant:
            break
        level = level_on(version, tiers, tier, place, counted, day)
        if level != now:
            return Coming(instant, level, place)
    return inactive


def level_on(version: Version, tiers: Tiers, tier: Tier, place: int, counted: Counted, day: date) -> int:
    """The level that a judgement gives at the beginning of a day; the member's own if it is not made then."""
    judgement, now = tiers.judgements[place], own_index(tiers, tier)
    reached = level_for(tiers, amounts_of(version, tiers, period_of(tiers, judgement), counted, day))
    if reached == now:
        return now
    cause = cause_on(version, tiers, tier, judgement, counted, day)
    if cause is None:
        return now
    held = held_on(version, tiers, tier, counted, day)
    return standing(judgement, reached, now, cause, levels_withheld(tiers, tier.lost), held)


def _most(tiers: Tiers, head: Head) -> reaching.Amounts:
    """All that any period can hold."""
    if not tiers.measures:
        return (sum(head.windows.values()),)
    return Counted(tiers, head.windows).all()
