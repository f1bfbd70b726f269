"""`loyalty program try`: one line asks what happens to an order, and the worker's own fold answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Run
from tests.rules.story import PROGRAMS
from worker.programs.terms_file import changed, read

GOLD = {
    "rule": "SHO-02",
    "levels": [{"name": "basic", "threshold": 0}, {"name": "gold", "threshold": 100_000}],
    "window": {"type": "calendar_year"},
    "judgements": [{"on": "change"}],
}


def times(factor: str, name: str, priority: int, **when: Any) -> dict[str, Any]:
    """A campaign that multiplies."""
    return {"id": name, "rule": "SHO-02", "when": when, "effect": "multiply", "times": factor, "priority": priority}


CHANGES: dict[str, Any] = {
    "tiers": GOLD,
    "maturity": {"rule": "SHO-03", "after": [{"event": "payment"}, {"event": "shipment", "days": 30}], "shown": "order"},
    "earning.components": [
        {
            "id": "basic",
            "rule": "SHO-02",
            "rates": [{"rate": "0.03", "when": {"tiers": ["gold"]}}, {"rate": "0.01"}],
        }
    ],
    "earning.campaigns": [
        times("2", "books", 3, categories=["books"]),
        times("5", "first", 2, orders=1, skus=["TEA"]),
        times("10", "staff", 1, attributes={"plan": ["staff"]}),
    ],
    "earning.caps": [{"rule": "SHO-02", "points": 500, "period": "order"}],
    "redemption": {"rule": "SHO-05", "minimum": 100, "unit": 100},
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    values = changed(read(PROGRAMS["shop"].read_text(encoding="utf-8")), CHANGES)
    path.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def earned(answer: Any) -> list[tuple[int, str]]:
    """What was granted, and by which component."""
    return [(each["points"], each["component"]) for each in answer.json["movements"] if each["reason"] == "earn"]


def test_an_order_of_12_000_by_a_gold_member_on_a_day(run: Run, shop: Path) -> None:
    asked = ("program", "try", shop, "--order", "12000", "--tier", "gold", "--on", "2026-12-03", "--paid", "--shipped")
    told = run(*asked, "-o", "json").json
    moved = [(each["at"][:10], each["reason"], each["points"], each["rule"], each["expires_on"]) for each in told["movements"]]
    assert moved == [
        ("2026-12-03", "earn", 360, "SHO-02", None),
        ("2027-01-02", "mature", 360, "SHO-03", "2028-01-02"),
        ("2028-01-03", "lapse", 360, "SHO-04", "2028-01-02"),
    ]
    assert (told["tier_before"], told["waits_for"], told["findings"]) == ("gold", [], [])
    lines = run(*asked).out.splitlines()
    assert lines[:3] == [
        "Level before: gold; after: gold",
        "2026-12-03 12:00  360 points granted, not usable yet (basic)",
        "    12,000 yen × 3% = 360 (tier gold)",
    ]
    assert "    SHO-02: 1 % without tax." in lines


@pytest.mark.parametrize(
    ("options", "points"),
    [
        ("", 120),
        ("--category books", 240),
        ("--sku TEA", 500),  # five times 120, and the cap
        ("--sku TEA --earlier 1", 120),
        ("--attribute plan=staff", 500),
        ("--quantity 2", 240),
        ("--tier gold --category books", 500),
    ],
)
def test_goods_the_member_and_what_came_before_decide(run: Run, shop: Path, options: str, points: int) -> None:
    answer = run("program", "try", shop, "--order", "12000", "--on", "2026-12-03", *options.split(), "-o", "json")
    assert earned(answer) == [(points, "basic")]


def test_it_names_the_campaign_and_what_the_cap_cut(run: Run, shop: Path) -> None:
    told = run("program", "try", shop, "--order", "12000", "--sku", "TEA", "--on", "2026-12-03")
    assert "(tier basic, campaign first)" in told.out
    assert "limit 500 for this order, used before 0: of 600 there was room for 500" in told.out


def test_it_says_what_points_wait_for(run: Run, shop: Path) -> None:
    told = run("program", "try", shop, "--order", "12000", "--on", "2026-12-03")
    assert told.out.splitlines()[-1] == "Points wait for: payment; shipment, then 30 days"
    told = run("program", "try", shop, "--order", "12000", "--on", "2026-12-03", "--shipped")
    assert told.out.splitlines()[-1] == "Points wait for: payment"


def test_a_day_before_the_terms_is_told(run: Run, shop: Path) -> None:
    early = run("program", "try", shop, "--order", "12000", "--on", "2023-12-31")
    assert early.mistakes == ["these terms are in force from 2024-01-01 on: it is tried as if they were by then"]
    assert run("program", "try", shop, "--order", "12000", "--on", "2024-01-01").err == ""


def test_points_that_pay_are_taken_or_refused(run: Run, shop: Path) -> None:
    paid = run("program", "try", shop, "--order", "12000", "--points-used", "300", "--on", "2026-12-03", "-o", "json").json
    assert paid["redemptions"] == [{"decision": "accepted", "reason": None, "points": 300}]
    few = run("program", "try", shop, "--order", "12000", "--points-used", "50", "--on", "2026-12-03")
    assert "Points asked for: rejected (below_minimum), 0 used" in few.out
    poor = run("program", "try", shop, "--order", "12000", "--points-used", "300", "--balance", "200", "--on", "2026-12-03")
    assert "Points asked for: rejected (insufficient_points), 0 used" in poor.out


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ("--tier silver", "silver is no tier; there are basic, gold"),
        ("--entered tour", "tour is no activity; there are none"),
        ("--on tomorrow", "--on tomorrow: should be a day such as 2026-12-03"),
        ("--attribute plan", "--attribute plan: should be like plan=gold"),
        ("--measure litres=4.5", "--measure 4.5: should be a whole number"),
        ("--birthday 3-12", "--birthday 3-12: should be a month and day such as 12-03"),
        ("--channel fax", "data.channel"),
    ],
)
def test_a_mistake_says_what_would_be_right(run: Run, shop: Path, options: str, mistake: str) -> None:
    answer = run("program", "try", shop, "--order", "12000", *options.split())
    assert (answer.code, answer.out) == (2, "")
    assert mistake in answer.err
