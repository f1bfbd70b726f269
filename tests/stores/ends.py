"""What the lease holder of a group of workers comes to when all of its workers have read everything."""

from __future__ import annotations

from worker.decide.state import SNAPSHOTS_AWAITED
from worker.persist.api import Store


async def read_to_ends(store: Store) -> None:
    """All that is in the topics now has been read: what waits may be decided."""
    for _ in range(SNAPSHOTS_AWAITED):
        await store.take_snapshot((await store.snapshots()).certainty.current, {})
    await store.pass_snapshots((await store.snapshots()).certainty.current)
