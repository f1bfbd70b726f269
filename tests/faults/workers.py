"""The workers of a system under faults: each in its place, ended and started again, and none that ends by itself unnoticed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.faults import clock
from tests.faults.clock import Clock
from tests.faults.forked import Forked
from tests.flows.system import System
from worker.local.process import Process

SESSION_SECONDS: Final = 1
"""How long Kafka waits for a worker that says nothing."""
SETTINGS: Final[Mapping[str, str]] = {
    "LOYALTY_KAFKA_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
    "LOYALTY_KAFKA_STALL_SECONDS": "5",
    "LOYALTY_BATCH_RECORDS_MAX": "25",
    "LOYALTY_RELAY_LEASE_SECONDS": "1",
    "LOYALTY_WATERMARK_REPORT_SECONDS": "0.1",
    "LOYALTY_DUE_IDLE_SECONDS": "0.2",
    "LOYALTY_POSTGRES_CONNECT_SECONDS": "3",
    "LOYALTY_POSTGRES_STATEMENT_SECONDS": "5",
    "LOYALTY_POSTGRES_LOCK_SECONDS": "2",
    "LOYALTY_POSTGRES_SETTLE_SECONDS": "10",
    # What is broken on purpose here need not wait long.
    "LOYALTY_RELAY_DEAD_LETTERS_PER_SECOND": "1000",
}
_STARTED: Final = '"started"'
_GIVEN: Final = '"], "event": "partitions_assigned"'
_REVOKED: Final = '"partitions_revoked"'


@dataclass(slots=True)
class Place:
    """One worker after the other. `busy`: something is being done to it; `born`: monotonic seconds of its start."""

    process: Process
    clock: Clock | None = None
    born: float = 0.0
    busy: bool = False
    paused: bool = False

    @property
    def started(self) -> bool:
        """Whether it has read its settings and its terms, and begun."""
        return _STARTED in self.process.output

    @property
    def given(self) -> int:
        """How many times it has been given partitions."""
        return self.process.output.count(_GIVEN)

    @property
    def at_work(self) -> bool:
        """Whether it has partitions."""
        output = self.process.output
        return output.rfind(_GIVEN) > output.rfind(_REVOKED)


@dataclass(slots=True)
class Workers:
    """Workers on one system. `problems`: workers that ended without being ended."""

    system: System
    dsn: str
    settings: Mapping[str, str] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    starts: int = 0

    @property
    def forked(self) -> bool:
        """Whether they are forked, and their clocks cannot be moved."""
        return self.system.kind is Forked

    def start(self, count: int) -> None:
        """Start so many workers more."""
        for _ in range(count):
            name = f"worker-{len(self.places)}"
            own = None if self.forked or clock.missing() else Clock(self.system.directory / f"{name}.clock")
            environment = {} if own is None else own.environment
            settings = {**SETTINGS, **self.settings, **environment, "LOYALTY_POSTGRES_DSN": self.dsn}
            process = self.system.start_worker(name, **settings)
            self.starts += 1
            self.places.append(Place(process, own, time.monotonic()))

    def again(self, place: Place) -> None:
        """Start a worker where one ended."""
        place.process.start()
        self.starts += 1
        place.born, place.paused = time.monotonic(), False

    def tend(self, fault_at_start: bool = True) -> None:
        """Start workers again that ended by themselves, as an operator's machinery would; only a start may fail, when the
        database is away."""
        for place in self.places:
            if place.busy or place.process.alive:
                continue
            output = place.process.output
            if _STARTED in output or not fault_at_start:
                self.problems.append(f"{place.process.name} ended by itself:\n{output[-4000:]}")
            self.again(place)

    async def kill(self, place: Place) -> None:
        """SIGKILL."""
        await asyncio.to_thread(place.process.kill)

    def pause(self, place: Place) -> None:
        """SIGSTOP: it is not there, and does not know."""
        if place.process.alive and place.process.pid is not None:
            os.kill(place.process.pid, signal.SIGSTOP)
            place.paused = True

    def go_on(self, place: Place) -> None:
        """SIGCONT."""
        if place.paused and place.process.alive and place.process.pid is not None:
            os.kill(place.process.pid, signal.SIGCONT)
        place.paused = False

    def stop(self) -> None:
        """End all, at once."""
        for place in self.places:
            place.process.kill()
        self.system.ended += [place.process for place in self.places]
        self.places.clear()
