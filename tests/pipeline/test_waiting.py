"""A redemption that waits in the ledger waits for whoever folds the facts anew, though a plain fold would find it covered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.flows.bad_records import NOW, raw
from tests.flows.system import Raw
from tests.pipeline.harness import Harness, programs
from worker.reading.statements import of_facts, read
from worker.upkeep import verify
from worker.upkeep.rebuild import differs


def _told(type_: str, id_: str, at: str, **data: Any) -> Raw:
    return raw(type_, id_, {"member_id": "M", **data}, program="lenovo-pro", time=f"{at}+09:00")


JOINED = [
    _told("member.enrolled", "1", "2026-09-01T10:00:00"),
    _told("points.adjusted", "2", "2026-10-01T10:00:00", points=100, reason="goodwill"),
    _told("points.adjusted", "4", "2026-10-01T12:00:00", points=-100, reason="mistake"),
]
LINES = [{"line_id": "1", "sku": "A", "quantity": 1, "unit_price": 10_000, "tax": 1_000}]
LATE = _told(
    "order.placed",
    "3",
    "2026-10-01T11:00:00",
    order_id="O-1",
    store="lenovo_pro_jp",
    lines=LINES,
    payment_method="credit_card",
    points_used=100,
)
"""Covered when it happened; it would overdraw an instant that was folded rightly."""
BETWEEN = datetime.fromisoformat("2026-10-01T11:30:00+09:00")


async def _waiting() -> Harness:
    harness = Harness()
    await harness.take(*JOINED)
    await harness.take(LATE)
    return harness


async def test_an_order_that_waits_since_it_would_overdraw_what_was_folded_is_not_wrong() -> None:
    harness = await _waiting()
    assert [violation async for violation in verify.check(harness.store, programs())] == []
    dossier = await harness.dossier("M")
    program = programs()["lenovo-pro"]
    assert not differs(dossier, program), "a rebuild leaves it waiting"
    for at in (BETWEEN, NOW):
        (order,) = read(dossier, program, at).orders
        assert order.redemption is not None
        assert order.redemption.decision == "waiting", at
    assert of_facts(dossier, program, BETWEEN).head.available == 100


async def test_it_is_refused_when_all_is_read_and_then_told_so() -> None:
    harness = await _waiting()
    await harness.until(NOW)
    (order,) = (await harness.statement("M")).orders
    assert order.redemption is not None
    assert (order.redemption.decision, order.redemption.reason) == ("rejected", "insufficient_points")
    assert (await harness.dossier("M")).decisions[0].reason == "insufficient_points"


async def test_an_account_that_is_wrong_differs_from_what_a_rebuild_makes_of_it() -> None:
    harness = await _waiting()
    dossier = await harness.dossier("M")
    assert dossier.row is not None
    harness.store.tables.accounts[dossier.account_id].row = replace(dossier.row, head=replace(dossier.row.head, waiting=()))
    wrong = await harness.dossier("M")
    assert differs(wrong, programs()["lenovo-pro"])
    assert {violation.invariant async for violation in verify.check(harness.store, programs())} == {verify.REFOLD}


def _wish(program: str, type_: str, id_: str, minutes: int, **data: Any) -> Raw:
    """Something that happened so many minutes before now; an order costs enough for all points of these members."""
    if type_ == "order.placed":
        data = {"store": STORES[program], "lines": [{**LINES[0], "unit_price": 20_000, "tax": 2_000}], **data}
        data = {"payment_method": "credit_card", **data}
    data = data if type_ in ("order.rescheduled", "shipment.dispatched") else {"member_id": "M", **data}
    return raw(type_, id_, data, program=program, time=(NOW - timedelta(minutes=minutes)).isoformat())


STORES = {"scolar": "scolar_web", "lenovo-pro": "lenovo_pro_jp", "ansage": "ansage_online"}
JOINING = {"scolar": "member.registered", "lenovo-pro": "member.enrolled", "ansage": "member.registered"}
TOMORROW, NEXT_MONTH = (str((NOW + timedelta(days=days)).date()) for days in (1, 30))
DELIVERY = {"order_id": "S", "course": "subscription", "subscription_id": "s", "planned_delivery_date": TOMORROW}

TURNED: dict[str, tuple[str, int, list[tuple[Any, ...]], tuple[Any, ...], int]] = {
    # program, points there, what asks (in the order in which it is read), the news from before it, points accepted at last
    "all points, of which there are too few for any": (
        "scolar", -300, [("order.placed", "o", 10, {"order_id": "U", "use_all_points": True})], ("points.adjusted", 1_000), 1_200,
    ),
    "all points, of which there are some": (
        "scolar", 0, [("order.placed", "o", 10, {"order_id": "U", "use_all_points": True})], ("points.adjusted", 1_000), 1_500,
    ),
    "all points, of which there are none": (
        "lenovo-pro", 0, [("order.placed", "o", 10, {"order_id": "U", "use_all_points": True})],
        ("points.adjusted", 1_000), 1_000,
    ),
    "an order that names a reservation which waits": (
        "scolar", 0,
        [
            ("redemption.requested", "r", 11, {"redemption_id": "R", "points": 1_000, "store": "scolar_web"}),
            ("order.placed", "o", 10, {"order_id": "U", "points_used": 1_000, "redemption_id": "R"}),
        ],
        ("points.adjusted", 1_000), 1_000,
    ),
    "points set for a delivery that was put off": (
        "ansage", 1_000, [("subscription.points-set", "p", 10, {"request_id": "P", "points": 300, "order_id": "S"})],
        ("order.rescheduled", {"order_id": "S", "planned_delivery_date": NEXT_MONTH}), 300,
    ),
    "points set for a subscription, whose delivery had left": (
        "ansage", 1_000, [("subscription.points-set", "p", 10, {"request_id": "P", "points": 300, "subscription_id": "s"})],
        ("shipment.dispatched", {"order_id": "S", "lines": "all"}), 300,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TURNED)
async def test_what_news_may_turn_is_decided_when_all_is_read_and_not_before(name: str) -> None:
    program, there, asking, (news, what), accepted = TURNED[name]
    harness = Harness()
    await harness.take(_wish(program, JOINING[program], "joined", 10_000))
    if there:
        await harness.take(_wish(program, "points.adjusted", "there", 9_000, points=there, reason="gift"))
    if program == "ansage":
        await harness.take(_wish(program, "order.placed", "s", 8_000, **DELIVERY))
    for type_, id_, minutes, data in asking:
        await harness.take(_wish(program, type_, id_, minutes, **data))
    assert (await harness.dossier("M")).decisions == []
    data = what if isinstance(what, dict) else {"points": what, "reason": "gift"}
    await harness.take(_wish(program, news, "news", 20, **data))
    await harness.until(NOW)
    decisions = (await harness.dossier("M")).decisions
    assert [(each.id, each.verdict, each.points) for each in decisions][-1:] == [(asking[-1][1], "accepted", accepted)]
    assert {each.verdict for each in decisions} == {"accepted"}


async def test_all_points_are_used_at_once_where_more_of_them_would_change_nothing() -> None:
    harness = Harness()
    await harness.take(
        _wish("scolar", "member.registered", "joined", 10_000),
        _wish("scolar", "points.adjusted", "there", 9_000, points=90_000, reason="gift"),
        _wish("scolar", "order.placed", "o", 10, order_id="U", use_all_points=True),
    )
    (decision,) = (await harness.dossier("M")).decisions
    assert decision.verdict == "accepted"
