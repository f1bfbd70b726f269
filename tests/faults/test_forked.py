"""Workers that are forked are workers like those that are started."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.faults.forked import Forked
from worker.local.process import Process

SECONDS = 30.0
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("LOYALTY_")},
    "LOYALTY_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:1/nothing",
    "LOYALTY_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "LOYALTY_ACCOUNT_KEY": "a key for tests, not a secret",
}


def made(kind: type[Process], directory: Path) -> Process:
    """A worker that finds no database, and ends."""
    return kind("worker", (sys.executable, "-m", "worker", "run"), directory / "worker.log", ENVIRONMENT)


@pytest.mark.parametrize("kind", [Forked, Process])
def test_a_worker_says_why_it_ends_and_can_be_started_again(kind: type[Process], tmp_path: Path) -> None:
    worker = made(kind, tmp_path)
    for _ in range(2):
        worker.start()
        with pytest.raises(Exception, match="ended while it started"):
            worker.wait_until(lambda: False, SECONDS)
        assert worker.output.count("Postgres is away") == 1
        assert worker.stop() == 3


def test_a_forked_worker_is_killed_at_once(tmp_path: Path) -> None:
    worker = made(Forked, tmp_path)
    worker.start()
    worker.kill()
    assert not worker.alive
    assert worker.stop() == -signal.SIGKILL
