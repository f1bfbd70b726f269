"""Kafka and Postgres of a soak's own, with what is needed to play chapters on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from db.migrate import migrate
from tests.faults import disk, leaders
from tests.faults.chapter import Harness, harness
from tests.faults.disk import Disk
from tests.faults.forked import Forked
from tests.flows.system import System
from tests.parts.postgres import DEFAULT_VERSION, SETTINGS, make_server
from worker.local import LocalKafka, LocalPostgres, Postgres, RealKafka
from worker.local.choose import choose_real_kafka
from worker.local.containers import DockerKafka
from worker.local.process import Process

WORKERS = 3


def make_kafka(directory: Path, brokers: int) -> RealKafka:
    """Brokers of this machine, not yet started. Raises LookupError where they are not to be had."""
    choice = choose_real_kafka(pull=False)
    if isinstance(choice, str):
        raise LookupError(choice)
    if choice.kind == "docker" and brokers == 1:
        return DockerKafka(directory)
    return LocalKafka(directory, brokers, leaders.BROKER_SETTINGS)


@asynccontextmanager
async def own_theatre(
    directory: Path, prefix: str, seed: int, brokers: int = 1, workers: int = WORKERS, forked: bool = False
) -> AsyncIterator[Harness]:
    """Parts of its own that may be stopped and killed, and a system of so many workers on them; all gone at the end.

    Postgres keeps its log on a small disk, where this machine lets it have one.
    """
    kafka = make_kafka(directory / "kafka", brokers)
    postgres = make_server(DEFAULT_VERSION, directory / "postgres", {**SETTINGS, **disk.SERVER_SETTINGS})
    small: Disk | None = None
    try:
        await asyncio.gather(asyncio.to_thread(kafka.start), asyncio.to_thread(postgres.start))
        await asyncio.to_thread(migrate, postgres.dsn())
        if isinstance(postgres, LocalPostgres) and disk.missing() is None:
            await asyncio.to_thread(postgres.stop)
            small = Disk(postgres)
            await asyncio.to_thread(postgres.start)
        async with system_on(kafka, postgres, directory, prefix, seed, brokers, workers, forked) as stage:
            stage.disk = small
            yield stage
    finally:
        # Nothing of it is kept, so nobody has to end in good order.
        await asyncio.gather(asyncio.to_thread(kafka.kill), asyncio.to_thread(postgres.kill))
        if small is not None:
            small.remove()
        kafka.remove_data()
        postgres.remove_data()


@asynccontextmanager
async def system_on(
    kafka: RealKafka, postgres: Postgres, directory: Path, prefix: str, seed: int, copies: int, workers: int, forked: bool
) -> AsyncIterator[Harness]:
    """A system on parts that run."""
    kind = Forked if forked else Process
    system = System(kafka.bootstrap, postgres.dsn(), prefix, directory, replicas=copies, kind=kind)
    async with harness(system, postgres, kafka, workers, seed) as stage:
        yield stage
