"""The cost as work grows: events a second on ledgers that hold ever more facts, then ever more entries, against an empty one.

The ledger is filled with copies of members that were really folded (see `filling`), and the traffic is of all members, so most of
what it touches was not looked at for long.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import asyncpg

from tests.bench.context import SEED, Bench, tell
from tests.bench.figures import Goal, Outcome, Row
from tests.bench.filling import Original, copy_accounts, more_entries, originals, settle
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
    begun = next(spans)
    workload = Workload(6, ORIGINALS, ORIGINALS * FACTS_OF_EACH, begun, series="past")
    started = time.monotonic()
    await stack.template("grown", (each for part in (workload.joining(), workload.traffic()) for each in part))
    dsn = stack.postgres.dsn("grown")
    outcome = Outcome()
    rates: list[tuple[int, float]] = []
    connection = await asyncpg.connect(dsn)
    try:
        found = await originals(connection, [member_name(number) for number in range(ORIGINALS)])
        members = ORIGINALS
        for share in STEPS:
            members = await _fill(dsn, connection, found, members, round(sizes.facts * share))
            tell(f"facts filled after {time.monotonic() - started:.0f} s")
            rates.append(await _level(bench, connection, members, spans, outcome, "facts"))
        entries = await more_entries(connection, sizes.entries)
        await settle(connection)
        tell(f"{entries} entries filled after {time.monotonic() - started:.0f} s")
        await _level(bench, connection, members, spans, outcome, "entries")
    finally:
        await connection.close()
        stack.drop(dsn)
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


async def _fill(
    dsn: str, connection: asyncpg.Connection[asyncpg.Record], found: Sequence[Original], members: int, facts: int
) -> int:
    """Copy members until there are so many facts; returns how many members there are."""
    accounts = [one.account for one in found]
    each: int = await connection.fetchval("SELECT count(*) FROM fact WHERE account_id = ANY($1)", accounts)
    wanted = max(members, facts * len(found) // each)
    await copy_accounts(dsn, found, range(members, wanted))
    await settle(connection)
    return wanted


async def _level(
    bench: Bench,
    connection: asyncpg.Connection[asyncpg.Record],
    members: int,
    spans: Iterator[datetime],
    outcome: Outcome,
    kind: str,
) -> tuple[int, float]:
    """Measure the rate on what is stored now, in turn with the empty ledger; returns how many facts there are, and the ratio."""
    counts = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in ("fact", "entry", "account")}
    ratios: list[float] = []
    for number in range(bench.sizes.runs):
        if number % 2:
            own, empty = await _rate(bench, members, next(spans)), await bench.steady()
        else:
            empty, own = await bench.steady(), await _rate(bench, members, next(spans))
        ratios.append(own / empty)
    what = f"{counts['fact']:,} facts and {counts['entry']:,} entries"
    tell(f"with {what}: {ratios}")
    outcome.rows.append(Row.of(f"rate vs empty ledger, with {what} stored", "ratio", ratios, Goal(at_least=AT_LEAST)))
    outcome.figures[f"{kind} {len(outcome.figures)}"] = {
        **{f"{table}s" if table != "entry" else "entries": Spread.of([count]) for table, count in counts.items()},
        "rate_vs_empty": Spread.of(ratios),
    }
    return counts["fact"], Spread.of(ratios).median


async def _rate(bench: Bench, members: int, end: datetime) -> float:
    """Events a second on the grown ledger; new events each time, up to `end`, for the ledger keeps them."""
    stack, events = bench.stack, bench.sizes.short_events
    name = uuid.uuid4().hex[:6]
    prefix = f"grown{name}."
    await stack.topics(prefix)
    stack.publish(prefix, Workload(SEED, members, events, end, series=name).traffic())
    dsn = stack.postgres.dsn("grown")
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
