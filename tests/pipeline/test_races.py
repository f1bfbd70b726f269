"""Another worker takes the same account in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from tests.flows.bad_records import HOUR, NOW, ORDER, gift, order, raw
from tests.flows.system import Raw
from tests.pipeline.harness import KEY, Harness, programs
from tests.stores.memory_batch import MemoryBatch
from worker.consume.batch import Batch, Move
from worker.decode import Record
from worker.persist import PostgresStore
from worker.persist.batch import PostgresBatch
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.upkeep import verify

Hook = Callable[[], Coroutine[Any, Any, Any]]


def _between(name: str, others: Sequence[Raw], *, calls: int) -> tuple[Any, Harness]:
    """Harness A, in whose first batch harness B takes `others` just before A calls a method of its batch for the n-th time."""
    one = Harness()
    other = Harness(one.store)
    other.offset = 1_000
    original = getattr(MemoryBatch, name)
    count = 0

    async def hooked(batch: MemoryBatch, *arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count == calls:
            async with one.store.batch() as second:
                await other.pipeline._apply(second, await other.pipeline._decode(other.read(others).records, frozenset()))
        return await original(batch, *arguments)

    return patch.object(MemoryBatch, name, hooked), one


@pytest.mark.parametrize(("method", "calls"), [("load", 1), ("compare_and_set", 1)], ids=["before loading", "after folding"])
async def test_the_same_fact_from_two_workers_counts_once_without_a_refusal(method: str, calls: int) -> None:
    gift_ = gift("M", 100, "gift", time=NOW - HOUR)
    hook, harness = _between(method, [gift_], calls=calls)
    with hook, patch.object(harness.pipeline, "_not_to_be_kept", side_effect=AssertionError("halved")):
        done = await harness.take(gift_)
    assert (done.outcomes["duplicate"], done.outcomes["applied"]) == (1, 0)
    assert (await harness.statement("M")).available == 100


async def test_the_same_id_with_other_content_from_two_workers_is_a_conflict_of_the_slower_one() -> None:
    hook, harness = _between("compare_and_set", [gift("M", 100, "gift", time=NOW - HOUR)], calls=1)
    with hook:
        done = await harness.take(gift("M", 50, "gift", time=NOW - HOUR))
    assert (done.outcomes["dead_letter"], done.outcomes["applied"], harness.letters()) == (1, 0, ["conflict"])
    assert (await harness.statement("M")).available == 100


async def test_a_lost_race_counts_duplicates_once() -> None:
    twice = gift("M", 1, "gift", time=NOW - HOUR)
    hook, harness = _between("compare_and_set", [gift("M", 100, "other", time=NOW - 2 * HOUR)], calls=1)
    with hook:
        done = await harness.take(twice, twice)
    assert (done.outcomes["duplicate"], done.outcomes["applied"]) == (1, 1)
    assert (await harness.statement("M")).available == 101


@pytest.mark.parametrize(("method", "calls"), [("load", 1), ("load", 2), ("compare_and_set", 1)])
async def test_a_history_made_too_short_by_another_worker_is_loaded_anew(method: str, calls: int) -> None:
    """A worker folds a late fact; meanwhile another one brings an order, still earlier, whose redemption must wait."""
    early = order("EARLY", "M", time=NOW - 9 * HOUR, points_used=500)
    hook, harness = _between(method, [early], calls=calls)
    for hours in (10, 8, 4):
        await harness.take(gift("M", 10, f"gift-{hours}", time=NOW - hours * HOUR))
    late = gift("M", 1, "late", time=NOW - 6 * HOUR)
    with hook:
        await harness.take(late)
    await harness.until(NOW + timedelta(seconds=1))
    found = await harness.statement("M")
    assert found.available == 31
    assert [each.redemption.decision for each in found.orders if each.redemption is not None] == ["rejected"]
    cancel = {"order_id": "EARLY", "reason": "customer_request", "lines": "all"}
    await harness.take(raw("order.cancelled", "cancel", cancel))
    assert (await harness.statement("M")).available == 31


SHIPPED = raw("shipment.dispatched", "ship", {"order_id": "A", "lines": "all"})
SECOND = raw("order.placed", "second", {**ORDER, "order_id": "A", "member_id": "N", "store": "puppy_online"}, program="puppy")


@pytest.mark.parametrize(
    ("slow", "quick", "method"),
    [
        (SHIPPED, SECOND, "load"),
        (SHIPPED, SECOND, "compare_and_set"),
        (SECOND, SHIPPED, "load"),
        (SECOND, SHIPPED, "nameless"),
        (SECOND, SHIPPED, "compare_and_set"),
    ],
    ids=lambda value: value if isinstance(value, str) else dict(value.headers)["ce_id"].decode(),
)
async def test_a_second_order_and_what_follows_the_first_do_not_miss_each_other(
    slow: Raw, quick: Raw, method: str, database: str
) -> None:
    """On Postgres: just before the slow worker calls a method of its batch, the quick one commits."""
    store = await PostgresStore.open(database)
    try:
        pipeline = Pipeline(store, Catalogue(programs().values()), PipelineOptions(KEY), epoch=1, now=lambda: NOW)
        await taken(pipeline, 0, order("A", "M"))
        original, calls = getattr(PostgresBatch, method), 0

        async def hooked(batch: PostgresBatch, *arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 1:
                await taken(pipeline, 1, quick)
            return await original(batch, *arguments)

        with patch.object(PostgresBatch, method, hooked):
            await taken(pipeline, 2, slow)
        assert calls
        assert [each async for each in verify.check(store, programs())] == []
        async with store.connection() as connection:
            assert await connection.fetchval("SELECT array_agg(reason) FROM dead_letter") == ["ambiguous_order"]
            rows = await connection.fetch("SELECT points, from_bucket, to_bucket FROM entry WHERE id = 'ship'")
        moved = Counter[str]()
        for row in rows:
            moved.update({row["to_bucket"]: row["points"]})
            moved.subtract({row["from_bucket"]: row["points"]})
        assert not any(moved.values())
    finally:
        await store.close()


async def taken(pipeline: Pipeline, partition: int, record: Raw) -> None:
    """One record, alone in its partition."""
    at = int(NOW.timestamp() * 1000)
    read = Record(record.topic, partition, 0, at, record.key, record.value, tuple(record.headers))
    await pipeline.process(Batch((read,), (Move("commerce.order", partition, None, 1, b"", NOW, at_end=True),)))
