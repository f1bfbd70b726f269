"""What is legal in terms and surely not meant: values that change nothing, and those that nobody can reach.

Contradictions (`contracts.terms_checks`) keep a file from being published; a doubt is told beside it and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import combinations, permutations
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from contracts.terms import Activity, Cap, Period, Terms, When, Window, conditions_of, values_in
from contracts.terms_checks import zone_unknown


class Doubt(NamedTuple):
    """Where it is (dotted path), what it comes to, and what may be meant."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


Found = Iterator[Doubt]


def doubts(versions: Sequence[Terms]) -> list[Doubt]:
    """Everything of that kind in a file's versions, oldest first; what stays from one version to the next is told once."""
    found: list[Doubt] = []
    for number, terms in enumerate(versions):
        before = versions[number - 1] if number else None
        told = [*_over(terms, before), *(doubt for check in _CHECKS for doubt in check(terms))]
        found += [doubt for doubt in told if doubt not in found]
    return found


# -- time


def _over(terms: Terms, before: Terms | None) -> Found:
    """Conditions that are over before the version begins. What the version before had is its past."""
    if any(zone_unknown(terms)):
        return
    begins = terms.effective_from.astimezone(ZoneInfo(terms.zone)).date()
    had = [when for _, when in conditions_of(before)] if before is not None else []
    for path, when in conditions_of(terms):
        if when.minutes is not None and when.minutes[1] < f"{begins.isoformat()}T00:00" and when not in had:
            yield Doubt(path, f"it is over ({when.until}) before these terms are in force ({begins}): is the year right?")


# -- caps


def _caps(terms: Terms) -> Found:
    for (index, cap), (other, wider) in permutations(enumerate(terms.earning.caps), 2):
        if not _same_points(cap, wider) or wider.beyond is not None or wider.crossing == "full":
            continue
        same = cap.period == wider.period and (cap.points, index) > (wider.points, other)
        if same or (cap.points >= wider.points and _contains(wider.period, cap.period)):
            problem = f"it never binds: caps.{other} allows {wider.points:,} for as long or longer; leave it out, or lower it"
            yield Doubt(f"earning.caps.{index}.points", problem)


def _same_points(one: Cap, other: Cap) -> bool:
    names = ("components", "activities", "kinds", "dated_by", "freed_by_reversal", "consumed_by", "refuses")
    return all(getattr(one, name) == getattr(other, name) for name in names)


_MONTHS: Final = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}


def _contains(longer: Period, shorter: Period) -> bool:
    """Whether every one of the shorter periods lies within one of the longer ones."""
    if longer == shorter or longer.order or shorter.always:
        return False
    if shorter.order or longer.always:
        return True
    if shorter.day:
        return not longer.day
    begun = [_begin(each) for each in (longer, shorter)]
    if None in begun:
        return False
    (length, month, day), (other, other_month, other_day) = (each for each in begun if each is not None)
    return length > other and day == other_day and (month - other_month) % other == 0


def _begin(period: Period) -> tuple[int, int, int] | None:
    """How many months a period has, and the month and day from which they are counted; None: it has none."""
    if period.month is not None:
        return 1, 1, period.month
    for name, months in _MONTHS.items():
        begins = getattr(period, name)
        if begins is not None:
            month, day = begins.split("-")
            return months, int(month), int(day)
    return None


# -- tiers


def _tiers(terms: Terms) -> Found:
    tiers = terms.tiers
    if tiers is None:
        return
    named = {name for _, when in conditions_of(terms) for name in when.tiers}
    named |= {name for term in terms.expiry.terms for name in term.tiers}
    rewarded = any(each.event == "tier_reached" and not each.when.tiers for each in terms.activities)
    # Where none is named, levels may be for what moves no points.
    for index, level in enumerate(tiers.levels[1:] if named and not rewarded else (), 1):
        if level.name not in named:
            problem = f"{level.name} changes nothing, as other levels do: no rate, campaign, activity or term names it"
            yield Doubt(f"tiers.levels.{index}.name", problem)
    if tiers.measure.of == "points" and "adjustment" not in tiers.measure.points_from:
        window = _period_of(tiers.window)
        most = [cap.points for cap in terms.earning.caps if window is not None and _limits_all(cap, window)]
        for index, level in enumerate(tiers.levels):
            mark = level.threshold or 0
            if most and mark > min(most):
                problem = f"nobody reaches {mark:,}: a cap allows {min(most):,} points in the window"
                yield Doubt(f"tiers.levels.{index}.threshold", problem)


def _period_of(window: Window) -> Period | None:
    kinds = {"calendar_year": "year", "half_year": "half_year", "quarter": "quarter"}
    return Period.model_validate({kinds[window.type]: window.begins}) if window.type in kinds else None


def _limits_all(cap: Cap, window: Period) -> bool:
    whole = not cap.components and not cap.activities and not cap.kinds and cap.beyond is None and cap.crossing == "cut"
    both = {"purchase", "activity"}
    return whole and both == {*cap.refuses} == {*cap.consumed_by} and (cap.period == window or _contains(cap.period, window))


# -- rows and rates


def _rates(terms: Terms) -> Found:
    for number, component in enumerate(terms.earning.components):
        here = f"earning.components.{number}.rates"
        for (first, one), (second, other) in combinations(enumerate(component.rates), 2):
            if one.when != When() and _implies(other.when, one.when):
                yield Doubt(f"{here}.{second}", f"whatever fits it fits rates.{first}, which stands before it: put it first")
        rates = [row.rate for row in component.rates]
        if all(not Decimal(rate.share or 0) and not rate.points for rate in rates):
            yield Doubt(here, "it earns nothing: every rate is 0")
    for index, campaign in enumerate(terms.earning.campaigns):
        if campaign.times is not None and Decimal(campaign.times) == 1:
            yield Doubt(f"earning.campaigns.{index}.times", 'it changes nothing: write "2" for double points')
    for number, challenge in enumerate(terms.challenges):
        for index, (lower, higher) in enumerate(zip(challenge.steps, challenge.steps[1:], strict=False), 1):
            if lower.points is not None and higher.points is not None and higher.points <= lower.points:
                problem = f"it brings no more than the step before ({lower.points:,}), and only the highest step counts"
                yield Doubt(f"challenges.{number}.steps.{index}.points", problem)


def _implies(narrow: When, wide: When) -> bool:
    """Whether all that one condition holds for the other holds for as well, as far as can be seen part by part."""

    def part(name: str) -> bool:
        ours, theirs = getattr(narrow, name), getattr(wide, name)
        match name:
            case "since" | "until":
                return narrow.minutes is not None and ours is not None and _inside(narrow.minutes, wide.minutes)
            case _ if isinstance(theirs, tuple) and name != "entered":
                return bool(ours) and set(ours) <= set(theirs)
            case _:
                return bool(ours == theirs)

    return all(part(name) for name in wide.given)


def _inside(span: tuple[str, str], other: tuple[str, str] | None) -> bool:
    return other is None or (span[0] >= other[0] and span[1] <= other[1])


# -- kinds and their last days


def _kinds(terms: Terms) -> Found:
    earning = terms.earning
    granted = [(f"earning.components.{index}.kind", each.kind) for index, each in enumerate(earning.components)]
    granted += [(f"activities.{index}.kind", each.kind) for index, each in enumerate(terms.activities) if _grants(each)]
    granted += [(f"challenges.{index}.kind", each.kind) for index, each in enumerate(terms.challenges)]
    if earning.bonus_points != "ignored":
        granted.append(("earning.bonus_kind", earning.bonus_kind))
    yield from _unknown_kinds(terms, {kind for _, kind in granted} | set(_kinds_made(terms)))
    lasting = [(path, kind) for path, kind in granted if not _has_term(terms, kind)]
    if len(lasting) < len(granted):
        for path, kind in lasting:
            yield Doubt(path, f"no row of expiry says how long points of kind {kind} last, so they never lapse, as others do")


def _grants(activity: Activity) -> bool:
    """Whether an activity brings points. Where it gives a level or a voucher, only those that it names."""
    instead = activity.gives is not None or activity.voucher is not None
    return activity.points != 0 and not (activity.points is None and instead)


def _kinds_made(part: object) -> Iterator[str]:
    """Every kind that points of a section are of."""
    return (value for path, value in values_in(part) if path.rpartition(".")[2] == "kind" and value and isinstance(value, str))


def _unknown_kinds(terms: Terms, known: set[str]) -> Found:
    named: list[tuple[str, Sequence[str]]] = [("redemption.first_kinds", terms.redemption.first_kinds)]
    named += [(f"redemption.kinds.{index}.kinds", row.kinds) for index, row in enumerate(terms.redemption.kinds)]
    named += [(f"expiry.terms.{index}.kinds", term.kinds) for index, term in enumerate(terms.expiry.terms)]
    named += [(f"earning.caps.{index}.kinds", cap.kinds) for index, cap in enumerate(terms.earning.caps)]
    if terms.expiry.pool is not None:
        named.append(("expiry.pool.kinds", terms.expiry.pool.kinds))
    for path, kinds in named:
        for kind in sorted({*kinds} - known):
            kinds_there = ", ".join(sorted(known))
            yield Doubt(path, f"no points are of kind {kind}, unless they are granted by hand; there are {kinds_there}")


def _has_term(terms: Terms, kind: str) -> bool:
    pool = terms.expiry.pool
    pooled = pool is not None and (not pool.kinds or kind in pool.kinds)
    return pooled or any(not term.tiers and (not term.kinds or kind in term.kinds) for term in terms.expiry.terms)


def _notices(terms: Terms) -> Found:
    pool = terms.expiry.pool
    parts: list[Any] = [*terms.expiry.terms, *([pool] if pool is not None else [])]
    if terms.notice_days and not any(each.months or each.days or getattr(each, "on", ()) for each in parts):
        yield Doubt("notice_days", "nothing ever lapses, so nobody is told: write expiry, or leave it out")
    shortest = min((each.days for each in parts if each.days and each.to == "day"), default=None)
    if shortest is not None and any(days >= shortest for days in terms.notice_days):
        yield Doubt("notice_days", f"points last {shortest} days, so a notice that long before comes as they are granted")


# -- paying


def _units(terms: Terms) -> Found:
    rules = terms.redemption
    if rules.minimum > 1 and rules.minimum % rules.unit:
        fewest = -(-rules.minimum // rules.unit) * rules.unit
        yield Doubt("redemption.minimum", f"points go in units of {rules.unit:,}, so {fewest:,} is the fewest")
    if rules.maximum is not None and rules.maximum % rules.unit:
        most = rules.maximum // rules.unit * rules.unit
        yield Doubt("redemption.maximum", f"points go in units of {rules.unit:,}, so {most:,} is the most")


_CHECKS: Final[tuple[Callable[[Terms], Found], ...]] = (_caps, _tiers, _rates, _kinds, _notices, _units)
