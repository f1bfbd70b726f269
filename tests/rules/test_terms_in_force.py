"""Terms that change: an order keeps those of its date, and everything else goes by those in force when it happens.

In each story an order from before the change is worked on in the very step in which something else happens after it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.heard import Heard
from tests.rules.story import MEMBER, Story, line

FEBRUARY = "2024-02-01T00:00:00+09:00"
TIERS: dict[str, Any] = {
    "rule": "SHO-01",
    "levels": [{"name": "regular", "threshold": 0}, {"name": "silver", "threshold": 10_000}],
    "judgements": [{"on": {"monthly": 1}, "falls": "any"}],
    "window": {"type": "rolling_months", "months": 12},
    "measure": {"counted_at": "order"},
}
VISIT = {"id": "visit", "rule": "SHO-02", "event": "activity.completed", "activity": "visit", "points": 10, "delay_hours": 48}
MATURES_LATE = {"earning.tier_at": "maturity", "maturity.after": [{"event": "order", "days": 31}]}
"""An order's points are looked at when they mature, at the beginning of the 31st day after it."""


def shop(before: dict[str, Any], from_february: dict[str, Any]) -> Story:
    """The shop with some choices changed, and with others from February on."""
    story = Story("shop", {**before, "amendments": [{"effective_from": FEBRUARY, "set": from_february}]})
    story.registered("2024-01-01")
    return story


def test_points_promised_for_an_activity_come_by_the_rule_of_their_day_beside_an_older_order_that_matures() -> None:
    story = shop({"activities": [VISIT], **MATURES_LATE}, {"activities": [{**VISIT, "rule": "SHO-08"}]})
    story.order("A", "2024-01-02", line(2_000))
    story.tell("activity.completed", "2024-01-31 00:00:00", member_id=MEMBER, activity="visit", reference="V")
    assert story.one_second_before("2024-02-02 00:00:00").available == 0
    assert story.at("2024-02-02 00:00:00").available == 30
    assert story.rules("earn") == {"SHO-02", "SHO-08"}


def test_a_level_is_reviewed_by_the_rule_of_the_day_beside_an_older_order_that_matures(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard(monkeypatch)
    story = shop({"tiers": TIERS, **MATURES_LATE}, {"tiers": {**TIERS, "rule": "SHO-08"}})
    story.order("A", "2024-01-30", line(20_000))
    assert story.at("2024-01-31").tier == "regular"
    assert story.at("2024-03-01 00:00:00").tier == "silver"
    assert {told["rule"] for told in heard.on("tier-changed")} == {"SHO-08"}


def test_points_held_by_one_rule_are_released_by_that_rule() -> None:
    story = shop({}, {"adjustment.rule": "SHO-07"})
    story.adjusted(100, "2024-01-02")
    story.held("2024-01-03", points=60)
    story.held("2024-02-03", points=40)
    story.released("2024-02-04", points=50)
    story.released("2024-02-05", points=50)
    assert [(entry.points, entry.rule) for entry in story.entries() if entry.reason == "release"] == [
        (50, "SHO-08"),
        (10, "SHO-08"),
        (40, "SHO-07"),
    ]


def test_points_of_an_order_held_by_one_rule_are_released_by_that_rule_whichever_the_order_keeps() -> None:
    story = shop({}, {"adjustment.rule": "SHO-07"})
    story.order("A", "2024-01-02", line(10_000))
    story.held("2024-02-03", order_id="A")
    assert story.rules("hold") == {"SHO-07"}
    story.released("2024-02-04", order_id="A")
    assert story.rules("release") == {"SHO-07"}
    assert story.at("2024-02-04").available == 100


@pytest.mark.parametrize("given_up", [True, False])
def test_points_reserved_by_one_rule_come_free_by_that_rule(given_up: bool) -> None:
    story = shop({"redemption.two_step": {"hold_seconds": 86_400}}, {"redemption.rule": "SHO-07"})
    story.adjusted(100, "2024-01-02")
    story.tell("redemption.requested", "2024-01-31", member_id=MEMBER, redemption_id="R", points=40, store="shop")
    if given_up:
        story.tell("redemption.released", "2024-02-01 10:00:00", member_id=MEMBER, redemption_id="R")
    assert (story.at("2024-02-02").reserved, story.at("2024-02-02").available) == (0, 100)
    assert story.rules("release") == {"SHO-05"}


def test_points_set_aside_for_an_order_are_spent_by_the_rule_that_the_order_keeps() -> None:
    story = shop({"redemption.taken_at": "shipment"}, {"redemption.rule": "SHO-07"})
    story.adjusted(100, "2024-01-02")
    story.order("A", "2024-01-31", line(1_000), points_used=40)
    story.shipped("A", "2024-02-02")
    assert (story.rules("reserve"), story.rules("redeem")) == ({"SHO-05"}, {"SHO-05"})
