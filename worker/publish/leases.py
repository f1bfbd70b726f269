"""Which part of the outbox this worker publishes: leases on groups of shards, dealt by share and never left lying.

A worker takes as many groups as its share of the load. One that has fewer says so by a lease of its own, `outbox-wanted`; as long
as nobody says it, whatever is free is taken by whoever sees it, so that a group which its worker gave up goes on elsewhere.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from worker.log import get_logger
from worker.publish.outbox import OutboxStore

log = get_logger(__name__)

WANTED: Final = "outbox-wanted"


class Leases:
    """The groups that this worker has, by the database's leases."""

    def __init__(self, store: OutboxStore, holder: str, groups: int, seconds: float, share: Callable[[], float]) -> None:
        """`holder` names this worker; `share` says which part of the whole load it carries (0 to 1)."""
        self._store = store
        self._holder = holder
        self._groups = groups
        self._seconds = seconds
        self._share = share
        self._until: dict[int, float] = {}
        self._due = 0.0
        self._wanting = False

    def held(self) -> set[int]:
        """The groups that are this worker's now."""
        now = time.monotonic()
        return {group for group, until in self._until.items() if until > now}

    async def keep(self) -> None:
        """Now and then: prolong what is held, take what is free up to the share, and of the rest what nobody else wants."""
        now = time.monotonic()
        if now < self._due:
            return
        mine = sorted(self.held())
        rest = [*mine, *(group for group in range(self._groups) if group not in mine)]
        share = max(1, min(self._groups, math.ceil(self._groups * self._share())))
        held: dict[int, float] = {}
        while rest and len(held) < share:
            await self._take(held, rest.pop(0), now)
        if len(held) < share:
            self._wanting = await self._lease(WANTED)
        elif rest or self._wanting:
            if await self._lease(WANTED):
                await self._release(WANTED)
                for group in rest:
                    await self._take(held, group, now)
            else:
                for group in rest:
                    if group in mine:
                        await self._release(_name(group))
            self._wanting = False
        if set(held) != set(self._until):
            log.info("outbox_leases", groups=sorted(held), of=self._groups)
        self._until = held
        self._due = now + self._seconds / 3

    async def give_up(self, seconds: float = 0.0) -> None:
        """Give everything back, and take nothing for so long: others may do what this worker cannot."""
        held, self._until = self._until, {}
        self._due = time.monotonic() + seconds
        for name in (*map(_name, held), *((WANTED,) if self._wanting else ())):
            await self._release(name)
        self._wanting = False

    async def _take(self, held: dict[int, float], group: int, now: float) -> None:
        if await self._lease(_name(group)):
            held[group] = now + self._seconds

    async def _lease(self, name: str) -> bool:
        return await self._store.lease(name, self._holder, self._seconds)

    async def _release(self, name: str) -> None:
        await self._store.release(name, self._holder)


def _name(group: int) -> str:
    return f"outbox-{group}"
