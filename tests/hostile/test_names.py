"""Ids may hold whatever separates the parts of a name: two grants never share one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.hostile.folding import batches, check_accounts, pipeline
from tests.hostile.lives import NOW
from tests.parts.topics import topic_of
from tests.stores.memory import MemoryStore
from worker.decode import Record
from worker.programs.terms_file import load, shipped

DAY = "2026-10-{:02}T12:00:00+09:00"


def told(number: int, type_: str, data: dict[str, Any], source: str = "/shop", id_: str | None = None) -> Record:
    event = {"specversion": "1.0", "id": id_ or f"e{number}", "source": source, "type": type_, "time": DAY.format(number)}
    value = json.dumps({**event, "program": "belle-maison", "data": data}).encode()
    return Record(topic_of(value), 0, number, 0, None, value, ())


def lots_after(*records: Record) -> dict[str, int]:
    """The points of each lot of the one account, which adds up."""
    store = MemoryStore(clock=lambda: NOW)
    worker = pipeline(store, load(shipped()["belle-maison"], {"maturity.by": "line"}))
    worker.know(NOW)
    for batch in batches(records, 1):
        asyncio.run(worker.process(batch))
    assert not store.tables.dead_letters
    check_accounts(store, "names")
    (account,) = store.tables.accounts.values()
    return {ref: lot.pending + lot.available for ref, lot in account.lots.items()}


@pytest.mark.parametrize(
    ("one", "other"), [(("a:b", "c"), ("a", "b:c")), (("a", "b%3Ac"), ("a", "b:c")), (("a:", "b"), ("a", ":b"))]
)
def test_two_facts_whose_source_and_id_read_the_same_grant_two_lots(one: tuple[str, str], other: tuple[str, str]) -> None:
    gift = {"member_id": "M", "reason": "gift"}
    lots = lots_after(
        told(1, "points.adjusted", {**gift, "points": 100}, *one), told(2, "points.adjusted", {**gift, "points": 50}, *other)
    )
    assert sorted(lots.values()) == [50, 100]


@pytest.mark.parametrize(
    ("one", "other"), [(("A", "x/1"), ("A/x", "1")), (("A", "x%2F1"), ("A/x", "1")), (("A/", "1"), ("A", "/1"))]
)
def test_two_orders_whose_id_and_line_read_the_same_grant_two_lots(one: tuple[str, str], other: tuple[str, str]) -> None:
    records = []
    for number, (order_id, line_id) in enumerate((one, other), 1):
        line = {"line_id": line_id, "sku": "S", "quantity": 1, "unit_price": 10_000 * number, "tax": 0}
        order = {"order_id": order_id, "member_id": "M", "store": "bellemaison", "payment_method": "credit_card"}
        records += [told(number, "order.placed", {**order, "lines": [line]})]
        records += [told(number + 2, "shipment.dispatched", {"order_id": order_id, "lines": "all"})]
    lots = lots_after(*records)
    assert len(lots) == 2
    assert sorted(lots.values())[1] == 2 * sorted(lots.values())[0] > 0


def test_a_producer_may_call_itself_the_clock() -> None:
    gift = {"member_id": "M", "reason": "gift", "points": 100}
    lots = lots_after(told(1, "points.adjusted", gift, source="clock"), told(2, "points.adjusted", gift, source="order", id_="A"))
    assert list(lots.values()) == [100, 100]
