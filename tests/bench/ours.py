"""Runs of the real worker: as many processes as asked for, over topics that are full already."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.connecting import connected
from tests.bench.measure import Run, between, read
from tests.bench.stack import Stack
from tests.flows.system import System
from worker.local.process import Process
from worker.runtime.build import the_fold_is

POLL_SECONDS = 0.05
WAIT_SECONDS = 120.0
SLOWEST_PER_SECOND = 20
"""A run that takes longer than this rate and that wait hangs."""
BEGUN_SHARE = 0.1
BEGUN_SHARE_MAX = 0.5
READ_TO = "SELECT coalesce(sum(next_offset), 0)::bigint FROM position"
LEFT_TO_PUBLISH = "SELECT EXISTS (SELECT FROM outbox)"


@dataclass(slots=True)
class Ours:
    """The worker on a workload that was published under `prefix`; every run begins from `template`."""

    stack: Stack
    directory: Path
    template: str
    prefix: str
    events: int
    workers: int = 1

    async def __call__(self) -> Run:
        """Drain the topics: from the first tenth until the last event is in the ledger and told."""
        dsn = self.stack.database(self.template)
        try:
            return await self.on(dsn)
        finally:
            self.stack.drop(dsn)

    async def on(self, dsn: str) -> Run:
        """The same on a database that stays."""
        system = self.system(dsn)
        try:
            return await drain(self.stack, system, self.events, self.workers)
        finally:
            system.stop_workers()

    def system(self, dsn: str) -> System:
        """The service over these topics and a database."""
        system = System(self.stack.kafka.bootstrap, dsn, self.prefix, self.directory)
        system.settings["LOYALTY_KAFKA_GROUP"] = f"bench-{uuid.uuid4().hex}"
        return system


async def drain(stack: Stack, system: System, events: int, workers: int = 1) -> Run:
    """Start workers and measure until `events` are in the ledger and told; the workers run on.

    From the first tenth on, and not before the partitions are dealt: one of several workers joins first, and would be measured
    alone for up to a heartbeat.
    """
    for number in range(workers):
        system.start_worker(f"w{number}-{uuid.uuid4().hex[:6]}")
    pids = {
        "workers": [worker.pid or 0 for worker in system.workers],
        "postgres": [stack.postgres.pid or 0],
        "kafka": stack.kafka.pids,
    }
    run = await drained(system.dsn, pids, events, READ_TO, LEFT_TO_PUBLISH, system.check_alive, lambda: dealt(system.workers))
    for worker in system.workers:
        check_fold(worker.output)
    return run


def check_fold(output: str) -> None:
    """Raises AssertionError unless a worker says that its fold is built as this process has it, which the record says of both."""
    (started,) = [json.loads(line) for line in output.splitlines() if '"started"' in line]
    assert started["fold"] == the_fold_is(), f"the worker's fold is {started['fold']}, that of the record {the_fold_is()}"


def dealt(workers: Sequence[Process]) -> bool:
    """Whether every worker has partitions, and none of them has what another one was given."""
    given = [_assigned(worker.output) for worker in workers]
    return all(given) and sum(map(len, given)) == len(frozenset().union(*given))


def _assigned(output: str) -> frozenset[str]:
    """The partitions that a worker says it was given last; none if they were taken from it since."""
    for line in reversed(output.splitlines()):
        if '"partitions_assigned"' in line:
            return frozenset(json.loads(line)["partitions"])
        if '"partitions_revoked"' in line:
            break
    return frozenset()


async def drained(
    dsn: str,
    pids: Mapping[str, Sequence[int]],
    events: int,
    read_to: str,
    left: str,
    check: Callable[[], None],
    joined: Callable[[], bool] = lambda: True,
) -> Run:
    """Measure from the first tenth, when all have `joined` and settled, to the end: `events` read to, nothing left to publish.

    Raises AssertionError if the topics are not drained in time, or less than half of them is left when all have joined.
    """
    async with connected(dsn) as connection:
        give_up = time.monotonic() + WAIT_SECONDS + events / SLOWEST_PER_SECOND
        while (begun := await connection.fetchval(read_to)) < events * BEGUN_SHARE or not joined():
            await _again(check, give_up)
        assert begun <= events * BEGUN_SHARE_MAX, f"{begun} of {events} events were read before all workers had joined: too few"
        first = await read(connection, time.monotonic(), pids)
        while await connection.fetchval(read_to) < events or await connection.fetchval(left):
            await _again(check, give_up)
        last = await read(connection, time.monotonic(), pids)
        return between(first, last, events - begun)


async def _again(check: Callable[[], None], give_up: float) -> None:
    check()
    if time.monotonic() > give_up:
        raise AssertionError("the topics were not drained in time")
    await asyncio.sleep(POLL_SECONDS)
