"""From the start of the process to its first commit: after a clean stop, and after its predecessor was killed."""

from __future__ import annotations

import asyncio
import time
import uuid

import asyncpg

from tests.bench.connecting import connected
from tests.bench.context import SEED, Bench, tell
from tests.bench.figures import Goal, Outcome, Row
from tests.bench.ours import READ_TO, Ours
from tests.bench.stack import now
from tests.bench.workload import Delivery, Workload
from tests.flows.system import System

EVENTS = 2_000
SESSION_SECONDS = 10
"""Kafka's session timeout: how long the group waits for one that was killed."""
CLEAN_SECONDS_MAX = 2.0
POLL_SECONDS = 0.005
GIVE_UP_SECONDS = 120.0


async def measure(bench: Bench) -> Outcome:
    """Each in turn, so many times."""
    clean: list[float] = []
    killed: list[float] = []
    for number in range(bench.sizes.runs):
        after_stop, after_kill = await _both(bench)
        clean.append(after_stop)
        killed.append(after_kill)
        tell(f"start {number + 1}: clean {after_stop:.2f} s, after SIGKILL {after_kill:.2f} s")
    limit = SESSION_SECONDS + CLEAN_SECONDS_MAX
    rows = [
        Row.of("start to first commit, after a clean stop", "s", clean, Goal(at_most=CLEAN_SECONDS_MAX)),
        Row.of(f"start to first commit, after SIGKILL (session timeout {SESSION_SECONDS} s)", "s", killed, Goal(at_most=limit)),
    ]
    return Outcome(rows)


async def _both(bench: Bench) -> tuple[float, float]:
    """One ledger: a worker starts, is stopped; one starts (clean), is killed; one starts (killed). Events wait each time."""
    stack = bench.stack
    prefix = f"start{uuid.uuid4().hex[:6]}."
    await stack.topics(prefix)
    dsn = stack.database(await bench.members())
    system = Ours(stack, stack.directory, "", prefix, 0).system(dsn)
    system.settings["LOYALTY_KAFKA_SESSION_TIMEOUT_SECONDS"] = str(SESSION_SECONDS)
    events = list(Workload(SEED, bench.sizes.members, 3 * EVENTS, now()).traffic())
    async with connected(dsn) as connection:
        await _first_commit(bench, system, connection, events[:EVENTS])
        await _read_all(system, connection, EVENTS)
        system.stop_workers()
        system.ended.extend(system.workers)
        clean = await _first_commit(bench, system, connection, events[EVENTS : 2 * EVENTS])
        await _read_all(system, connection, 2 * EVENTS)
        victim = system.workers[-1]
        system.ended.append(victim)
        victim.kill()
        return clean, await _first_commit(bench, system, connection, events[2 * EVENTS :])
        system.stop_workers()
        stack.drop(dsn)
        await stack.remove_topics(prefix)


async def _first_commit(
    bench: Bench, system: System, connection: asyncpg.Connection[asyncpg.Record], waiting: list[Delivery]
) -> float:
    """Start a worker with these events waiting; seconds until the first of them are committed."""
    bench.stack.publish(system.prefix, waiting)
    before = await connection.fetchval(READ_TO)
    started = time.monotonic()
    system.start_worker(f"start-{uuid.uuid4().hex[:6]}")
    await _read_all(system, connection, before + 1)
    return time.monotonic() - started


async def _read_all(system: System, connection: asyncpg.Connection[asyncpg.Record], events: int) -> None:
    """Wait until so many events are committed."""
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while await connection.fetchval(READ_TO) < events:
        system.check_alive()
        if time.monotonic() > give_up:
            raise AssertionError(f"{events} events were not committed within {GIVE_UP_SECONDS:g} s")
        await asyncio.sleep(POLL_SECONDS)
