"""How far all topics have been read: numbered snapshots of their ends, and the accounts that wait for one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from typing import Final
from uuid import UUID

import msgspec

from worker.decide.state import Certainty
from worker.persist.link import Link
from worker.persist.rows import Ends, Snapshot, Snapshots

_decode_ends: Final = msgspec.json.Decoder(list[tuple[str, int, int | None]]).decode


async def certainty(link: Link) -> Certainty:
    """How far the topics have been read."""
    (row,) = await link.fetch("certainty")
    return Certainty(row["passed"], row["current"])


class SnapshotStore(ABC):
    """The part of the store that keeps snapshots."""

    @abstractmethod
    def _link(self) -> AbstractAsyncContextManager[Link]:
        """A connection that runs statements by name."""

    async def snapshots(self) -> Snapshots:
        async with self._link() as link:
            waited_for = await link.value("anyone_waits") is not None
            rows = await link.fetch("snapshots")
        taken = [Snapshot(row["number"], row["taken_at"], _ends(row["ends"])) for row in rows if row["number"] is not None]
        return Snapshots(Certainty(rows[0]["passed"], rows[0]["current"]), taken, waited_for, rows[0]["now"])

    async def take_snapshot(self, after: int, ends: Ends) -> bool:
        listed = sorted((topic, partition, end) for (topic, partition), end in ends.items())
        async with self._link() as link:
            return await link.value("take_snapshot", after, msgspec.json.encode(listed)) is not None

    async def pass_snapshots(self, number: int) -> None:
        async with self._link() as link:
            await link.execute("pass_snapshots", number)

    async def decidable(self, shards: Collection[int], limit: int) -> list[UUID]:
        async with self._link() as link:
            passed = (await certainty(link)).passed
            return [row["account_id"] for row in await link.fetch("decidable", sorted(set(shards)), passed, limit)]


def _ends(body: bytes) -> Ends:
    return {(topic, partition): end for topic, partition, end in _decode_ends(body)}
