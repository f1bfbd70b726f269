"""Fixtures: real Postgres servers, and databases on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from tests.parts.missing import cannot_run
from worker.local import LocalPostgres, Postgres, find_binaries
from worker.local.containers import DockerPostgres, postgres_image, why_not
from worker.local.sql import execute

VERSIONS = (15, 18)
DEFAULT_VERSION = 18
BOTH_MARKER = "both_postgres"
TEMPLATE = "loyalty_template"
# Tests end processes, never the machine: what the kernel has is as good as on the disk.
SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "300"}

_numbers = count(1)


class Servers:
    """Servers of several versions, each started when first asked for, all stopped together."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[int, Postgres] = {}
        self._templates: set[tuple[int, str]] = set()

    def get(self, version: int) -> Postgres:
        """The server of this version; skips the test if it cannot be had."""
        if version not in self._running:
            server = make_server(version, self._directory / str(version), SETTINGS)
            server.start()
            self._running[version] = server
        return self._running[version]

    def create_database(self, version: int, name: str) -> str:
        """A database at the schema of this release, made from a template; returns its address."""
        return self.copy_database(version, name, TEMPLATE, _migrate)

    def copy_database(self, version: int, name: str, template: str, make: Callable[[str], None]) -> str:
        """A database like the one called `template`, which `make` fills when first asked for; returns its address."""
        server = self.get(version)
        if (version, template) not in self._templates:
            execute(server.dsn(), f"CREATE DATABASE {template}")
            make(server.dsn(template))
            self._templates.add((version, template))
        execute(server.dsn(), f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        return server.dsn(name)

    def drop_database(self, version: int, name: str) -> None:
        """Take a database away, whoever is connected to it."""
        execute(self.get(version).dsn(), f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """Stop all and take their data away."""
        for server in self._running.values():
            server.stop()
            server.remove_data()


def make_server(version: int, directory: Path, settings: Mapping[str, str]) -> Postgres:
    """A server of this version, not yet started; in Docker where its image is, else from programs of this machine."""
    no_docker = why_not(postgres_image(version), pull=False)
    if no_docker is None:
        return DockerPostgres(directory, version, settings)
    binaries = find_binaries(version)
    if binaries is not None:
        return LocalPostgres(directory, binaries, settings)
    if why_not(postgres_image(version)) is None:
        return DockerPostgres(directory, version, settings)
    cannot_run(
        f"Postgres {version}",
        f"{no_docker}; no server programs of version {version}",
        f"install Debian's package postgresql-{version}, or start Docker",
    )


def _migrate(dsn: str) -> None:
    from db.migrate import migrate

    with ThreadPoolExecutor(max_workers=1) as thread:  # migrate() runs an event loop of its own
        thread.submit(migrate, dsn).result()


@pytest.fixture(scope="session")
def postgres_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """All Postgres servers of this run."""
    servers = Servers(tmp_path_factory.mktemp("postgres"))
    yield servers
    servers.stop()


@pytest.fixture
def postgres_version(request: pytest.FixtureRequest) -> int:
    """Major version: the default, or each in turn for tests marked `both_postgres`."""
    return int(getattr(request, "param", DEFAULT_VERSION))


@pytest.fixture
def postgres(postgres_servers: Servers, postgres_version: int) -> Postgres:
    """A Postgres for all tests; not to be stopped."""
    return postgres_servers.get(postgres_version)


@pytest.fixture
def database(postgres_servers: Servers, postgres_version: int) -> Iterator[str]:
    """Address of a database of this test's own, at the schema of this release, empty."""
    name = f"test_{next(_numbers)}"
    yield postgres_servers.create_database(postgres_version, name)
    postgres_servers.drop_database(postgres_version, name)


@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[str]:
    """Address of a database of this test's own that was never migrated."""
    name = f"test_{next(_numbers)}"
    execute(postgres.dsn(), f"CREATE DATABASE {name} STRATEGY wal_log")
    yield postgres.dsn(name)
    execute(postgres.dsn(), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def own_postgres(postgres_version: int, tmp_path: Path) -> Iterator[Callable[..., Postgres]]:
    """Makes a Postgres that a test may stop and kill: `own_postgres(**settings)`, started, with fsync on."""
    made: list[Postgres] = []

    def make(**settings: str) -> Postgres:
        made.append(make_server(postgres_version, tmp_path / f"postgres-{len(made)}", settings))
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.stop()
        server.remove_data()


def parametrize_versions(metafunc: pytest.Metafunc) -> None:
    """Run tests marked `both_postgres` once on each version."""
    if "postgres_version" in metafunc.fixturenames and metafunc.definition.get_closest_marker(BOTH_MARKER):
        metafunc.parametrize("postgres_version", VERSIONS, indirect=True, ids=[f"postgres{version}" for version in VERSIONS])
