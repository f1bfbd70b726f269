"""Ledgers on a real Postgres with a shop's traffic in them, written by the worker's pipeline batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import asyncpg

from tests.flows.shop import Sent, Shop
from tests.flows.system import ACCOUNT_KEY, PROGRAMS
from tests.parts.terms import FOR_A_TEST
from tests.parts.topics import TOPIC_OF_ALL
from tests.stores.ends import settle
from worker.consume.batch import Batch, Move
from worker.decode import Record
from worker.persist import PostgresStore
from worker.persist.identity import key_check
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.programs.terms_file import read, shipped, versions

KEY = ACCOUNT_KEY.encode()


def traffic(seed: int, members: int, events: int) -> list[Sent]:
    """A shop's events of the last two months."""
    return Shop(seed, datetime.now(UTC) - timedelta(days=60), 59).events(members, events)


def shuffled(events: Sequence[Sent], seed: int, span: int = 200) -> list[Sent]:
    """Events that overtake each other now and then."""
    rng = Random(seed)
    return [
        event for _, event in sorted(enumerate(events), key=lambda each: each[0] + (rng.random() < 0.1) * rng.random() * span)
    ]


async def prepare(dsn: str) -> None:
    """Register the programs of the shop's traffic, and bind the ledger to the key."""
    async with await PostgresStore.open(dsn) as store:
        for code in PROGRAMS:
            values = read(shipped()[code].read_text(encoding="utf-8"), code)
            await registry.register(store, versions(values, code), FOR_A_TEST)
        await store.settle_key(key_check(KEY))


async def deliver(dsn: str, events: Iterable[Sent], batch: int = 100, start: int = 0) -> None:
    """Deliver events as a worker does that reads them from one partition; the clock follows them, then runs to the end."""
    async with await PostgresStore.open(dsn) as store:
        pipeline = Pipeline(store, Catalogue(await registry.programs(store)), PipelineOptions(KEY), (await store.state()).epoch)
        records = [
            Record(TOPIC_OF_ALL[event.type], 0, n, 0, None, event.value(), tuple(event.headers()))
            for n, event in enumerate(events)
        ]
        for place in range(0, len(records), batch):
            part, offset = tuple(records[place : place + batch]), start + place
            move = Move("t", 0, offset or None, offset + len(part), b"", datetime.now(UTC), at_end=False)
            await pipeline.process(Batch(part, (move,)))
        now = await store.advance_watermark(datetime.now(UTC))
        pipeline.know(now)
        await settle(store, pipeline, now)


async def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    """What a query gives, as plain tuples."""
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()
