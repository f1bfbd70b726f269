"""As if all topics had been read to their ends."""

from __future__ import annotations

from datetime import datetime

from worker.decide.state import SNAPSHOTS_AWAITED
from worker.persist import SHARDS, Store
from worker.processing.pipeline import Pipeline


async def read_to_ends(store: Store) -> None:
    """All that is in the topics now has been read: what waits may be decided."""
    for _ in range(SNAPSHOTS_AWAITED):
        await store.take_snapshot((await store.snapshots()).certainty.current, {})
    await store.pass_snapshots((await store.snapshots()).certainty.current)


async def settle(store: Store, pipeline: Pipeline, until: datetime) -> None:
    """All is read, and all is done that is due up to an instant or waited to be decided."""
    while True:
        await read_to_ends(store)
        due = {each.account_id for each in await store.due(range(SHARDS), until, 100)}
        due |= {*await store.decidable(range(SHARDS), 100)}
        if not due:
            return
        await pipeline.run_due(due, until)
