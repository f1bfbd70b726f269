"""One grant taken back by support: from that grant, then from what lasts longest, then below zero; never twice."""

from __future__ import annotations

from contracts.statement import Statement
from tests.rules.any_order import Fact, fact, in_any_order, placed
from tests.rules.story import MEMBER, Story, line, pieces

BELLE = "bellemaison"
SECOND = {"source": "story", "id": "f01"}
"""The second of the facts that are delivered in any order."""


def left(says: Statement) -> list[tuple[str, int]]:
    return [(str(each.expires_on), each.points) for each in says.lots]


def gifts(*more: Fact, **data: object) -> Statement:
    """Two gifts of 100 points, the first of which lapses sooner, then what is done."""
    facts = (
        fact("points.adjusted", "2024-08-01", points=100, reason="gift", expires_on="2024-10-31"),
        fact("points.adjusted", "2024-08-02", points=100, reason="gift", expires_on="2024-12-31"),
        fact("points.voided", "2024-08-05", reason="mistake", **{"event": SECOND, **data}),
        *more,
    )
    return in_any_order("belle-maison", facts, "2024-08-20")


def test_the_grant_is_taken_and_not_the_points_that_lapse_soonest() -> None:
    says = gifts()
    assert left(says) == [("2024-10-31", 100)]
    assert (says.revoked_total, says.findings) == (100, ())


def test_a_part_of_a_grant_is_taken() -> None:
    assert left(gifts(points=30)) == [("2024-10-31", 100), ("2024-12-31", 70)]


def test_no_more_than_the_grant_is_taken_however_often_it_is_told() -> None:
    says = gifts(fact("points.voided", "2024-08-06", event=SECOND, points=80, reason="again"), points=60)
    assert left(says) == [("2024-10-31", 100)]
    assert [(each.code, each.detail) for each in says.findings] == [("voided_more_than_granted", "40")]


def test_a_lot_is_taken_by_the_name_that_entries_tell() -> None:
    story = Story("belle-maison")
    story.adjusted(100, "2024-08-01", id_="gift")
    story.adjusted(100, "2024-08-02")
    story.tell("points.voided", "2024-08-05", member_id="M1", lot="story:gift/adjustment", reason="mistake")
    assert story.at("2024-08-06").available == 100


def test_what_was_spent_of_it_comes_from_what_lasts_longest() -> None:
    story = Story("belle-maison")
    story.adjusted(700, "2024-08-01", id_="gift", expires_on="2024-09-30")
    story.adjusted(100, "2024-08-01", expires_on="2024-10-31")
    story.adjusted(500, "2024-08-01", expires_on="2024-12-31")
    story.order("A", "2024-08-02", line(10_000), points_used=700)
    story.tell("points.voided", "2024-08-05", member_id="M1", event={"source": "story", "id": "gift"}, reason="mistake")
    assert left(story.at("2024-08-06")) == []
    assert story.at("2024-08-06").available == -100
    story.cancelled("A", "2024-08-07")
    assert story.at("2024-08-08").available == 600


def test_what_lapsed_of_it_is_gone_already() -> None:
    story = Story("belle-maison")
    story.adjusted(100, "2024-08-01", id_="gift", expires_on="2024-09-30")
    story.adjusted(100, "2024-08-02", expires_on="2024-12-31")
    story.tell("points.voided", "2024-10-05", member_id="M1", event={"source": "story", "id": "gift"}, reason="mistake")
    assert story.at("2024-10-06").available == 100


def of_an_order(*more: Fact, points: int | None = None) -> Statement:
    facts = (
        placed("2024-08-01 10:00:00", line(5_000, 4, line_id="1"), store=BELLE),
        fact("shipment.dispatched", "2024-08-01 11:00:00", lines="all"),
        fact("points.voided", "2024-08-05", member_id="M1", order_id="A", points=points, reason="mistake"),
        *more,
    )
    return in_any_order("belle-maison", facts, "2024-08-20")


def test_what_an_order_brought_is_taken_and_shown_as_no_longer_credited() -> None:
    says = of_an_order(points=40)
    assert (says.available, says.orders[0].points_credited) == (60, 60)


def test_a_return_takes_only_what_the_order_still_holds_beyond_what_is_kept() -> None:
    half = fact("return.received", "2024-08-07", lines=[pieces("1", 2)])
    assert of_an_order(half, points=40).available == 50
    assert of_an_order(half, points=70).available == 30
    assert of_an_order(half).available == 0
    assert of_an_order(fact("return.received", "2024-08-07", lines="all"), points=40).available == 0


def test_a_second_parcel_brings_its_points_though_those_of_the_first_were_taken() -> None:
    facts = (
        placed("2024-08-01 10:00:00", line(5_000, 4, line_id="1"), store=BELLE),
        fact("shipment.dispatched", "2024-08-01 11:00:00", lines=[pieces("1", 2)]),
        fact("points.voided", "2024-08-05", member_id="M1", order_id="A", reason="mistake"),
        fact("shipment.dispatched", "2024-08-06 11:00:00", lines="all"),
    )
    says = in_any_order("belle-maison", facts, "2024-08-20")
    assert (says.available, says.orders[0].points_credited) == (50, 50)


def test_points_that_wait_do_not_come_back_when_they_ship() -> None:
    story = Story("belle-maison", {"maturity.shown": "order"})
    story.order("A", "2024-08-01", line(5_000, 4, line_id="1"))
    story.tell("points.voided", "2024-08-02", member_id="M1", order_id="A", points=60, reason="mistake")
    story.shipped("A", "2024-08-03", pieces("1", 2))
    story.shipped("A", "2024-08-04", pieces("1", 2))
    says = story.at("2024-08-20")
    assert (says.available, says.pending, story.order_at("A", "2024-08-20").points_credited) == (40, 0, 40)


def test_a_grant_told_after_it_was_taken_back_is_taken_back() -> None:
    facts = (
        fact("points.voided", "2024-08-01 11:59:00", event=SECOND, reason="mistake"),
        fact("points.adjusted", "2024-08-01 12:00:00", points=100, reason="gift"),
    )
    says = in_any_order("belle-maison", facts, "2024-08-20")
    assert (says.available, [each.code for each in says.findings]) == (0, ["timed_before_grant"])


def test_what_no_fact_granted_is_a_finding() -> None:
    story = Story("belle-maison")
    story.adjusted(100, "2024-08-01")
    story.tell("points.voided", "2024-08-02", member_id="M1", event={"source": "story", "id": "never"}, reason="mistake")
    story.tell("points.voided", "2024-08-02", member_id="M1", order_id="NONE", reason="mistake")
    assert story.at("2024-08-03").available == 100
    assert story.findings("2024-08-03") == ["unknown_grant", "unknown_order"]


def test_a_review_that_was_taken_back_is_not_taken_again_with_its_purchase() -> None:
    story = Story("scolar")
    story.registered("2024-02-01")
    before = story.at("2024-02-02").available
    story.order("A", "2024-02-03", line(5_000, sku="X"))
    story.tell("review.posted", "2024-02-04", id_="review", member_id="M1", review_id="R", sku="X", order_id="A")
    assert story.at("2024-02-05").available > before
    story.tell("points.voided", "2024-02-05", member_id="M1", event={"source": "story", "id": "review"}, reason="mistake")
    assert story.at("2024-02-06").available == before
    story.cancelled("A", "2024-02-07")
    assert story.at("2024-02-08").available == before


def test_points_of_an_activity_that_were_taken_back_use_up_no_cap() -> None:
    free = reviewed({})
    assert free[0] > 0
    cap = {"rule": "SCO-01", "points": WELCOME + free[0], "consumed_by": ["activity"], "refuses": ["activity"]}
    assert reviewed({"earning.caps": [{**cap, "freed_by_reversal": True}]}) == free
    assert reviewed({"earning.caps": [{**cap, "freed_by_reversal": False}]}) == [free[0], 0]


WELCOME = 500


def reviewed(set_: dict[str, object]) -> list[int]:
    """What two reviews bring, the first of which is taken back before the second."""
    story = Story("scolar", set_)
    story.registered("2024-02-01")
    assert story.at("2024-02-02").available == WELCOME
    brought = []
    for day, sku in (("2024-02-04", "X"), ("2024-02-05", "Y")):
        story.order(sku, f"{day} 10:00:00", line(5_000, sku=sku))
        before = story.at(f"{day} 11:00:00").available
        story.tell("review.posted", f"{day} 12:00:00", id_=sku, member_id="M1", review_id=sku, sku=sku, order_id=sku)
        brought.append(story.at(f"{day} 13:00:00").available - before)
        event = {"source": "story", "id": sku}
        story.tell("points.voided", f"{day} 14:00:00", member_id="M1", event=event, reason="mistake")
    return brought


def test_points_that_come_back_with_a_fresh_term_are_not_those_that_were_taken_back() -> None:
    story = Story("belle-maison", {"reversal.back_expiry": {"mode": "fresh"}})
    story.adjusted(900, "2024-08-01", expires_on="2024-09-30")
    story.order("A", "2024-08-05", line(10_000), points_used=28)
    story.adjusted("all", "2024-08-20")
    story.cancelled("A", "2024-10-04")
    assert story.at("2024-10-05").available == 28
    lots = story.simulation.ledgers[MEMBER].lots.values()
    assert sorted((lot.points, lot.voided) for lot in lots) == [(28, 0), (900, 872)]


def test_what_was_held_when_its_grant_was_taken_back_is_not_counted_as_taken_back_twice() -> None:
    story = Story("belle-maison")
    story.adjusted(5, "2024-08-01", id_="gift")
    story.held("2024-08-02", points=5)
    story.tell("points.voided", "2024-08-03", member_id=MEMBER, event={"source": "story", "id": "gift"}, reason="mistake")
    story.adjusted("all", "2024-08-04")
    assert [(lot.points, lot.voided) for lot in story.simulation.ledgers[MEMBER].lots.values()] == [(5, 5)]
