"""The defects of a store that `planted.py` puts into the one in memory, for the store on Postgres."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Final
from unittest.mock import patch

from msgspec.structs import replace

from tests.simulation.planted import (
    Defect,
    closed_lots_left_out,
    heads_not_compared,
    parked_left_behind,
    positions_not_checked,
    posted_before_commit,
)
from tests.simulation.postgres_stage import database_in_use
from worker.decide.change import AccountChange
from worker.persist.accounts import columns
from worker.persist.batch import PostgresBatch
from worker.persist.queries import SQL

_EARLY: Final = """
INSERT INTO outbox (account_id, version, ordinal, topic, key, value, epoch, program, effective_at, traceparent, created_at)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::integer[], $4::text[], $5::bytea[], $6::bytea[], $7::integer[], $8::text[],
    $9::timestamptz[], $10::text[], $11::timestamptz[])
ON CONFLICT DO NOTHING
"""
_OPEN: Final = "(l.pending + l.available > 0 OR w.account_id <> ALL($3::uuid[]))"


def _statement(name: str, condition: str, instead: str) -> Callable[[], AbstractContextManager[Any]]:
    """A statement without one of its conditions."""

    def defect() -> AbstractContextManager[Any]:
        assert SQL[name].count(condition) == 1, f"{name} has no such condition any more"
        return patch.dict(SQL, {name: SQL[name].replace(condition, instead)})

    return defect


def _posted_before_commit() -> AbstractContextManager[Any]:
    write = PostgresBatch.write

    async def early(self: PostgresBatch, changes: Sequence[AccountChange]) -> None:
        rows = [
            (
                *(c.account_id, m.version, m.ordinal, m.topic, m.key.encode(), m.data),
                *(c.epoch, c.program, m.effective_at, m.traceparent, datetime.now(UTC)),
            )
            for c in changes
            for m in c.messages
        ]
        if rows:
            await database_in_use().ask(_EARLY, *columns(rows))
        await write(self, [replace(c, messages=[]) for c in changes])

    return patch.object(PostgresBatch, "write", early)


def _parked_left_behind() -> AbstractContextManager[Any]:
    take = PostgresBatch.take_parked

    async def nothing(self: PostgresBatch, orders: Iterable[tuple[str, str]]) -> list[Any]:
        await take(self, orders)
        return []

    return patch.object(PostgresBatch, "take_parked", nothing)


ON_POSTGRES: Final[dict[Defect, Defect]] = {
    positions_not_checked: _statement("move_positions", "WHERE p.next_offset = excluded.from_offset", ""),
    heads_not_compared: _statement("compare_and_set", "a.revision = excluded.revision - 1 AND", ""),
    posted_before_commit: _posted_before_commit,
    parked_left_behind: _parked_left_behind,
    closed_lots_left_out: _statement("lots", "l.origin = w.origin", f"l.origin = w.origin AND {_OPEN}"),
}
"""Each defect of the store in memory, on Postgres; the other defects are the worker's, and the same on both."""
