"""The system fixture: the whole service on real parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.system import System
from tests.parts.kafka import TopicNames


@pytest.fixture
def system(bootstrap: str, database: str, topics: TopicNames, tmp_path: Path) -> Iterator[System]:
    """A service of this test's own; workers that still run at its end are stopped."""
    service = System(bootstrap, database, topics.prefix, tmp_path)
    yield service
    service.stop_workers()
