"""What the mechanisms promise whichever program chooses them, where no program's own story tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.rules.story import MEMBER, Story, line, pieces, verdict


def shop(**set_: Any) -> Story:
    """Belle Maison, where points come with the shipment, as it is or with other choices."""
    return Story("belle-maison", {path.replace("__", "."): value for path, value in set_.items()})


def lots(story: Story, at: str) -> dict[str, int]:
    return {str(lot.expires_on): lot.points for lot in story.at(at).lots}


# -- campaigns: each condition is one of its own


@pytest.mark.parametrize(
    ("when", "fits", "does_not"),
    [
        ({"tags": ["new"]}, {"tags": ["old", "new"]}, {"tags": ["old"]}),
        ({"skus": ["A"]}, {"sku": "A"}, {"sku": "B"}),
        ({"categories": ["food"]}, {"category": "food"}, {"category": "toys"}),
        ({"stores": ["bellemaison"]}, {}, None),
        ({"channels": ["phone"]}, {"channel": "phone"}, {"channel": "web"}),
        ({"courses": ["subscription"]}, {"course": "subscription"}, {"course": "one_off"}),
        ({"payment_methods": ["cod"]}, {"payment_method": "cod"}, {"payment_method": "credit_card"}),
        ({"card_brands": ["jcb"]}, {"card_brand": "jcb"}, {"card_brand": "visa"}),
        ({"weekdays": ["fri"]}, {"at": "2024-08-02"}, {"at": "2024-08-03"}),
        ({"since": "2024-08-02"}, {"at": "2024-08-02 00:00:00"}, {"at": "2024-08-01 23:59:59"}),
        ({"until": "2024-08-02"}, {"at": "2024-08-02 23:59:59"}, {"at": "2024-08-03 00:00:00"}),
        ({"tiers": ["S0"]}, {}, None),
        ({"tags": ["new"], "channels": ["phone"]}, {"tags": ["new"], "channel": "phone"}, {"tags": ["new"], "channel": "web"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_campaign_doubles_what_its_conditions_name_and_nothing_else(
    when: Mapping[str, Any], fits: Mapping[str, Any], does_not: Mapping[str, Any] | None
) -> None:
    double = [{"id": "double", "rule": "BEL-04", "effect": "multiply", "times": "2", "when": when}]
    story = shop(earning__campaigns=double)
    for order_id, told in (("fits", fits), ("does not", does_not)):
        if told is not None:
            of_line = {name: value for name, value in told.items() if name in ("tags", "sku", "category")}
            of_order = {
                name: value for name, value in told.items() if name in ("channel", "course", "payment_method", "card_brand")
            }
            at = told.get("at", "2024-08-02")
            story.order(order_id, at, line(1_000, **of_line), **of_order)
            story.shipped(order_id, "2024-08-04")
    credited = {order.order_id: order.points_credited for order in story.at("2024-08-05").orders}
    assert credited == {"fits": 10} | ({"does not": 5} if does_not is not None else {})


# -- points set aside by hand


def test_an_orders_points_that_are_held_come_back_with_their_release() -> None:
    story = shop()
    story.adjusted(100, "2024-08-01")
    story.bought("A", "2024-08-01", line(2_000))
    story.held("2024-08-02", order_id="A")
    assert (story.at("2024-08-02").available, story.at("2024-08-02").on_hold) == (100, 10)
    story.released("2024-08-03", order_id="A")
    assert (story.at("2024-08-03").available, story.at("2024-08-03").on_hold) == (110, 0)


def test_an_order_is_held_once_and_what_it_earns_meanwhile_waits_for_its_release() -> None:
    story = Story("lenovo-pro")
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(10_000))
    story.held("2024-03-01", order_id="A")
    story.shipped("A", "2024-03-02")
    assert (story.at("2024-05-01").available, story.at("2024-05-01").pending) == (0, 100)
    story.released("2024-05-02", order_id="A")
    assert (story.at("2024-05-02").available, story.at("2024-05-02").pending) == (100, 0)


def test_held_points_that_are_released_in_parts_return_to_the_lots_they_came_from() -> None:
    story = shop()
    story.adjusted(50, "2024-08-01", expires_on="2024-10-31")
    story.adjusted(50, "2024-08-01", expires_on="2024-12-31")
    story.held("2024-08-02", points=100)
    story.released("2024-08-03", points=30)
    assert lots(story, "2024-08-03") == {"2024-10-31": 30}
    story.released("2024-08-04", points=40)
    assert lots(story, "2024-08-04") == {"2024-10-31": 50, "2024-12-31": 20}
    story.released("2024-08-05", points=50)
    assert (story.at("2024-08-05").on_hold, story.findings("2024-08-05")) == (0, ["released_more_than_held"])
    assert lots(story, "2024-08-05") == {"2024-10-31": 50, "2024-12-31": 50}


def test_the_last_point_is_revoked_too() -> None:
    story = shop()
    story.adjusted(1, "2024-08-01")
    story.adjusted("all", "2024-08-02")
    assert (story.at("2024-08-02").available, story.at("2024-08-02").revoked_total) == (0, 1)


# -- erasure


def test_who_is_forgotten_neither_earns_nor_pays_with_points() -> None:
    story = shop()
    story.adjusted(100, "2024-08-01")
    story.tell("member.erased", "2024-08-02", member_id=MEMBER)
    story.order("A", "2024-08-02", line(2_000), points_used=10)
    assert verdict(story, "A") == "not_a_member"
    assert story.at("2024-08-04").available == 100


def test_what_happens_after_an_erasure_is_of_a_life_of_its_own_and_waits() -> None:
    story = shop()
    story.adjusted(100, "2024-08-01")
    story.tell("member.erased", "2024-08-02", member_id=MEMBER)
    story.bought("A", "2024-08-03", line(2_000))
    story.order("B", "2024-08-03", line(2_000), points_used=10)
    statement = story.at("2024-08-04")
    assert (statement.available, statement.orders) == (100, ())
    assert {(finding.code, finding.order_id) for finding in statement.findings} == {
        ("awaits_erasure", "A"),
        ("awaits_erasure", "B"),
    }


# -- using points


def test_using_everything_with_a_debt_uses_nothing() -> None:
    story = shop()
    story.adjusted(-5, "2024-08-01")
    story.order("A", "2024-08-02", line(1_000), use_all_points=True)
    assert (verdict(story), story.order_at("A", "2024-08-02").points_used) == ("accepted", 0)
    assert story.at("2024-08-02").available == -5


def test_an_order_that_names_a_reservation_and_no_points_uses_what_was_reserved() -> None:
    story = shop()
    story.adjusted(100, "2024-08-01")
    told: dict[str, Any] = {"member_id": MEMBER, "redemption_id": "R", "points": 40, "store": "bellemaison"}
    story.tell("redemption.requested", "2024-08-02 10:00:00", **told)
    assert (story.at("2024-08-02 10:00:01").available, story.at("2024-08-02 10:00:01").reserved) == (60, 40)
    story.order("A", "2024-08-02 10:10:00", line(1_000), redemption_id="R")
    assert (story.order_at("A", "2024-08-02").points_used, story.at("2024-08-02").reserved) == (40, 0)
    story.cancelled("A", "2024-08-03")
    assert story.at("2024-08-03").available == 100


def test_points_that_come_back_keep_a_last_day_that_is_later_than_the_days_of_grace() -> None:
    story = shop(reversal__back_expiry={"mode": "grace", "grace_days": 20})
    story.adjusted(50, "2024-08-01", expires_on="2024-08-25")
    story.adjusted(50, "2024-08-01", expires_on="2024-12-31")
    story.order("A", "2024-08-02", line(1_000), points_used=100)
    story.cancelled("A", "2024-08-11")
    assert lots(story, "2024-08-11") == {"2024-08-31": 50, "2024-12-31": 50}


# -- what did not fit says which


def test_a_line_that_is_not_there_is_named_by_its_id_or_by_its_product() -> None:
    story = shop()
    story.order("A", "2024-08-01", line(1_000, sku="BAG"))
    story.shipped("A", "2024-08-02", pieces("9"), {"sku": "HAT", "quantity": 1}, {"sku": "BAG", "quantity": 3})
    findings = {(finding.code, finding.detail) for finding in story.at("2024-08-03").findings}
    assert findings == {("unknown_line", "9"), ("unknown_line", "HAT"), ("more_than_left", "BAG 2")}


# -- amounts at their edge


@pytest.mark.parametrize(("goods", "points"), [(199, 0), (200, 1), (399, 1), (400, 2)])
def test_what_is_paid_without_points_counts_to_the_last_yen(goods: int, points: int) -> None:
    for points_used in ("gross", "net", "net_spread", "none_if_used"):
        story = shop(earning__points_used=points_used)
        story.bought("A", "2024-08-01", line(goods, tax=0))
        assert story.order_at("A", "2024-08-02").points_credited == points


# -- tiers


def test_a_monthly_level_is_looked_at_on_the_first_of_a_month_only() -> None:
    story = shop()
    story.bought("A", "2024-08-10", line(60_000))
    assert story.one_second_before("2024-09-01 00:00:00").tier == "S0"
    assert story.at("2024-09-01 00:00:00").tier == "S2"
    assert story.one_second_before("2025-03-01 00:00:00").tier == "S2"
    assert story.at("2025-03-01 00:00:00").tier == "S0"


@pytest.mark.parametrize("day", ["2024-01-10", "2024-01-11"])
def test_inactivity_that_is_looked_at_once_a_year_costs_a_level_once_the_year_before_speaks_for_none(day: str) -> None:
    story = Story("scolar", {"tiers.inactivity.executed_on": "01-10"})
    story.registered("2024-01-05")
    story.bought("A", day, line(150_000))
    assert story.one_second_before("2026-01-10 00:00:00").tier == "Gold"
    assert story.at("2026-01-10 00:00:00").tier == "Silver"


# -- caps by the date of the grant


def test_points_shown_before_their_date_come_under_the_limit_of_that_date() -> None:
    cap = [{"rule": "LEN-20", "points": 100, "period": "calendar_month", "dated_by": "grant"}]
    story = Story("lenovo-pro", {"earning.caps": cap})
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(15_000))
    assert story.at("2024-03-01").pending == 150
    story.shipped("A", "2024-03-02")
    assert story.at("2024-03-02").pending == 100
    assert story.at("2024-04-02").available == 100


# -- versions


def test_a_version_of_the_terms_is_called_by_the_instant_from_which_it_holds() -> None:
    story = shop(amendments=[{"effective_from": "2025-01-01T00:00:00+09:00", "set": {"earning.fees": "earn"}}])
    first, second = story.program.versions
    assert second.id == "2024-12-31T15:00:00Z"
    assert (story.program.named(second.id), story.program.named(first.id)) == (second, first)
    assert story.program.named("2024-12-31T14:59:59Z") is first, "one that is not registered any more is what held then"
    assert story.program.named("2025-06-30T15:00:00Z") is second


def test_a_start_that_is_judged_at_the_payment_and_has_no_date_is_no_start() -> None:
    story = Story("puppy", {"membership.starts_at": None, "membership.start_judged_at": "payment"})
    story.registered("2024-01-05")
    story.bought("A", "2024-03-01", line(1_000))
    story.paid("A", "2024-03-02")
    assert story.order_at("A", "2024-03-10").points_credited == 100
