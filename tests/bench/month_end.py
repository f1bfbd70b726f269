"""Month end: a million accounts whose lots lapse, or whose tier is reviewed, at one instant, while live events go on coming.

A few accounts are folded up to just before the instant and copied (see `filling`). Then a worker starts, with the instant past.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.bench.connecting import connected
from tests.bench.context import Bench, tell
from tests.bench.delays import IN_ORDER, TO_LEDGER, join
from tests.bench.figures import Goal, Outcome, Row
from tests.bench.filling import copy_accounts, originals, settle
from tests.bench.measure import Spread
from tests.bench.ours import Ours
from tests.bench.pace import Sent, send_on_time
from tests.bench.stack import Stack, batches, pipeline
from tests.bench.workload import Delivery, Workload, member_name, records
from tests.flows.probes import Probes
from tests.flows.system import System
from worker.local.ports import free_ports
from worker.persist.identity import SHARDS
from worker.persist.postgres import PostgresStore

PROGRAM = "belle-maison"
ORDERS, ORDER_DAYS = 2, 15
ORIGINALS = 40
LIVE_PER_SECOND = 100.0
LIVE_SECONDS_MAX = 3_600
LIVE_SETTLE_SECONDS = 0.2
MEMBERS_MADE_PER_SECOND = 500_000
BEGUN_SHARE = 0.1
POLL_SECONDS = 0.1
POLL_SECONDS_PER_ACCOUNT = 1e-6
LEFT = "SELECT EXISTS (SELECT FROM account WHERE shard = ANY($1::smallint[]) AND next_due_at <= $2 AND fenced IS NULL)"
"""As the due loop asks; by its index."""
UNTOLD = "SELECT EXISTS (SELECT FROM outbox WHERE effective_at <= $1)"
"""What the instant brought and nobody was told yet; there is hardly a moment in which nothing waits of the live events."""
FROM_MONTH_END = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Kind:
    """What falls due. `months`: how long before the instant the orders were shipped. `reason`: of the entries that all of them
    get, if they do. `share`: of the accounts wanted, how many."""

    name: str
    months: int
    reason: str | None
    share: float


KINDS = (Kind("lots lapse", 12, "lapse", 1.0), Kind("tiers are reviewed", 6, None, 0.2))
"""Lots last to the end of the same month of the next year; a tier looks back on six whole months, on the first of each."""


async def measure(bench: Bench) -> Outcome:
    """Both kinds, each between two measurements of the event rate."""
    outcome = Outcome()
    before = await bench.steady()
    for kind in KINDS:
        accounts = max(1, round(bench.sizes.accounts * kind.share))
        per_second, seconds, delays, sent = await _run(bench, kind, accounts)
        after = await bench.steady()
        steady = (before + after) / 2
        before = after
        what = f"month end, {accounts:,} accounts whose {kind.name}"
        outcome.rows += [
            Row.of(f"{what}: accounts/s vs event rate", "ratio", [per_second / steady], Goal(at_least=0.7)),
            Row.of(f"{what}: live events to ledger meanwhile, p99", "ms", [delays[1] * 1_000], Goal(at_most=1_000)),
            Row.of(f"{what}: time to finish", "s", [seconds]),
        ]
        figures = {"accounts_per_second": per_second, "seconds": seconds, "steady_events_per_second": steady}
        outcome.figures[kind.name] = {name: Spread.of([value]) for name, value in figures.items()}
        about = {"live_events": sent.events, "live_p50": delays[0], "live_p99": delays[1], "sender_behind_p99": sent.behind_p99}
        outcome.details[kind.name] = about
        tell(f"{kind.name}: {per_second:,.0f} accounts/s, steady {steady:,.0f} events/s, {about}")
    return outcome


async def _run(bench: Bench, kind: Kind, accounts: int) -> tuple[float, float, tuple[float, float], Sent]:
    """Accounts a second, seconds from the first account to the last, delays of live events (p50, p99), what was sent."""
    stack = bench.stack
    prefix = f"monthend{uuid.uuid4().hex[:6]}."
    await stack.topics(prefix)
    instant = first_of_month(datetime.now(UTC))
    dsn = await _filled(stack, kind, instant, accounts)
    system = Ours(stack, stack.directory, "", prefix, 0).system(dsn)
    (port,) = free_ports(1)
    stop = threading.Event()
    sending: asyncio.Future[Sent] | None = None
    try:
        await join(system, LOYALTY_PROBE_PORT=str(port))
        live = _live(accounts)
        sending = asyncio.ensure_future(asyncio.to_thread(send_on_time, stack.kafka.bootstrap, prefix, live.traffic(), stop))
        per_second, seconds = await _taken(system, Probes(port), instant, accounts)
        finished = datetime.now(UTC)
        stop.set()
        sent = await sending
        await system.drained(60)
        percentiles = await system.sql(TO_LEDGER.replace("$1", "$1 AND business_at <= $2"), live.start, finished)
        ((p50, p99),) = percentiles[0]
        await _prove(system, kind, accounts, instant)
        return per_second, seconds, (p50, p99), sent
    finally:
        stop.set()
        if sending is not None:
            await asyncio.wait({sending})
        system.stop_workers()
        stack.drop(dsn)
        await stack.remove_topics(prefix)


def first_of_month(at: datetime) -> datetime:
    """The beginning of the month that an instant lies in, in the program's zone."""
    return at.astimezone(ZoneInfo("Asia/Tokyo")).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def months_before(at: datetime, months: int) -> datetime:
    """The first of a month some months before a first of a month."""
    years, month = divmod(at.year * 12 + at.month - 1 - months, 12)
    return at.replace(year=years, month=month + 1)


async def _filled(stack: Stack, kind: Kind, instant: datetime, accounts: int) -> str:
    """A database with so many accounts that are due at the instant; returns its address."""
    started = time.monotonic()
    number = min(ORIGINALS, accounts)
    dsn = stack.database(await stack.template("month_end", iter(())))
    await folded(dsn, kind, instant, number)
    async with connected(dsn) as connection:
        await connection.execute("TRUNCATE outbox, position, reading")
        found = await originals(connection, [member_name(each) for each in range(number)])
        at = {row["next_due_at"] for row in await connection.fetch("SELECT next_due_at FROM account")}
        assert at == {instant}, f"all accounts should be due at {instant}, not at {sorted(at)}"
        await copy_accounts(dsn, found, range(number, accounts))
        await settle(connection)
    tell(f"{accounts} accounts whose {kind.name} made in {time.monotonic() - started:.0f} s")
    return dsn


async def folded(dsn: str, kind: Kind, instant: datetime, members: int) -> None:
    """Fold the past of so many members, up to just before the instant, on a ledger with the programs."""
    shipped = months_before(instant, kind.months) - FROM_MONTH_END
    before = instant - timedelta(seconds=1)
    async with await PostgresStore.open(dsn) as store, pipeline(store) as run:
        for batch in batches(records(_orders(members, shipped))):
            assert not (await run.process(batch)).outcomes["dead_letter"]
        while due := await store.due(range(SHARDS), before, 1_000):
            await run.run_due([each.account_id for each in due], before)


def _orders(members: int, end: datetime) -> Iterator[Delivery]:
    """Each member joins and has its orders shipped within the days before an instant."""
    workload = Workload(5, members, 1, end.astimezone(UTC), series="past", programs=(PROGRAM,))
    for number in range(members):
        yield from workload.past_orders(number, ORDERS, ORDER_DAYS)


def _live(accounts: int) -> Workload:
    """Events of the same accounts, from about now on."""
    begin = datetime.now(UTC) + timedelta(seconds=LIVE_SETTLE_SECONDS + accounts / MEMBERS_MADE_PER_SECOND)
    end = begin + timedelta(seconds=LIVE_SECONDS_MAX)
    events = int(LIVE_PER_SECOND * LIVE_SECONDS_MAX)
    return Workload(4, accounts, events, end, IN_ORDER, LIVE_PER_SECOND, series="live", programs=(PROGRAM,))


async def _taken(system: System, probes: Probes, instant: datetime, accounts: int) -> tuple[float, float]:
    """Wait until all accounts were looked at and told of; accounts a second from the first tenth on, and seconds of all."""
    started = time.monotonic()
    pause = max(POLL_SECONDS, accounts * POLL_SECONDS_PER_ACCOUNT)
    while (begun := await probes.metric("loyalty_due_accounts_total")) < accounts * BEGUN_SHARE:
        await _pause(system, pause)
    from_ = time.monotonic()
    # Not by the count: live events take the instants of their accounts too, so the loop may count fewer than all.
    while (await system.sql(LEFT, list(range(SHARDS)), instant))[0][0] or (await system.sql(UNTOLD, instant))[0][0]:
        await _pause(system, pause)
    now = time.monotonic()
    return (accounts - begun) / (now - from_), now - started


async def _pause(system: System, seconds: float) -> None:
    await asyncio.sleep(seconds)
    system.check_alive()


async def _prove(system: System, kind: Kind, accounts: int, instant: datetime) -> None:
    """Every account was taken past the instant, and what was to lapse lapsed."""
    ((fenced,),) = await system.sql("SELECT count(*) FROM account WHERE fenced IS NOT NULL OR next_due_at <= $1", instant)
    assert fenced == 0, f"{fenced} accounts were not taken past {instant}"
    if kind.reason is not None:
        ((done,),) = await system.sql(
            "SELECT count(DISTINCT account_id) FROM entry WHERE reason = $1 AND business_at = $2", kind.reason, instant
        )
        assert done == accounts, f"lots of {done} accounts lapsed, not of {accounts}"
