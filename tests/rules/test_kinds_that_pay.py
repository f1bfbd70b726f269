"""Which orders points of a kind pay: those of a shop pay there only, and some pay for nothing."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.terms_checks import contradictions
from tests.rules.story import MEMBER, Story, line

KINDS = [
    {"rule": "SHO-05", "kinds": ["bakery"], "when": {"stores": ["bakery"]}},
    {"rule": "SHO-05", "kinds": ["status"], "pays": "nothing"},
]
GOODS = [line(1_000, line_id="1")]
STORES = {"eligible": ["shop", "bakery"]}


def told(kinds: Any = KINDS, **set_: Any) -> Story:
    """100 points that pay anywhere, 40 bakery points and 70 status points, which lapse in this order."""
    activities = [
        {"id": kind, "rule": "SHO-02", "event": "activity.completed", "activity": kind, "kind": kind, "points": points}
        for kind, points in (("town", 100), ("bakery", 40), ("status", 70))
    ]
    changes = {"activities": activities, "earning.components": [], "membership.stores": STORES, "redemption.kinds": kinds}
    story = Story("shop", {**changes, **{path.replace("__", "."): value for path, value in set_.items()}})
    story.registered("2024-01-01")
    for day, kind in enumerate(("town", "bakery", "status"), 2):
        story.tell("activity.completed", f"2024-01-{day:02}", member_id=MEMBER, activity=kind, reference=kind)
    return story


def left(story: Story, at: str = "2024-03-01") -> dict[str, int]:
    return {lot.kind: lot.points for lot in story.at(at).lots}


def order(story: Story, store: str, points: int, order_id: str = "A", **data: Any) -> str | None:
    story.order(order_id, "2024-02-01", line(1_000, line_id="1"), store=store, points_used=points, **data)
    redemption = story.order_at(order_id, "2024-02-02").redemption
    assert redemption is not None
    return redemption.reason or redemption.decision


@pytest.mark.parametrize(
    ("store", "points", "verdict"),
    [
        ("shop", 100, "accepted"),
        ("shop", 101, "insufficient_points"),
        ("bakery", 140, "accepted"),
        ("bakery", 141, "insufficient_points"),
    ],
)
def test_an_order_is_paid_with_kinds_that_pay_it_alone(store: str, points: int, verdict: str) -> None:
    assert order(told(), store, points) == verdict


def test_points_that_do_not_pay_it_stay_though_they_would_go_first() -> None:
    story = told(redemption__first_kinds=["status", "bakery"])
    assert order(story, "shop", 60) == "accepted"
    assert left(story) == {"town": 40, "bakery": 40, "status": 70}
    assert order(story, "bakery", 60, "B") == "accepted"
    assert left(story) == {"town": 20, "status": 70}


def test_what_comes_back_goes_to_the_kinds_that_it_came_from() -> None:
    story = told(redemption__first_kinds=["bakery"])
    order(story, "bakery", 60)
    story.cancelled("A", "2024-02-03")
    assert left(story) == {"town": 100, "bakery": 40, "status": 70}


def test_all_points_are_all_that_pay_it() -> None:
    story = told()
    story.order("A", "2024-02-01", line(1_000), store="shop", use_all_points=True)
    assert left(story) == {"bakery": 40, "status": 70}


def test_points_that_are_set_aside_for_a_store_are_of_kinds_that_pay_there() -> None:
    story = told()
    ask: dict[str, Any] = {"member_id": MEMBER, "points": 120}
    story.tell("redemption.requested", "2024-02-01 10:00:00", redemption_id="R1", store="shop", **ask)
    story.tell("redemption.requested", "2024-02-01 10:00:01", redemption_id="R2", store="bakery", **ask)
    assert left(story, "2024-02-01 10:00:02") == {"bakery": 20, "status": 70}, "the shop's 120 are not there, the bakery's are"
    story.order("A", "2024-02-01 10:05:00", line(1_000), store="bakery", redemption_id="R2")
    assert story.at("2024-02-02").available == 210 - 120


@pytest.mark.parametrize("taken_at", ["order", "shipment"])
def test_an_amendment_and_a_cancel_that_is_taken_back_ask_for_the_same_kinds(taken_at: str) -> None:
    story = told(redemption__taken_at=taken_at)
    order(story, "shop", 60)
    story.tell("order.amended", "2024-02-03", order_id="A", amendment_id="M1", lines=GOODS, points_used=100)
    assert left(story) == {"bakery": 40, "status": 70}
    story.tell("order.amended", "2024-02-04", order_id="A", amendment_id="M2", lines=GOODS, points_used=101)
    assert "amendment_refused" in story.findings("2024-03-01")
    story.cancelled("A", "2024-02-05")
    story.tell("order.reinstated", "2024-02-06", order_id="A")
    assert left(story) == {"bakery": 40, "status": 70}


def test_arrears_leave_no_more_than_there_is_in_all() -> None:
    story = told()
    story.adjusted(-200, "2024-01-10")
    assert order(story, "bakery", 11) == "insufficient_points"


@pytest.mark.parametrize(
    ("kinds", "path"),
    [
        ([{"rule": "SHO-05", "kinds": ["a"], "pays": "nothing", "when": {"stores": ["shop"]}}], "redemption.kinds.0.when"),
        ([{"rule": "SHO-05", "kinds": ["a"]}], "redemption.kinds.0"),
        ([{"rule": "SHO-05", "kinds": ["a"], "when": {"categories": ["x"]}}], "redemption.kinds.0.when.categories"),
        ([{"rule": "SHO-05", "kinds": ["a"], "when": {"basket": {"amount": 1}}}], "redemption.kinds.0.when.basket"),
        ([{"rule": "SHO-05", "kinds": ["a"], "when": {"stores": ["moon"]}}], "redemption.kinds.0.when.stores"),
    ],
)
def test_what_nothing_would_read_is_refused(kinds: Any, path: str) -> None:
    terms = told(kinds).program.versions[0].terms
    assert path in [each.path for each in contradictions(terms)]


# -- what was spent and is taken back


def shopping(taken_from: str, **earned: Any) -> Story:
    """1 % in bakery points and 1 % in those of the town: 100 each, of which 80 bakery points were used."""
    components = [{"id": kind, "kind": kind, "rule": "SHO-02", "rates": [{"rate": "0.01"}]} for kind in ("bakery", "town")]
    rules = {"rule": "SHO-07", "taken_from": taken_from, **earned}
    set_ = {"earning.components": components, "redemption.first_kinds": ["bakery"], "reversal.earned_points": rules}
    story = Story("shop", set_)
    story.registered("2024-01-01")
    story.bought("A", "2024-02-01", line(10_000, line_id="1"))
    story.order("B", "2024-02-02", line(100), points_used=80, coupons=["X"])
    story.returned("A", "2024-02-03")
    return story


@pytest.mark.parametrize(("taken_from", "owed"), [("any", -78), ("own_kind", -78)])
def test_what_was_spent_is_owed_whatever_the_kind(taken_from: str, owed: int) -> None:
    """B brings one point of each kind, and 200 of A are taken back, of which 80 were spent."""
    assert shopping(taken_from).at("2024-02-04").available == owed


@pytest.mark.parametrize(("taken_from", "stays"), [("any", 921), ("own_kind", 1_000)])
def test_points_of_another_kind_stand_in_for_those_that_were_spent_or_do_not(taken_from: str, stays: int) -> None:
    """80 bakery points are missing: one is there of B, and of the 1,000 by hand 79 are taken, or none."""
    story = shopping(taken_from)
    story.adjusted(1_000, "2024-01-02")
    lots = {lot.kind: lot.points for lot in story.at("2024-02-04").lots}
    assert lots["regular"] == stays
    assert story.at("2024-02-04").available == 1_000 - 78


@pytest.mark.parametrize(("taken_from", "available"), [("any", 922), ("own_kind", 1_001)])
def test_where_it_is_written_off_only_points_of_the_kind_are_taken(taken_from: str, available: int) -> None:
    """Of any kind all 200 are taken; of its own the 79 bakery points that are missing are written off."""
    story = shopping(taken_from, shortfall="write_off")
    story.adjusted(1_000, "2024-01-02")
    assert story.at("2024-02-04").available == available
