"""What subscribers hear while a story is told: every message, in the order in which it would be published."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worker.decide.change import AccountChange
from worker.simulation.store import Ledger


class Heard:
    """The messages of all stories told while it listens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        write = Ledger.write

        def listen(ledger: Ledger, change: AccountChange) -> None:
            self.messages += [(message.topic, json.loads(message.data)) for message in change.messages]
            write(ledger, change)

        monkeypatch.setattr(Ledger, "write", listen)

    def on(self, topic: str) -> list[dict[str, Any]]:
        """What was published on a topic, without "loyalty."."""
        versions = {data["version"] for name, data in self.messages if name == "loyalty.balance-changed"}
        assert versions >= {data["version"] for _, data in self.messages}, "a version without its balance"
        return [data for name, data in self.messages if name == f"loyalty.{topic}"]
