"""What a simulation can be played on: the store in memory, or a Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Literal, get_args

from tests.parts.postgres import DEFAULT_VERSION, Servers
from tests.simulation.postgres_stage import Database
from tests.simulation.stages import Stages, in_memory

StoreName = Literal["memory", "postgres"]
STORES: tuple[StoreName, ...] = get_args(StoreName)


@contextmanager
def own_server() -> Iterator[Servers]:
    """A Postgres that makes databases until the block ends."""
    directory = Path(mkdtemp(prefix="loyalty-simulation-"))
    servers = Servers(directory)
    try:
        yield servers
    finally:
        servers.stop()
        rmtree(directory, ignore_errors=True)


@contextmanager
def stages_on(dsn: str | None) -> Iterator[Stages]:
    """Stages on the database of this address, of which one at a time is in use; None: in memory."""
    if dsn is None:
        yield in_memory
        return
    with Database(dsn) as database:
        yield database.stage


@contextmanager
def stages_of(store: StoreName) -> Iterator[Stages]:
    """Stages of a store; on Postgres on a server of their own."""
    if store == "memory":
        yield in_memory
        return
    with own_server() as servers, stages_on(servers.create_database(DEFAULT_VERSION, "simulation")) as stages:
        yield stages
