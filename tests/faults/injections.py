"""What is done to a system while it works. Each goes on until the scene is over, leaves everything running, and counts."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from contracts.events import TOPICS_IN
from tests.faults.disk import Disk
from tests.faults.leaders import move_leaders
from tests.faults.line import Line
from tests.faults.workers import SESSION_SECONDS, Place, Workers
from tests.flows.system import System
from worker.local import LocalKafka, Postgres, RealKafka

_APPLICATION: Final = "loyalty"
_SEGMENTS_MAX: Final = 500
_SEEN_SECONDS_MAX: Final = 4.0
_LOOK_SECONDS: Final = 0.05
_LOCKS: Final = (
    "LOCK TABLE fact IN SHARE MODE",
    "LOCK TABLE account IN EXCLUSIVE MODE",
    "SELECT FROM position WHERE random() < 0.3 FOR UPDATE",
    "SELECT FROM account WHERE random() < 0.01 FOR UPDATE",
    "SELECT FROM order_route WHERE random() < 0.01 FOR UPDATE",
)


@dataclass(slots=True)
class Scene:
    """A system at work, and what can be done to it. `over`: it is enough. `counts`: what was done."""

    system: System
    workers: Workers
    line: Line
    postgres: Postgres
    kafka: RealKafka
    rng: Random
    disk: Disk | None = None
    counts: Counter[str] = field(default_factory=Counter)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def pause(self, low: float, high: float) -> bool:
        """Let some time pass, seconds; True when it is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.rng.uniform(low, high)):
                await self.over.wait()
        return self.over.is_set()

    def anyone(self, age_seconds: float = 0.0, started: bool = False) -> Place | None:
        """A worker that nothing is being done to; taken, until `busy` is off again. `started`: only one that has said so."""
        now = time.monotonic()
        there = [each for each in self.workers.places if not each.busy and each.process.alive and now - each.born >= age_seconds]
        there = [each for each in there if each.started] if started else there
        if not there:
            return None
        place = self.rng.choice(there)
        place.busy = True
        return place


Injection = Callable[[Scene], Coroutine[Any, Any, None]]


async def kills(scene: Scene) -> None:
    """SIGKILL of one, some or all workers at once; others start in their places.

    By turns at any moment; soon after a worker was given partitions, when it takes up what another left half done; and soon after
    somebody's COMMIT, in the middle of batches. Those that have not got as far as starting are killed too, now and then, and
    counted apart.
    """
    while not await scene.pause(0.1, 1.0):
        moment = scene.rng.choice((None, _partitions_given, _commits))
        if moment is not None:
            await moment(scene)
            await scene.pause(0.0, 0.5)
        started = scene.rng.random() < 0.9
        wanted = scene.rng.randint(1, len(scene.workers.places))
        victims = [place for _ in range(wanted) if (place := scene.anyone(0.3, started)) is not None]
        for place in victims:
            scene.counts["sigkills" if place.started else "sigkills_before_start"] += 1
            scene.counts["sigkills_at_work"] += place.at_work
            scene.counts["sigkills_forked"] += place.started and scene.workers.forked
        await asyncio.gather(*(scene.workers.kill(place) for place in victims))
        for place in victims:
            scene.workers.again(place)
            place.busy = False


async def _partitions_given(scene: Scene) -> None:
    """Wait until some worker is given partitions."""
    before = {place.process.pid: place.given for place in scene.workers.places}
    await _seen(scene, lambda: any(place.given > before.get(place.process.pid, 0) for place in scene.workers.places))


async def _commits(scene: Scene) -> None:
    """Wait until some COMMITs have passed."""
    wanted = scene.line.counts["commits"] + scene.rng.randint(1, 6)
    await _seen(scene, lambda: scene.line.counts["commits"] >= wanted)


async def _seen(scene: Scene, condition: Callable[[], bool]) -> None:
    """Wait for a condition; not for long, as it may not come."""
    give_up = time.monotonic() + _SEEN_SECONDS_MAX
    while not condition() and time.monotonic() < give_up:
        if await scene.pause(_LOOK_SECONDS, _LOOK_SECONDS):
            return


async def goings(scene: Scene) -> None:
    """Workers are told to leave, as by a rollout, and others come in their places."""
    while not await scene.pause(0.5, 2.0):
        place = scene.anyone(1.5)
        if place is None:
            continue
        await asyncio.to_thread(place.process.stop)
        scene.counts["workers_gone"] += 1
        scene.workers.again(place)
        place.busy = False


async def zombies(scene: Scene) -> None:
    """SIGSTOP past the session timeout, several at once; the partitions go elsewhere, and then the sleeper wakes."""
    while not await scene.pause(0.2, 2.0):
        sleepers = [place for _ in range(scene.rng.choice((1, 1, 2))) if (place := scene.anyone(1.5)) is not None]
        for place in sleepers:
            scene.workers.pause(place)
        # Also when the scene is over: a shorter pause would not be one past the session.
        await asyncio.sleep(SESSION_SECONDS * scene.rng.uniform(1.3, 3.0))
        for place in sleepers:
            scene.workers.go_on(place)
            place.busy = False
            scene.counts["zombies"] += 1


async def rebalances(scene: Scene) -> None:
    """Somebody joins the group and leaves it again, having read nothing."""
    while not await scene.pause(0.0, 0.4):
        with contextlib.suppress(KafkaError, TimeoutError, OSError):
            guest = await join(scene.system)
            try:
                await scene.pause(0.0, 0.3)
            finally:
                await guest.stop()


async def join(system: System) -> AIOKafkaConsumer:
    """A member of the workers' group that has been dealt its partitions."""
    guest = AIOKafkaConsumer(
        *(system.prefix + topic for topic in TOPICS_IN),
        bootstrap_servers=system.bootstrap,
        group_id=f"{system.prefix}group",
        enable_auto_commit=False,
        auto_offset_reset="none",
        session_timeout_ms=SESSION_SECONDS * 1000,
        heartbeat_interval_ms=SESSION_SECONDS * 333,
        max_poll_interval_ms=10_000,
        partition_assignment_strategy=(RangePartitionAssignor,),
    )
    async with asyncio.timeout(20):
        try:
            await guest.start()
        except BaseException:
            await guest.stop()
            raise
    return guest


async def generation(system: System) -> int:
    """How many times the group's partitions have been dealt so far; asking is once more."""
    guest = await join(system)
    try:
        number: int = guest._coordinator.generation
        return number
    finally:
        await guest.stop()


async def cut_connections(scene: Scene) -> None:
    """pg_terminate_backend, at any moment of whatever a worker does."""
    while not await scene.pause(0.02, 0.3):
        with contextlib.suppress(asyncpg.PostgresError, OSError, asyncpg.InterfaceError):
            rows = await scene.system.sql(
                "SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity "
                "WHERE application_name = $1 AND datname = current_database() ORDER BY random() LIMIT 1",
                _APPLICATION,
            )
            scene.counts["connections_cut"] += sum(bool(row["done"]) for row in rows)


async def locks(scene: Scene) -> None:
    """Somebody holds what a batch needs, for longer than workers wait."""
    while not await scene.pause(0.2, 3.0):
        with contextlib.suppress(asyncpg.PostgresError, OSError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(scene.system.dsn)
            try:
                async with connection.transaction():
                    await connection.execute(scene.rng.choice(_LOCKS))
                    scene.counts["locks_held"] += 1
                    await scene.pause(0.1, 3.0)
            finally:
                await connection.close()


async def postgres_restarts(scene: Scene) -> None:
    """The database stops in good order, or crashes, and comes back with what was committed."""
    while not await scene.pause(0.3, 2.0):
        if scene.rng.random() < 0.5:
            await asyncio.to_thread(scene.postgres.kill)
            scene.counts["postgres_crashes"] += 1
        else:
            await asyncio.to_thread(scene.postgres.stop)
        await scene.pause(0.0, 0.5)
        await asyncio.to_thread(scene.postgres.start)
        scene.counts["postgres_restarts"] += 1


async def broker_restarts(scene: Scene) -> None:
    """The broker stops in good order, or crashes, and comes back."""
    while not await scene.pause(2.0, 7.0):
        if scene.rng.random() < 0.8:
            await asyncio.to_thread(scene.kafka.kill)
        else:
            await asyncio.to_thread(scene.kafka.stop)
        await asyncio.to_thread(scene.kafka.start)
        scene.counts["broker_restarts"] += 1


async def leader_moves(scene: Scene) -> None:
    """The partitions of a cluster, and the groups, get other leaders."""
    while not await scene.pause(0.5, 3.0):
        with contextlib.suppress(KafkaError, TimeoutError, OSError):
            scene.counts["leader_moves"] += await move_leaders(scene.system, scene.rng) > 0


async def broker_ends(scene: Scene) -> None:
    """One broker of several stops or crashes, the others lead its partitions; it comes back."""
    assert isinstance(scene.kafka, LocalKafka)
    while not await scene.pause(4.0, 10.0):
        node = scene.rng.randrange(scene.kafka.brokers)
        await asyncio.to_thread(scene.kafka.kill_broker if scene.rng.random() < 0.8 else scene.kafka.stop_broker, node)
        await scene.pause(0.0, 3.0)
        await asyncio.to_thread(scene.kafka.start_broker, node)
        scene.counts["broker_restarts"] += 1


async def clock_steps(scene: Scene) -> None:
    """Somebody sets the time of a worker's machine, minutes forward or back."""
    while not await scene.pause(0.2, 1.5):
        place = scene.rng.choice(scene.workers.places)
        if place.clock is not None:
            place.clock.set(scene.rng.choice((-240, -90, -1, 0, 30, 120, 240)))
            scene.counts["clock_steps"] += 1
    for place in scene.workers.places:
        if place.clock is not None:
            place.clock.set(0)


async def full_disks(scene: Scene) -> None:
    """The disk of the write-ahead log is full; Postgres ends, and comes back when there is room again."""
    assert scene.disk is not None
    while not await scene.pause(1.0, 4.0):
        await asyncio.to_thread(scene.disk.fill)
        connection = None
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            connection = await asyncpg.connect(scene.system.dsn)
            for _ in range(_SEGMENTS_MAX):
                await connection.execute("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000000))")
        scene.counts["disks_full"] += connection is not None and connection.is_closed()
        await scene.pause(0.0, 2.0)
        await asyncio.to_thread(scene.disk.clear)
        await asyncio.to_thread(scene.postgres.stop)
        await asyncio.to_thread(scene.postgres.start)
        scene.counts["postgres_restarts"] += 1
