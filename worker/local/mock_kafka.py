"""The stand-in for Kafka on a machine that has neither Docker nor Java: for the demo, not for tests of Kafka's behaviour.

It keeps nothing over a restart, has the range assignor only, gives every topic four partitions and takes 12 s to notice that a
member of a group has died.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.local.process import PartFailed, Process

SERVER = Path(__file__).with_name("mock_server.py")
READY = re.compile(r"^mock cluster at (\S+)$", re.MULTILINE)
START_SECONDS = 30.0
ANSWER_SECONDS = 10


@dataclass(slots=True)
class MockKafka:
    """librdkafka's mock cluster in a process of its own, with its log under `directory`."""

    directory: Path
    keep: bool = False
    bootstrap: str = field(default="", init=False)
    _process: Process | None = field(default=None, init=False, repr=False)

    @property
    def about(self) -> str:
        """What this is, in words."""
        return f"a stand-in for Kafka (librdkafka's mock cluster), {self.bootstrap}"

    @property
    def pid(self) -> int | None:
        """Process id of the stand-in."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start an empty cluster; raises PartFailed."""
        log = self.directory.resolve() / "mock-kafka.log"
        process = Process("Kafka's stand-in", [sys.executable, "-I", str(SERVER)], log, keep=self.keep)
        process.start()
        process.wait_until(lambda: READY.search(process.output) is not None, START_SECONDS)
        found = READY.search(process.output)
        assert found is not None
        self.bootstrap, self._process = found[1], process

    def stop(self) -> None:
        """Stop it; what it held is gone."""
        if self._process:
            self._process.stop()

    async def create_topics(self, topics: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
        """Create these topics by asking for them, which is the only way here: four partitions each, settings do not apply."""
        await asyncio.to_thread(self._ask_for, tuple(topics))

    def _ask_for(self, topics: tuple[str, ...]) -> None:
        from confluent_kafka import Producer

        client = Producer({"bootstrap.servers": self.bootstrap})
        for name in topics:
            error = client.list_topics(name, timeout=ANSWER_SECONDS).topics[name].error
            if error is not None:
                raise PartFailed(f"topic {name} was not created: {error}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
