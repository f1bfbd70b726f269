"""Programs to try: the shipped ones, and the same with other choices of their mechanisms, drawn from a seed."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Any

from worker.decide.program import Program
from worker.programs.terms_file import TermsError, changed, load, read, shipped, versions

_BACK = {"rule": "XX-01", "outcome": "back", "days": 0}
_LATER = {"rule": "XX-06", "outcome": "back", "days": 14}
_LOST = {"rule": "XX-07", "outcome": "forfeited"}
_MONTH = {"rule": "XX-16", "period": "month"}
_WEEK = {"rule": "XX-16", "period": "week", "counted_at": "delivery"}
_ALWAYS = {"rule": "XX-16", "period": "always", "granted": "reached"}
_CONVERSION = {"rule": "XX-17"}
_GIVEN_BACK = {"order_cancelled": "given_back", "order_returned": "given_back"}
_BACK_AGAIN = {"name": "off", "value": 100, "lasts": {"days": 40}, **_GIVEN_BACK}
_VOUCHER = {**_CONVERSION, "at": "threshold", "into": "voucher", "voucher": _BACK_AGAIN}
_EARLY = {"weekdays": ["mon", "tue", "wed"]}
_BY_LINE = [{"rate": "0.05", "when": _EARLY, "points_max": 90, "beyond": "0.2"}, {"rate": "0.01"}]
_SPAN = {"since": "2024-08-10T20:00", "until": "2024-10-10"}
_A_DAY = {"points": 60, "period": "day"}
_LESS = {"kind": "special", "gives": 30}
_CLOCK = {"rule": "XX-15", "event": "clock"}
_FALLS = [{"on": "change", "falls": "any"}]
_FALLS_SLOWLY = [{"on": "change", "falls": "one_level"}]
_REGULAR_POINTS = {"of": "points", "kinds": ["regular", "basic"], "points_from": ["purchase", "activity", "adjustment"]}
_BY_SEVERAL = [{"name": "one"}, {"name": "two", "any": {"orders": 2, "points": 400}}, {"name": "three", "all": {"pieces": 7}}]
_LEVELS = [{"name": "one", "threshold": 0}, {"name": "two", "threshold": 20_000}, {"name": "three", "threshold": 90_000}]


def _tiers(**choices: Any) -> dict[str, Any]:
    window = {"type": "calendar_year"}
    return {"rule": "XX-12", "levels": _LEVELS, "window": window, "judgements": [{"on": "change"}], **choices}


def _last_year(on: str, **choices: Any) -> dict[str, Any]:
    return {"on": {"yearly": on}, "over": "previous_calendar_year", **choices}


def _campaign(**choices: Any) -> list[dict[str, Any]]:
    return [{"id": "double", "rule": "XX-02", "effect": "multiply", **choices}]


def _cap(**choices: Any) -> list[dict[str, Any]]:
    return [{"rule": "XX-03", "points": 700, **choices}]


CHOICES: dict[str, tuple[Any, ...]] = {
    "membership.by": ("registration", "enrolment", "member_id"),
    "calendar": ({"days_after": "exact"}, {"month_end": "roll_forward"}),
    "earning.tax": ("exclusive", "inclusive"),
    "earning.points_used": ("gross", "net", "net_spread", "none_if_used"),
    "earning.rounding": tuple(
        {"mode": mode, "scope": scope} for mode in ("floor", "half_up", "ceil") for scope in ("order", "shipment", "line")
    ),
    "earning.components": (
        [
            {
                "id": "by_tier",
                "kind": "regular",
                "rule": "XX-13",
                "product_rate": "replaces",
                "rates": [
                    {"rate": "0.05", "when": {"tiers": ["three"]}},
                    {"rate": "0.03", "when": {"tiers": ["two"]}},
                    {"rate": "0.01"},
                ],
            }
        ],
    ),
    "earning.campaigns": (
        [{"id": "double", "rule": "XX-02", "effect": "multiply", "times": "2", "when": {"weekdays": ["sat", "sun"]}}],
    ),
    "earning.tier_at": ("order", "trigger", "maturity"),
    "earning.rate_date": ("order", "credit"),
    "earning.bonus_points": ("granted", "ignored"),
    "earning.caps": (
        [],
        _cap(),
        _cap(crossing="full"),
        _cap(period="calendar_month", dated_by="grant"),
        _cap(freed_by_reversal=False, consumed_by=["purchase"]),
        _cap(refuses=["purchase", "activity"]),
    ),
    "maturity.after": (
        [{"event": "order", "days": 10}],
        [{"event": "shipment", "days": 0}],
        [{"event": "shipment", "days": 30}],
        [{"event": "delivery", "days": 2}],
        [{"event": "payment", "days": 3}, {"event": "shipment", "days": 0}],
        [{"event": "payment", "days": 1}],
        [{"event": "order", "days": 1}, {"event": "delivery", "days": 2, "when": {"weekdays": ["mon", "tue", "wed"]}}],
    ),
    "maturity.by": ("line", "shipment", "order"),
    "maturity.shown": ("order", "trigger", "never"),
    "expiry": (
        {},
        {"terms": [{"rule": "XX-11", "months": 2}]},
        {"terms": [{"rule": "XX-11", "months": 3, "to": "month_end", "counted_from": "month"}], "last_day": "day_before"},
        {"pool": {"rule": "XX-08", "months": 3, "prolonged_by": ["grant"]}},
        {"pool": {"rule": "XX-08", "months": 2, "prolonged_by": ["available", "use"]}, "last_day": "exact"},
        {
            "terms": [{"rule": "XX-11", "kinds": ["special", "limited"], "months": 1}],
            "pool": {"rule": "XX-08", "months": 2, "prolonged_by": ["order"]},
        },
    ),
    "notice_days": ([7, 1], [30, 0]),
    "redemption.minimum": (1, 100),
    "redemption.maximum": (None, 300),
    "redemption.unit": (1, 10),
    "redemption.ceiling": ("payable", "below_payable", "goods"),
    "redemption.uncovered": ("refused", "clipped"),
    "redemption.use_all_below_minimum": ("refused", "allowed"),
    "redemption.taken_at": ("order", "shipment"),
    "redemption.lots": ("soonest_expiry", "oldest_grant", "newest_grant"),
    "redemption.two_step": ({"hold_seconds": 600, "hold_seconds_max": 3600},),
    "reversal.at": ("received", "requested"),
    "reversal.used_points": (
        [_BACK],
        [_LATER],
        [_LOST],
        [{**_LOST, "on": ["cancel"], "reasons": ["customer_request"]}, _BACK],
        [{**_LATER, "on": ["return"]}, _BACK],
    ),
    "reversal.earned_points": tuple(
        {
            "rule": "XX-04", "pending": pending, "available": available, "shortfall": shortfall, "amount": amount,
            "taken_from": taken_from,
        }
        for taken_from in ("any", "own_kind")
        for pending, available in (("void", "revoke"), ("void", "keep"), ("keep", "keep"))
        for shortfall in ("arrears", "write_off")
        for amount in ("recomputed", "returned_share")
    ),
    "reversal.back_expiry": ({"mode": "fresh"}, {"mode": "grace", "grace_days": 20}, {"mode": "original"}),
    "reversal.split": tuple(
        {"weights": weights, "order": order}
        for weights in ("tax_inclusive", "tax_exclusive", "with_shipping")
        for order in ("pro_rata", "cash_first", "points_first")
    ),
    "tiers": (
        _tiers(),
        _tiers(judgements=[{"on": {"monthly": 1}, "falls": "any"}], window={"type": "whole_months", "months": 3}),
        _tiers(
            judgements=[{"on": "change", "falls": "any"}],
            window={"type": "rolling_months", "months": 4},
            measure={"counted_at": "delivery"},
        ),
        _tiers(
            measure={"judged_days_after_order": 10, "points_used": "net", "dated_by": "shipment"},
            judgements=[{"on": "change"}, _last_year("01-10")],
            inactivity={"rule": "XX-05", "months": 3},
        ),
        _tiers(
            judgements=[{"on": "change"}, _last_year("01-10", falls="any")],
            inactivity={"rule": "XX-05", "months": 4, "executed_on": "01-10"},
        ),
        _tiers(inactivity={"rule": "XX-05", "months": 2, "restore": "one_per_order", "repeats": False}),
        _tiers(judgements=[{"on": {"yearly": "04-01"}, "falls": "one_level"}], window={"type": "rolling_months", "months": 12}),
        _tiers(measure={"of": "points", "returns": "ignored", "counted_at": "payment"}, includes_current_order=True),
    ),
    "activities": (
        [
            {"id": "welcome", "rule": "XX-15", "event": "member.registered", "points": 300, "once_per": "member"},
            {
                "id": "review",
                "rule": "XX-10",
                "event": "review.posted",
                "points": 50,
                "once_per": "sku",
                "bought": True,
                "order_cancelled": "revoked",
            },
            {"id": "prize", "rule": "XX-09", "event": "survey.won", "once_per": "day", "delay_hours": 30},
            {"id": "visit", "rule": "XX-14", "event": "activity.completed", "points": 7, "once_per": "event"},
        ],
    ),
    "amendments": (
        [{"effective_from": "2025-01-01T00:00:00+09:00", "set": {"earning.components.0.rates": [{"rate": "0.07"}]}}],
        [{"effective_from": "2025-02-10T00:00:00+09:00", "set": {"redemption.minimum": 50, "redemption.lots": "newest_grant"}}],
    ),
}
"""Values that the mechanisms may take, by their path in a terms file."""

MORE_CHOICES: dict[str, tuple[Any, ...]] = {
    "earning.campaigns": (
        _campaign(times="3", when={"basket": {"amount": 12_000, "points_used": "net"}, "unless": {"days": [1, -1]}}),
        _campaign(times="2", when={"birthday": {"days_before": 20, "days_after": 20}}),
        _campaign(times="2", when={"attributes": {"plan": ["gold"]}, "hours": {"first": "18:00", "last": "09:59"}}),
        _campaign(times="5", when={"orders": {"first": 1, "every": 2}, "joined": {"last": 200}}),
        [{"id": "pieces", "rule": "XX-02", "effect": "add", "rate": {"points": 3, "per": 2, "of": "pieces"}, "when": {}}],
    ),
    "earning.caps": (
        _cap(period="order", beyond="0.3"),
        [*_cap(period={"month": 25}, freed_by_reversal=False), *_cap(points=300, period="day")],
        _cap(period={"rolling_days": 40}, beyond="0.5", refuses=["purchase", "activity"]),
        _cap(points=200, period="member_year", kinds=["regular", "basic"]),
    ),
    "maturity.on": ({"day": 15, "months_later": 1}, {"day": -1}),
    "expiry": (
        {"terms": [{"rule": "XX-11", "days": 45}]},
        {"terms": [{"rule": "XX-11", "on": [{"last": "12-20"}, {"granted_from": "10-01", "last": "03-31", "years": 1}]}]},
        {"terms": [{"rule": "XX-11", "tiers": ["two", "Gold", "silver", "Plus"], "months": 5}, {"rule": "XX-12", "months": 3}]},
        {"pool": {"rule": "XX-08", "days": 50, "to": "month_end", "prolonged_by": ["delivery"], "begins": "grant"}},
        {"pool": {"rule": "XX-08", "months": 2, "prolonged_by": ["use", "grant"], "share": "0.3", "again_months": 1}},
        {"pool": {"rule": "XX-08", "days": 40, "prolonged_by": ["order"], "begins": "prolonged", "called_off": "stays"}},
    ),
    "redemption.ceiling_share": ("0.5",),
    "redemption.minimum_left_points": (40,),
    "redemption.limits": (
        [
            {"rule": "XX-17", "points": 150, "when": {"attributes": {"plan": ["gold"]}}},
            {"rule": "XX-17", "points": 600, "when": {"tiers": ["one", "regular", "Member", "Pro"]}, "excess": "lost"},
        ],
    ),
    "redemption.first_kinds": (["limited", "special"], ["stage"]),
    "redemption.kinds": (
        [{"rule": "XX-06", "kinds": ["special"], "pays": "nothing"}],
        [{"rule": "XX-06", "kinds": ["regular"], "when": {"weekdays": ["mon", "wed", "fri"]}}],
    ),
    "redemption.when": ({"weekdays": ["mon", "tue", "wed", "thu"]}, {"unless": {"tiers": ["one", "regular", "Member"]}}),
    "tiers": (
        _tiers(judgements=_FALLS, holds="next_period", window={"type": "quarter"}, carry_over="excess"),
        _tiers(judgements=_FALLS, holds={"months": 3}, window={"type": "rolling_months", "months": 2}),
        _tiers(judgements=_FALLS_SLOWLY, holds={"months": 2}, measure={"counted_at": "delivery", "dated_by": "shipment"}),
        _tiers(
            levels=_BY_SEVERAL,
            measures={"orders": {"of": "orders", "counted_at": "order"}, "pieces": {"of": "pieces"}, "points": _REGULAR_POINTS},
            judgements=_FALLS_SLOWLY,
            window={"type": "half_year", "begins": "04-01"},
            holds={"periods": 1},
        ),
    ),
    "challenges": (
        [
            {**_MONTH, "id": "spend", "steps": [{"at": 20_000, "points": 90}, {"at": 60_000, "rate": "0.02"}]},
            {**_ALWAYS, "id": "pieces", "of": "pieces", "every": {"per": 4, "points": 30}},
        ],
        [
            {**_WEEK, "id": "late", "of": "days", "steps": [{"at": 2, "points": 40}]},
            {**_MONTH, "id": "shops", "of": "skus", "every": {"per": 1, "points": 5}, "points_max": 12, "on": {"day": 15}},
            {**_MONTH, "id": "entered", "of": "points", "steps": [{"at": 1, "points": 25}], "entry": "visit"},
        ],
        [
            {**_MONTH, "id": "unlocked", "steps": [{"at": 5_000, "rates": _BY_LINE}], "points_max": 300, "beyond": "0.5"},
            {**_MONTH, "id": "stamp", "period": "day", "of": "orders", "steps": [{"at": 1, "points": 3}], "granted": "reached"},
            {**_MONTH, "id": "fair", "period": {"once": _SPAN}, "of": "days", "every": {"per": 1, "points": 9}, "entry": "visit"},
        ],
    ),
    "conversions": (
        [
            {**_VOUCHER, "id": "at_once", "points": 700, "reversed": "withdrawn"},
            {**_CONVERSION, "id": "miles", "points": 20, "at": "request", "into": "partner", "limits": [_A_DAY]},
        ],
        [
            {**_VOUCHER, "id": "season", "points": 300, "at": "calendar", "on": {"monthly": 10}},
            {**_CONVERSION, "id": "swap", "points": 30, "at": "request", "into": "points", "kind": "gift", "gives": 29},
            {**_CONVERSION, "id": "gifts", "kinds": ["gift"], "points": 40, "at": "threshold", "into": "points", **_LESS},
        ],
        [{**_VOUCHER, "id": "asked", "points": 25, "at": "request", "maximum": 100, "reversed": "withdrawn"}],
    ),
    "activities": (
        [
            {"id": "lucky", "rule": "XX-14", "event": "activity.completed", "points": 70, "when": {"days": [7, 17, 27]}},
            {"id": "visit", "rule": "XX-14", "event": "activity.completed", "points": 7, "once_per": "year"},
            {**_CLOCK, "id": "birthday", "on": {"birthday": "month", "told_by": {"day": 25}}, "points": 90},
            {**_CLOCK, "id": "coupon", "on": {"monthly": 20}, "voucher": {"name": "coupon", "item": "tea", "lasts": {"days": 9}}},
            {**_CLOCK, "id": "monthly", "on": {"monthly": 10, "days_before": 3}, "points": 11},
            {"id": "level", "rule": "XX-15", "event": "tier_reached", "points": 40, "once_per": "member"},
        ],
    ),
}
"""As above, of those that came later: what is pinned is made of the first ones alone."""


@lru_cache(maxsize=256)
def as_shipped(code: str) -> Program:
    """A program that comes with the package, as it is."""
    return load(shipped()[code])


@lru_cache
def values_of(code: str) -> dict[str, Any]:
    """A program's file, read once: reading takes far longer than what is made of it."""
    path = shipped()[code]
    return read(path.read_text(encoding="utf-8"), path.name)


@lru_cache(maxsize=256)
def variant(code: str, seed: int, *, more: bool = True) -> Program:
    """A shipped program with several choices of its mechanisms made otherwise. `more`: of those that came later too."""
    rng = Random(seed)
    choices = {path: (*CHOICES.get(path, ()), *(MORE_CHOICES.get(path, ()) if more else ())) for path in CHOICES}
    choices |= {path: values for path, values in MORE_CHOICES.items() if more and path not in CHOICES}
    while True:
        paths = rng.sample(sorted(choices), rng.randrange(1, 9))
        changes = {path: rng.choice(choices[path]) for path in paths}
        try:
            return Program(versions(changed(values_of(code), changes), code))
        except TermsError:
            continue  # choices that do not go together
