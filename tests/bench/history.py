"""What a long history costs: single events of a member with many past orders, and of one with few, in order and a day late.

Each event is a batch of its own through the pipeline, on real Postgres: `python -m tests.bench.history`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from datetime import timedelta
from itertools import chain, count
from pathlib import Path

from tests.bench.measure import Spread
from tests.bench.stack import Stack, batches, now, pipeline
from tests.bench.workload import Workload, records
from worker.persist.postgres import PostgresStore

OLD, SHORT, FRESH = 0, 5, 10
"""Numbers of members of one program: 10,000 past orders in a year, 50 in a month, and none."""
PAST_ORDERS, SHORT_ORDERS = 10_000, 50
TIMES = 20
MEMBERS = 20
CASES = {
    "in order, fresh member": (FRESH, False),
    "in order, 50 past orders": (SHORT, False),
    "in order, 10,000 past orders": (OLD, False),
    "a day late, 50 past orders": (SHORT, True),
    "a day late, 10,000 past orders": (OLD, True),
}


async def measure(stack: Stack) -> dict[str, Spread]:
    """Seconds of one event by case, each taken `TIMES` times, in turn."""
    workload = Workload(3, MEMBERS, 1, now())
    past = chain(workload.past_orders(OLD, PAST_ORDERS, 365), workload.past_orders(SHORT, SHORT_ORDERS, 30), workload.joining())
    dsn = stack.database(await stack.template("histories", past))
    seconds: dict[str, list[float]] = {name: [] for name in CASES}
    places = count(1)
    async with await PostgresStore.open(dsn) as store, pipeline(store) as run:
        for turn in range(TIMES):
            for name in list(CASES)[:: -1 if turn % 2 else 1]:
                member, late = CASES[name]
                place = next(places)
                at = workload.start + timedelta(milliseconds=place) - (timedelta(days=1) if late else timedelta())
                (batch,) = batches(records(iter([workload.one_order(member, at)]), f"{place}."))
                begun = time.perf_counter()
                done = await run.process(batch)
                seconds[name].append(time.perf_counter() - begun)
                assert done.outcomes["applied"] == 1, done
                assert bool(done.outcomes["late"]) == late, (name, done)
    stack.drop(dsn)
    return {name: Spread.of(each) for name, each in seconds.items()}


def lines(found: dict[str, Spread]) -> str:
    """The table: milliseconds, and ratios to an event in order of the same member."""
    told = [f"{'one event, ms':36}{'median':>9}{'low':>9}{'high':>9}"]
    told += [f"{name:36}{s.median * 1e3:9.2f}{s.low * 1e3:9.2f}{s.high * 1e3:9.2f}" for name, s in found.items()]
    middle = {name: spread.median for name, spread in found.items()}
    ratios = (
        ("rate, 10,000 past orders vs fresh", "in order, fresh member", "in order, 10,000 past orders", ">= 0.9"),
        ("a day late vs in order, 50", "a day late, 50 past orders", "in order, 50 past orders", "<= 5"),
        ("a day late vs in order, 10,000", "a day late, 10,000 past orders", "in order, 10,000 past orders", "<= 50"),
    )
    told += [f"{what:36}{middle[one] / middle[other]:9.2f}   goal {goal}" for what, one, other, goal in ratios]
    return "\n".join(told)


async def _main(directory: Path) -> None:
    stack = Stack(directory)
    stack.start(kafka=False)
    try:
        sys.stdout.write(lines(await measure(stack)) + "\n")
    finally:
        stack.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-") as place_:
        asyncio.run(_main(Path(place_)))
