"""`loyalty program validate` warns of what is legal and surely not meant, each with its path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.terms_doubts import doubts
from tests.cli.conftest import Run, run
from tests.rules.story import PROGRAMS, file_of
from worker.cli.authoring import Shape, starting_file
from worker.programs.terms_file import changed, read, shipped
from worker.programs.validation import checked

__all__ = ["run"]


def told(changes: dict[str, Any], code: str = "shop") -> list[str]:
    """What is doubted in a file that may be published, with these values changed."""
    return [str(each) for each in doubts([version.terms for version in checked(changed(file_of(code), changes), code).versions])]


@pytest.mark.parametrize("code", [*shipped(), *PROGRAMS])
def test_nothing_is_doubted_in_a_program_that_is_meant_so(code: str) -> None:
    assert told({}, code) == []


@pytest.mark.parametrize("shape", Shape)
def test_nothing_is_doubted_in_a_new_file(shape: Shape) -> None:
    program = checked(read(starting_file("my-shop", shape, 2026)), shape.value)
    assert doubts([version.terms for version in program.versions]) == []


def campaign(**when: Any) -> dict[str, Any]:
    return {"id": "may", "rule": "SHO-02", "when": when, "effect": "multiply", "times": "2"}


def cap(points: int, period: Any, **more: Any) -> dict[str, Any]:
    return {"rule": "SHO-02", "points": points, "period": period, **more}


def rates(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"earning.components": [{"id": "basic", "rule": "SHO-02", "rates": list(rows)}]}


def tiers(**more: Any) -> dict[str, Any]:
    levels = [{"name": "basic", "threshold": 0}, {"name": "silver", "threshold": 1_000}, {"name": "gold", "threshold": 5_000}]
    judged = {"window": {"type": "calendar_year"}, "judgements": [{"on": "change"}]}
    return {"rule": "SHO-02", "levels": levels, **judged, **more}


GOLD = {"rate": "0.03", "when": {"tiers": ["gold"]}}
SILVER = {"rate": "0.02", "when": {"tiers": ["silver"]}}
ALL = {"refuses": ["purchase", "activity"]}
DOUBTS: dict[str, tuple[dict[str, Any], str]] = {
    "a campaign that is over before the terms begin": (
        {"earning.campaigns": [campaign(since="2023-05-01", until="2023-05-31")]},
        "earning.campaigns.0.when: it is over (2023-05-31) before these terms are in force (2024-01-01): is the year right?",
    ),
    "a cap within a lower one of a longer period": (
        {"earning.caps": [cap(500, "day"), cap(400, "month")]},
        "earning.caps.0.points: it never binds: caps.1 allows 400 for as long or longer; leave it out, or lower it",
    ),
    "a cap beside a lower one of its period": (
        {"earning.caps": [cap(400, "month"), cap(500, "month")]},
        "earning.caps.1.points: it never binds: caps.0 allows 400 for as long or longer; leave it out, or lower it",
    ),
    "a level that brings nothing": (
        {"tiers": tiers(), **rates(GOLD, {"rate": "0.01"})},
        "tiers.levels.1.name: silver changes nothing, as other levels do: no rate, campaign, activity or term names it",
    ),
    "a level that a cap keeps everybody from": (
        {
            "tiers": tiers(measure={"of": "points"}),
            "earning.caps": [cap(3_000, "calendar_year", **ALL)],
            **rates(GOLD, SILVER, {"rate": "0.01"}),
        },
        "tiers.levels.2.threshold: nobody reaches 5,000: a cap allows 3,000 points in the window",
    ),
    "a rate row behind a wider one": (
        rates(
            {"rate": "0.02", "when": {"categories": ["books", "music"]}},
            {"rate": "0.05", "when": {"categories": ["books"], "weekdays": ["sat"]}},
            {"rate": "0.01"},
        ),
        "earning.components.0.rates.1: whatever fits it fits rates.0, which stands before it: put it first",
    ),
    "a component that earns nothing": (rates({"rate": "0"}), "earning.components.0.rates: it earns nothing: every rate is 0"),
    "a campaign that multiplies by one": (
        {"earning.campaigns": [{**campaign(tags=["may"]), "times": "1"}]},
        'earning.campaigns.0.times: it changes nothing: write "2" for double points',
    ),
    "a higher step that brings less": (
        {
            "challenges": [
                {
                    "id": "month",
                    "rule": "SHO-02",
                    "period": "month",
                    "steps": [{"at": 1_000, "points": 50}, {"at": 2_000, "points": 50}],
                }
            ]
        },
        "challenges.0.steps.1.points: it brings no more than the step before (50), and only the highest step counts",
    ),
    "a kind whose last day nobody said": (
        {"expiry.terms": [{"rule": "SHO-04", "months": 12, "kinds": ["regular"]}], "earning.bonus_points": "granted"},
        "earning.bonus_kind: no row of expiry says how long points of kind special last, so they never lapse, as others do",
    ),
    "a kind that there is not": (
        {"redemption.first_kinds": ["limted"]},
        "redemption.first_kinds: no points are of kind limted, unless they are granted by hand; there are regular",
    ),
    "a notice of points that never lapse": (
        {"expiry": {}, "notice_days": [30]},
        "notice_days: nothing ever lapses, so nobody is told: write expiry, or leave it out",
    ),
    "a notice as long as points last": (
        {"expiry": {"terms": [{"rule": "SHO-04", "days": 14}]}, "notice_days": [30]},
        "notice_days: points last 14 days, so a notice that long before comes as they are granted",
    ),
    "a minimum that is no multiple of the unit": (
        {"redemption": {"rule": "SHO-05", "minimum": 150, "unit": 100}},
        "redemption.minimum: points go in units of 100, so 200 is the fewest",
    ),
    "a maximum that is no multiple of the unit": (
        {"redemption": {"rule": "SHO-05", "maximum": 3_050, "unit": 100}},
        "redemption.maximum: points go in units of 100, so 3,000 is the most",
    ),
}


@pytest.mark.parametrize("what", DOUBTS)
def test_what_is_surely_not_meant_is_doubted(what: str) -> None:
    changes, doubt = DOUBTS[what]
    if "expiry" in changes or "expiry.terms" in changes:
        changes = {**changes, "rules.3.parameters": ["expiry"]}
    assert told(changes) == [doubt]


@pytest.mark.parametrize(
    "changes",
    [
        {"earning.campaigns": [campaign(until="2024-01-01")]},
        {"earning.caps": [cap(300, "day"), cap(400, "month")]},
        {"earning.caps": [cap(500, "week"), cap(400, "month")]},  # a week may lie in two months
        {"earning.caps": [cap(500, {"month": 25}), cap(400, "quarter")]},
        {"earning.caps": [cap(500, "day", components=["basic"]), cap(400, "month", kinds=["regular"])]},
        {"earning.caps": [cap(500, "order"), cap(400, "month", beyond="0.5")]},
        {"tiers": tiers(), **rates(GOLD, SILVER, {"rate": "0.01"})},
        {"tiers": tiers()},
        rates({"rate": "0.02", "when": {"categories": ["books"]}}, {"rate": "0.05", "when": {"skus": ["A"]}}, {"rate": "0.01"}),
        {"notice_days": [30]},
        {"redemption": {"rule": "SHO-05", "minimum": 1, "unit": 100}},
    ],
)
def test_what_may_well_be_meant_is_not(changes: dict[str, Any]) -> None:
    assert told(changes) == []


def test_the_past_of_an_earlier_version_is_not_doubted_again() -> None:
    over = campaign(since="2024-05-01", until="2024-05-31")
    amendments = [{"effective_from": "2025-01-01T00:00:00+09:00", "set": {"redemption.minimum": 10}}]
    assert told({"earning.campaigns": [over], "amendments": amendments}) == []
    late = {"effective_from": "2025-01-01T00:00:00+09:00", "set": {"earning.campaigns": [over]}}
    assert len(told({"amendments": [late]})) == 1


def test_validate_tells_them_and_lets_the_file_pass(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    values = changed(file_of("shop"), {"earning.caps": [cap(500, "day"), cap(400, "month")]})
    path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    answer = run("program", "validate", path, "-o", "json")
    assert (answer.code, answer.json[0]["program"]) == (0, "shop")
    assert answer.mistakes == [f"warning: shop.yaml: {DOUBTS['a cap within a lower one of a longer period'][1]}"]
