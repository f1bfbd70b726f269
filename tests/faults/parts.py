"""Kafka and Postgres of a soak's own, with what is needed to play chapters on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from db.migrate import migrate
from tests.faults.chapter import Theatre, theatre
from tests.flows.system import System
from tests.parts.postgres import DEFAULT_VERSION, SETTINGS, make_server
from worker.local import LocalKafka, Postgres, RealKafka
from worker.local.choose import choose_real_kafka
from worker.local.containers import DockerKafka

WORKERS = 3


def make_kafka(directory: Path) -> RealKafka:
    """A broker of this machine, not yet started. Raises LookupError where none is to be had."""
    choice = choose_real_kafka(pull=False)
    if isinstance(choice, str):
        raise LookupError(choice)
    return DockerKafka(directory) if choice.kind == "docker" else LocalKafka(directory)


@asynccontextmanager
async def own_theatre(directory: Path, prefix: str, seed: int) -> AsyncIterator[Theatre]:
    """Parts of its own that may be stopped and killed, and a system of three workers on them; all gone at the end."""
    kafka, postgres = make_kafka(directory / "kafka"), make_server(DEFAULT_VERSION, directory / "postgres", SETTINGS)
    try:
        await asyncio.gather(asyncio.to_thread(kafka.start), asyncio.to_thread(postgres.start))
        await asyncio.to_thread(migrate, postgres.dsn())
        async with system_on(kafka, postgres, directory, prefix, seed) as stage:
            yield stage
    finally:
        for part in (kafka, postgres):
            await asyncio.to_thread(part.stop)
            part.remove_data()


@asynccontextmanager
async def system_on(kafka: RealKafka, postgres: Postgres, directory: Path, prefix: str, seed: int) -> AsyncIterator[Theatre]:
    """A system on parts that run."""
    system = System(kafka.bootstrap, postgres.dsn(), prefix, directory)
    async with theatre(system, postgres, kafka, WORKERS, seed) as stage:
        yield stage
