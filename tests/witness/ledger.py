"""A small ledger with something of everything, drained: what the checker's tests tamper with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.flows.shop import Sent, Shop
from tests.flows.system import Raw, System

PROGRAMS = ("lenovo-pro", "belle-maison", "scolar", "ansage")
_LINES = [{"line_id": "1", "sku": "A", "quantity": 2, "unit_price": 5000, "tax": 1000}]


async def fill(system: System) -> None:
    """Tell the news of two shops and of some members besides, with repeats and broken records; wait until it is drained."""
    await system.prepare(programs=PROGRAMS)
    now = datetime.now(UTC)
    events = Shop(seed=1, start=now - timedelta(days=400), days=399).events(members=20, events=260)
    others = list(_others(now))
    half = len(events) // 2
    await system.publish([*events[:half], *others], key=lambda event: event.member)
    system.start_worker("w1")
    await system.drained(120)
    await system.publish([*reversed(events[half:]), *events[-20:]], key=lambda event: event.order_id or event.member)
    system.send(_broken(others))
    await system.drained(120)
    system.stop_workers()


def _others(now: datetime) -> Iterator[Sent]:
    """Holds, reservations, rewards; a guest, a store of nobody, orders that never come."""
    told: list[tuple[int, str, str | None, dict[str, Any]]] = [
        (100, "member.registered", "scolar", {"member_id": "H1"}),
        (99, "points.adjusted", "scolar", {"member_id": "H1", "points": 1000, "reason": "goodwill"}),
        (98, "points.held", "scolar", {"member_id": "H1", "points": 300, "reason": "checked"}),
        (97, "points.adjusted", "scolar", {"member_id": "H1", "points": -900, "reason": "mistake"}),
        (96, "member.registered", "ansage", {"member_id": "H2"}),
        (95, "points.adjusted", "ansage", {"member_id": "H2", "points": 5000, "reason": "goodwill"}),
        (94, "reward.requested", "ansage", _reward("R1")),
        (94, "reward.requested", "ansage", _reward("R2")),
        (93, "subscription.points-set", "ansage", {"member_id": "H2", "request_id": "S1", "subscription_id": "S", "points": 300}),
        (90, "order.placed", None, _order("OUTSIDE", "H1", "nobodys_store")),
        (89, "order.paid", None, {"order_id": "OUTSIDE"}),
        (88, "order.placed", "scolar", _order("GUEST", None, "scolar_web")),
        (87, "order.paid", None, {"order_id": "GUEST"}),
        (86, "order.paid", "scolar", {"order_id": "NEVER"}),
    ]
    for number, (days, type_, program, data) in enumerate(told):
        member = data.get("member_id")
        yield Sent(type_, f"other-{number}", "/others", now - timedelta(days=days), program, data, member)


def _order(order_id: str, member: str | None, store: str) -> dict[str, Any]:
    about = {"order_id": order_id, "store": store, "lines": _LINES, "payment_method": "cod"}
    return about if member is None else {**about, "member_id": member}


def _reward(request: str) -> dict[str, Any]:
    return {"member_id": "H2", "request_id": request, "reward_sku": "CUTTING_BOARD", "quantity": 1}


def _broken(others: list[Sent]) -> list[Raw]:
    """Garbage, a contradiction, a repeat in structured mode, and an event of a type that nobody knows."""
    structured = [("content-type", b"application/cloudevents+json")]
    unknown = Sent("order.admired", "admired", "/others", others[0].time, None, {}, None)
    return [
        Raw("commerce.order", b"garbage", [("x", None), ("ce_id", b"1")], b"k"),
        Raw("commerce.cancel", None),
        Raw("loyalty.command", others[1].value().replace(b"1000", b"1001"), others[1].headers()),
        Raw("commerce.member", others[0].structured(), structured),
        Raw("commerce.order", unknown.structured(), structured),
    ]
