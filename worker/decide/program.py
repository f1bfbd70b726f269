"""A program ready for the fold: its versions in order, each with its calendar and look-ups worked out once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from contracts.terms import Terms, conditions_of
from worker.decide.calendar import Days


class Excluded(NamedTuple):
    """Categories, skus and tags of lines that earn nothing."""

    categories: frozenset[str]
    skus: frozenset[str]
    tags: frozenset[str]


class Version:
    """One version of the terms, itself and nothing else, with what the fold looks up in it worked out once.

    `id` names it for ever: the date from which it holds. `parts_on`: the event at which pieces part from the rest of their order;
    None if an order matures as one. `excluded`: what earns nothing; `not_redeemable`: line categories that points may not pay.
    `remembers_bought`: whether something counts only for products that were bought. `cap_names`: the name under which each cap is
    counted, in the order of the terms: its rule, and for others of one rule a number.
    `occasions`: activities by the clock; `rewards_levels`: whether reaching a level brings something. `later`: the days to which
    components may put off what matures (None: none). `follows_deliveries`: whether anything waits for goods to arrive.
    `prolonged_by`: what moves the pool's expiry on; empty without a pool. `thresholds`, `by_calendar`: conversions at once
    and on days. `waits_variously`: whether points of some orders wait for what those of others do not.
    """

    __slots__ = (
        "by_calendar",
        "cap_names",
        "days",
        "excluded",
        "follows_deliveries",
        "id",
        "later",
        "lowest_tier",
        "not_redeemable",
        "occasions",
        "parts_on",
        "prolonged_by",
        "remembers_bought",
        "rewards_levels",
        "stores",
        "terms",
        "thresholds",
        "waits_variously",
    )

    def __init__(self, terms: Terms) -> None:
        self.terms: Final = terms
        self.id: Final = terms.effective_from.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.parts_on: Final = _parts_on(terms)
        self.days: Final = Days(terms.zone, terms.calendar)
        rules = terms.earning.excluded
        self.excluded: Final = Excluded(
            frozenset(each for rule in rules for each in rule.categories),
            frozenset(each for rule in rules for each in rule.skus),
            frozenset(each for rule in rules for each in rule.tags),
        )
        self.stores: Final = terms.membership.stores
        bonus = () if terms.earning.bonus_points == "ignored" else (None,)
        self.later: Final = tuple({*(component.later for component in terms.earning.components), *bonus})
        blocked, tiers, pool = terms.redemption.not_redeemable, terms.tiers, terms.expiry.pool
        self.not_redeemable: Final[frozenset[str]] = frozenset(blocked.categories if blocked else ())
        self.lowest_tier: Final = tiers.levels[0].name if tiers else None
        self.remembers_bought: Final = any(activity.bought for activity in terms.activities)
        counted_at = [measure.counted_at for _, measure in tiers.measured] if tiers else []
        prolonging = pool.prolonged_by if pool else ()
        # Named, as mypyc cannot look into it in one.
        events = (*counted_at, *(trigger.event for trigger in terms.maturity.after), *prolonging)
        self.follows_deliveries: Final = "delivery" in events
        self.cap_names: Final = _cap_names(terms)
        self.occasions: Final = tuple(activity for activity in terms.activities if activity.event == "clock")
        self.rewards_levels: Final = any(activity.event == "tier_reached" for activity in terms.activities)
        self.thresholds: Final = tuple(each for each in terms.conversions if each.at == "threshold")
        self.by_calendar: Final = tuple(each for each in terms.conversions if each.at == "calendar")
        self.prolonged_by: Final[frozenset[str]] = frozenset(prolonging)
        self.waits_variously: Final = any(trigger.when.given for trigger in terms.maturity.after)


def _cap_names(terms: Terms) -> tuple[str, ...]:
    names: list[str] = []
    known: dict[str, int] = {}
    for cap in terms.earning.caps:
        before = known[cap.rule] = known.get(cap.rule, 0) + 1
        names.append(cap.rule if before == 1 else f"{cap.rule}#{before}")
    return tuple(names)


def _gives_back(terms: Terms) -> bool:
    """Whether a voucher comes back where the order that it was used on is cancelled, or all of it returned."""
    every = [*(each.voucher for each in terms.conversions), *(each.voucher for each in terms.activities)]
    return any(voucher is not None and voucher.given_back for voucher in every)


class Reads(NamedTuple):
    """What conditions ask of a member, in any version: of all else nothing is kept with an order."""

    country: bool
    birth: bool
    joined: bool
    orders: bool
    attributes: frozenset[str]
    entered: frozenset[str]


def _reads(versions: Sequence[Terms]) -> Reads:
    every = [when for terms in versions for _, when in conditions_of(terms)]
    return Reads(
        country=any(when.countries for when in every),
        birth=any(when.birthday is not None for when in every),
        joined=any(when.joined is not None or when.anniversary is not None for when in every),
        orders=any(when.orders is not None for when in every),
        attributes=frozenset(name for when in every for name in (*when.attributes, *when.own_dates)),
        entered=frozenset(name for when in every for name in when.entered),
    )


def _parts_on(terms: Terms) -> Literal["shipment", "delivery"] | None:
    if terms.maturity.by == "order":
        return None
    events = {trigger.event for trigger in terms.maturity.after}
    return "delivery" if "delivery" in events else "shipment" if "shipment" in events else None


class Program:
    """All versions of one program. An order keeps the version of its order date; the rest uses the terms of its instant."""

    def __init__(self, versions: Sequence[Terms]) -> None:
        if not versions:
            raise ValueError("a program needs at least one version")
        ordered = sorted(versions, key=lambda terms: terms.effective_from)
        self.code = ordered[0].program
        self.versions = tuple(Version(terms) for terms in ordered)
        self.reads = _reads(ordered)
        self.has_occasions = any(version.occasions or version.by_calendar for version in self.versions)
        self.converts = any(terms.conversions for terms in ordered)
        self.gives_vouchers_back = any(_gives_back(terms) for terms in ordered)
        self.pays_out = any(version.terms.pay_out is not None for version in self.versions)
        # In UTC as all instants of the fold: times of one zone compare several times faster than times of two.
        self._starts = [version.terms.effective_from.astimezone(UTC) for version in self.versions[1:]]
        self._by_id = {version.id: version for version in self.versions}

    def at(self, instant: datetime) -> Version:
        """The version in force at an instant (before the first one: the first)."""
        return self.versions[bisect_right(self._starts, instant)]

    def _later(self, instant: datetime) -> zip[tuple[datetime, Version]]:
        """The versions that start after an instant, each with its start."""
        known = bisect_right(self._starts, instant)
        return zip(self._starts[known:], self.versions[known + 1 :], strict=True)

    def pays_otherwise_from(self, instant: datetime) -> datetime | None:
        """The next start of a version that pays out, and not as it is done at an instant; None if there is none."""
        known = self.at(instant).terms.pay_out
        return next((at for at, each in self._later(instant) if each.terms.pay_out not in (None, known)), None)

    def occasions_otherwise_from(self, instant: datetime) -> datetime | None:
        """The next start of a version with other activities or conversions by the clock than at an instant; None: none is."""
        now = self.at(instant)
        known = now.occasions, now.by_calendar
        return next((at for at, each in self._later(instant) if (each.occasions, each.by_calendar) != known), None)

    def begins(self, instant: datetime) -> bool:
        """Whether a version that follows another comes into force at an instant."""
        return instant in self._starts

    def judging(self, instant: datetime) -> Version | None:
        """The version whose tiers hold at an instant: the one in force, or the nearest that has tiers, earlier ones first."""
        known = bisect_right(self._starts, instant)
        nearest = (*self.versions[known::-1], *self.versions[known + 1 :])
        return next((version for version in nearest if version.terms.tiers is not None), None)

    def named(self, version_id: str) -> Version:
        """The version that an order keeps; the one in force from that date if it is no longer registered."""
        found = self._by_id.get(version_id)
        return found if found is not None else self.at(datetime.fromisoformat(version_id))
