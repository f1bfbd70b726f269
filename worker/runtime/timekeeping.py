"""Time of the group: report how far this worker has read; under a lease compute the watermark and follow the ends of the topics;
let reading go in step. While redemptions wait for ends that are about to be read, these are followed more often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker import metrics
from worker.consume.batch import PartitionKey
from worker.consume.ends import Bounds
from worker.consume.intake import Intake
from worker.consume.snapshots import look_again_seconds, may_take, newest_passed, to_reach
from worker.consume.watermark import PartitionRow, Watermark, advance, slowest
from worker.decide.state import SNAPSHOTS_AWAITED
from worker.log import get_logger
from worker.persist.api import Store
from worker.persist.errors import StoreError
from worker.persist.rows import Snapshots

log = get_logger(__name__)

LEASE = "watermark"


@dataclass(frozen=True, slots=True)
class TimekeeperOptions:
    """`period_seconds`: how often. `longest_wait_seconds`: how long one partition may keep the watermark from going on."""

    holder: str
    period_seconds: float = 0.25
    longest_wait_seconds: float = 300.0
    lease_seconds: float = 5.0


class Timekeeper:
    """Keeps the table of partitions and the watermark up to date. `on_watermark` is told whenever it is known anew.

    `share`: the part of all partitions that this worker reads. `problem`: why the database was not reached the last time.
    """

    def __init__(
        self,
        store: Store,
        intake: Intake,
        options: TimekeeperOptions,
        on_watermark: Callable[[datetime], None],
        bounds: Callable[[], Awaitable[Mapping[PartitionKey, Bounds | None]]],
        partitions: Callable[[], Iterable[PartitionKey]] = tuple,
        on_time: Callable[[float, datetime], None] = lambda _asked, _told: None,
    ) -> None:
        """`bounds`: what Kafka has of all partitions (None: it does not say). `partitions`: all that there are, whoever reads
        them, as far as is known. `on_time` hears what the database's clock said, and when (by the monotonic clock) it was
        asked."""
        self._store = store
        self._intake = intake
        self._options = options
        self._on_watermark = on_watermark
        self._bounds = bounds
        self._partitions = partitions
        self._on_time = on_time
        self._known = Watermark()
        self._leads = False
        self._watermark: datetime | None = None
        self._look_again_seconds: float | None = None
        self._passed = -1
        self.share = 1.0
        self.problem = ""

    async def run(self) -> None:
        """Go on until cancelled; a database that is away is tried again."""
        next_turn = 0.0
        while True:
            try:
                if time.monotonic() >= next_turn:
                    next_turn = time.monotonic() + self._options.period_seconds
                    await self.turn()
                elif await self._look():
                    self._tell()
                self.problem = ""
            except StoreError as error:
                self._look_again_seconds = None
                self.problem = f"{type(error).__name__}: {error}"
                log.warning("watermark_not_kept", error=type(error).__name__)
            left = max(0.0, next_turn - time.monotonic())
            await asyncio.sleep(left if self._look_again_seconds is None else min(left, self._look_again_seconds))

    async def turn(self) -> None:
        """One round: report, compute (the lease holder), read."""
        await self._store.report_progress([each for each in self._intake.progress() if each.position is not None])
        rows = [
            PartitionRow(each.topic, each.partition, each.reported_at, each.at_end, each.oldest_time)
            for each in await self._store.readings()
        ]
        if rows:
            self.share = len(self._intake.progress()) / len(rows)
        asked = time.monotonic()
        now = (await self._store.state()).now
        self._on_time(asked, now)
        wait = timedelta(seconds=self._options.longest_wait_seconds)
        mine = {(each.topic, each.partition) for each in self._intake.progress()}
        self._intake.set_slowest(slowest((row for row in rows if (row.topic, row.partition) not in mine), now, wait))
        self._leads = await self._store.lease(LEASE, self._options.holder, self._options.lease_seconds)
        if self._leads:
            self._known = advance(rows, now, wait, self._known, self._partitions())
            if self._known.time is not None:
                await self._store.advance_watermark(self._known.time)
        self._watermark = await self._store.watermark()
        if self._watermark is not None:
            metrics.watermark_seconds.set(self._watermark.timestamp())
        await self._look()
        self._tell()

    async def _look(self) -> bool:
        """Follow the ends (the lease holder); whether more is passed than at the last look, so that more may be decided."""
        known = await self._store.snapshots()
        passed = known.certainty.passed
        if self._leads:
            known, passed = await self._follow_ends(known)
        self._look_again_seconds = look_again_seconds(known.open, known.now) if known.waited_for else None
        before, self._passed = self._passed, passed
        return passed != before

    def _tell(self) -> None:
        if self._watermark is not None:
            self._on_watermark(self._watermark)

    async def _follow_ends(self, known: Snapshots) -> tuple[Snapshots, int]:
        """Take the next snapshots of all ends while a redemption waits to know more, and say which of them are passed: returns
        those that are open, and the newest that is passed.

        As many as one awaits at once: where everything is read as it comes, it is decided in this round.
        """
        for _ in range(SNAPSHOTS_AWAITED):
            if not known.waited_for or not may_take(known.open, known.now):
                break
            positions = await self._store.positions()
            await self._store.take_snapshot(known.certainty.current, to_reach(await self._bounds(), positions))
            known = await self._store.snapshots()
        if known.open:
            wait = timedelta(seconds=self._options.longest_wait_seconds)
            passed = newest_passed(known.open, await self._store.positions(), known.now, wait)
            if passed is not None:
                await self._store.pass_snapshots(passed)
                return known, passed
        return known, known.certainty.passed
