"""Levels by years from any day, half years and quarters, and by the number of orders."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.terms_checks import contradictions
from tests.rules.story import Story, line, pieces

LEVELS = [{"name": "base", "threshold": 0}, {"name": "silver", "threshold": 20_000}, {"name": "gold", "threshold": 50_000}]


def tiered(window: dict[str, Any], *judgements: dict[str, Any], **choices: Any) -> Story:
    tiers = {"rule": "SHO-01", "levels": LEVELS, "window": window, "measure": {"counted_at": "order"}, **choices}
    story = Story("shop", {"tiers": {**tiers, "judgements": list(judgements)}})
    story.registered("2024-01-01")
    return story


RISES = {"on": "change"}


def judged(on: str, over: str = "previous_period") -> dict[str, Any]:
    return {"on": {"yearly": on}, "over": over, "falls": "any"}


@pytest.mark.parametrize("over", ["previous_period", "previous_calendar_year"])
def test_a_year_from_april_gives_the_level_of_the_next(over: str) -> None:
    story = tiered({"type": "calendar_year", "begins": "04-01"}, RISES, judged("04-01", over))
    story.order("A", "2024-03-31", line(20_000))
    story.order("B", "2024-04-01", line(20_000))
    assert story.at("2024-04-01").tier == "silver"
    story.order("C", "2025-03-31", line(30_000))
    told = [story.at(day).tier for day in ("2025-03-31", "2025-04-01", "2026-03-31", "2026-04-01")]
    assert told == ["gold", "gold", "gold", "base"]


def test_march_and_april_are_of_two_years() -> None:
    story = tiered({"type": "calendar_year", "begins": "04-01"}, RISES)
    story.order("A", "2024-03-31", line(30_000))
    story.order("B", "2024-04-01", line(30_000))
    assert story.at("2024-04-02").tier == "silver"


def test_half_years_are_judged_twice_a_year() -> None:
    window = {"type": "half_year", "begins": "03-01"}
    story = tiered(window, RISES, judged("03-01"), judged("09-01"))
    story.order("A", "2024-03-01", line(50_000))
    story.order("B", "2024-09-10", line(20_000))
    told = [story.at(day).tier for day in ("2024-08-31", "2024-09-01", "2025-02-28", "2025-03-01", "2025-09-01")]
    assert told == ["gold", "gold", "gold", "silver", "base"]


def test_a_quarter_that_is_over_costs_its_level() -> None:
    story = tiered({"type": "quarter"}, {"on": "change", "falls": "any"})
    story.order("A", "2024-02-01", line(20_000))
    assert [story.at(day).tier for day in ("2024-03-31", "2024-04-01")] == ["silver", "base"]
    story.order("B", "2024-06-30", line(50_000))
    assert [story.at(day).tier for day in ("2024-06-30", "2024-07-01 00:00:00")] == ["gold", "base"]


def test_levels_by_the_number_of_orders_of_a_minimum() -> None:
    levels = [{"name": "base", "threshold": 0}, {"name": "regular", "threshold": 2}, {"name": "friend", "threshold": 3}]
    measure = {"of": "orders", "minimum": 3_000, "counted_at": "order"}
    story = tiered({"type": "calendar_year"}, {"on": "change", "falls": "any"}, levels=levels, measure=measure)
    story.order("A", "2024-02-01", line(2_999))
    story.order("B", "2024-02-02", line(3_000))
    assert story.at("2024-02-02").tier == "base"
    story.order("C", "2024-02-03", line(1_500, 2, line_id="1"))
    assert story.at("2024-02-03").tier == "regular"
    story.order("D", "2024-02-04", line(90_000))
    assert story.at("2024-02-04").tier == "friend"
    story.returned("C", "2024-02-05", pieces("1"))
    assert story.at("2024-02-05").tier == "regular"
    story.cancelled("B", "2024-02-06")
    assert story.at("2024-02-06").tier == "base"


@pytest.mark.parametrize(
    ("window", "judgement", "measure", "path"),
    [
        ({"type": "half_year"}, {"on": {"yearly": "01-01"}}, {}, "tiers.judgements.0.over"),
        ({"type": "half_year", "months": 6}, RISES, {}, "tiers.window.months"),
        ({"type": "rolling_months", "begins": "04-01"}, RISES, {}, "tiers.window.begins"),
        ({"type": "quarter"}, RISES, {"minimum": 1}, "tiers.measure.minimum"),
    ],
)
def test_choices_that_nothing_would_read_are_refused(
    window: dict[str, Any], judgement: dict[str, Any], measure: dict[str, Any], path: str
) -> None:
    (version,) = tiered(window, judgement, measure=measure).program.versions
    assert path in {found.path for found in contradictions(version.terms)}
