"""The real relay over a Kafka that loses messages and acknowledgements, in virtual time; and a subscriber that reads it all."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aiokafka.errors import KafkaError

from contracts.events import MESSAGE_BYTES_MAX
from tests.simulation.stages import Stage
from worker.publish import leases as leases_module
from worker.publish import relay as relay_module
from worker.publish.relay import Relay, RelayOptions
from worker.runtime.dead_letters import DeadLetters

_LETTER_BYTES_MAX = 1_000_000
"""Kafka's own limit, less the headers: a broker takes no message that is larger."""
OPTIONS = RelayOptions(groups=2, read_rows_max=400, lease_seconds=10.0)
LETTERS_PER_TURN = 5
_DLQ = ".loyalty.dlq"


@dataclass(slots=True)
class _Time:
    """Virtual seconds since the beginning."""

    now: float = 0.0


class _Virtual(selectors.SelectSelector):
    """Never waits: what would be waited for has passed."""

    def __init__(self, time: _Time) -> None:
        super().__init__()
        self._time = time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("the relay waits for something that never happens")
        self._time.now += timeout
        return []


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, time: _Time) -> None:
        self._virtual = time
        super().__init__(_Virtual(time))

    def time(self) -> float:
        return self._virtual.now


class _Producer:
    """An idempotent producer: what was refused takes everything after it, in its partition, along."""

    _sender = None
    _closed = False

    def __init__(self, post: Post, faults: float, gate: asyncio.Event | None) -> None:
        cluster = SimpleNamespace(partitions_for_topic=lambda _topic: {0})
        self.client = SimpleNamespace(
            close=self.start, add_topic=lambda _topic: None, force_metadata_update=self.start, cluster=cluster
        )
        self._post = post
        self._faults = faults
        self._gate = gate
        self._gate_after = post.rng.randrange(20)
        self._refused: set[bytes | None] = set()

    async def start(self) -> None:
        """Also closes: nothing happens."""

    async def send(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Any, timestamp_ms: int
    ) -> asyncio.Future[Any]:
        if self._gate is not None:
            if self._gate_after == 0:
                self._post.stopped.set()
                await self._gate.wait()
            self._gate_after -= 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        roll = self._post.rng.random()
        if key in self._refused or roll < self._faults / 2:
            self._refused.add(key)
            future.set_exception(KafkaError("not taken"))
            return future
        self._post.published.append((topic, key, value))
        if roll < self._faults:
            future.set_exception(KafkaError("taken, and the acknowledgement lost"))
        else:
            future.set_result(SimpleNamespace(timestamp_type=0, timestamp=timestamp_ms))
        return future


class Post:
    """The relays of the workers, and what they published."""

    def __init__(self, store: Stage, rng: Random) -> None:
        self.rng = rng
        self.stopped = asyncio.Event()
        self.published: list[tuple[str, bytes | None, bytes | None]] = []
        self._store = store
        self._clock = _Time()
        self._loop = store.loop or _VirtualLoop(self._clock)
        self._relays: dict[str, Relay] = {}
        self._faults: dict[str, float] = {}
        self._gates: dict[str, asyncio.Event | None] = {}

    def close(self) -> None:
        if self._store.loop is None:
            self._loop.close()

    @contextmanager
    def _time(self) -> Iterator[None]:
        clock = SimpleNamespace(monotonic=self.seconds)
        with patch.object(relay_module, "time", clock), patch.object(leases_module, "time", clock):
            yield

    def seconds(self) -> float:
        """Virtual seconds since the beginning; the store's leases go by them too."""
        return self._clock.now

    def pass_time(self, seconds: float) -> None:
        self._clock.now += seconds

    def _relay(self, holder: str) -> Relay:
        if holder not in self._relays:

            def make() -> Any:
                return _Producer(self, self._faults[holder], self._gates[holder])

            self._relays[holder] = Relay(self._store, make, OPTIONS, holder)
        return self._relays[holder]

    def publish(self, holder: str, faults: float) -> int:
        """One worker's relay publishes once; each message may be lost, or its acknowledgement."""
        self._faults[holder], self._gates[holder] = faults, None
        with self._time():
            return self._loop.run_until_complete(self._publish(self._relay(holder)))

    async def _publish(self, relay: Relay) -> int:
        published = await relay.publish_once()
        await DeadLetters(self._store, LETTERS_PER_TURN, relay.owned_shards).turn()
        return published

    def restart(self, holder: str) -> None:
        """The worker is gone, without a word: its leases run out by themselves."""
        self._relays.pop(holder, None)

    def overtake(self, paused: str, other: str) -> None:
        """One relay stops in the middle of its sending, its leases run out, another one publishes, the first goes on."""
        self._faults[paused] = self._faults[other] = 0.0
        self._gates[other] = None

        async def play() -> None:
            gate = self._gates[paused] = asyncio.Event()
            self.restart(paused)  # a producer of its own, with the gate
            self.pass_time(OPTIONS.lease_seconds + 1)
            self.stopped.clear()
            slow = asyncio.ensure_future(self._relay(paused).publish_once())
            stopped = asyncio.ensure_future(self.stopped.wait())
            await asyncio.wait((slow, stopped), return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            self.pass_time(OPTIONS.lease_seconds + 1)
            await self._relay(other).publish_once()
            gate.set()
            await slow
            self.restart(paused)

        with self._time():
            self._loop.run_until_complete(play())

    def drain(self, holder: str) -> None:
        """Publish everything."""
        self.pass_time(3 * OPTIONS.lease_seconds)
        while self._loop.run_until_complete(self._store.backlog())[0]:
            self.publish(holder, 0.0)
            self.pass_time(OPTIONS.lease_seconds)


class Subscriber:
    """Knows of the ledger what is published, and nothing else."""

    def __init__(self) -> None:
        self.read = 0
        self.versions: dict[bytes, int] = {}
        self.balances: dict[bytes, tuple[int, int, int]] = {}
        self.tiers: dict[bytes, str] = {}
        self.letters: set[bytes | None] = set()
        self._said: dict[tuple[str, bytes, int], bytes] = {}

    def follow(self, published: list[tuple[str, bytes | None, bytes | None]]) -> None:
        """Read on, and fail on a gap, a repeat that says something else, or balances that do not add up."""
        for topic, key, value in published[self.read :]:
            most = _LETTER_BYTES_MAX if topic.endswith(_DLQ) else MESSAGE_BYTES_MAX
            assert len(value or b"") <= most, f"a message of {len(value or b'')} bytes on {topic}"
            if topic.endswith(_DLQ):
                self.letters.add(value)
                continue
            assert key is not None
            assert value is not None
            self._take(topic, key, value)
        self.read = len(published)

    def part(self, member: str, nameless: str) -> None:
        """A member was forgotten: the account goes on under the other key, and the member's own begins with nothing."""
        was, now = member.encode(), nameless.encode()
        self.versions[now] = self.versions.setdefault(was, 0)
        if was in self.balances:
            self.balances[now] = self.balances.pop(was)
        if was in self.tiers:
            self.tiers[now] = self.tiers.pop(was)

    def _take(self, topic: str, key: bytes, value: bytes) -> None:
        data: Mapping[str, Any] = json.loads(value)
        version = data["version"]
        if topic != "loyalty.balance-changed":
            if topic == "loyalty.tier-changed":
                self.tiers[key] = data["tier"] if (topic, key, version) not in self._said else self.tiers[key]
                self._said.setdefault((topic, key, version), value)
            return
        known = self.versions.get(key, 0)
        if version <= known:
            assert self._said[topic, key, version] == value, f"{key!r} version {version} was published with two contents"
            return
        assert version == known + 1, f"{key!r}: version {version} came after {known}"
        before = self.balances.get(key, (0, 0, 0))
        change = data["change"]
        after = (data["available"], data["pending"], data["on_hold"])
        added = (before[0] + change["available"], before[1] + change["pending"], before[2] + change["on_hold"])
        assert added == after, f"{key!r} version {version}: {before} and {change} are not {after}"
        moved = _moved(data["entries"])
        assert moved == change, f"{key!r} version {version}: entries come to {moved}, and what changed is {change}"
        if "summed" in data:
            summed = data["summed"]
            assert len(data["entries"]) < summed["entries"], f"{key!r} version {version}: entries are summed, and not fewer"
            known_by = [tuple(entry.get(name) for name in (*summed["by"], "effective_at")) for entry in data["entries"]]
            assert len(set(known_by)) == len(known_by), f"{key!r} version {version}: two sums of one kind"
        self.versions[key], self.balances[key] = version, after
        self._said[topic, key, version] = value


def _moved(entries: list[Mapping[str, Any]]) -> dict[str, int]:
    """What entries come to, by the names of balances."""
    moved = dict.fromkeys(("available", "pending", "held"), 0)
    for entry in entries:
        for bucket, points in ((entry["from"], -entry["points"]), (entry["to"], entry["points"])):
            if bucket in moved:
                moved[bucket] += points
    return {"available": moved["available"], "pending": moved["pending"], "on_hold": moved["held"]}
