"""The cost as work grows: events a second on ledgers that hold ever more facts, then ever more entries, against an empty one.

The ledger is filled with copies of members that were really folded (see `filling`), and the traffic is of all members, so most of
what it touches was not looked at for long.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from tests.bench.connecting import connected
from tests.bench.context import SEED, Bench, tell
from tests.bench.figures import Goal, Outcome, Row
from tests.bench.filling import copy_accounts, more_entries, originals, settle
from tests.bench.measure import Spread
from tests.bench.ours import Ours
from tests.bench.stack import now
from tests.bench.workload import PER_SECOND, Workload, member_name

ORIGINALS = 200
FACTS_OF_EACH = 20
STEPS = (0.01, 0.1, 1.0)
"""Shares of the facts wanted at which the rate is measured; then, with all facts, with all entries."""
AT_LEAST = 0.8


async def measure(bench: Bench) -> Outcome:
    """Rates by what is stored, each measured in turn with the rate of a ledger in which members have only joined."""
    stack, sizes = bench.stack, bench.sizes
    spans = _spans(bench)
    workload = Workload(6, ORIGINALS, ORIGINALS * FACTS_OF_EACH, next(spans), series="past")
    await stack.template("originals", (each for part in (workload.joining(), workload.traffic()) for each in part))
    outcome = Outcome()
    rates: list[tuple[int, float]] = []
    grown = stack.postgres.dsn("grown")
    members = 0
    try:
        for share in STEPS:
            # Each begins anew: runs give the originals facts, and copies of those would be a ledger of few and long accounts.
            stack.database("originals", "grown")
            members = await _fill(grown, round(sizes.facts * share))
            rates.append(await _level(bench, grown, members, spans, outcome, "facts"))
        async with connected(grown) as connection:
            tell(f"{await more_entries(connection, sizes.entries)} entries filled")
            await settle(connection)
        await _level(bench, grown, members, spans, outcome, "entries")
    finally:
        stack.drop(grown)
    slope = _slope(rates)
    outcome.rows.append(Row.of("rate vs empty ledger: change per tenfold of facts stored", "ratio", [slope]))
    return outcome


def _spans(bench: Bench) -> Iterator[datetime]:
    """Ends of the times of business that the runs are about, up to now at the latest, each as long as a run's events take.

    One run's events come after those of the run before: all would be late otherwise, and what is measured another thing.
    """
    runs = (len(STEPS) + 1) * bench.sizes.runs
    span = timedelta(seconds=bench.sizes.short_events / PER_SECOND)
    begun = now() - span * runs
    yield from (begun + span * number for number in range(runs + 1))


async def _fill(dsn: str, facts: int) -> int:
    """Copy members until there are so many facts; returns how many members there are."""
    async with connected(dsn) as connection:
        found = await originals(connection, [member_name(number) for number in range(ORIGINALS)])
        there: int = await connection.fetchval("SELECT count(*) FROM fact")
        members = max(ORIGINALS, facts * ORIGINALS // there)
        await copy_accounts(dsn, found, range(ORIGINALS, members))
        await settle(connection)
    tell(f"{facts} facts filled")
    return members


async def _level(
    bench: Bench, dsn: str, members: int, spans: Iterator[datetime], outcome: Outcome, kind: str
) -> tuple[int, float]:
    """Measure the rate on what is stored now, in turn with the empty ledger; returns how many facts there are, and the ratio."""
    async with connected(dsn) as connection:
        counts = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in ("fact", "entry", "account")}
    ratios: list[float] = []
    for number in range(bench.sizes.runs):
        if number % 2:
            own, empty = await _rate(bench, dsn, members, next(spans)), await bench.steady()
        else:
            empty, own = await bench.steady(), await _rate(bench, dsn, members, next(spans))
        ratios.append(own / empty)
    what = f"{counts['fact']:,} facts and {counts['entry']:,} entries"
    tell(f"with {what}: {ratios}")
    outcome.rows.append(Row.of(f"rate vs empty ledger, with {what} stored", "ratio", ratios, Goal(at_least=AT_LEAST)))
    outcome.figures[f"{kind} {len(outcome.figures)}"] = {
        **{f"{table}s" if table != "entry" else "entries": Spread.of([count]) for table, count in counts.items()},
        "rate_vs_empty": Spread.of(ratios),
    }
    return counts["fact"], Spread.of(ratios).median


async def _rate(bench: Bench, dsn: str, members: int, end: datetime) -> float:
    """Events a second on the grown ledger; new events each time, up to `end`, for the ledger keeps them."""
    stack, events = bench.stack, bench.sizes.short_events
    name = uuid.uuid4().hex[:6]
    prefix = f"grown{name}."
    await stack.topics(prefix)
    stack.publish(prefix, Workload(SEED, members, events, end, series=name).traffic())
    await stack.sql(dsn, "TRUNCATE outbox, position, reading")
    await stack.sql(dsn, "CHECKPOINT")
    try:
        run = await Ours(stack, stack.directory, "", prefix, events).on(dsn)
    finally:
        await stack.remove_topics(prefix)
    return run.per_second


def _slope(rates: Sequence[tuple[int, float]]) -> float:
    """By how much the ratio changes per tenfold of what is stored: the slope of the line that fits best."""
    points = [(math.log10(stored), rate) for stored, rate in rates]
    x = sum(point[0] for point in points) / len(points)
    y = sum(point[1] for point in points) / len(points)
    across = sum((point[0] - x) ** 2 for point in points)
    return sum((point[0] - x) * (point[1] - y) for point in points) / across if across else 0.0
