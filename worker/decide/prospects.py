"""What will become of a level if nothing else happens, and what is missing: to keep it, and to the next one."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple

from contracts.terms import Marks, Tiers
from worker.decide import judging, reaching
from worker.decide.calendar import DAY
from worker.decide.judging import Coming
from worker.decide.periods import last_begun
from worker.decide.program import Version
from worker.decide.reaching import Amounts, Counted
from worker.decide.state import Head
from worker.decide.tier_records import Tier


class Missing(NamedTuple):
    """How much is missing of a measure."""

    measure: str
    amount: int


class Prospect(NamedTuple):
    """A level and what is missing to it: `any_of` that, or all. `until`: the last day of the level that a member has."""

    tier: str
    until: date | None
    missing: tuple[Missing, ...]
    any_of: bool


class Loss(NamedTuple):
    """The instant at which the level in force is lost if nothing else happens, and the judgement by which (None: no amount keeps
    it)."""

    at: datetime
    judged: Coming | None = None


def loss(version: Version, tiers: Tiers, head: Head, tier: Tier, own: Coming | None) -> Loss | None:
    """When the level in force is lost if nothing else happens; None if it is not. `own`: what becomes of the member's own."""
    now = judging.index_of(tiers, tier.name)
    ends = [Loss(version.days.start(each.until)) for each in tier.given if judging.index_of(tiers, each.tier) >= now]
    if judging.own_index(tiers, tier) == now:
        if own is None or own.level >= now:
            return None
        ends.append(Loss(own.at, own if own.place is not None else None))
    return max(ends, key=lambda each: each.at, default=None)


def lost(version: Version, head: Head, at: datetime) -> Loss | None:
    """When the level in force at an instant is lost if nothing else happens; None if it is not."""
    tiers, tier = version.terms.tiers, head.tier
    if tiers is None or tier is None:
        return None
    return loss(version, tiers, head, tier, judging.next_own(version, tiers, head, tier, at))


def next_look(version: Version, head: Head, at: datetime) -> datetime | None:
    """The next instant at which the level changes if nothing happens until then, or at which the member is told that it will."""
    tiers, tier = version.terms.tiers, head.tier
    if tiers is None or tier is None:
        return None
    own = judging.next_own(version, tiers, head, tier, at)
    instants = [version.days.start(each.until) for each in tier.given]
    if own is not None:
        instants.append(own.at)
    if tiers.notice_days:
        coming = loss(version, tiers, head, tier, own)
        if coming is not None:
            until = version.days.date_of(coming.at) - DAY
            notices = [version.days.start(until - timedelta(days=before)) for before in tiers.notice_days]
            instants.extend([each for each in notices if each > at])
    return min(instants, default=None)


def due_notice(version: Version, head: Head, at: datetime) -> Prospect | None:
    """What the member is to be told at an instant of a level that will be lost; None if nothing is."""
    tiers = version.terms.tiers
    if tiers is None or not tiers.notice_days or at != version.days.start(version.days.date_of(at)):
        return None
    coming = lost(version, head, at)
    if coming is None:
        return None
    left = (version.days.date_of(coming.at) - DAY - version.days.date_of(at)).days
    return keeping(version, head, at) if left in tiers.notice_days else None


def keeping(version: Version, head: Head, at: datetime) -> Prospect | None:
    """The last day of the level in force if nothing else happens, and what would have to count now to keep it longer; None if it
    is not lost."""
    tiers, tier = version.terms.tiers, head.tier
    coming = lost(version, head, at)
    if tiers is None or tier is None or coming is None:
        return None
    until = version.days.date_of(coming.at) - DAY
    marks = tiers.marks[judging.index_of(tiers, tier.name)]
    missing = () if coming.judged is None else _missing_to_keep(version, tiers, head, tier, at, coming.judged)
    return Prospect(tier.name, until, missing, any_of=not marks.together)


def next_level(version: Version, head: Head, at: datetime) -> Prospect | None:
    """The level above the one in force, and what is missing to it in the period that runs; None if there is none."""
    tiers = version.terms.tiers
    if tiers is None:
        return None
    above = (0 if head.tier is None else judging.index_of(tiers, head.tier.name)) + 1
    if above >= len(tiers.levels):
        return None
    marks = tiers.marks[above]
    amounts = _running(version, tiers, Counted(tiers, head.windows), version.days.date_of(at))
    return Prospect(tiers.levels[above].name, None, _short_of(tiers, marks, amounts), any_of=not marks.together)


def _short_of(tiers: Tiers, marks: Marks, amounts: Amounts) -> tuple[Missing, ...]:
    if reaching.is_reached(marks, amounts):
        return ()
    return tuple(
        [
            Missing(name or measure.of, mark - amount)
            for (name, measure), mark, amount in zip(tiers.measured, marks.amounts, amounts, strict=True)
            if mark is not None and amount < mark
        ]
    )


def _running(version: Version, tiers: Tiers, counted: Counted, today: date) -> Amounts:
    """What counts in the period that runs: of windows that are over before they are judged, the one that comes next."""
    days = version.days
    if tiers.window.type == "previous_calendar_year":
        first = last_begun(days, tiers.window.begins, reaching.YEAR_MONTHS, today)
        return counted.between(first, days.add_months(first, reaching.YEAR_MONTHS))
    if tiers.window.type == "whole_months":
        return counted.between(days.month_first(today, 1 - tiers.window.months), days.month_first(today, 1))
    return reaching.amounts_of(version, tiers, tiers.window.type, counted, today)


class _Trial:
    """Whether more of some measures, counted today, would let a level stand a judgement."""

    def __init__(self, version: Version, tiers: Tiers, head: Head, tier: Tier, today: date, judged: Coming) -> None:
        self.version = version
        self.tiers = tiers
        self.windows = head.windows
        self.tier = tier
        self.bucket = reaching.bucket_day(version, tiers, today)
        self.day = version.days.date_of(judged.at)
        self.place = judged.place or 0
        self.now = judging.own_index(tiers, tier)

    def keeps(self, more: list[int]) -> bool:
        """Whether the level is kept with so much more of each measure."""
        windows = dict(self.windows)
        for (name, _), amount in zip(self.tiers.measured, more, strict=True):
            bucket = reaching.bucket_named(self.bucket, name)
            windows[bucket] = windows.get(bucket, 0) + amount
        counted = Counted(self.tiers, windows)
        return judging.level_on(self.version, self.tiers, self.tier, self.place, counted, self.day) >= self.now

    def least(self, more: list[int], place: int) -> int:
        """The least amount of a measure with which the level is kept, given those of the others, with which it is."""
        low, high = 0, more[place]
        while low < high:
            middle = (low + high) // 2
            if self.keeps([middle if n == place else each for n, each in enumerate(more)]):
                high = middle
            else:
                low = middle + 1
        return low


def _missing_to_keep(
    version: Version, tiers: Tiers, head: Head, tier: Tier, at: datetime, judged: Coming
) -> tuple[Missing, ...]:
    trial = _Trial(version, tiers, head, tier, version.days.date_of(at), judged)
    marks = tiers.marks[trial.now]
    most = [0 if mark is None else mark for mark in marks.amounts]
    found: list[Missing] = []
    for place, (name, measure) in enumerate(tiers.measured):
        if not most[place]:
            continue
        more = most if marks.together else [each if n == place else 0 for n, each in enumerate(most)]
        if not trial.keeps(more):
            continue  # what counts now would come too late, or too early
        least = trial.least(more, place)
        if marks.together:
            most[place] = least
        if least:
            found.append(Missing(name or measure.of, least))
    return tuple(found)
