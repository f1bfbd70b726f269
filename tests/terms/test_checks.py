"""Contradictions in the terms are found before anything is published, each with its path and what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.rules.story import file_of
from worker.programs.terms_file import TermsError, changed, read, shipped
from worker.programs.validation import checked, validated


def problems(code: str, changes: dict[str, Any]) -> list[str]:
    """What is wrong with a shipped program after some values were changed."""
    try:
        checked(changed(file_of(code), changes), "terms")
    except TermsError as error:
        return list(error.problems)
    return []


def campaign(id_: str, when: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": id_, "rule": "BEL-04", "effect": "multiply", "times": "2", "when": when, **more}


@pytest.mark.parametrize("path", shipped().values(), ids=lambda path: path.stem)
def test_the_shipped_programs_have_none(path: Path) -> None:
    assert validated(path).code == path.stem


JULY = {"since": "2026-07-01", "until": "2026-07-31"}


@pytest.mark.parametrize(
    ("second", "overlaps"),
    [
        ({}, True),
        ({"since": "2026-07-31"}, True),
        ({"since": "2026-08-01"}, False),
        ({"until": "2026-06-30"}, False),
        ({**JULY, "skus": ["A", "B"]}, True),
        ({**JULY, "skus": ["B"]}, False),
        ({**JULY, "tags": ["b"]}, True),
    ],
)
def test_campaigns_that_can_hold_for_one_line_need_different_priorities(second: dict[str, Any], overlaps: bool) -> None:
    first = campaign("summer", {**JULY, "skus": ["A"], "tags": ["a"]})
    found = problems("belle-maison", {"earning.campaigns": [first, campaign("other", second)]})
    assert bool(found) == overlaps
    if overlaps:
        assert found[0].startswith("earning.campaigns.1.priority: other and summer (campaigns.0) can hold for the same line")
    assert not problems("belle-maison", {"earning.campaigns": [first, campaign("other", second, priority=1)]})
    apart = [{**first, "component": "basic"}, campaign("other", second, component="stage")]
    assert not problems("belle-maison", {"earning.campaigns": apart})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tiers.levels.2.threshold": 30000}, "tiers: levels go from the lowest to the highest"),
        ({"earning.components.0.rate_max": "0.001"}, "a rate of 0.005 is above the published maximum of 0.001"),
        (
            {"earning.components.1.rates.0.when.tiers": ["S9"]},
            "earning.components.1.rates.0.when.tiers: S9 is no tier; there are S0",
        ),
        (
            {"earning.components.1.rates.1.when.stores": ["moon"]},
            "moon is no store of membership.stores (bellemaison, external_mall)",
        ),
        (
            {"rules.0.parameters": ["earning.komponents"]},
            "BEL-01 names earning.komponents, but there is no komponents; there are rule",
        ),
        ({"rules.0.parameters": ["earning.components.gold"]}, "but there is no item gold; there are basic, stage"),
        ({"rules.1.id": "BEL-99"}, "earning.components.0.rule: BEL-02 is not among `rules`"),
        ({"rules.1.id": "BEL-01"}, "rules: BEL-01 is there twice"),
        (
            {"questions.0.alternatives.0.set": {"earning.round.scope": "line"}},
            "questions.0.alternatives.0.set: BEL-Q1 per-shipment: ",
        ),
        ({"questions.0.alternatives.0.set": {"earning.components.9.kind": "x"}}, "there is no item 9"),
        ({"earning.components.1.rates.0.when": {}}, "earning.components.1.rates.0: it has no condition, so the rows after it"),
        (
            {"reversal.used_points.0.on": ["cancel", "return", "exchange"]},
            "reversal.used_points.1: a row before it covers all of it",
        ),
        ({"reversal.used_points.0.on": ["return"]}, "no row without reasons says what becomes of a cancel"),
        ({"expiry.terms": [{"rule": "BEL-18", "months": 1}] * 2}, "expiry.terms.1: a term before it covers all its kinds"),
        ({"redemption.unit": 50, "redemption.minimum": 60, "redemption.maximum": 90}, "redemption.maximum: no number of points"),
        ({"redemption.two_step.hold_seconds": 90000}, "hold_seconds: 90000 is more than hold_seconds_max (86400)"),
        ({"point_value": "0"}, "point_value: is 0"),
        ({"zone": "Asia/Tokio"}, "zone: Asia/Tokio is no time zone"),
        ({"membership.stores.excluded": ["bellemaison"]}, "membership.stores: bellemaison is both eligible and excluded"),
        ({"earning.campaigns": [campaign("c", {}, component="gold")]}, "earning.campaigns.0.component: gold is no component"),
        (
            {"earning.campaigns": [campaign("c", {"since": "2026-02-02", "until": "2026-02-01"})]},
            "earning.campaigns.0.when: it ends (2026-02-01) before it begins (2026-02-02)",
        ),
        (
            {
                "expiry": {"pool": {"rule": "BEL-18", "months": 1, "prolonged_by": ["grant"]}},
                "maturity.after.0.days": 40,
            },
            "expiry.pool.months: 1 month from what prolongs it may be over before points mature (40 days)",
        ),
        (
            {"effective_from": "2024-07-05T00:00:00"},
            "effective_from: Input should have timezone info; write it with its offset, like ",
        ),
        (
            {"earning.campaigns": [campaign("c", {"since": 2026.0702})]},
            "earning.campaigns.0.when.since: Input should be a valid date; write it like 2026-04-01",
        ),
        (
            {"questions.0.alternatives": []},
            "a question names the alternatives that can be chosen, or says why there are none (no_alternative)",
        ),
        (
            {"notice_days": [1.5]},
            "notice_days.0: Input should be a valid integer; write a whole number, such as 30 (found: 1.5)",
        ),
        ({"earning.rounding.mod": "floor"}, "earning.rounding.mod: there is no mod here; there may be mode"),
        ({"maturity.after.0.day": 3}, "maturity.after.0.day: there is no day here; there may be days"),
        ({"tiers.zzz": 1}, "tiers.zzz: there is no zzz here; there may be carry_over, holds, inactivity"),
        ({"earning.components.0.rates.0.rate.pre": 1}, "there is no pre here; there may be per"),
        (
            {"earning.components.0.rates.0.rate": 0.015},
            '0.015 is a float, which cannot be exact; write it as a string, such as "0.015"',
        ),
        (
            {"earning.components.1.rates.0.rate": "1"},
            'earning.components.1.rates.0.rate: "1" is 100 % of the amount; write "0.01" for 1 %, or {points: 1, per: 1} if that',
        ),
        (
            {"earning.components.1.rates.0.rate": "1.50"},
            '"1.50" is 150 % of the amount; write "0.015" for 1.5 %, or {points: 3, per: 2} if that is meant',
        ),
        (
            {"earning.components.1.rate_max": 5},
            'earning.components.1.rate_max: "5" is 500 % of the amount; write "0.05" for 5 %, or leave it out if',
        ),
        (
            {"amendments": [{"effective_from": "2025-01-01T00:00:00+09:00", "set": {"earning.components.1.rates.0.rate": "1"}}]},
            'earning.components.1.rates.0.rate: "1" is 100 % of the amount',
        ),
        ({"earning.components.1.rates.0.rate": "1 %"}, '"1 %" is not a decimal number; write it like "0.015"'),
        ({"point_value": "-1"}, 'point_value: "-1" should be 0 or more'),
        ({"currency": "YEN"}, "currency: YEN is no currency of ISO 4217; write a code like JPY"),
        (
            {"earning.exchange": {"rule": "BEL-02", "rates": {"XXX": {"2024-01-01": "1"}}}},
            "earning.exchange.rates.XXX: XXX is no currency of ISO 4217",
        ),
        (
            {"earning.exchange": {"rule": "BEL-02", "minor_units": {"ZZZ": 2}}},
            "earning.exchange.minor_units.ZZZ: ZZZ is no currency of ISO 4217",
        ),
        ({"maturity.after.0.days": "10"}, "maturity.after.0.days: Input should be a valid integer; write it without quotes: 10"),
        ({"maturity.after.0.days": 10.0}, "maturity.after.0.days: Input should be a valid integer; write a whole number"),
        (
            {"tiers.levels.1.threshold": "30,000"},
            "tiers.levels.1.threshold: Input should be a valid integer; write a whole number",
        ),
        ({"tiers.levels.1.threshold": True}, "tiers.levels.1.threshold: Input should be a valid integer; write a whole number"),
        ({"tiers.includes_current_order": "yes"}, "includes_current_order: Input should be a valid boolean; write true or false"),
        ({"tiers.includes_current_order": 1}, "includes_current_order: Input should be a valid boolean; write true or false"),
        ({"earning.excluded.0.skus": [4901]}, "earning.excluded.0.skus.0: Input should be a valid string; write it in quotes"),
        ({"effective_from": "1720137600"}, '"1720137600" is not an instant; write it with its offset'),
        ({"calendar.holidays": ["1720137600"]}, 'calendar.holidays.0: "1720137600" is not a date; write it like 2026-04-01'),
        ({"calendar.holidays": ["2026-02-30"]}, 'calendar.holidays.0: "2026-02-30" is not a date'),
        (
            {"amendments": [{"effective_from": "2024-01-01T00:00:00+09:00", "set": {"point_value": "2"}}]},
            "amendments.0.effective_from: should be later than the version before it",
        ),
        (
            {"amendments": [{"effective_from": "2025-01-01T00:00:00+09:00", "set": {"tiers": None}}]},
            "(from 2025-01-01) earning.components.1.rates.0.when.tiers: S2 is no tier; there are none",
        ),
    ],
)
def test_a_contradiction_is_told_with_its_path_and_what_would_be_right(changes: dict[str, Any], told: str) -> None:
    found = problems("belle-maison", changes)
    assert any(told in problem for problem in found), found


VISIT = {"id": "visit", "rule": "SHO-02", "event": "activity.completed", "activity": "visit", "points": 10}
TIERS: dict[str, Any] = {
    "rule": "SHO-01",
    "levels": [{"name": "regular", "threshold": 0}, {"name": "gold", "threshold": 10}],
    "window": {"type": "rolling_months"},
    "judgements": [{"on": "change"}],
}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"activities": [{**VISIT, "multipliers": [{"times": "2", "when": {"stores": ["shop"]}}]}]},
            "activities.0.multipliers.0.when.stores: nobody can tell of activity.completed; a condition on it may have",
        ),
        ({"activities": [{**VISIT, "once_per": "sku"}]}, "activities.0.once_per: activity.completed names no sku: write member"),
        ({"activities": [{**VISIT, "once_per": "order"}]}, "activities.0.once_per: activity.completed names no order"),
        ({"activities": [{**VISIT, "bought": True}]}, "activities.0.bought: activity.completed names no product"),
        ({"activities": [{**VISIT, "order_cancelled": "revoked"}]}, "activities.0.order_cancelled: it does not hang on an order"),
        ({"activities": [{**VISIT, "unknown_country": "ineligible"}]}, "activities.0.unknown_country: it is for every country"),
        (
            {"activities": [{**VISIT, "event": "survey.won"}]},
            "activities.0.activity: only activity.completed has a name, survey.won has none",
        ),
        (
            {"activities": [{"id": "welcome", "rule": "SHO-02", "event": "member.registered"}]},
            "activities.0.points: member.registered names no number of points",
        ),
        (
            {"earning.caps": [{"rule": "SHO-02", "points": 9, "consumed_by": ["purchase"], "refuses": ["activity"]}]},
            "earning.caps.0.refuses: activity: it does not use this cap up",
        ),
        ({"tiers": {**TIERS, "window": {"type": "calendar_year", "months": 6}}}, "tiers.window.months: a calendar year has"),
        ({"tiers": {**TIERS, "measure": {"of": "points", "tax": "inclusive"}}}, "tiers.measure.tax: says which money counts"),
        ({"tiers": {**TIERS, "measure": {"points_from": ["activity"]}}}, "tiers.measure.points_from: says which points count"),
        (
            {"expiry": {"pool": {"rule": "SHO-04", "months": 12, "prolonged_by": ["use"]}}},
            "expiry.pool.begins: no grant begins this pool",
        ),
        (
            {"expiry": {"pool": {"rule": "SHO-04", "months": 12, "prolonged_by": ["grant"], "begins": "grant"}}},
            "expiry.pool.begins: the grants that prolong this pool begin it as well",
        ),
        ({"membership.stores.eligible": ["*"]}, "membership.stores.eligible: there are no patterns"),
        (
            {"earning.campaigns": [{"id": "c", "rule": "SHO-02", "when": {}, "rate": "0.02", "announced": True}]},
            "earning.campaigns.0.announced: there is no announced here",
        ),
    ],
)
def test_a_choice_that_nothing_would_read_is_refused(changes: dict[str, Any], told: str) -> None:
    found = problems("shop", changes)
    assert any(told in problem for problem in found), found


OVER = {"over": "previous_calendar_year"}
LAST_YEAR: dict[str, Any] = {"on": {"yearly": "01-10"}, **OVER}
NEVER = "it neither raises nor lowers a level: write rises: true or how one falls, or leave it out"


@pytest.mark.parametrize(
    ("judgements", "told"),
    [
        ([], "tiers.judgements: no level but regular is ever reached: write when one is, such as {on: change, rises: true}"),
        ([{"on": "change", "rises": False, "falls": "any"}], "tiers.judgements: no level but regular is ever reached"),
        ([{"on": "change"}, {"on": {"monthly": 1}, "rises": False}], f"tiers.judgements.1: {NEVER}"),
        (
            [{"on": "change"}, {**LAST_YEAR}, {"on": "change", "falls": "any"}],
            "tiers.judgements.2.on: judgements.0 is made then, too: make one of both, or write another occasion",
        ),
        ([{"on": {"monthly": 1}}, {"on": {"monthly": 1}, **OVER}], "tiers.judgements.1.on: judgements.0 is made then, too"),
        ([LAST_YEAR, {"on": LAST_YEAR["on"], "falls": "one_level"}], "tiers.judgements.1.on: judgements.0 is made then, too"),
        (
            [{"on": {"yearly": "02-30"}}],
            'tiers.judgements.0.on.yearly: "02-30" is not a day of every year; write a month and day like "01-10"',
        ),
        ([{"on": {"yearly": "02-29"}}], 'tiers.judgements.0.on.yearly: "02-29" is not a day of every year'),
        ([{"on": {"yearly": "1-10"}}], 'tiers.judgements.0.on.yearly: "1-10" is not a day of every year'),
        ([{"on": {"monthly": 31}}], "tiers.judgements.0.on.monthly: Input should be less than or equal to 28"),
        ([{"on": "monthly"}], 'tiers.judgements.0.on: an occasion is one of change, {monthly: 1} and {yearly: "01-10"}'),
        ([{"on": {"monthly": 1, "yearly": "01-10"}}], "tiers.judgements.0.on: an occasion is one of change"),
        ([{"on": {}}], "tiers.judgements.0.on: an occasion is one of change"),
        ([{"rises": True}], "tiers.judgements.0.on: Field required"),
        ([{"on": "change", "rule": "SHO-99"}], "tiers.judgements.0.rule: SHO-99 is not among `rules`"),
        (
            [{"on": "change", "falls": "any"}, LAST_YEAR],
            "tiers.judgements.1.rises: what it raises, judgements.0 lowers again when it looks at its own period: "
            "write falls: never there, or rises: false here, or let both look at the same period",
        ),
        ([LAST_YEAR, {"on": {"monthly": 1}, "falls": "one_level"}], "tiers.judgements.0.rises: what it raises, judgements.1"),
        (
            [{"on": "change", "falls": "any"}, {"on": {"monthly": 1}, **OVER}],
            "tiers.judgements.1.rises: what it raises, judgements.0 lowers again",
        ),
    ],
)
def test_judgements_that_contradict_themselves_are_refused(judgements: list[dict[str, Any]], told: str) -> None:
    found = problems("shop", {"tiers": {**TIERS, "judgements": judgements}})
    assert any(problem.startswith(told) for problem in found), found


def test_the_day_on_which_inactivity_is_executed_is_one_of_every_year() -> None:
    (found,) = problems("shop", {"tiers": {**TIERS, "inactivity": {"rule": "SHO-01", "executed_on": "04-31"}}})
    assert found.startswith('tiers.inactivity.executed_on: "04-31" is not a day of every year')


def test_a_yearly_judgement_over_the_calendar_year_would_hold_only_what_the_new_one_has_come_to() -> None:
    changes = {**TIERS, "window": {"type": "calendar_year"}, "judgements": [{"on": {"yearly": "04-01"}}]}
    (found,) = problems("shop", {"tiers": changes})
    assert found == (
        "tiers.judgements.0.over: on 04-01 it would hold only what the new year has come to by then: "
        "write previous_calendar_year for the year that is over"
    )


@pytest.mark.parametrize("window", ["calendar_year", "previous_calendar_year", "rolling_months", "whole_months"])
@pytest.mark.parametrize(
    "judgements",
    [
        [{"on": "change"}],
        [{"on": "change"}, LAST_YEAR],
        [{"on": "change"}, {**LAST_YEAR, "falls": "any"}],
        [{"on": "change"}, {**LAST_YEAR, "rises": False, "falls": "one_level"}],
        [{"on": {"monthly": 1}, "falls": "one_level"}, {"on": {"yearly": "03-01"}, **OVER, "rises": False, "falls": "any"}],
        [{"on": "change"}, {"on": {"monthly": 1}, "rises": False, "falls": "one_level"}],
        [{"on": {"monthly": 1}}, {"on": {"monthly": 15}, "falls": "any"}],
    ],
)
def test_judgements_that_go_together_are_taken_beside_each_window(judgements: list[dict[str, Any]], window: str) -> None:
    assert problems("shop", {"tiers": {**TIERS, "window": {"type": window}, "judgements": judgements}}) == []


def test_a_single_level_needs_no_judgement() -> None:
    assert problems("shop", {"tiers": {**TIERS, "levels": TIERS["levels"][:1], "judgements": []}}) == []


def test_an_unquoted_comma_is_told_with_its_line_and_its_cure() -> None:
    with pytest.raises(TermsError, match=r"line 2, column 22: not YAML: there is no value; .* put the text in quotes"):
        read("program: shop\nname: {ja: 1日2,000まで。, en: Up to 2000 a day.}\n")


def test_a_list_that_is_wrong_inside_is_not_told_as_too_short_as_well() -> None:
    assert len(problems("belle-maison", {"maturity.after.0.days": "10"})) == 1
    assert problems("belle-maison", {"maturity.after": []}) == [
        "maturity.after: Tuple should have at least 1 item after validation, not 0"
    ]
