"""What an event costs the database does not grow unnoticed: the same workload, the same numbers, within a tenth."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from tests.bench.stack import batches, pipeline
from tests.bench.workload import BEFORE, HOT, PROGRAMS, UNIFORM, Mix, Workload, records
from tests.parts.terms import FOR_A_TEST
from tests.stores.measured import statements
from worker.persist.postgres import PostgresStore
from worker.programs import registry
from worker.programs.terms_file import read, shipped, versions

COSTS = Path(__file__).with_name("costs.json")
END = datetime(2025, 6, 1, tzinfo=UTC)
MEMBERS, EVENTS, BATCH_RECORDS = 500, 2_000, 200
TOLERANCE = 0.10
WRITTEN = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
WRITTEN_TWICE = """
    CREATE TABLE again (LIKE step);
    CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN INSERT INTO public.again SELECT (NEW).*; RETURN NULL; END$$;
    CREATE TRIGGER again AFTER INSERT ON step FOR EACH ROW EXECUTE FUNCTION again();
"""


@pytest.mark.parametrize(("name", "mix"), [("uniform", UNIFORM), ("hot", HOT)], ids=["uniform", "hot"])
async def test_log_statements_and_commits_of_an_event_do_not_grow(
    name: str, mix: Mix, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = await _measure(database, mix, monkeypatch)
    kept = _kept(name)
    assert costs.keys() == kept.keys()
    grown, fallen = _moved(kept, costs)
    assert not grown, f"an event costs more than a tenth more than {COSTS.name} says; if that is meant, put in {costs}: {grown}"
    assert not fallen, f"an event costs less by more than a tenth, so growth would go unnoticed: put {costs} into {COSTS.name}"


async def test_a_before_image_written_twice_is_noticed(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute(WRITTEN_TWICE)
    await connection.close()
    grown, _ = _moved(_kept("uniform"), await _measure(database, UNIFORM, monkeypatch))
    assert grown == {"wal_bytes_per_event"}


async def test_batches_of_half_the_size_are_noticed(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    grown, _ = _moved(_kept("uniform"), await _measure(database, UNIFORM, monkeypatch, BATCH_RECORDS // 2))
    assert {"statements_per_event", "commits_per_event"} <= grown


def _kept(name: str) -> dict[str, float]:
    found: dict[str, float] = json.loads(COSTS.read_text(encoding="utf-8"))[name]
    return found


def _moved(kept: dict[str, float], costs: dict[str, float]) -> tuple[set[str], set[str]]:
    """Names of the costs that grew, and of those that fell, by more than the tolerance."""
    grown = {name for name, cost in costs.items() if cost > kept[name] * (1 + TOLERANCE)}
    return grown, {name for name, cost in costs.items() if cost < kept[name] * (1 - TOLERANCE)}


async def _measure(dsn: str, mix: Mix, monkeypatch: pytest.MonkeyPatch, batch_records: int = BATCH_RECORDS) -> dict[str, float]:
    """Costs per event of a fixed traffic, its batches applied one by one after all members have joined."""
    workload = Workload(1, MEMBERS, EVENTS, END, mix)
    async with await PostgresStore.open(dsn) as store:
        for code in PROGRAMS:
            path = shipped()[code]
            await registry.register(store, versions(read(path.read_text(encoding="utf-8"), path.name), path.name), FOR_A_TEST)
        async with pipeline(store) as run:
            for batch in batches(records(workload.joining(), BEFORE)):
                assert not (await run.process(batch)).outcomes["dead_letter"]
            connection = await asyncpg.connect(dsn)
            try:
                before = await connection.fetchval(WRITTEN)
                with statements(monkeypatch) as sent:
                    applied = 0
                    for batch in batches(records(workload.traffic()), batch_records):
                        done = await run.process(batch)
                        assert not done.outcomes["dead_letter"]
                        applied += done.outcomes["applied"]
                written = await connection.fetchval(WRITTEN) - before
            finally:
                await connection.close()
    assert applied > EVENTS * 0.95
    return {
        "wal_bytes_per_event": round(written / EVENTS, 1),
        "statements_per_event": round(len(sent) / EVENTS, 4),
        "commits_per_event": round(sum(text == "COMMIT" for text in sent) / EVENTS, 4),
    }
