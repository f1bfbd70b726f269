"""Caps: how much may be acquired of what, in which period, and what goes on beyond."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.terms_checks import contradictions
from tests.rules.story import MEMBER, Story, line, pieces

EXTRA = {"id": "extra", "kind": "extra", "rule": "SHO-02", "rates": [{"rate": "0.02"}]}
BASIC = {"id": "basic", "rule": "SHO-02", "rates": [{"rate": "0.01"}]}
VISIT = {"id": "visit", "rule": "SHO-02", "event": "activity.completed", "activity": "visit", "points": 30}


def capped(*caps: dict[str, Any], **set_: Any) -> Story:
    """The shop gives 1 % and 2 % more, within caps."""
    given = [{"rule": "SHO-02", **cap} for cap in caps]
    changes = {"earning.caps": given, "earning.components": [BASIC, EXTRA], **set_}
    story = Story("shop", {path.replace("__", "."): value for path, value in changes.items()})
    story.registered("2024-01-15")
    return story


def credited(story: Story, *days: str) -> list[int]:
    """What an order of 10,000 yen on each of these days brings: 100 and 200 points without a cap."""
    for number, day in enumerate(days):
        story.order(f"O{number}", day, line(10_000))
    orders = {order.order_id: order.points_credited for order in story.at("2026-12-31").orders}
    return [orders[f"O{number}"] for number in range(len(days))]


@pytest.mark.parametrize(
    ("period", "days"),
    [
        ("day", ("2024-06-15 00:00:00", "2024-06-15 23:59:59", "2024-06-16 00:00:00")),
        ("week", ("2024-06-10", "2024-06-16", "2024-06-17")),
        ({"week": "sun"}, ("2024-06-09", "2024-06-15", "2024-06-16")),
        ("month", ("2024-06-01", "2024-06-30", "2024-07-01")),
        ({"month": 25}, ("2024-05-25", "2024-06-24", "2024-06-25")),
        ("quarter", ("2024-04-01", "2024-06-30", "2024-07-01")),
        ("half_year", ("2024-01-15", "2024-06-30", "2024-07-01")),
        ({"half_year": "03-01"}, ("2024-03-01", "2024-08-31", "2024-09-01")),
        ("year", ("2024-02-01", "2024-12-31", "2025-01-01")),
        ({"year": "04-01"}, ("2024-04-01", "2025-03-31", "2025-04-01")),
        ("member_year", ("2024-01-15", "2025-01-14", "2025-01-15")),
        ({"rolling_days": 30}, ("2024-06-01", "2024-06-30", "2024-07-01")),
    ],
)
def test_a_cap_holds_in_its_period_and_anew_in_the_next(period: Any, days: tuple[str, str, str]) -> None:
    story = capped({"points": 150, "period": period, "components": ["extra"]})
    assert credited(story, *days) == [250, 100, 250]


def test_a_cap_for_all_time_is_never_free_again() -> None:
    story = capped({"points": 150, "period": "always", "components": ["extra"]})
    assert credited(story, "2024-02-01", "2025-02-01") == [250, 100]


def test_the_last_days_let_go_of_one_day_after_the_other() -> None:
    story = capped({"points": 300, "period": {"rolling_days": 3}, "components": ["extra"]})
    assert credited(story, "2024-06-01", "2024-06-02", "2024-06-03", "2024-06-04", "2024-06-05") == [300, 200, 100, 300, 200]


def test_a_cap_for_each_order() -> None:
    story = capped({"points": 250, "period": "order"})
    assert credited(story, "2024-06-01", "2024-06-01 13:00:00") == [250, 250]
    story.returned("O0", "2024-06-02")
    assert story.order_at("O0", "2024-06-03").points_credited == 0


def test_what_comes_back_of_a_capped_order_frees_what_it_used_up() -> None:
    story = capped({"points": 250, "period": "day"})
    story.order("A", "2024-06-15", line(5_000, 2, line_id="1"))
    assert story.order_at("A", "2024-06-15").points_credited == 250
    story.returned("A", "2024-06-15 15:00:00", pieces("1"))
    assert story.order_at("A", "2024-06-15 15:00:00").points_credited == 150
    story.order("B", "2024-06-15 16:00:00", line(10_000))
    assert story.order_at("B", "2024-06-16").points_credited == 100


def test_a_cap_concerns_the_kinds_that_it_names() -> None:
    story = capped({"points": 50, "period": "month", "kinds": ["extra"]})
    assert credited(story, "2024-06-01", "2024-06-02") == [150, 100]


def test_a_cap_within_a_cap() -> None:
    story = capped({"points": 150, "period": "day"}, {"points": 200, "period": "month"})
    assert credited(story, "2024-06-01", "2024-06-02", "2024-06-03") == [150, 50, 0]


def test_beyond_a_cap_a_share_goes_on() -> None:
    story = capped({"points": 150, "period": "month", "beyond": "0.5", "components": ["extra"]})
    # 150 of 200 within, half of the rest; then nothing is left of it, so half of all.
    assert credited(story, "2024-06-01", "2024-06-02", "2024-07-01") == [100 + 175, 100 + 100, 100 + 175]


def test_a_cap_of_some_activities_leaves_purchases_and_others_alone() -> None:
    cap = {"points": 50, "period": "day", "activities": ["visit"], "refuses": ["activity"]}
    other = {**VISIT, "id": "other", "activity": "other"}
    story = capped(cap, activities=[VISIT, other])
    story.order("A", "2024-06-01", line(10_000))
    for number, name in enumerate(("visit", "visit", "visit", "other", "other")):
        story.tell("activity.completed", "2024-06-02", member_id=MEMBER, activity=name, reference=str(number))
    assert story.at("2024-06-02").available == 300 + 50 + 60


def test_what_was_used_up_long_ago_is_forgotten() -> None:
    story = capped({"points": 150, "period": "day"})
    assert credited(story, "2024-06-01", "2024-06-02", "2026-06-01") == [150, 150, 150]
    (ledger,) = story.simulation.ledgers.values()
    assert ledger.row is not None
    assert ledger.row.head.caps == {"SHO-02:2026-06-01": 150}
    story.returned("O0", "2026-06-02")
    assert story.order_at("O0", "2026-06-03").points_credited == 0


# -- points for pieces


def per_piece(rate: dict[str, Any], **set_: Any) -> Story:
    """The shop gives points by pieces, or by another unit."""
    component = {"id": "pieces", "rule": "SHO-02", "rates": [{"rate": {"of": "pieces", **rate}}]}
    story = Story("shop", {"earning.components": [component], **set_})
    story.registered("2024-01-15")
    return story


def test_points_for_each_piece_that_is_kept() -> None:
    story = per_piece({"points": 50, "per": 1})
    story.order("A", "2024-06-01", line(980, 3, line_id="1"), line(0, 1, line_id="2"))
    assert story.order_at("A", "2024-06-01").points_credited == 200
    story.returned("A", "2024-06-02", pieces("1", 2))
    assert story.order_at("A", "2024-06-02").points_credited == 100


def test_points_for_every_full_number_of_pieces_of_the_order() -> None:
    story = per_piece({"points": 10, "per": 3})
    story.order("A", "2024-06-01", line(980, 4, line_id="1"), line(500, 3, line_id="2"))
    assert story.order_at("A", "2024-06-01").points_credited == 20
    story.returned("A", "2024-06-02", pieces("2", 2))
    assert story.order_at("A", "2024-06-02").points_credited == 10


def test_points_for_pieces_beside_a_share_of_the_price() -> None:
    campaign = {"id": "per_piece", "rule": "SHO-02", "effect": "add", "rate": {"points": 5, "per": 1, "of": "pieces"}, "when": {}}
    story = Story("shop", {"earning.campaigns": [campaign]})
    story.registered("2024-01-15")
    story.order("A", "2024-06-01", line(1_000, 4, line_id="1"))
    assert story.order_at("A", "2024-06-01").points_credited == 40 + 20
    story.returned("A", "2024-06-02", pieces("1", 3))
    assert story.order_at("A", "2024-06-02").points_credited == 10 + 5


def test_pieces_that_come_back_take_their_share_where_the_terms_take_a_share_back() -> None:
    story = per_piece({"points": 10, "per": 1}, **{"reversal.earned_points.amount": "returned_share"})
    story.order("A", "2024-06-01", line(980, 4, line_id="1"))
    story.returned("A", "2024-06-02", pieces("1", 3))
    assert story.order_at("A", "2024-06-02").points_credited == 10


def test_points_for_litres_that_were_filled() -> None:
    story = per_piece({"points": 1, "per": 2, "of": "l"})
    story.order("A", "2024-06-01", line(9_000, 1, line_id="1", measures={"l": 53}), line(500, 1, line_id="2"))
    assert story.order_at("A", "2024-06-01").points_credited == 26
    story.order("B", "2024-06-02", line(3_000, 3, line_id="1", measures={"l": 30}))
    story.returned("B", "2024-06-03", pieces("1"))
    assert story.order_at("B", "2024-06-03").points_credited == 10


# -- what is refused


@pytest.mark.parametrize(
    ("cap", "path"),
    [
        ({"points": 1, "components": ["nothing"]}, "earning.caps.0"),
        ({"points": 1, "activities": ["visit"]}, "earning.caps.0.refuses"),
        ({"points": 1, "period": "order", "refuses": ["purchase", "activity"]}, "earning.caps.0.period"),
    ],
)
def test_a_cap_that_caps_nothing_is_refused(cap: dict[str, Any], path: str) -> None:
    (version,) = capped(cap, activities=[VISIT]).program.versions
    assert path in {found.path for found in contradictions(version.terms)}


@pytest.mark.parametrize("period", [{"month": 25, "day": True}, {}, "fortnight", {"rolling_days": 0}])
def test_a_period_has_one_form(period: Any) -> None:
    with pytest.raises(Exception, match="period"):
        capped({"points": 1, "period": period})
