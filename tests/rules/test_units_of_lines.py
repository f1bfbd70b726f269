"""Litres, nights and miles: rates by them, baskets and challenges that ask for them; time since joining by full months; last days
at the end of a month."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.terms_checks import contradictions, shares_too_high
from tests.explain.story import ExplainedStory
from tests.rules.story import Story, line, pieces
from worker.reading.explain import text


def flying(*rates: dict[str, Any], story: type[Story] = Story, **set_: Any) -> Any:
    """The shop, of which a component earns by miles."""
    component = {"id": "miles", "rule": "SHO-02", "rates": [{"rate": rate} for rate in rates]}
    told = story("shop", {"earning.components": [component], **{path.replace("__", "."): value for path, value in set_.items()}})
    told.registered("2024-01-01")
    return told


def flown(miles: int, quantity: int = 1, **more: Any) -> dict[str, Any]:
    return line(100, quantity, line_id="1", measures={"miles": miles}, **more)


# -- rates


def test_a_rate_is_a_share_of_the_distance_which_may_be_more_than_all_of_it() -> None:
    story = flying({"share": "1.5", "of": "miles"})
    story.order("A", "2024-02-01", flown(301))
    assert story.at("2024-02-01").available == 451, "301 x 1.5 = 451.5"
    assert not list(shares_too_high(story.program.versions[0].terms))


def test_it_is_explained_with_its_fraction() -> None:
    story = flying({"share": "1.5", "of": "miles"}, story=ExplainedStory)
    story.order("A", "2024-02-01", flown(301))
    assert "301 miles × 150% = 451.5, rounded down: 451" in text(story.told("2024-02-02"))


@pytest.mark.parametrize(("miles", "points"), [(120, 250), (499, 250), (502, 251), (0, 0)])
def test_a_short_flight_counts_as_the_least_distance_and_one_without_distance_as_none(miles: int, points: int) -> None:
    story = flying({"share": "0.5", "of": "miles", "at_least": 500})
    story.order("A", "2024-02-01", flown(miles))
    assert story.at("2024-02-01").available == points


def test_of_two_flights_each_counts_as_the_least_distance_and_one_that_comes_back_takes_its_half() -> None:
    story = flying({"share": "0.5", "of": "miles", "at_least": 500})
    story.order("A", "2024-02-01", flown(240, 2))
    story.shipped("A", "2024-02-02")
    assert story.at("2024-02-02").available == 500
    story.returned("A", "2024-02-03", pieces("1"))
    assert story.at("2024-02-03").available == 250


# -- baskets


@pytest.mark.parametrize(("litres", "points"), [(19, 10), (20, 20)])
def test_an_order_of_so_many_litres_has_its_bonus_until_some_of_them_come_back(litres: int, points: int) -> None:
    when = {"basket": {"measures": {"litres": 20}}}
    campaign = {"id": "full", "rule": "SHO-02", "effect": "multiply", "times": "2", "when": when}
    story = Story("shop", {"earning.campaigns": [campaign]})
    story.registered("2024-01-01")
    bottles = line(500, 2, line_id="1", measures={"litres": litres})
    story.bought("A", "2024-02-01", bottles)
    assert story.at("2024-02-01").available == points
    story.returned("A", "2024-02-02", pieces("1"))
    assert story.at("2024-02-02").available == 5


# -- challenges


def filled(story: Story, order_id: str, at: str, ml: int) -> None:
    story.bought(order_id, at, line(1_000, line_id="1", measures={"ml": ml}))


def test_a_month_of_so_many_litres_brings_its_step_and_a_return_after_it_takes_the_difference() -> None:
    month = {"id": "month", "rule": "SHO-02", "period": "month", "of": "ml"}
    steps = [{"at": 100_000, "points": 50}, {"at": 200_000, "points": 150}]
    story = Story("shop", {"challenges": [{**month, "steps": steps}], "earning.components": []})
    story.registered("2024-01-01")
    filled(story, "A", "2024-02-01", 99_999)
    filled(story, "B", "2024-02-28", 100_001)
    assert [story.at(at).available for at in ("2024-02-29 23:59:59", "2024-03-01 00:00:00")] == [0, 150]
    story.returned("B", "2024-03-05")
    assert story.at("2024-03-05").available == 0
    filled(story, "C", "2024-02-20", 1)
    assert story.at("2024-03-05").available == 50, "a fill told late makes it 100 litres"


def test_it_is_explained_by_the_unit() -> None:
    every = {"id": "every", "rule": "SHO-02", "period": "always", "of": "ml", "granted": "reached"}
    set_ = {"challenges": [{**every, "every": {"per": 40_000, "points": 5}}], "earning.components": []}
    story = ExplainedStory("shop", set_)
    story.registered("2024-01-01")
    filled(story, "A", "2024-02-01", 81_000)
    assert story.at("2024-02-01").available == 10
    assert ": ml 81,000, which brings +10" in text(story.told("2024-02-02"))


@pytest.mark.parametrize(("of", "meant"), [("purchases", "amount"), ("order", "orders"), ("store", "stores")])
def test_a_word_that_is_nearly_a_measure_is_no_unit(of: str, meant: str) -> None:
    challenge = {"id": "month", "rule": "SHO-02", "period": "month", "of": of, "steps": [{"at": 1, "points": 1}]}
    terms = Story("shop", {"challenges": [challenge]}).program.versions[0].terms
    assert f"challenges.0.of: {of} is no unit: write {meant}" in [str(each) for each in contradictions(terms)]


# -- full months since joining


@pytest.mark.parametrize(
    ("at", "points"), [("2024-07-30", 100), ("2024-07-31 00:00:00", 200), ("2025-01-30 23:59:59", 200), ("2025-01-31", 100)]
)
def test_from_the_seventh_to_the_twelfth_month_of_membership(at: str, points: int) -> None:
    """Joined on 31 January: six months are full on 31 July, twelve on the next 31 January."""
    when = {"joined": {"first": 6, "last": 11, "unit": "months"}}
    campaign = {"id": "half", "rule": "SHO-02", "effect": "multiply", "times": "2", "when": when}
    story = Story("shop", {"earning.campaigns": [campaign]})
    story.registered("2024-01-31")
    story.order("A", at, line(10_000))
    assert story.order_at("A", "2026-01-01").points_credited == points


def test_a_month_that_has_no_such_day_is_full_on_its_last() -> None:
    when = {"joined": {"first": 1, "unit": "months"}}
    campaign = {"id": "later", "rule": "SHO-02", "effect": "multiply", "times": "2", "when": when}
    for at, points in (("2024-02-28", 100), ("2024-02-29", 200)):
        story = Story("shop", {"earning.campaigns": [campaign]})
        story.registered("2024-01-31")
        story.order("A", at, line(10_000))
        assert story.order_at("A", "2026-01-01").points_credited == points


# -- the end of February


@pytest.mark.parametrize(
    ("at", "last"), [("2023-03-01", "2024-02-29"), ("2024-02-29", "2024-02-29"), ("2024-03-01", "2025-02-28")]
)
def test_points_of_a_year_from_march_last_to_the_end_of_february(at: str, last: str) -> None:
    term = {"rule": "SHO-04", "on": [{"last": "02-01", "granted_from": "03-01", "years": 1}], "to": "month_end"}
    story = Story("shop", {"expiry.terms": [term]})
    story.registered("2023-01-01")
    story.order("A", at, line(10_000))
    (lot,) = story.at(at if len(at) > 10 else f"{at} 23:00:00").lots
    assert str(lot.expires_on) == last
