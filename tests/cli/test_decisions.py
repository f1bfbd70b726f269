"""`loyalty ledger decisions`: what `simulate` replays is all that the ledger paid out, and nothing else."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.cli.conftest import KEY, Run
from tests.parts.terms import FOR_A_TEST
from tests.recovery.test_paid_out import CODE, VERSIONS, Shop, bought, returned
from tests.rules.story import PROGRAMS
from worker.persist import PostgresStore
from worker.programs import registry

EVENTS = (
    *bought("M1", "A", "2024-03-05", 40_000),
    *bought("M1", "B", "2024-04-02", 60_000),
    returned("M1", "A", "2024-03-25"),
)
RECORDED = (*("2024-03-05T10:00:00Z",) * 2, *("2024-04-02T10:00:00Z",) * 2, "2024-04-10T00:00:00Z")
"""The ledger heard of all of it at once; whoever hears of it in these turns sees 600 on the first of April."""


async def _filled(dsn: str) -> None:
    """All of it comes at once; the clock comes to the second of May, and so does the watermark."""
    async with await PostgresStore.open(dsn) as store:
        await registry.register(store, VERSIONS, FOR_A_TEST)
        shop = Shop(store)
        await shop.take(*EVENTS)
        await shop.until("2024-05-02")
        await store.advance_watermark(datetime.fromisoformat("2024-05-02T12:00:00+00:00"))


def test_simulate_pays_out_when_the_ledger_did_and_at_no_other_time(run: Run, database: str, tmp_path: Path) -> None:
    asyncio.run(_filled(database))
    settings = {"LOYALTY_POSTGRES_DSN": database, "LOYALTY_ACCOUNT_KEY": KEY, "LOYALTY_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    decided = run("ledger", "decisions", CODE, environment=settings).out
    told = [json.loads(line) for line in decided.splitlines()]
    assert [(each["id"], each["points"]) for each in told] == [
        ("2024-04-30T22:00:00+00:00", 900),
        ("2024-05-02T11:59:55+00:00", 0),
    ]
    decisions, file = tmp_path / "decisions.ndjson", tmp_path / "events.ndjson"
    decisions.write_text(decided)
    lines = (json.loads(each.structured()) | {"recordedtime": at} for each, at in zip(EVENTS, RECORDED, strict=True))
    file.write_text("\n".join(map(json.dumps, lines)))

    def available(*more: str | Path) -> Any:
        at = "2024-05-02T11:00:00Z"
        answer = run("simulate", "--program", str(PROGRAMS[CODE]), "--events", file, "--at", at, *more)
        return answer.json[0]["members"][0]["available"]

    assert available("--decisions", decisions) == 0
    assert available() == 300
