"""What a long history costs: single events of a member with many past orders, and of one with few, in order and a day late.

Each event is a batch of its own through the pipeline, on real Postgres.
"""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import chain, count

from tests.bench.context import Bench, tell
from tests.bench.figures import Goal, Outcome, Row
from tests.bench.measure import Spread
from tests.bench.stack import batches, now, pipeline
from tests.bench.workload import Workload, records
from worker.persist.postgres import PostgresStore

OLD, SHORT, FRESH = 0, 5, 10
"""Numbers of members of one program: so many past orders in a year, 50 facts in a month, and none."""
SHORT_ORDERS = 25
"""Each with its shipment."""
MEMBERS = 20
WARM_UP = 3
"""Events of each case that are not counted: a new connection has to prepare its statements."""
CASES = {
    "in order, fresh": (FRESH, False),
    "in order, short history": (SHORT, False),
    "in order, long history": (OLD, False),
    "a day late, short history": (SHORT, True),
    "a day late, long history": (OLD, True),
}


async def measure(bench: Bench) -> Outcome:
    """Seconds of one event by case, taken in turn, and their ratios turn by turn."""
    stack, orders = bench.stack, bench.sizes.past_orders
    workload = Workload(3, MEMBERS, 1, now())
    past = chain(workload.past_orders(OLD, orders, 365), workload.past_orders(SHORT, SHORT_ORDERS, 30), workload.joining())
    dsn = stack.database(await stack.template("histories", past))
    tell(f"a member with {orders} past orders is made")
    seconds: dict[str, list[float]] = {name: [] for name in CASES}
    places = count(1)
    async with await PostgresStore.open(dsn) as store, pipeline(store) as run:
        for turn in range(-WARM_UP, bench.sizes.history_turns):
            for name in list(CASES)[:: -1 if turn % 2 else 1]:
                member, late = CASES[name]
                place = next(places)
                at = workload.start + timedelta(milliseconds=place) - (timedelta(days=1) if late else timedelta())
                (batch,) = batches(records(iter([workload.one_order(member, at)]), place))
                begun = time.perf_counter()
                done = await run.process(batch)
                if turn >= 0:
                    seconds[name].append(time.perf_counter() - begun)
                assert done.outcomes["applied"] == 1, done
                assert bool(done.outcomes["late"]) == late, (name, done)
    stack.drop(dsn)
    return _outcome(seconds, orders)


def _outcome(seconds: dict[str, list[float]], orders: int) -> Outcome:
    def ratios(one: str, other: str) -> list[float]:
        return [first / second for first, second in zip(seconds[one], seconds[other], strict=True)]

    long = f"{orders:,} past orders"
    rows = [
        Row.of(
            f"event in order, rate with {long} vs fresh member",
            "ratio",
            ratios("in order, fresh", "in order, long history"),
            Goal(at_least=0.9),
        ),
        Row.of(
            "event a day late vs in order, 50 facts",
            "ratio",
            ratios("a day late, short history", "in order, short history"),
            Goal(at_most=5),
        ),
        Row.of(
            f"event a day late vs in order, {long}",
            "ratio",
            ratios("a day late, long history", "in order, long history"),
            Goal(at_most=50),
        ),
    ]
    return Outcome(rows, {name: {"seconds": Spread.of(each)} for name, each in seconds.items()})
