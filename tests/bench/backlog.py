"""A million events waiting: how long catching up takes, how that compares with the steady rate, and what it does to memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import psutil

from tests.bench.connecting import connected
from tests.bench.context import Bench, tell
from tests.bench.figures import Goal, Outcome, Row
from tests.bench.measure import Spread
from tests.bench.ours import READ_TO, drain
from tests.flows.system import System

SAMPLE_SECONDS = 1.0
MEMORY_EVENTS_MIN = 500_000
"""Below, caches still fill, so growth says nothing."""
SAMPLES_KEPT = 60
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """How much memory the worker's process had after so many events."""

    events: int
    bytes: int
    seconds: float
    """Since its start."""


async def measure(bench: Bench) -> Outcome:
    """One worker, from its start until the last of the events that waited is published; its memory all the while."""
    events = bench.sizes.backlog_events
    before = await bench.steady()
    ours = await bench.worker("backlog", events)
    dsn = bench.stack.database(ours.template)
    system = ours.system(dsn)
    samples: list[Sample] = []
    watching: asyncio.Task[None] | None = None
    try:
        started = time.monotonic()
        watching = asyncio.create_task(_watch(system, samples, started))
        await drain(bench.stack, system, events)
        seconds = time.monotonic() - started
    finally:
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        system.stop_workers()
        bench.stack.drop(dsn)
        await bench.stack.remove_topics(ours.prefix)
    steady = (before + await bench.steady()) / 2
    grown = growth(samples)
    peak = max(sample.bytes for sample in samples)
    tell(f"{events:,} events in {seconds:.1f} s, memory {peak / 2**20:.0f} MiB at most, {grown:+.1%} over the last half")
    about = f"{events:,} events"
    goal = Goal(at_least=-0.05, at_most=0.05) if events >= MEMORY_EVENTS_MIN else None
    rows = [
        Row.of(f"catch-up, {about} waiting: time from the start of the process", "s", [seconds]),
        Row.of(f"catch-up, {about} waiting: rate vs steady rate", "ratio", [events / seconds / steady]),
        Row.of(f"memory of a worker, growth over the last half of {about}", "ratio", [grown], goal),
        Row.of(f"memory of a worker, highest over {about}", "bytes", [peak]),
    ]
    figures = {"backlog": {"seconds": Spread.of([seconds]), "events_per_second": Spread.of([events / seconds])}}
    if (reached := seconds_to(MILLION, samples)) is not None and events > MILLION:
        rows.insert(0, Row.of("catch-up, the first million of them: time from the start of the process", "s", [reached]))
        rows.insert(1, Row.of("catch-up, the first million of them: rate vs steady rate", "ratio", [MILLION / reached / steady]))
    every = max(1, len(samples) // SAMPLES_KEPT)
    return Outcome(rows, figures, {"memory": [(sample.events, sample.bytes) for sample in samples[::every]]})


async def _watch(system: System, samples: list[Sample], started: float) -> None:
    """Sample until cancelled."""
    async with connected(system.dsn) as connection:
        while True:
            if system.workers:
                bytes_ = psutil.Process(system.workers[0].pid).memory_info().rss
                events = await connection.fetchval(READ_TO)
                samples.append(Sample(events, bytes_, time.monotonic() - started))
            await asyncio.sleep(SAMPLE_SECONDS)


def seconds_to(events: int, samples: Sequence[Sample]) -> float | None:
    """How long the first so many events took, on the straight line between two samples; None if there were not as many."""
    for one, two in pairwise(samples):
        if one.events <= events <= two.events and one.events < two.events:
            share = (events - one.events) / (two.events - one.events)
            return one.seconds + share * (two.seconds - one.seconds)
    return None


def growth(samples: Sequence[Sample]) -> float:
    """By which share memory grew over the last half of the events, along the straight line that fits the samples best.

    0.0 where the last half has fewer than two samples.
    """
    end = max((sample.events for sample in samples), default=0)
    last = [sample for sample in samples if sample.events >= end / 2]
    if len({sample.events for sample in last}) < 2:
        return 0.0
    x = sum(sample.events for sample in last) / len(last)
    y = sum(sample.bytes for sample in last) / len(last)
    slope = sum((s.events - x) * (s.bytes - y) for s in last) / sum((s.events - x) ** 2 for s in last)
    middle = y + slope * (end / 2 - x)
    return slope * (end / 2) / middle
