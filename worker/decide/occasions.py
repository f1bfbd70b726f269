"""What the clock brings a member on days that come back, and what reaching a level brings: a birthday, an anniversary, a first of
the month.

Each occasion is the beginning of a day, which the head keeps as the next one, with days on which points are converted; terms
that are to come into force with others are looked at anew then.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from contracts.terms import Activity, Recurring, ToldBy
from worker.decide import conversions, members
from worker.decide.account import Account
from worker.decide.calendar import Days, in_year, recurring_in
from worker.decide.conditions import joined_at
from worker.decide.program import Version

YEARS_AHEAD: Final = 25


def look(account: Account) -> None:
    """Keep in mind when the next occasion is, as things stand at the end of a step."""
    if account.program.has_occasions:
        planned = _next(account)
        if planned != account.head.occasion_at:
            account.head = replace(account.head, occasion_at=planned)


def _next(account: Account) -> datetime | None:
    version, at = account.version, account.at
    year = version.days.date_of(at).year
    instants = [_next_of(account, version, rule, year) for rule in version.occasions]
    instants += [account.program.occasions_otherwise_from(at), conversions.next_at(account)]
    return min((each for each in instants if each is not None), default=None)


def _next_of(account: Account, version: Version, rule: Activity, year: int) -> datetime | None:
    """When an activity occurs next, which is in this year or one of the two that follow: they come in order."""
    for each in (year, year + 1, year + 2):
        for instant in _instants(account, version, rule, each):
            if instant > account.at:
                return instant
    return None


def _instants(account: Account, version: Version, rule: Activity, year: int) -> Iterator[datetime]:
    """When an activity occurs for the days of a year."""
    assert rule.on is not None
    for day in _days(account, version.days, rule.on, year):
        yield version.days.start(day - timedelta(days=rule.on.days_before))


def _days(account: Account, days: Days, on: Recurring, year: int) -> Iterator[date]:
    joined = joined_at(account)
    if on.birthday is not None:
        if account.head.birth is not None:
            yield _day_or_month(on.birthday, in_year(account.head.birth, year))
    elif on.anniversary is not None:
        first = None if joined is None else days.date_of(joined)
        if first is not None and year > first.year:
            yield _day_or_month(on.anniversary, in_year(f"{first:%m-%d}", year))
    else:
        yield from recurring_in(year, () if on.yearly is None else (on.yearly,), on.monthly)


def _day_or_month(which: str, day: date) -> date:
    return day.replace(day=1) if which == "month" else day


def grant_due(account: Account) -> None:
    """The clock's part: activities that occur at this very instant."""
    version, at = account.version, account.at
    for rule in version.occasions:
        assert rule.on is not None
        year = version.days.date_of(at).year
        # Compared one by one: compiled, what yields cannot be asked for what it holds.
        occurs = any(at == instant for each in (year, year + 1) for instant in _instants(account, version, rule, each))
        if occurs and (rule.on.told_by is None or _told_in_time(account, version, rule.on, rule.on.told_by)):
            _ask_ahead(account, version, rule)
            members.grant_at_occasion(account, rule, version.days.date_of(at).isoformat())


def _ask_ahead(account: Account, version: Version, rule: Activity) -> None:
    """Where it is not known whether an activity has occurred today, ask about the days to come as well: the clock may have years
    to make up for, each of which would be a question of its own."""
    today = version.days.date_of(account.at)
    rows = members.rows_of_occasion(rule, today)
    if not account.knows(rows):
        for year in range(today.year, today.year + YEARS_AHEAD):
            for instant in _instants(account, version, rule, year):
                rows += members.rows_of_occasion(rule, version.days.date_of(instant))
        account.need(items=rows)


def _told_in_time(account: Account, version: Version, on: Recurring, told_by: ToldBy) -> bool:
    """Whether the member had joined, and told a birthday, by the end of a day some months before."""
    occasion = version.days.date_of(account.at) + timedelta(days=on.days_before)
    end = version.days.end(version.days.month_first(occasion, -told_by.months_before).replace(day=told_by.day))
    joined, told = joined_at(account), account.head.birth_at
    return joined is not None and joined < end and (on.birthday is None or (told is not None and told < end))


def grant_for_level(account: Account) -> None:
    """What a level brings that the open step has raised the member to."""
    move = account.tier_move
    if move is not None and move.up and account.version.rewards_levels:
        for rule in account.version.terms.activities:
            if rule.event == "tier_reached":
                members.grant_at_occasion(account, rule, move.tier)
