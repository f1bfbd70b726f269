"""Every reason for which points are refused, each on an account where nothing else speaks against them; nothing moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

import pytest

from contracts.events import RejectionReason
from tests.rules.story import MEMBER, Story, line

AT = "2024-07-08"  # a Monday
PARTNER = {"id": "miles", "rule": "PUP-25", "points": 100, "at": "request", "into": "partner"}


def _order(**data: Any) -> Callable[[Story], None]:
    """An order of 1,100 yen with tax that asks for points."""

    def tell(story: Story) -> None:
        lines = data.pop("lines", (line(1_000),))
        story.order("A", AT, *lines, **data)

    return tell


def _held_for(points: int, until: str, **data: Any) -> Callable[[Story], None]:
    """Points reserved for half an hour from noon, then an order that names the reservation."""

    def tell(story: Story) -> None:
        store = story.program.versions[0].terms.membership.stores.eligible[0]
        held: dict[str, Any] = {"redemption_id": "H", "points": points, "store": store}
        story.tell("redemption.requested", f"{AT} 12:00:00", member_id=MEMBER, expires_in_seconds=1_800, **held)
        story.order("A", f"{AT} {until}", line(1_000), redemption_id="H", **data)

    return tell


def _set(order: Mapping[str, Any] | None, **target: str) -> Callable[[Story], None]:
    """Points set for a subscription's delivery."""

    def tell(story: Story) -> None:
        if order is not None:
            story.order("S", "2024-07-01", line(1_000), course="subscription", subscription_id="S1", **order)
        story.tell("subscription.points-set", AT, member_id=MEMBER, request_id="R", points=100, **target)

    return tell


def _reward(sku: str, quantity: int = 1) -> Callable[[Story], None]:
    """A reward item is asked for."""

    def tell(story: Story) -> None:
        story.tell("reward.requested", AT, member_id=MEMBER, request_id="R", reward_sku=sku, quantity=quantity)

    return tell


def _convert(conversion: str, points: int) -> Callable[[Story], None]:
    """Points are to be turned into a partner's, at most 300 a day."""

    def tell(story: Story) -> None:
        story.tell("conversion.requested", AT, member_id=MEMBER, request_id="R", conversion=conversion, points=points)

    return tell


MILES = {"conversions": [{**PARTNER, "limits": [{"points": 300, "period": "day"}]}]}

CASES = [
    ("not_a_member", "scolar", _order(points_used=500, member="M2"), None),
    ("store_not_eligible", "scolar", _order(points_used=500, store="scolar_shop_counter"), None),
    ("channel_not_eligible", "scolar", _order(points_used=500, channel="phone"), None),
    ("conditions_not_met", "puppy", _order(points_used=500), {"redemption.when": {"weekdays": ["tue"]}}),
    ("deadline_passed", "ansage", _set({"planned_delivery_date": "2024-07-09"}, order_id="S"), None),
    ("unknown_order", "ansage", _set(None, order_id="nowhere"), None),
    ("unknown_redemption", "scolar", _order(redemption_id="never"), None),
    ("redemption_ended", "scolar", _held_for(500, "12:30:00"), None),
    ("redemption_mismatch", "scolar", _held_for(500, "12:29:59", points_used=501), None),
    ("reward_not_offered", "ansage", _reward("TOY"), None),
    ("conversion_not_offered", "puppy", _convert("stars", 100), MILES),
    ("below_minimum", "scolar", _order(points_used=499), None),
    ("above_maximum", "scolar", _order(points_used=10_001, lines=(line(50_000),)), None),
    ("not_a_multiple", "scolar", _order(points_used=550), {"redemption.unit": 100}),
    ("line_not_redeemable", "belle-maison", _order(points_used=1, lines=(line(1_000, category="voucher"),)), None),
    ("exceeds_payable", "puppy", _order(points_used=1_101), None),
    ("full_redemption_payment_method", "ansage", _order(points_used=1_100), None),
    ("remaining_below_payment_minimum", "ansage", _order(points_used=1_001), None),
    ("limit_reached", "puppy", _convert("miles", 400), MILES),
    ("insufficient_points", "ansage", _reward("CUTTING_BOARD", 30), None),
]


def test_every_reason_of_the_contract_is_reached() -> None:
    assert [case[0] for case in CASES] == list(get_args(RejectionReason))


@pytest.mark.parametrize(("reason", "code", "tell", "changes"), CASES, ids=[case[0] for case in CASES])
def test_points_are_refused_for_this_reason_and_nothing_moves(
    reason: str, code: str, tell: Callable[[Story], None], changes: Mapping[str, Any] | None
) -> None:
    story = Story(code, changes)
    for member in (MEMBER, "M2"):
        story.adjusted(20_000, "2024-06-01", member=member)
    story.registered("2024-06-01")
    story.enrolled("2024-06-01")
    tell(story)
    asked = "M2" if reason == "not_a_member" else MEMBER
    statement = story.at("2024-07-08 13:00:00", asked)
    verdicts = [order.redemption for order in statement.orders if order.redemption is not None] + list(statement.requests)
    refused = [each.reason for each in verdicts if each.decision == "rejected"]
    assert refused == [reason]
    assert statement.available >= 20_000
    assert statement.reserved == 0
