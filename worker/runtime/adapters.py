"""The store in the shapes that consume and publish ask for; neither knows the store itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from contracts.events import TOPICS_OUT
from worker.consume.batch import PartitionKey
from worker.consume.positions import StoredPosition
from worker.persist.api import Store
from worker.persist.rows import OutboxRow


class Positions:
    """The stored positions as consume asks for them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self, partitions: Collection[PartitionKey]) -> Mapping[PartitionKey, StoredPosition]:
        stored = await self._store.positions()
        return {key: StoredPosition(stored[key].next_offset, stored[key].digest) for key in partitions if key in stored}


class Outbox:
    """The outbox with the topics' prefix put before the names of this service's own topics."""

    def __init__(self, store: Store, topic: Callable[[str], str]) -> None:
        self._store = store
        self._names = {name: topic(name) for name in TOPICS_OUT}

    async def lease(self, name: str, holder: str, seconds: float) -> bool:
        return await self._store.lease(name, holder, seconds)

    async def release(self, name: str, holder: str) -> None:
        await self._store.release(name, holder)

    async def read(self, shards: Collection[int], limit: int) -> Sequence[OutboxRow]:
        return [replace(row, topic=self._names.get(row.topic, row.topic)) for row in await self._store.read(shards, limit)]

    async def delete(self, rows: Sequence[OutboxRow]) -> None:
        await self._store.delete(rows)
