"""Fixtures for all tests: real Kafka and real Postgres (`tests/parts/README.md`)."""

from __future__ import annotations

import pytest

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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked for both versions of Postgres run once on each."""
    parametrize_versions(metafunc)
