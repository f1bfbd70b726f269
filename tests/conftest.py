"""Fixtures for all tests: real Kafka and real Postgres (`tests/parts/README.md`)."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.last_lines import pytest_sessionfinish, pytest_testnodedown, pytest_unconfigure
from tests.parts.kafka import bootstrap, kafka, kafka_cluster, own_kafka, real_kafka, topics
from tests.parts.postgres import (
    BOTH_MARKER,
    database,
    empty_database,
    own_postgres,
    parametrize_versions,
    postgres,
    postgres_servers,
    postgres_version,
)

__all__ = [
    "bootstrap",
    "database",
    "empty_database",
    "kafka",
    "kafka_cluster",
    "own_kafka",
    "own_postgres",
    "postgres",
    "postgres_servers",
    "postgres_version",
    "pytest_sessionfinish",
    "pytest_testnodedown",
    "pytest_unconfigure",
    "real_kafka",
    "topics",
]


LONGEST = ("faults", "simulation", "flows", "local")


def pytest_configure(config: pytest.Config) -> None:
    """Names the markers of these tests."""
    config.addinivalue_line("markers", f"{BOTH_MARKER}: run once on each supported version of Postgres")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Folders whose files take longest go first, or one process would end long after the others."""
    items.sort(key=lambda item: LONGEST.index(folder) if (folder := item.path.parent.name) in LONGEST else len(LONGEST))


def pytest_collection_finish() -> None:
    """Thousands of tests are no garbage: they are not looked through again and again, as a worker's code is not."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True)
def _logging_as_found() -> Iterator[None]:
    """What a test configures of logging ends with it, for it is one for the whole process."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked for both versions of Postgres run once on each."""
    parametrize_versions(metafunc)
