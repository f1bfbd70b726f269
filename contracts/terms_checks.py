"""Contradictions within a version of the terms: values that are right by themselves and do not go together.

The model (`contracts.terms`) refuses values of a wrong form; these checks are for terms that are to be published. A what-if may
break them: it changes values without writing rules for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import combinations, permutations
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from contracts.counting import counted
from contracts.currencies import MINOR_DIGITS
from contracts.terms import (
    WHEN_OF_ACTIVITY,
    WHEN_OF_REDEMPTION,
    Activity,
    Campaign,
    Conversion,
    Measure,
    Occasion,
    Terms,
    Tiers,
    When,
    conditions_of,
    values_in,
)

_MONTH_DAYS_MIN: Final = 28
_ALTERNATIVES: Final = (
    "tiers",
    "courses",
    "stores",
    "channels",
    "skus",
    "categories",
    "payment_methods",
    "card_brands",
    "weekdays",
    "countries",
    "months",
)
"""Conditions of which one line has one value: two lists without a common value cannot both hold."""


class Contradiction(NamedTuple):
    """Where it is (dotted path), and what is wrong and would be right."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


Found = Iterator[Contradiction]


def contradictions(terms: Terms) -> list[Contradiction]:
    """Everything in one version that does not go together."""
    return [found for check in _CHECKS for found in check(terms)]


def value_at(terms: BaseModel, path: str) -> object:
    """What a dotted path leads to; a list's items go by number, or by their id or name. Raises LookupError."""
    at: object = terms
    for name in path.split("."):
        if isinstance(at, BaseModel):
            if name not in type(at).model_fields:
                raise LookupError(f"there is no {name}; there are {', '.join(type(at).model_fields)}")
            at = getattr(at, name)
        elif isinstance(at, tuple):
            at = _item(at, name)
        elif isinstance(at, Mapping) and name in at:
            at = at[name]
        else:
            raise LookupError(f"nothing lies under {name}")
    return at


def _item(items: tuple[Any, ...], name: str) -> object:
    if name.isdigit() and int(name) < len(items):
        return items[int(name)]
    names = [str(getattr(each, "id", None) or getattr(each, "name", None) or place) for place, each in enumerate(items)]
    if name not in names:
        raise LookupError(f"there is no item {name}; there are {', '.join(names) or 'none'}")
    return items[names.index(name)]


# -- rules: everything that moves points stands under a rule of the published terms


def _rules(terms: Terms) -> Found:
    known = {rule.id for rule in terms.rules}
    for path, rule in _named_rules(terms):
        if rule not in known:
            yield Contradiction(path, f"{rule} is not among `rules`; write there where it stands in the published terms")
    for index, each in enumerate(terms.rules):
        for path in each.parameters:
            try:
                held = value_at(terms, path)
            except LookupError as error:
                yield Contradiction(f"rules.{index}.parameters", f"{each.id} names {path}, but {error.args[0]}")
                continue
            if held is None:
                yield Contradiction(f"rules.{index}.parameters", f"{each.id} names {path}, which is not set: give it a value")


def _named_rules(terms: Terms) -> Iterator[tuple[str, str]]:
    """Every rule id that a section names, with its path."""
    for path, value in values_in(terms):
        section, name = path.partition(".")[0], path.rpartition(".")[2]
        if isinstance(value, str) and (name == "rule" or name.endswith("_rule")) and section not in ("rules", "questions"):
            yield path, value


# -- rates


def zone_unknown(terms: Terms) -> Found:
    """A zone that is none: nothing can be reckoned without, so a file is never read with one."""
    try:
        ZoneInfo(terms.zone)
    except (LookupError, ValueError, OSError):
        yield Contradiction("zone", f"{terms.zone} is no time zone; write one like Asia/Tokyo")


def currencies_unknown(terms: Terms) -> Found:
    """Currencies that ISO 4217 does not have: nobody could tell what an amount of one means, so a file is never read with one."""
    exchange = terms.earning.exchange
    named = [("currency", terms.currency)]
    if exchange is not None:
        named += [(f"earning.exchange.rates.{each}", each) for each in exchange.rates]
        named += [(f"earning.exchange.minor_units.{each}", each) for each in exchange.minor_units]
    for path, currency in named:
        if currency not in MINOR_DIGITS:
            yield Contradiction(path, f"{currency} is no currency of ISO 4217; write a code like JPY")


def shares_too_high(terms: Terms) -> Found:
    """Shares of 1 and more: a point for every yen, and more, mostly meant as so many percent. `{points: 1, per: 1}` is plain.

    A file is never read with one, not even for a what-if.
    """
    for number, component in enumerate(terms.earning.components):
        here = f"earning.components.{number}"
        yield from _share(component.rate_max, f"{here}.rate_max", bound=True)
        for index, row in enumerate(component.rates):
            yield from _share(row.rate.share, f"{here}.rates.{index}.rate")
    for index, campaign in enumerate(terms.earning.campaigns):
        yield from _share(campaign.rate.share if campaign.rate else None, f"earning.campaigns.{index}.rate")


def _share(written: str | None, path: str, *, bound: bool = False) -> Found:
    share = Decimal(written or 0)
    if share < 1:
        return
    points, per = share.as_integer_ratio()
    plainly = "leave it out if there is no maximum" if bound else f"{{points: {points}, per: {per}}} if that is meant"
    whole, meant = ((share * 100).normalize(), share.normalize())
    yield Contradiction(path, f'"{written}" is {whole:f} % of the amount; write "{meant / 100:f}" for {meant:f} %, or {plainly}')


# -- names


def _twice(terms: Terms) -> Found:
    lists: Mapping[str, Sequence[str]] = {
        "rules": [each.id for each in terms.rules],
        "questions": [each.id for each in terms.questions],
        "activities": [each.id for each in terms.activities],
        "challenges": [each.id for each in terms.challenges],
        "conversions": [each.id for each in terms.conversions],
        "earning.components": [each.id for each in terms.earning.components],
        "earning.campaigns": [each.id for each in terms.earning.campaigns],
        "tiers.levels": [each.name for each in terms.tiers.levels] if terms.tiers else (),
        **{
            f"questions.{index}.alternatives": [each.id for each in asked.alternatives]
            for index, asked in enumerate(terms.questions)
        },
    }
    for path, names in lists.items():
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Contradiction(path, f"{name} is there twice: give each a name of its own")


def _no_tiers(names: tuple[str, ...], tiers: set[str], path: str) -> Found:
    for name in sorted(set(names) - tiers):
        yield Contradiction(f"{path}.tiers", f"{name} is no tier; there are {', '.join(sorted(tiers)) or 'none'}")


def _unknown_names(terms: Terms) -> Found:
    tiers = {level.name for level in terms.tiers.levels} if terms.tiers else set()
    membership = terms.membership.stores
    named = () if membership.eligible == "all" else membership.eligible
    stores = {*named, *membership.excluded, *membership.groups, *(each for group in membership.groups.values() for each in group)}
    for path, when in conditions_of(terms):
        yield from _no_tiers(when.tiers, tiers, path)
        for name in sorted(set(when.stores) - stores if named else ()):
            yield Contradiction(f"{path}.stores", f"{name} is no store of membership.stores ({', '.join(sorted(stores))})")
        if when.since is not None and when.until is not None and when.since > when.until:
            yield Contradiction(path, f"it ends ({when.until}) before it begins ({when.since})")
    for index, term in enumerate(terms.expiry.terms):
        yield from _no_tiers(term.tiers, tiers, f"expiry.terms.{index}")
    components = {component.id for component in terms.earning.components}
    for index, campaign in enumerate(terms.earning.campaigns):
        if campaign.component is not None and campaign.component not in components:
            known = ", ".join(sorted(components))
            yield Contradiction(
                f"earning.campaigns.{index}.component", f"{campaign.component} is no component; there are {known}"
            )
    for name in sorted(set(named) & set(membership.excluded)):
        yield Contradiction("membership.stores", f"{name} is both eligible and excluded: take it out of one")
    for name in sorted(set(terms.redemption.stores_also) & set(terms.redemption.stores_excluded)):
        yield Contradiction("redemption", f"{name} stands in stores_also and in stores_excluded: take it out of one")


def _never_hold(terms: Terms) -> Found:
    """Conditions that cannot hold, and those on what nobody does."""
    activities = {activity.id for activity in terms.activities}
    for path, when in conditions_of(terms):
        for name in sorted(set(when.entered) - activities):
            yield Contradiction(f"{path}.entered", f"{name} is no activity; there are {', '.join(sorted(activities)) or 'none'}")
        if 0 in when.days:
            yield Contradiction(f"{path}.days", "no month has a day 0: write 1 to 31, or -1 for the last day")
        basket = when.basket
        if basket is not None and basket.below is not None and (basket.amount or 0) >= basket.below:
            yield Contradiction(f"{path}.basket.below", f"no amount is {basket.amount or 0} or more and below {basket.below}")
        for name, span in (("joined", when.joined), ("orders", when.orders)):
            if span is not None and span.last is not None and span.last < span.first:
                yield Contradiction(f"{path}.{name}.last", f"is before the first ({span.first})")
        if when.unless is not None and when.unless == When():
            yield Contradiction(f"{path}.unless", "an empty condition always holds, so this one never would: leave it out")


# -- choices that nothing would read


def _activities(terms: Terms) -> Found:
    for number, activity in enumerate(terms.activities):
        here = f"activities.{number}"
        known = WHEN_OF_ACTIVITY | ({"skus"} if activity.event == "review.posted" else frozenset())
        for path, when in conditions_of(activity, here):
            for name in sorted(when.given - known):
                problem = f"nobody can tell of {activity.event}; a condition on it may have {', '.join(sorted(known))}"
                yield Contradiction(f"{path}.{name}", problem)
        yield from _of_activity(activity, here)
        if activity.gives is not None:
            above = [level.name for level in terms.tiers.levels[1:]] if terms.tiers else []
            if activity.gives.tier not in above:
                problem = f"{activity.gives.tier} is no level above the lowest; there are {', '.join(above) or 'none'}"
                yield Contradiction(f"{here}.gives.tier", problem)


def _paying(terms: Terms) -> Found:
    for path, when in conditions_of(terms.redemption.when, "redemption.when"):
        for name in sorted(when.given - WHEN_OF_REDEMPTION):
            problem = "points pay for an order as a whole: ask its basket, or name lines that they may not pay in not_redeemable"
            yield Contradiction(f"{path}.{name}", problem)


def _limits(terms: Terms) -> Found:
    for number, limit in enumerate(terms.redemption.limits):
        here = f"redemption.limits.{number}"
        for path, when in conditions_of(limit.when, f"{here}.when"):
            for name in sorted(when.given - WHEN_OF_ACTIVITY):
                known = ", ".join(sorted(WHEN_OF_ACTIVITY))
                yield Contradiction(f"{path}.{name}", f"a balance has none; a condition on it may have {known}")
        if not limit.when.given and number + 1 < len(terms.redemption.limits):
            yield Contradiction(here, "it fits everybody, so those after it are never looked at: put it last")


def _challenges(terms: Terms) -> Found:
    activities = {activity.id for activity in terms.activities}
    for number, each in enumerate(terms.challenges):
        here = f"challenges.{number}"
        marks = [step.at for step in each.steps]
        if not each.steps and each.every is None:
            yield Contradiction(here, "it brings nothing: write steps, or every")
        if marks != sorted(set(marks)):
            yield Contradiction(f"{here}.steps", "they go from the lowest to the highest, each `at` higher than the one before")
        if each.entry is not None and each.entry not in activities:
            known = ", ".join(sorted(activities)) or "none"
            yield Contradiction(f"{here}.entry", f"{each.entry} is no activity; there are {known}")
        if each.granted == "reached" and (each.days_after or each.on is not None):
            name = "days_after" if each.days_after else "on"
            yield Contradiction(f"{here}.{name}", "it is granted as soon as it is reached: leave it out, or write period_end")
        if any(step.rate is not None and step.rate.of != "money" for step in each.steps):
            yield Contradiction(f"{here}.steps", "a rate is one of the amount: write every for so many points a piece")


def _of_activity(activity: Activity, here: str) -> Found:
    event = activity.event
    if event != "review.posted":
        if activity.once_per in ("sku", "order"):
            problem = f"{event} names no {activity.once_per}: write member, reference, day or event"
            yield Contradiction(f"{here}.once_per", problem)
        if activity.bought:
            yield Contradiction(f"{here}.bought", f"{event} names no product that could have been bought: leave it out")
    if activity.order_cancelled == "revoked" and not activity.bought:
        problem = "it does not hang on an order: leave it out, or write bought: true"
        yield Contradiction(f"{here}.order_cancelled", problem)
    if activity.unknown_country == "ineligible" and not activity.countries:
        yield Contradiction(f"{here}.unknown_country", "it is for every country: leave it out, or write countries")
    if event in ("clock", "tier_reached") and (activity.once_per == "day" or activity.delay_hours):
        problem = "it comes with a moment of its own: leave delay_hours out, and write once_per: member, year or event"
        yield Contradiction(f"{here}", problem)
    if activity.on is not None and activity.on.told_by is not None and not (activity.on.birthday or activity.on.anniversary):
        yield Contradiction(f"{here}.on.told_by", "is said of a day of the member's own: birthday or anniversary")
    if activity.activity is not None and event != "activity.completed":
        yield Contradiction(f"{here}.activity", f"only activity.completed has a name, {event} has none: leave it out")
    if activity.voucher is not None:
        yield from _not_beside_a_voucher(activity, here)
    elif activity.points is None and activity.gives is None and event not in ("survey.won", "activity.completed"):
        yield Contradiction(f"{here}.points", f"{event} names no number of points: write how many, or which voucher")


def _not_beside_a_voucher(activity: Activity, here: str) -> Found:
    """What is said of points, where there are none."""
    said = {
        "points": activity.points is not None,
        "kind": "kind" in activity.model_fields_set,
        "multipliers": bool(activity.multipliers),
        "order_cancelled": activity.order_cancelled == "revoked",
    }
    for name, given in said.items():
        if given:
            yield Contradiction(f"{here}.{name}", "is said of points, but it brings a voucher: leave one of both out")


def _conversions(terms: Terms) -> Found:
    others = {*(each.id for each in terms.activities if each.voucher is not None)}
    for index, each in enumerate(terms.conversions):
        here = f"conversions.{index}"
        if each.id in others:
            problem = "an activity that brings vouchers has this id, so both would name theirs alike: give it another"
            yield Contradiction(f"{here}.id", problem)
        if each.into in ("money", "partner") and each.at != "request":
            problem = "what leaves the program has to be asked for: write at: request, or pay_out for money on a day of the month"
            yield Contradiction(f"{here}.into", problem)
        if each.reversed == "withdrawn" and each.into != "voucher":
            yield Contradiction(f"{here}.reversed", "only a voucher can be withdrawn: leave it out")
        yield from _amounts(each, here)
        for earlier, other in enumerate(terms.conversions[:index]):
            at_once = each.at == other.at == "threshold"
            if at_once and each.points >= other.points and _within(each.kinds, other.kinds):
                problem = f"conversions.{earlier} takes all of these points first, so this one is never reached: name other kinds"
                yield Contradiction(f"{here}.kinds", problem)
    yield from _circles(terms)


def _amounts(each: Conversion, here: str) -> Found:
    if each.at != "request":
        for name in ("minimum", "maximum", "limits"):
            if name in each.model_fields_set and getattr(each, name):
                problem = "says how much may be asked for, but nobody asks: leave it out, or write at: request"
                yield Contradiction(f"{here}.{name}", problem)
        return
    least = max(each.minimum or 0, each.points)
    if each.minimum is not None and (each.minimum % each.points or each.minimum < each.points):
        problem = f"{each.minimum} cannot be converted, {each.points} at a time are: write a multiple of them, or other points"
        yield Contradiction(f"{here}.minimum", problem)
    if each.maximum is not None and each.maximum < least:
        yield Contradiction(f"{here}.maximum", f"nothing lies from the least that is converted ({least}) to it: write more")
    for index, limit in enumerate(each.limits):
        if limit.points < least:
            problem = f"leaves no room for the least that is converted ({least}): write more"
            yield Contradiction(f"{here}.limits.{index}.points", problem)


def _circles(terms: Terms) -> Found:
    """Points that are turned into themselves: at once, or by way of others."""
    made = [(index, each) for index, each in enumerate(terms.conversions) if each.into == "points"]
    for index, each in made:
        if not each.kinds:
            problem = f"all kinds are converted, and so is what it makes of them ({each.kind}): name those that are meant"
            yield Contradiction(f"conversions.{index}.kinds", problem)
        elif each.kind in each.kinds:
            yield Contradiction(f"conversions.{index}.kind", f"{each.kind} would be turned into itself: write another kind")
        elif each.at != "request":
            reached, last = {each.kind}, 0
            while len(reached) > last:
                last = len(reached)
                reached |= {other.kind for _, other in made if other.at != "request" and reached & {*other.kinds}}
            if reached & {*each.kinds}:
                problem = f"{each.kind} is turned back into {', '.join(sorted(each.kinds))}: take one out of the circle"
                yield Contradiction(f"conversions.{index}.kind", problem)


def _caps(terms: Terms) -> Found:
    components = {*(each.id for each in terms.earning.components), "bonus"}
    activities = {each.id for each in terms.activities}
    for index, cap in enumerate(terms.earning.caps):
        here = f"earning.caps.{index}"
        for name in cap.refuses:
            if name not in cap.consumed_by:
                problem = f"{name}: it does not use this cap up: add it to consumed_by, or take it out here"
                yield Contradiction(f"{here}.refuses", problem)
        for by, names, known in (("purchase", cap.components, components), ("activity", cap.activities, activities)):
            for unknown in sorted({*names} - known):
                yield Contradiction(f"{here}", f"{unknown} is none of {', '.join(sorted(known)) or 'none'}")
            if names and by not in cap.refuses:
                yield Contradiction(f"{here}.refuses", f"it names some, but does not refuse them: add {by}")
        if cap.period.order and not cap.components and "activity" in cap.refuses:
            yield Contradiction(f"{here}.period", "an activity has no order: take it out of refuses, or write another period")


def _tiers(terms: Terms) -> Found:
    tiers = terms.tiers
    if tiers is None:
        return
    yield from _judgements(tiers)
    rolls = tiers.window.type in ("rolling_months", "whole_months")
    if "months" in tiers.window.model_fields_set and not rolls:
        period = tiers.window.type.replace("_", " ")
        yield Contradiction("tiers.window.months", f"a {period} has its own: leave it out, or write rolling_months")
    if "begins" in tiers.window.model_fields_set and rolls and all(each.over == "window" for each in tiers.judgements):
        yield Contradiction("tiers.window.begins", f"{tiers.window.type} end with the day that is judged: leave it out")
    for name, measure in tiers.measured:
        yield from _measure(measure, f"tiers.measures.{name}" if name else "tiers.measure")
    yield from _levels(tiers)
    yield from _held(tiers)


_NEARLY: Final = {
    **dict.fromkeys(("purchase", "amount", "money", "spend"), "purchases"),
    "order": "orders",
    "point": "points",
    "piece": "pieces",
}


def _measure(measure: Measure, here: str) -> Found:
    if measure.of in _NEARLY:
        yield Contradiction(f"{here}.of", f"{measure.of} is no unit: write {_NEARLY[measure.of]}")
    ignored = {"purchases": (), "orders": (), "points": ("tax", "points_used", "shipping", "returns")}
    for name in ignored.get(measure.of, ("tax", "points_used", "shipping")):
        if name in measure.model_fields_set:
            yield Contradiction(f"{here}.{name}", f"says which money counts, but {measure.of} do: leave it out")
    if measure.minimum and measure.of != "orders":
        yield Contradiction(f"{here}.minimum", "says which orders count, but their amounts do: leave it out")
    for name in ("points_from", "kinds"):
        if measure.of != "points" and name in measure.model_fields_set:
            yield Contradiction(f"{here}.{name}", f"says which points count, but {measure.of} do: leave it out")


def _levels(tiers: Tiers) -> Found:
    """Levels of several measures: each takes more than the one below, and of measures that there are."""
    asked = {name for level in tiers.levels for name in (*level.any, *level.all)}
    for name in tiers.measures:
        if name not in asked:
            yield Contradiction(f"tiers.measures.{name}", "no level takes any of it: leave it out, or name it in a level")
    for index, level in enumerate(tiers.levels):
        here, form = f"tiers.levels.{index}", "any" if level.any else "all"
        takes = level.any or level.all
        for name, amount in takes.items():
            if amount == 0:
                yield Contradiction(f"{here}.{form}.{name}", "everybody has that: leave it out, or write an amount")
        below = tiers.levels[index - 1] if index else level
        if form != ("any" if below.any else "all") or not (below.any or below.all) or not index:
            continue
        for name, amount in takes.items():
            least = (below.any or below.all).get(name, amount)
            if amount < least:
                yield Contradiction(f"{here}.{form}.{name}", f"{below.name} takes {least}: write as much or more")
        if takes == (below.any or below.all):
            yield Contradiction(here, f"takes no more than {below.name}: write a higher amount of something")


def _held(tiers: Tiers) -> Found:
    """How long levels hold, and what is carried over, go with the window and the judgements."""
    if tiers.holds is not None and all(judgement.falls == "never" for judgement in tiers.judgements):
        problem = "a level is never lost: leave it out, or write falls: any or one_level in a judgement"
        yield Contradiction("tiers.holds", problem)
    if tiers.carry_over == "excess":
        if tiers.holds is not None and tiers.holds.months is not None:
            problem = "what is carried over goes by periods: write {periods: 1} for how many more of them a level holds"
            yield Contradiction("tiers.holds.months", problem)
        for index, judgement in enumerate(tiers.judgements):
            if judgement.over == "previous_calendar_year" and tiers.window.type != "calendar_year":
                problem = "nothing is carried over into a year where the window is a part of it: write previous_period"
                yield Contradiction(f"tiers.judgements.{index}.over", problem)
    if tiers.notice_days and all(each.falls == "never" for each in tiers.judgements) and tiers.inactivity is None:
        yield Contradiction("tiers.notice_days", "a level is never lost: leave it out")


def _judgements(tiers: Tiers) -> Found:
    if len(tiers.levels) > 1 and not any(judgement.rises for judgement in tiers.judgements):
        problem = f"no level but {tiers.levels[0].name} is ever reached: write when one is, such as {{on: change, rises: true}}"
        yield Contradiction("tiers.judgements", problem)
    for index, judgement in enumerate(tiers.judgements):
        here, occasion = f"tiers.judgements.{index}", judgement.on
        if not judgement.rises and judgement.falls == "never":
            yield Contradiction(here, "it neither raises nor lowers a level: write rises: true or how one falls, or leave it out")
        for earlier, other in enumerate(tiers.judgements[:index]):
            if other.on == occasion:
                problem = f"judgements.{earlier} is made then, too: make one of both, or write another occasion"
                yield Contradiction(f"{here}.on", problem)
        follows = tiers.window.type in ("calendar_year", "half_year", "quarter")
        if occasion.yearly is not None and judgement.over == "window" and follows:
            before = "previous_calendar_year" if tiers.window.type == "calendar_year" else "previous_period"
            period = tiers.window.type.removeprefix("calendar_").replace("_", " ")
            problem = (
                f"on {occasion.yearly} it would hold only what the new {period} has come to by then: "
                f"write {before} for the {period} that is over"
            )
            yield Contradiction(f"{here}.over", problem)
    yield from _undone(tiers)


def _undone(tiers: Tiers) -> Found:
    """A level that one judgement raises by the amount of its period, and one made more often lowers by that of another."""
    for (index, rising), (lowering, other) in permutations(enumerate(tiers.judgements), 2):
        apart = rising.over != other.over and tiers.window.type != "previous_calendar_year"
        if rising.rises and other.falls != "never" and apart and _seldomness(rising.on) > _seldomness(other.on):
            problem = (
                f"what it raises, judgements.{lowering} lowers again when it looks at its own period: "
                "write falls: never there, or rises: false here, or let both look at the same period"
            )
            yield Contradiction(f"tiers.judgements.{index}.rises", problem)


def _seldomness(occasion: Occasion) -> int:
    return 0 if occasion.change else 1 if occasion.monthly is not None else 2


def _pool_begins(terms: Terms) -> Found:
    pool = terms.expiry.pool
    if pool is None:
        return
    granted = bool({"grant", "available"} & set(pool.prolonged_by))
    if not granted and pool.begins is None:
        problem = (
            "no grant begins this pool, so the points of a member who never does what prolongs it would never lapse: write "
            "begins: grant, or begins: prolonged if that is meant"
        )
        yield Contradiction("expiry.pool.begins", problem)
    elif granted and pool.begins is not None:
        yield Contradiction("expiry.pool.begins", "the grants that prolong this pool begin it as well: leave it out")


def _stores(terms: Terms) -> Found:
    stores = terms.membership.stores
    for name in ("eligible", "excluded"):
        if any("*" in store for store in getattr(stores, name)):
            yield Contradiction(f"membership.stores.{name}", "there are no patterns: name each store, or write eligible: all")
    for group in stores.groups:
        if stores.names(group):
            yield Contradiction(f"membership.stores.groups.{group}", "a store has this name: give the group another")


# -- rows of which the first that fits holds


def _never_reached(terms: Terms) -> Found:
    for number, component in enumerate(terms.earning.components):
        open_row = next((index for index, row in enumerate(component.rates) if row.when == When()), None)
        if open_row is not None and open_row < len(component.rates) - 1:
            yield Contradiction(
                f"earning.components.{number}.rates.{open_row}",
                "it has no condition, so the rows after it are never reached: put it last",
            )
    rows = terms.reversal.used_points
    for later, row in enumerate(rows):
        for earlier in rows[:later]:
            if set(row.on) <= set(earlier.on) and (
                not earlier.reasons or (row.reasons and set(row.reasons) <= set(earlier.reasons))
            ):
                yield Contradiction(f"reversal.used_points.{later}", "a row before it covers all of it: it is never reached")
                break
    left = {"cancel", "return", "exchange"} - {kind for row in rows if not row.reasons for kind in row.on}
    if left:
        yield Contradiction(
            "reversal.used_points", f"no row without reasons says what becomes of a {' or a '.join(sorted(left))}"
        )
    terms_of = terms.expiry.terms
    for later, term in enumerate(terms_of):
        if any(_within(term.kinds, each.kinds) and _within(term.tiers, each.tiers) for each in terms_of[:later]):
            yield Contradiction(f"expiry.terms.{later}", "a term before it covers all its kinds: it is never reached")
    if terms.expiry.pool is not None and any(not term.kinds and not term.tiers for term in terms_of):
        yield Contradiction("expiry.pool", "a term for all kinds stands before it: name the kinds of the term")


def _within(names: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether one row is for nothing that another is not for. Without names a row is for all."""
    return not others or (bool(names) and set(names) <= set(others))


# -- campaigns


def _both_can_hold(one: When, other: When) -> bool:
    """Whether one line of one order may fulfil both conditions."""
    first = max(one.since or date.min, other.since or date.min)
    last = min(one.until or date.max, other.until or date.max)
    if first > last:
        return False
    if any(set(values).isdisjoint(other.attributes.get(name, values)) for name, values in one.attributes.items()):
        return False
    if None not in (one.with_coupon, other.with_coupon) and one.with_coupon != other.with_coupon:
        return False
    return all(
        not getattr(one, name) or not getattr(other, name) or not set(getattr(one, name)).isdisjoint(getattr(other, name))
        for name in _ALTERNATIVES
    )


def _overlapping(terms: Terms) -> Found:
    def both(one: Campaign, other: Campaign) -> bool:
        return one.component is None or other.component is None or one.component == other.component

    for (first, one), (second, other) in combinations(enumerate(terms.earning.campaigns), 2):
        if one.priority == other.priority and both(one, other) and _both_can_hold(one.when, other.when):
            yield Contradiction(
                f"earning.campaigns.{second}.priority",
                f"{other.id} and {one.id} (campaigns.{first}) can hold for the same line and both have priority {one.priority}: "
                "give one the higher priority, or keep their dates or conditions apart",
            )


# -- numbers


def _numbers(terms: Terms) -> Found:
    rules = terms.redemption
    if not Decimal(terms.point_value):
        yield Contradiction("point_value", "is 0, but a point pays something; write what, such as 1")
    if rules.maximum is not None and rules.maximum // rules.unit * rules.unit < max(rules.minimum, 1):
        yield Contradiction(
            "redemption.maximum",
            f"no number of points in units of {rules.unit} lies from the minimum {rules.minimum} to the maximum {rules.maximum}",
        )
    if rules.two_step.hold_seconds > rules.two_step.hold_seconds_max:
        yield Contradiction(
            "redemption.two_step.hold_seconds",
            f"{rules.two_step.hold_seconds} is more than hold_seconds_max ({rules.two_step.hold_seconds_max})",
        )
    if terms.earning.exchange is not None:
        for currency, rates in terms.earning.exchange.rates.items():
            for day, rate in rates.items():
                if not Decimal(rate):
                    yield Contradiction(f"earning.exchange.rates.{currency}.{day}", "is 0: write what one unit is worth")


def _expiry_before_maturity(terms: Terms) -> Found:
    """Points lapse the sooner: those of a lot last from their grant on, so only the pool can be over before they mature."""
    pool = terms.expiry.pool
    if pool is None or "available" in pool.prolonged_by:
        return
    days = max(trigger.days + trigger.business_days for trigger in terms.maturity.after)
    lasts = counted(pool.days, "day") if pool.days else counted(pool.months or 0, "month")
    if days >= (pool.days or (pool.months or 0) * _MONTH_DAYS_MIN):
        yield Contradiction(
            "expiry.pool.days" if pool.days else "expiry.pool.months",
            f"{lasts} from what prolongs it may be over before points mature ({counted(days, 'day')}): "
            "write more, or let `available` prolong it",
        )


_CHECKS: Final[tuple[Callable[[Terms], Found], ...]] = (
    _rules,
    _twice,
    _unknown_names,
    _never_hold,
    _activities,
    _paying,
    _challenges,
    _conversions,
    _limits,
    _caps,
    _tiers,
    _pool_begins,
    _stores,
    _never_reached,
    _overlapping,
    _numbers,
    _expiry_before_maturity,
)
