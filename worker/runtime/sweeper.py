"""Now and then: newly registered terms, parked events whose order has come after all or that wait too long, orders that wait for
a command which says whose they are, and held commands about which a person has decided."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from worker import metrics
from worker.log import get_logger
from worker.persist.api import Store
from worker.processing.pipeline import Pipeline
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.runtime.periodic import periodically

log = get_logger(__name__)

PERIOD_SECONDS = 10.0
PARKED_DAYS_MAX = 30
ROWS_MAX = 500
GIVEN_DAYS_KEPT = 40


class Sweeper:
    """Runs beside the pipeline; every worker may do it, for each of its deeds is safe to do twice."""

    def __init__(self, store: Store, pipeline: Pipeline, catalogue: Catalogue) -> None:
        self._store = store
        self._pipeline = pipeline
        self._catalogue = catalogue
        self._registered = registry.Registered()

    async def run(self) -> None:
        """Go on until cancelled."""
        await periodically(self.turn, PERIOD_SECONDS, log, "sweep_failed")

    async def turn(self) -> None:
        """One round. Terms first: what is drained may belong to a program that is new."""
        self._catalogue.replace(await self._registered.programs(self._store))
        routes = await self._store.drainable(ROWS_MAX)
        if routes:
            drained = await self._pipeline.drain(routes)
            log.info("parked_drained", orders=len(routes), events=drained)
        await self._decided()
        metrics.accounts_fenced_now.set(len(await self._store.fenced(UUID(int=0), ROWS_MAX)))
        now = (await self._store.state()).now
        await self._store.forget_given(now.date() - timedelta(days=GIVEN_DAYS_KEPT), now - timedelta(days=1))
        contested = await self._store.contested(ROWS_MAX)
        metrics.orders_contested_now.set(len(contested))
        if contested:
            log.warning("orders_contested", orders=len(contested))
        before = now - timedelta(days=PARKED_DAYS_MAX)
        # What followed orders of guests, or outside every program, alone is let go; the rest waits for its order, and is told of.
        while let_go := await self._store.let_go(before, ROWS_MAX):
            metrics.events.labels(outcome="dropped").inc(let_go)
        parked = await self._store.parked_since(before, ROWS_MAX)
        metrics.parked_too_long.set(len(parked))
        if parked:
            log.warning("parked_too_long", orders=len(parked), days=PARKED_DAYS_MAX, oldest_at=parked[0].oldest_at.isoformat())

    async def _decided(self) -> None:
        """Do what people decided about held commands."""
        released = [await self._pipeline.release(name) for name in await self._store.verdicts_to_apply(ROWS_MAX)]
        if any(released):
            log.info("commands_released", count=sum(released))
        waiting = await self._store.held_waiting(ROWS_MAX)
        metrics.commands_held_now.set(waiting)
        if waiting:
            log.warning("commands_wait_for_approval", count=waiting)
