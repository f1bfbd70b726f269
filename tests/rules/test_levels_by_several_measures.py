"""Levels that are reached by any or by all of several measures: nights or points, so many orders and so much money."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.terms_checks import contradictions
from tests.rules.story import MEMBER, Story, line
from worker.programs.terms_file import TermsError

NIGHTS_OR_POINTS: dict[str, Any] = {
    "rule": "SHO-01",
    "levels": [
        {"name": "guest"},
        {"name": "silver", "any": {"nights": 5, "points": 500}},
        {"name": "gold", "any": {"nights": 15, "points": 2_000}},
    ],
    "measures": {"nights": {"of": "nights", "counted_at": "order"}, "points": {"of": "points", "counted_at": "order"}},
    "window": {"type": "calendar_year", "begins": "04-01"},
    "judgements": [{"on": "change", "falls": "any"}],
}
"""A hotel: silver for five nights or 500 points of a year from April, gold for fifteen nights or 2,000 points."""

ORDERS_AND_MONEY: dict[str, Any] = {
    "rule": "SHO-01",
    "levels": [
        {"name": "basic"},
        {"name": "style", "all": {"orders": 2, "spent": 20_000}},
        {"name": "icon", "all": {"orders": 4, "spent": 50_000}},
    ],
    "measures": {
        "orders": {"of": "orders", "minimum": 3_000, "counted_at": "order"},
        "spent": {"of": "purchases", "counted_at": "order"},
    },
    "window": {"type": "half_year"},
    "judgements": [{"on": "change", "falls": "any"}],
}
"""A fashion shop: in a half year two orders of 3,000 yen and 20,000 yen in all, or four and 50,000 yen."""


def shop(tiers: dict[str, Any], **more: Any) -> Story:
    story = Story("shop", {"tiers": {**tiers, **more}})
    story.registered("2024-01-01")
    return story


def stay(story: Story, order_id: str, at: str, nights: int, price: int = 100) -> None:
    story.order(order_id, at, line(price, measures={"nights": nights}))


def test_a_guest_is_silver_by_nights_however_few_the_points() -> None:
    hotel = shop(NIGHTS_OR_POINTS)
    stay(hotel, "A", "2024-05-01", 3)
    stay(hotel, "B", "2024-06-01", 2)
    assert [hotel.at(day).tier for day in ("2024-05-31", "2024-06-01")] == ["guest", "silver"]


def test_a_guest_is_silver_by_points_however_few_the_nights() -> None:
    hotel = shop(NIGHTS_OR_POINTS)
    stay(hotel, "A", "2024-05-01", 1, price=50_000)
    assert (hotel.at("2024-05-01").available, hotel.at("2024-05-01").tier) == (500, "silver")


def test_nights_and_points_are_not_added_together() -> None:
    hotel = shop(NIGHTS_OR_POINTS)
    stay(hotel, "A", "2024-05-01", 4, price=49_900)
    assert hotel.at("2024-05-01").tier == "guest"


def test_nights_of_a_year_count_from_april_to_march() -> None:
    hotel = shop(NIGHTS_OR_POINTS)
    stay(hotel, "A", "2024-03-31", 3)
    stay(hotel, "B", "2024-04-01", 3)
    assert hotel.at("2024-04-01").tier == "guest"
    stay(hotel, "C", "2025-03-31", 2)
    assert [hotel.at(day).tier for day in ("2025-03-31", "2025-04-01")] == ["silver", "guest"]


def test_nights_of_a_stay_that_is_cancelled_count_no_more() -> None:
    hotel = shop(NIGHTS_OR_POINTS)
    stay(hotel, "A", "2024-05-01", 3)
    stay(hotel, "B", "2024-06-01", 2)
    hotel.cancelled("A", "2024-06-02")
    assert [hotel.at(day).tier for day in ("2024-06-01", "2024-06-02")] == ["silver", "guest"]


def test_only_points_of_the_kinds_that_are_named_lead_to_a_level() -> None:
    levels = [{"name": "guest", "threshold": 0}, {"name": "silver", "threshold": 500}]
    by_status_points = {"of": "points", "counted_at": "order", "kinds": ["status"], "points_from": ["purchase", "adjustment"]}
    hotel = shop(NIGHTS_OR_POINTS, levels=levels, measures={}, measure=by_status_points)
    stay(hotel, "A", "2024-05-01", 1, price=100_000)
    hotel.adjusted(400, "2024-05-02", kind="status")
    assert (hotel.at("2024-05-02").available, hotel.at("2024-05-02").tier) == (1_400, "guest")
    hotel.adjusted(100, "2024-05-03", kind="status")
    assert hotel.at("2024-05-03").tier == "silver"


def test_pieces_lead_to_a_level_and_a_return_takes_them_off() -> None:
    levels = [{"name": "basic", "threshold": 0}, {"name": "style", "threshold": 10}]
    story = shop(ORDERS_AND_MONEY, levels=levels, measures={}, measure={"of": "pieces", "counted_at": "order"})
    story.bought("A", "2024-02-01", line(100, 10))
    assert story.at("2024-02-01").tier == "style"
    story.returned("A", "2024-02-10", {"line_id": "1", "quantity": 1})
    assert story.at("2024-02-10").tier == "basic"


def test_all_that_a_level_takes_must_be_there() -> None:
    fashion = shop(ORDERS_AND_MONEY)
    fashion.order("A", "2024-02-01", line(30_000))
    fashion.order("B", "2024-02-02", line(2_999))
    assert fashion.at("2024-02-02").tier == "basic"
    fashion.order("C", "2024-02-03", line(3_000))
    assert fashion.at("2024-02-03").tier == "style"


@pytest.mark.parametrize(("back", "tier"), [("A", "basic"), ("B", "basic"), ("C", "style")])
def test_a_return_takes_the_order_and_its_money_off(back: str, tier: str) -> None:
    """A: 17,000, B: 4,000, C: 2,000 yen: style by A and B alone."""
    fashion = shop(ORDERS_AND_MONEY)
    for name, price in (("A", 17_000), ("B", 4_000), ("C", 2_000)):
        fashion.bought(name, "2024-02-01", line(price))
    assert fashion.at("2024-02-10").tier == "style"
    fashion.returned(back, "2024-02-11")
    assert fashion.at("2024-02-11").tier == tier


def test_what_the_order_in_hand_brings_counts_for_its_own_level_by_every_measure() -> None:
    """Three per cent for style. The second order of 3,000 yen is the one by which both are reached."""
    fashion = shop(ORDERS_AND_MONEY, includes_current_order=True)
    fashion.order("A", "2024-02-01", line(17_000))
    fashion.order("B", "2024-02-02", line(3_000))
    assert fashion.at("2024-02-02").tier == "style"


def test_what_had_counted_elsewhere_is_of_a_measure() -> None:
    """Of 15,000 yen and one order taken over, and an order of 5,000 yen, the level of 20,000 yen and two orders comes."""
    fashion = shop(ORDERS_AND_MONEY)
    counted = [
        {"on": "2024-01-10", "amount": 15_000, "measure": "spent"},
        {"on": "2024-01-10", "amount": 1, "measure": "orders"},
        {"on": "2024-01-10", "amount": 9},
    ]
    fashion.tell("balance.opened", "2024-01-15", member_id=MEMBER, counted=counted)
    assert (fashion.at("2024-01-15").tier, fashion.findings("2024-01-15")) == ("basic", ["measure_not_offered"])
    fashion.order("B", "2024-02-02", line(5_000))
    assert fashion.at("2024-02-02").tier == "style"


LEVELS = ORDERS_AND_MONEY["levels"]
MEASURES = ORDERS_AND_MONEY["measures"]


def icon(**takes: Any) -> dict[str, Any]:
    return {"levels": [*LEVELS[:2], {"name": "icon", **takes}]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"measure": {"of": "orders"}}, "write either measure, the only one, or measures by name"),
        ({"levels": [{"name": "basic", "threshold": 5}, *LEVELS[1:]]}, "basic is the lowest level, which takes nothing"),
        (icon(threshold=9), "icon takes any or all of several measures"),
        (icon(all={"orders": 4}, any={"spent": 5}), "icon takes any or all of several measures"),
        (icon(all={"nights": 9}), "icon takes nights, which is no measure; there are orders, spent"),
        ({"measures": {}}, "any and all are of several measures"),
    ],
)
def test_levels_of_a_wrong_form_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(TermsError, match=told):
        shop(ORDERS_AND_MONEY, **changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (icon(all={"orders": 1, "spent": 50_000}), "tiers.levels.2.all.orders: style takes 2: write as much or more"),
        (icon(all={"orders": 2, "spent": 20_000}), "tiers.levels.2: takes no more than style"),
        (icon(all={"orders": 4, "spent": 0}), "tiers.levels.2.all.spent: everybody has that"),
        ({"levels": [LEVELS[0], {"name": "style", "all": {"orders": 2}}]}, "tiers.measures.spent: no level takes any"),
        ({"measures": {**MEASURES, "spent": {"of": "purchase"}}}, "tiers.measures.spent.of: purchase is no unit: write purch"),
        ({"measures": {**MEASURES, "spent": {"kinds": ["regular"]}}}, "tiers.measures.spent.kinds: says which points count"),
        ({"measures": {**MEASURES, "spent": {"of": "nights", "tax": "inclusive"}}}, "tiers.measures.spent.tax: says which money"),
    ],
)
def test_levels_that_cannot_be_meant_are_refused_with_what_would_be_right(changes: dict[str, Any], told: str) -> None:
    (version,) = shop(ORDERS_AND_MONEY, **changes).program.versions
    assert any(str(found).startswith(told) for found in contradictions(version.terms)), contradictions(version.terms)


@pytest.mark.parametrize("tiers", [NIGHTS_OR_POINTS, ORDERS_AND_MONEY])
def test_levels_by_several_measures_are_accepted(tiers: dict[str, Any]) -> None:
    (version,) = shop(tiers).program.versions
    assert contradictions(version.terms) == []


# -- which lines count

NO_CARDS = {"counted_at": "order", "when": {"unless": {"categories": ["gift_card"]}}}
SPENT: dict[str, Any] = {
    "rule": "SHO-01",
    "levels": [{"name": "basic", "threshold": 0}, {"name": "gold", "threshold": 5_000}],
    "measure": NO_CARDS,
    "window": {"type": "calendar_year"},
    "judgements": [{"on": "change", "falls": "any"}],
}


@pytest.mark.parametrize(("of", "amount"), [("purchases", 5_000), ("orders", 1), ("pieces", 2), ("nights", 3)])
def test_only_lines_for_which_the_condition_holds_count_toward_a_level(of: str, amount: int) -> None:
    story = shop(SPENT, measure={**NO_CARDS, "of": of}, levels=[SPENT["levels"][0], {"name": "gold", "threshold": amount}])
    card = line(9_000, 4, category="gift_card", measures={"nights": 9}, line_id="card")
    story.order("A", "2024-02-01", card)
    assert story.at("2024-02-01").tier == "basic"
    story.order("B", "2024-02-02", card, line(2_500, 2, measures={"nights": 3}, line_id="goods"))
    assert story.at("2024-02-02").tier == "gold"
    story.cancelled("B", "2024-02-03", {"line_id": "goods", "quantity": 2})
    assert story.at("2024-02-03").tier == "basic"


def test_an_order_that_earns_by_the_level_that_it_reaches_is_measured_alike() -> None:
    rates = [{"rate": "0.1", "when": {"tiers": ["gold"]}}, {"rate": "0.01"}]
    changes = {"tiers": {**SPENT, "includes_current_order": True}, "earning.components.0.rates": rates}
    story = Story("shop", changes)
    story.registered("2024-01-01")
    story.order("A", "2024-02-01", line(4_000), line(1_000, category="gift_card"))
    story.cancelled("A", "2024-02-01 13:00:00")
    story.order("B", "2024-02-02", line(4_000), line(1_000))
    assert [each.points_credited for each in story.at("2024-02-02").orders] == [0, 500]
    assert story.order_at("A", "2024-02-01").points_credited == 50


def test_a_condition_on_what_leads_to_a_level_may_not_hang_on_it() -> None:
    for measure, path in (
        ({"when": {"unless": {"tiers": ["gold"]}}}, "tiers.measure.when.unless.tiers"),
        ({"of": "points", "when": {"skus": ["A"]}}, "tiers.measure.when"),
    ):
        story = Story("shop", {"tiers": {**SPENT, "measure": measure}})
        found = contradictions(story.program.versions[0].terms)
        assert [each.path for each in found if each.path.startswith("tiers.measure")] == [path]
