"""What the steps share: servers, sizes, what was found so far, topics and databases that are made once."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import timedelta

from tests.bench.figures import Record
from tests.bench.ours import Ours
from tests.bench.sizes import Sizes
from tests.bench.stack import Key, Stack, by_member, now
from tests.bench.workload import PER_SECOND, UNIFORM, Mix, Workload

SEED = 1
MEMBERS = "members"
"""The database in which all members have joined, before the first event of any workload: whoever joins after it would be late."""
STEADY = "steady"
"""The topics whose rate the later steps are compared with."""


@dataclass(slots=True)
class Bench:
    """One run of the bench."""

    stack: Stack
    sizes: Sizes
    record: Record
    _published: dict[str, int] = field(default_factory=dict)
    _templates: set[str] = field(default_factory=set)

    async def members(self) -> str:
        """The name of the database in which all members have joined."""
        if MEMBERS not in self._templates:
            longest = timedelta(seconds=max(self.sizes.backlog_events, self.sizes.events) / PER_SECOND)
            workload = Workload(SEED, self.sizes.members, 1, now() - longest, series="joining")
            await self.stack.template(MEMBERS, workload.joining())
            self._templates.add(MEMBERS)
        return MEMBERS

    async def topics(self, name: str, events: int, mix: Mix = UNIFORM, key: Key = by_member) -> str:
        """The prefix of topics that hold a workload, published once; members joined before it."""
        prefix = f"{name}."
        if prefix not in self._published:
            await self.members()
            await self.stack.topics(prefix)
            workload = Workload(SEED, self.sizes.members, events, now(), mix)
            self._published[prefix] = self.stack.publish(prefix, workload.traffic(), key)
        return prefix

    async def worker(self, name: str, events: int, mix: Mix = UNIFORM, key: Key = by_member, workers: int = 1) -> Ours:
        """The worker, as a contestant, over such topics."""
        prefix = await self.topics(name, events, mix, key)
        return Ours(self.stack, self.stack.directory, MEMBERS, prefix, events, workers)

    async def steady(self) -> float:
        """Events per second of one worker on the uniform workload, measured now: what a later step is compared with."""
        run = await (await self.worker(STEADY, self.sizes.short_events))()
        tell(f"steady rate {run.per_second:,.0f}/s")
        return run.per_second


def tell(line: str) -> None:
    """How far it is."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
