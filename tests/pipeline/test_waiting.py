"""A redemption that waits in the ledger waits for whoever folds the facts anew, though a plain fold would find it covered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

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
