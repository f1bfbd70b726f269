"""Orders that are split on a real Postgres: a worker that splits one and a worker that is told of a part do not miss each other,
and whoever has the id of a part already is found, whichever comes first.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any
from unittest.mock import patch

import pytest

from tests.flows.system import Raw
from tests.pipeline.test_contested_on_postgres import Worker
from tests.pipeline.test_split_orders import claimed, placed, sent, split
from worker.persist import PostgresStore
from worker.persist.batch import PostgresBatch

PLACED, SPLIT, SENT = placed(), split(), sent("O-1")


async def _points(worker: Worker) -> dict[str, tuple[int, int]]:
    """What members have, and how many findings."""
    says = await worker.statements()
    return {name: (each.available + each.pending, len(each.findings)) for name, each in says.items()}


@pytest.mark.parametrize(
    ("slow", "quick", "method"),
    [
        (SPLIT, SENT, "claim"),
        (SENT, SPLIT, "routes"),
        (SENT, SPLIT, "claim"),
        (PLACED, SPLIT, "claim"),
        (SPLIT, PLACED, "claim"),
    ],
    ids=lambda value: value if isinstance(value, str) else dict(value.headers)["ce_id"].decode(),
)
async def test_a_worker_that_splits_an_order_and_one_that_is_told_of_a_part_do_not_miss_each_other(
    slow: Raw, quick: Raw, method: str, database: str
) -> None:
    """Just before the slow worker calls a method of its batch, the quick one commits. Once it has claimed an order, the quick one
    would wait for it."""
    async with await PostgresStore.open(database) as store:
        worker = Worker(store)
        if PLACED not in (slow, quick):
            await worker.take(PLACED)
        original, calls = getattr(PostgresBatch, method), 0

        async def hooked(batch: PostgresBatch, *arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 1:
                await worker.take(quick)
            return await original(batch, *arguments)

        with patch.object(PostgresBatch, method, hooked):
            await worker.take(slow)
        await worker.take(*(each for each in (SENT,) if each not in (slow, quick)))
        assert await _points(worker) == {"MEMBER": (5, 0)}


async def test_an_id_of_a_part_that_somebody_else_has_is_contested_and_decided_whatever_comes_first(database: str) -> None:
    expected: dict[str, tuple[int, int]] = {}
    async with await PostgresStore.open(database) as store:
        worker = Worker(store)
        for run, places in enumerate(permutations(range(4))):
            order_id, part, member, other = f"O{run}", f"O{run}-1", f"M{run}", f"N{run}"
            told = [
                placed(order_id, member),
                split(order_id, ((part, "1"), (f"O{run}-2", "2"))),
                placed(part, other, 10),
                sent(part),
            ]
            for each in (*(told[place] for place in places), claimed(part, member)):
                await worker.take(each)
            expected |= {member: (5, 0), other: (0, 2)}
        assert await _points(worker) == expected
