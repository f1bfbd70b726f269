"""The same lives on a real Postgres: what is accepted is also taken by the database, whatever its columns hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import asyncpg

from tests.hostile.folding import batches, pipeline
from tests.hostile.lives import NOW, life, programs
from worker.persist.postgres import PostgresStore

SEEDS: Final = range(2)


async def test_the_database_takes_every_event_that_is_accepted(database: str) -> None:
    async with await PostgresStore.open(database) as store:
        for code, program in programs().items():
            for seed in SEEDS:
                worker = pipeline(store, program)
                worker.know(NOW)
                for batch in batches(life(program, seed, 25, member=f"M{seed}"), 10):
                    moves = tuple(replace(move, topic=f"{code}-{seed}") for move in batch.moves)
                    await worker.process(replace(batch, moves=moves))
    connection = await asyncpg.connect(database)
    try:
        reasons = await connection.fetch("SELECT DISTINCT reason FROM dead_letter")
        fenced = await connection.fetch("SELECT program, member_id, fenced FROM account WHERE fenced IS NOT NULL")
        accounts = await connection.fetchval("SELECT count(*) FROM account")
    finally:
        await connection.close()
    assert fenced == []
    assert "refused" not in {row["reason"] for row in reasons}
    assert accounts == len(programs()) * len(SEEDS)
