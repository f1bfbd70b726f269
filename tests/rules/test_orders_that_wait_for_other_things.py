"""Points of the shops can be used the next day, those of the web shop 14 days after the delivery."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.terms_checks import contradictions
from tests.explain.story import ExplainedStory
from tests.rules.any_order import fact, in_any_order, placed
from tests.rules.story import Story, line, pieces
from worker.reading.explain import text

AFTER = [{"event": "order", "days": 1}, {"event": "delivery", "days": 14, "when": {"stores": ["web"]}}]
SET = {"maturity.after": AFTER, "membership.stores": {"eligible": ["shop", "web"]}}


def told(story: type[Story] = Story, **set_: Any) -> Any:
    shop = story("shop", {**SET, **{path.replace("__", "."): value for path, value in set_.items()}})
    shop.registered("2024-01-01")
    return shop


def usable(story: Story, *instants: str) -> list[int]:
    return [story.at(at).available for at in instants]


def test_a_purchase_in_a_shop_waits_for_the_next_day_alone() -> None:
    story = told()
    story.order("A", "2024-02-01", line(10_000), store="shop")
    assert usable(story, "2024-02-01 23:59:59", "2024-02-02 00:00:00") == [0, 100]


def test_an_order_of_the_web_shop_waits_for_its_delivery() -> None:
    story = told()
    story.order("A", "2024-02-01", line(10_000), store="web")
    story.shipped("A", "2024-02-03")
    story.delivered("A", "2024-02-05")
    assert usable(story, "2024-02-18 23:59:59", "2024-02-19 00:00:00") == [0, 100]


def test_where_each_shipment_waits_on_its_own_so_do_those_of_the_web_shop_only() -> None:
    story = told(maturity__by="shipment")
    two = (line(10_000, line_id="1"), line(5_000, line_id="2"))
    story.order("A", "2024-02-01", *two, store="web")
    story.order("B", "2024-02-01", *two, store="shop")
    assert usable(story, "2024-02-02") == [150]
    for order in ("A", "B"):
        story.shipped(order, "2024-02-03", pieces("1"), shipment_id=f"{order}1")
        story.delivered(order, "2024-02-04", pieces("1"))
    assert usable(story, "2024-02-17", "2024-02-18") == [150, 250]


def test_any_order_of_delivery_comes_to_the_same() -> None:
    facts = (
        fact("member.registered", "2024-01-01"),
        placed("2024-02-01", store="web"),
        fact("shipment.dispatched", "2024-02-02", lines="all"),
        fact("shipment.delivered", "2024-02-03", lines="all"),
        placed("2024-02-01", store="shop", order_id="B"),
    )
    assert in_any_order("shop", facts, "2024-02-10", SET).available == 100
    assert in_any_order("shop", facts, "2024-02-17", SET).available == 200


def test_an_explanation_names_what_the_order_waited_for() -> None:
    story = told(ExplainedStory)
    story.order("A", "2024-02-01", line(10_000), store="shop")
    story.at("2024-02-03")
    explained = text(story.told("2024-02-03"))
    assert "from 2024-02-02: 1 day after the order (2024-02-01)" in explained
    assert "delivery" not in explained


@pytest.mark.parametrize(
    ("after", "path"),
    [
        ([{"event": "order", "when": {"stores": ["web"]}}], "maturity.after"),
        ([{"event": "order"}, {"event": "payment", "when": {"categories": ["x"]}}], "maturity.after.1.when.categories"),
        ([{"event": "order"}, {"event": "payment", "when": {"basket": {"pieces": 2}}}], "maturity.after.1.when.basket"),
    ],
)
def test_conditions_that_leave_an_order_waiting_for_nothing_are_refused(after: Any, path: str) -> None:
    assert path in [each.path for each in contradictions(told(maturity__after=after).program.versions[0].terms)]
