"""The clocks of two systems differ: what is timed before its order counts from when the order comes, however it is delivered."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import pytest

from tests.flows.bad_records import NOW, raw
from tests.flows.system import TOPIC_OF, Raw
from tests.pipeline.harness import Harness
from worker.decide.early import KEPT_MAX

HISTORIES = Path(__file__).parent / "histories"


def _records(name: str) -> list[Raw]:
    lines = (HISTORIES / f"{name}.ndjson").read_text().splitlines()
    headers = (("content-type", b"application/cloudevents+json"),)
    return [Raw(TOPIC_OF[json.loads(line)["type"]], line.encode(), headers) for line in lines]


@pytest.mark.parametrize(
    ("name", "credited", "early"),
    [
        ("payment-before-order", 400, ["order.paid 2024-02-01T00:59:59+00:00"]),
        ("parcel-before-order", 50, ["shipment.dispatched 2024-08-01T01:00:00+00:00"]),
        ("payment-of-an-order-sent-again", 400, ["order.paid 2024-02-01T01:00:03+00:00"]),
    ],
)
async def test_what_is_timed_before_its_order_counts_in_every_order_of_delivery(
    name: str, credited: int, early: list[str]
) -> None:
    records = _records(name)
    for sequence in permutations(records):
        for size in (1, len(records)):
            harness = Harness()
            for start in range(0, len(records), size):
                await harness.take(*sequence[start : start + size])
            await harness.until(NOW)
            says = await harness.statement("M1")
            orders = [json.loads(record.value or b"")["id"] for record in sequence]
            assert [order.points_credited for order in says.orders] == [credited], (orders, size)
            told = [finding.detail for finding in says.findings if finding.code == "timed_before_order"]
            assert told == early, (orders, size)
            assert not [finding for finding in says.findings if finding.code in ("unknown_order", "order_rejected")]


async def test_what_is_kept_for_an_order_that_does_not_stand_is_bounded() -> None:
    harness = Harness()
    placed, early = "2024-08-01T10:00:00+09:00", "2024-08-01T09:00:00+09:00"
    lines = [{"sku": "X", "quantity": 1, "unit_price": 1000, "tax": 100}]
    data = {"order_id": "A", "member_id": "M1", "store": "bellemaison", "payment_method": "credit_card", "lines": lines}
    await harness.take(raw("order.placed", "placed", data, time=placed))
    moved = {"order_id": "A", "planned_ship_date": "2024-08-09"}
    told = [raw("order.rescheduled", f"{number}", moved, time=early) for number in range(120)]
    await harness.take(*told)
    codes = [finding.code for finding in (await harness.statement("M1")).findings]
    assert codes.count("timed_before_order") == KEPT_MAX
    assert codes.count("unknown_order") == 120 - KEPT_MAX
