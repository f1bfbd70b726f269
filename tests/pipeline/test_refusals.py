"""What the database refuses: the record or the account at fault is found, and everything else goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from tests.flows.bad_records import HOUR, NOW, gift, order, shipped
from tests.pipeline.harness import Harness
from tests.stores.memory_batch import MemoryBatch
from worker.decide.change import AccountChange
from worker.persist import RefusedError

DAY = timedelta(days=1)


def _refusing(members: set[str], together: bool = False) -> Any:
    """A database that refuses to write changes of a member; `together`: only more than one of them at once."""
    write = MemoryBatch.write

    async def refused(batch: MemoryBatch, changes: Sequence[AccountChange]) -> None:
        hit = [change for change in changes if change.member_id in members and change.fenced is None]
        if len(hit) > together:
            raise RefusedError("refused")
        await write(batch, changes)

    return patch.object(MemoryBatch, "write", refused)


async def test_accounts_that_are_refused_only_together_are_fenced_but_for_the_first_of_them() -> None:
    harness = Harness()
    with _refusing({"M2", "M5", "M7"}, together=True):
        done = await harness.take(*(gift(f"M{number}", 10, f"gift-{number}", time=NOW - HOUR) for number in range(9)))
    assert (done.outcomes["applied"], harness.letters()) == (7, [])
    rows = [each.row async for each in harness.store.dossiers()]
    fenced = [row.member_id for row in rows if row is not None and row.fenced is not None]
    assert len(fenced) == 2
    assert set(fenced) < {"M2", "M5", "M7"}
    assert all([len((await harness.dossier(member)).facts) == 1 for member in ("M2", "M5", "M7")])


async def test_an_account_whose_clock_cannot_be_written_is_fenced_and_the_others_go_on() -> None:
    harness = Harness()
    for member in ("M1", "M2", "M3"):
        await harness.take(order(member, member, time=NOW - 20 * DAY), shipped(member, f"ship-{member}", time=NOW - 19 * DAY))
    before = {member: (await harness.dossier(member)).row for member in ("M1", "M3")}
    with _refusing({"M2"}):
        await harness.until(NOW + 400 * DAY)
    row = (await harness.dossier("M2")).row
    assert row is not None
    assert row.fenced is not None
    assert row.fenced.startswith("the database refused")
    for member, there in before.items():
        assert (await harness.dossier(member)).row != there
