"""A constraint of the database refuses what a fold made: the defect is ours, and nothing of the sender's is lost for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from tests.flows.bad_records import HOUR, NOW, gift, order, shipped
from tests.pipeline.harness import KEY, Harness, programs
from worker import metrics
from worker.decide import refold
from worker.decide.change import AccountChange
from worker.persist import PostgresStore
from worker.processing import folding
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.upkeep import verify
from worker.upkeep.rebuild import fenced, rebuild


def entry_twice(change: AccountChange) -> None:
    """One line of the ledger is posted twice."""
    change.entries = [*change.entries, change.entries[-1]]


def lot_below_zero(change: AccountChange) -> None:
    """A lot has less than nothing left."""
    change.lots = {ref: lot and replace(lot, available=-1) for ref, lot in change.lots.items()}


def owes_below_zero(change: AccountChange) -> None:
    """An account owes less than nothing: its head is refused."""
    change.head = replace(change.head, arrears=-1)


DEFECTS: dict[str, Callable[[AccountChange], None]] = {
    "entry_pkey": entry_twice,
    "lot_available_check": lot_below_zero,
    "account_arrears_check": owes_below_zero,
}


def planted(defect: Callable[[AccountChange], None], members: set[str]) -> AbstractContextManager[Any]:
    """The fold makes something wrong of these members' facts."""
    compute_change = refold.compute_change

    def wrong(*arguments: Any, **more: Any) -> AccountChange | None:
        change = compute_change(*arguments, **more)
        if change is not None and change.member_id in members:
            defect(change)
        return change

    return patch.object(folding, "compute_change", wrong)


def on(store: PostgresStore) -> Harness:
    """A harness with a real database."""
    harness = Harness()
    harness.store = store  # type: ignore[assignment]
    harness.pipeline = Pipeline(store, Catalogue(programs().values()), PipelineOptions(KEY), epoch=1)
    return harness


async def free(harness: Harness) -> list[str | None]:
    """Rebuild what is fenced; what is still wrong with each."""
    catalogue = Catalogue(programs().values())
    return [each.defect async for each in rebuild(harness.store, catalogue, fenced(harness.store), NOW, 1)]


@pytest.mark.parametrize("constraint", DEFECTS)
async def test_the_account_is_fenced_with_the_constraints_name_and_keeps_its_facts(constraint: str, database: str) -> None:
    before = metrics.constraints_broken.labels(constraint=constraint)._value.get()
    async with await PostgresStore.open(database) as store:
        harness = on(store)
        gifts = [gift(f"M{number}", 10, f"gift-{number}", time=NOW - HOUR) for number in range(7)]
        with planted(DEFECTS[constraint], {"M2", "M5"}):
            done = await harness.take(*gifts)
        assert (done.outcomes["applied"], done.outcomes["dead_letter"]) == (5, 0)
        for number in range(7):
            dossier = await harness.dossier(f"M{number}")
            assert dossier.row is not None
            assert [fact.id for fact in dossier.facts] == [f"gift-{number}"]
            why = f"the database refused what its fold made: constraint {constraint}" if number in (2, 5) else None
            assert (dossier.row.fenced is None) == (why is None)
            assert why is None or why in (dossier.row.fenced or "")
        assert metrics.constraints_broken.labels(constraint=constraint)._value.get() == before + 1
        assert await free(harness) == [None, None]
        for number in range(7):
            assert (await harness.statement(f"M{number}")).available == 10


async def test_what_the_clock_makes_is_fenced_with_the_constraints_name(database: str) -> None:
    async with await PostgresStore.open(database) as store:
        harness = on(store)
        then = NOW - timedelta(days=20)
        for member in ("M1", "M2", "M3"):
            await harness.take(order(member, member, time=then), shipped(member, f"ship-{member}", time=then))
        with planted(owes_below_zero, {"M2"}):
            await harness.until(NOW + timedelta(days=400))
        rows = {member: (await harness.dossier(member)).row for member in ("M1", "M2", "M3")}
        assert {member: row.fenced is not None for member, row in rows.items() if row is not None} == {
            "M1": False,
            "M2": True,
            "M3": False,
        }
        assert rows["M2"] is not None
        assert "constraint account_arrears_check" in (rows["M2"].fenced or "")


async def test_data_that_postgres_cannot_take_is_still_its_senders(database: str) -> None:
    async with await PostgresStore.open(database) as store:
        harness = on(store)
        decode = harness.pipeline._decode

        async def with_nul(*arguments: Any) -> Any:
            inbox = await decode(*arguments)
            # No event that decoding lets pass holds such a text.
            inbox.members = [(replace(e, id="nul\0") if e.id == "bad" else e, program) for e, program in inbox.members]
            return inbox

        with patch.object(harness.pipeline, "_decode", with_nul):
            done = await harness.take(gift("M1", 10, "good", time=NOW - HOUR), gift("M2", 10, "bad", time=NOW - HOUR))
        assert (done.outcomes["applied"], done.outcomes["dead_letter"]) == (1, 1)
        async with store.connection() as connection:
            assert [row["reason"] for row in await connection.fetch("SELECT reason FROM dead_letter")] == ["refused"]
        assert [each async for each in fenced(store)] == []
        assert (await harness.statement("M1")).available == 10
        assert [violation async for violation in verify.check(store, programs())] == []
