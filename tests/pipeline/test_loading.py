"""However many rows a fact needs that nobody could foresee, it gets them, in a few loads."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import patch

from tests.flows.bad_records import HOUR, NOW, gift, order, raw, shipped
from tests.pipeline.harness import Harness
from tests.stores.memory_batch import MemoryBatch

MANY = 40
DAY = timedelta(days=1)


async def test_a_cancel_gives_points_back_to_as_many_spent_lots_as_they_came_from() -> None:
    harness = Harness()
    await harness.take(*(gift("M", 10, f"gift-{number}", time=NOW - 3 * HOUR) for number in range(MANY)))
    await harness.take(order("A", "M", time=NOW - 2 * HOUR, points_used=10 * MANY))
    cancel = {"order_id": "A", "reason": "customer_request", "lines": "all"}
    with patch.object(MemoryBatch, "load", autospec=True, side_effect=MemoryBatch.load) as load:
        await harness.take(raw("order.cancelled", "cancel", cancel))
    assert load.call_count <= 3
    await harness.until(NOW)
    assert (await harness.statement("M")).available == 10 * MANY


async def test_one_run_of_the_clock_matures_points_of_many_orders() -> None:
    harness = Harness()
    await harness.take(*(order(f"O{number}", "M", time=NOW - 40 * DAY) for number in range(MANY)))
    await harness.take(*(shipped(f"O{number}", f"ship-{number}", time=NOW - 39 * DAY) for number in range(MANY)))
    with patch.object(MemoryBatch, "load", autospec=True, side_effect=MemoryBatch.load) as load:
        await harness.until(NOW)
    assert load.call_count <= 3
    found = await harness.statement("M")
    assert (found.available, found.pending) == (10 * MANY // 2, 0)


async def test_an_order_of_many_products_notes_each_as_bought() -> None:
    harness = Harness()
    lines = [{"sku": f"S{number}", "quantity": 1, "unit_price": 1000, "tax": 100} for number in range(MANY)]
    with patch.object(MemoryBatch, "load", autospec=True, side_effect=MemoryBatch.load) as load:
        done = await harness.take(order("A", "M", program="scolar", store="scolar_web", lines=lines))
    assert (done.outcomes["applied"], load.call_count <= 3) == (1, True)


async def test_many_facts_of_one_batch_may_each_need_rows_of_their_own() -> None:
    harness = Harness()
    orders = range(MANY)
    await harness.take(*(gift("M", 10, f"gift-{number}", time=NOW - 3 * HOUR) for number in orders))
    await harness.take(*(order(f"O{number}", "M", time=NOW - 2 * HOUR, points_used=10) for number in orders))
    cancel = {"reason": "customer_request", "lines": "all"}
    await harness.take(*(raw("order.cancelled", f"cancel-{number}", {"order_id": f"O{number}", **cancel}) for number in orders))
    await harness.until(NOW)
    assert (await harness.statement("M")).available == 10 * MANY
