"""What neither the published terms nor a question about them decides: each case of the terms files, told in a story."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.rules.heard import Heard
from tests.rules.story import Story, line, pieces, verdict
from tests.rules.test_every_rule import TERMS


def lenovo(**changes: object) -> Story:
    story = Story("lenovo-pro", {path.replace("__", "."): value for path, value in changes.items()})
    story.enrolled("2024-01-05")
    return story


@pytest.mark.parametrize(("method", "outcome"), [("credit_card", "accepted"), ("cod", "full_redemption_payment_method")])
def test_full_redemption_before_may_2024(method: str, outcome: str) -> None:
    story = lenovo()
    story.adjusted(20_000, "2024-01-10")
    story.order("A", "2024-02-01", line(10_000), points_used=11_000, payment_method=method)
    assert verdict(story, at="2024-02-02") == outcome


def test_rank_by_orders_that_take_part() -> None:
    story = Story("lenovo-pro")
    story.bought("before", "2024-01-02", line(300_000))
    story.enrolled("2024-01-05")
    story.bought("unknown", "2024-02-01", line(300_000), signed_in=False)
    story.bought("outlet", "2024-02-02", line(300_000), store="lenovo_outlet")
    assert story.at("2024-02-03").tier == "Pro"
    story.bought("counts", "2024-02-04", line(300_000))
    assert story.at("2024-02-05").tier == "Plus"


def test_released_after_the_date() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000))
    story.shipped("A", "2024-03-02")
    story.held("2024-03-20", order_id="A")
    story.released("2024-06-02", order_id="A")
    assert story.at("2024-06-02").lots[0].expires_on == date(2024, 12, 31)


@pytest.mark.parametrize(("released", "usable", "lapsed"), [("2024-08-31", 100, 0), ("2024-09-01", 0, 100)])
def test_on_hold_past_the_last_day(released: str, usable: int, lapsed: int) -> None:
    story = lenovo(reversal__back_expiry__mode="fresh")
    story.adjusted(100, "2024-02-10")
    story.held("2024-05-01", points=100)
    story.released(released, points=100)
    now = story.at(f"{released} 23:59:59")
    assert (now.available, now.lapsed_total) == (usable, lapsed)
    assert [lot.expires_on for lot in now.lots] == [date(2024, 8, 31)] * (usable > 0)


def test_notices_from_an_amendment_on(heard: Heard) -> None:
    more = {"effective_from": "2024-04-01T00:00:00+09:00", "set": {"notice_days": [7]}}
    story = lenovo(amendments=[more])
    story.adjusted(100, "2024-03-01")
    story.adjusted(40, "2024-05-01")
    story.at("2024-12-31")
    assert [(each["points"], each["expires_on"]) for each in heard.on("points-expiring")] == [(40, "2024-11-30")]


def test_last_look_after_inactivity() -> None:
    story = Story("scolar")
    story.registered("2024-01-02")
    story.order("A", "2024-01-06", line(160_000))
    story.shipped("A", "2024-01-06")
    stages = [story.at(at).tier for at in ("2024-01-16", "2025-01-05", "2025-01-06", "2025-01-09", "2025-01-10")]
    assert stages == ["Gold", "Gold", "Silver", "Silver", "Gold"]


def test_told_again_after_its_cancel() -> None:
    story = Story("scolar")
    story.registered("2024-01-05")
    story.order("A", "2024-03-01", line(10_000))
    story.cancelled("A", "2024-03-02")
    story.order("A", "2024-03-03", line(10_000))
    assert (story.at("2024-03-04").pending, story.at("2024-03-11").available) == (100, 600)


def test_revoked_while_on_hold() -> None:
    story = Story("belle-maison")
    story.adjusted(1_000, "2026-01-05")
    story.held("2026-01-06", points=300)
    told: dict[str, Any] = {"member_id": "M1", "store": "bellemaison", "expires_in_seconds": 3_600}
    story.tell("redemption.requested", "2026-01-07 12:00:00", redemption_id="R", points=200, **told)
    story.order("A", "2026-01-07 12:10:00", line(10_000), points_used=150)
    story.adjusted("all", "2026-01-07 12:20:00")
    now = story.at("2026-01-07 12:20:00")
    assert (now.available, now.on_hold, now.reserved, now.revoked_total) == (0, 0, 200, 650)
    assert [(each.code, each.detail) for each in now.findings] == [("held_not_revoked", "200")]
    story.released("2026-01-08", points=300)
    assert story.at("2026-01-08").available == 200, "the reservation ended; nothing is left of the hold to release"


def test_set_for_more_than_it_takes() -> None:
    story = Story("ansage", {"redemption.subscription.taken_at": "shipment"})
    story.registered("2024-06-01", channel="web")
    story.adjusted(1_000, "2024-06-01")
    planned = {"course": "subscription", "subscription_id": "S", "planned_delivery_date": "2024-07-20"}
    story.order("A", "2024-07-01", line(600), line(600), payment_method="cod", **planned)
    story.tell("subscription.points-set", "2024-07-02", member_id="M1", request_id="R", points=900, order_id="A")
    story.cancelled("A", "2024-07-03", pieces("2"))
    story.shipped("A", "2024-07-18")
    now = story.at("2024-07-18")
    assert (story.order_at("A", "2024-07-18").points_used, now.available) == (660, 340)
    assert [(each.code, each.detail) for each in now.findings] == [("setting_cut", "240")]


@pytest.mark.parametrize(("order", "back"), [("points_first", 275), ("cash_first", 25)])
def test_a_split_by_points_or_cash_first_knows_what_a_point_is_worth(order: str, back: int) -> None:
    story = Story("puppy", {"point_value": "2", "reversal.split.order": order, "reversal.used_points.0.outcome": "back"})
    story.registered("2024-01-05")
    story.adjusted(1_000, "2024-01-05")
    # 1,100 yen; 300 points pay 600 of them, so 500 were paid otherwise.
    story.order("A", "2024-03-01", line(500), line(500), points_used=300)
    story.cancelled("A", "2024-03-02", pieces("1"))
    assert story.order_at("A", "2024-03-03").points_returned == back


def test_lots_of_orders_whose_ids_hold_slashes_stay_apart() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000, line_id="B/C"))
    story.order("A/B", "2024-03-02", line(20_000, line_id="C"))
    story.order("A", "2024-03-03", line(40_000, line_id="%2F"), recorded="2024-03-04")
    assert story.at("2024-03-05").pending == 300
    assert len({entry.lot for entry in story.entries()}) == 2
    story.cancelled("A/B", "2024-03-06")
    assert story.at("2024-03-06").pending == 100


def test_every_case_is_told() -> None:
    told = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}
    cases = [case.id for terms in TERMS.values() for case in terms.cases]
    assert cases
    assert set(cases) <= told
