"""Kafka and Postgres in Docker, by testcontainers, with the same handles as the local processes.

The watchdog removes the containers should this Python die; testcontainers' own reaper, one more image to fetch, is off.
"""

from __future__ import annotations

import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import asyncpg

from worker.local import watchdog
from worker.local.kafka import JVM_OPTIONS
from worker.local.kafka_jars import KAFKA_VERSION
from worker.local.ports import HOST, free_ports
from worker.local.process import PartFailed
from worker.local.sql import execute
from worker.local.topics import create_topics

KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"
START_SECONDS = 90.0
DAEMON_SECONDS = 5
PULL_SECONDS = 300
POLL_SECONDS = 0.1
STARTED = "Kafka Server started"


def postgres_image(version: int) -> str:
    """Name of the image with this major version of Postgres."""
    return f"postgres:{version}"


def why_not(image: str, *, pull: bool = True) -> str | None:
    """Why Docker cannot run this image here, in words; None if it can. pull: fetch the image if it is not there."""
    try:
        import docker
        from docker.errors import DockerException, ImageNotFound
    except ImportError:
        return "the Python package for Docker is not installed"
    if not _daemon_is_here():
        return "Docker's daemon is on another machine"
    try:
        docker.from_env(timeout=DAEMON_SECONDS).ping()
    except (DockerException, OSError):
        return "no Docker daemon answers"
    client = docker.from_env(timeout=PULL_SECONDS)
    try:
        client.images.get(image)
    except ImageNotFound:
        if not pull:
            return f"Docker answers, but {image} is not there"
        try:
            client.images.pull(image)
        except (DockerException, OSError) as error:
            return f"Docker answers, but {image} is not there and cannot be pulled ({type(error).__name__})"
    return None


def _daemon_is_here() -> bool:
    """Whether ports that the daemon opens on the loopback address are ours."""
    address = urlsplit(os.environ.get("DOCKER_HOST", ""))
    return address.scheme not in ("tcp", "http", "https", "ssh") or address.hostname in ("localhost", HOST, "::1")


@dataclass(slots=True)
class Container:
    """One container that was started here, with a port of this machine, and of no other, that stays the same over restarts."""

    image: str
    directory: Path
    keep: bool = False
    _container: Any = field(default=None, init=False, repr=False)

    def create(self, environment: Mapping[str, str], port: int, port_inside: int) -> None:
        """Make and start it; raises PartFailed if Docker refuses."""
        from docker.errors import DockerException
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.container import DockerContainer

        testcontainers_config.ryuk_disabled = True
        try:
            made: Any = DockerContainer(self.image, env=dict(environment))
        except (DockerException, OSError) as error:
            raise PartFailed(f"{self.image}: {error}") from error
        made.ports[str(port_inside)] = (HOST, port)  # `with_bind_ports` knows no address and opens the port to everyone
        try:
            made.start()
        except (DockerException, OSError) as error:
            with suppress(DockerException, OSError):
                made.stop()  # made, though not started
            raise PartFailed(f"{self.image} did not start: {error}") from error
        self._container = made.get_wrapped_container()
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.keep:
            self._note.write_text(json.dumps({"container": self._container.id}))
        else:
            watchdog.watch_container(self._container.id)

    def start(self) -> None:
        """Start it again after `stop` or `kill`."""
        self._container.start()

    def stop(self, timeout_seconds: int = 30) -> None:
        """Stop it in good order; its data stays."""
        self._container.stop(timeout=timeout_seconds)

    def kill(self) -> None:
        """End it at once."""
        self._container.kill()

    def remove(self) -> None:
        """Take it away with its data."""
        if self._container is not None:
            self._container.remove(force=True, v=True)
            watchdog.forget(self._container.id)
            self._note.unlink(missing_ok=True)
            self._container = None

    @property
    def exists(self) -> bool:
        """Whether it has been made and not yet removed."""
        return self._container is not None

    @property
    def output(self) -> str:
        """All that it has written."""
        return str(self._container.logs().decode(errors="replace"))

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready()`; raises PartFailed if it ends before that or takes too long."""
        give_up = time.monotonic() + START_SECONDS
        while not ready():
            self._container.reload()
            if self._container.status in ("exited", "dead") or time.monotonic() > give_up:
                raise PartFailed(f"{self.image} is {self._container.status} and was not ready:\n{self.output[-4_000:]}")
            time.sleep(POLL_SECONDS)

    @property
    def _note(self) -> Path:
        return self.directory / f"{self.image.replace('/', '-').replace(':', '-')}.kept.json"


@dataclass(slots=True)
class _Contained(ABC):
    """A part that lives in one container: what is done to it is done to that."""

    _container: Container | None = field(default=None, init=False, repr=False)

    @abstractmethod
    def start(self) -> None:
        """Start it, on the first time with nothing in it; raises PartFailed."""

    def stop(self) -> None:
        """Stop it in good order; its data stays until `remove_data`."""
        if self._container:
            self._container.stop()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._container:
            self._container.kill()

    def restart(self) -> None:
        """Stop in good order and start again."""
        self.stop()
        self.start()

    def remove_data(self) -> None:
        """Remove the container with all that it holds."""
        if self._container:
            self._container.remove()
            self._container = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove_data()


@dataclass(slots=True)
class DockerKafka(_Contained):
    """A Kafka of one broker in Docker."""

    directory: Path
    keep: bool = False
    image: str = KAFKA_IMAGE
    port: int = field(default=0, init=False)
    _starts: int = field(default=0, init=False, repr=False)

    @property
    def bootstrap(self) -> str:
        """Address of the broker."""
        return f"{HOST}:{self.port}"

    @property
    def about(self) -> str:
        """What this is, in words."""
        return f"{self.image} in Docker, {self.bootstrap}"

    def start(self) -> None:
        """Start it, on the first time an empty cluster; raises PartFailed."""
        if self._container is None:
            (self.port,) = free_ports(1)
            self._container = Container(self.image, self.directory, self.keep)
            self._container.create(self._environment(), self.port, self.port)
        else:
            self._container.start()
        self._starts += 1
        container = self._container
        container.wait_until(lambda: container.output.count(STARTED) >= self._starts)

    async def create_topics(self, topics: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
        """Create these topics with these numbers of partitions; returns when all can be written."""
        await create_topics(self.bootstrap, topics, configs=configs)

    def _environment(self) -> dict[str, str]:
        return {
            "KAFKA_NODE_ID": "1",
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_LISTENERS": f"PLAINTEXT://:{self.port},CONTROLLER://:9093",
            "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{self.bootstrap}",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_LOG_RETENTION_MS": "-1",  # as in `kafka.py`
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "500",
            "KAFKA_BROKER_SESSION_TIMEOUT_MS": "3000",
            "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "500",
            "KAFKA_HEAP_OPTS": JVM_OPTIONS[0],
            "KAFKA_JVM_PERFORMANCE_OPTS": " ".join(JVM_OPTIONS[1:]),
        }


@dataclass(slots=True)
class DockerPostgres(_Contained):
    """A Postgres of one major version in Docker; every role enters without a password, from this machine only."""

    directory: Path
    version: int
    settings: Mapping[str, str] = field(default_factory=dict)
    keep: bool = False
    port: int = field(default=0, init=False)

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """Address of a database, as asyncpg and dbmate take it."""
        return f"postgresql://{user}@{HOST}:{self.port}/{database}?sslmode=disable"

    @property
    def about(self) -> str:
        """What this is, in words."""
        return f"{postgres_image(self.version)} in Docker on port {self.port}"

    def start(self) -> None:
        """Start it, on the first time a fresh cluster; raises PartFailed."""
        if self._container is None:
            (self.port,) = free_ports(1)
            self._container = Container(postgres_image(self.version), self.directory, self.keep)
            environment = {"POSTGRES_HOST_AUTH_METHOD": "trust", "POSTGRES_INITDB_ARGS": "--encoding=UTF8 --locale=C"}
            self._container.create(environment, self.port, 5432)
            self._container.wait_until(self._answers)
            if self.settings:
                changes = (f"ALTER SYSTEM SET {name} = '{value}'" for name, value in self.settings.items())
                execute(self.dsn(), *changes)
                self.restart()
        else:
            self._container.start()
            self._container.wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            execute(self.dsn(), "SELECT 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        return True
