"""The traffic that a kept dump was written from, and how a pipeline delivers it; the same whenever it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.flows.shop import Sent, Shop
from tests.flows.system import ACCOUNT_KEY, PROGRAMS
from tests.parts.terms import FOR_A_TEST
from tests.parts.topics import TOPIC_OF_ALL
from tests.stores.ends import settle
from worker.consume.batch import Batch
from worker.decode import Record
from worker.persist import PostgresStore, StoreOptions, key_check
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.programs.terms_file import read, shipped, versions

SEED = 20261122
START = datetime(2026, 9, 1, tzinfo=UTC)
DAYS = 60
DUMPED_AT = datetime(2026, 11, 20, tzinfo=UTC)
"""When the dump is made; its clock has come to the last of its events."""
MEMBERS, EVENTS, BEFORE = 20, 700, 220
_BATCH = 40


def everything() -> list[Sent]:
    """What is sent before the dump and after it, in business order."""
    return Shop(SEED, START, DAYS).events(MEMBERS, EVENTS)


def events() -> list[Sent]:
    """What was sent before the dump."""
    return everything()[:BEFORE]


def afterwards() -> list[Sent]:
    """What is sent after it."""
    return everything()[BEFORE:]


def out_of_order(sent: Sequence[Sent]) -> list[Sent]:
    """The same as it arrived: some of it late, so that the ledger holds corrections, and something parked."""
    late = [event for number, event in enumerate(sent) if number % 11 == 5]
    return [*(event for event in sent if event not in late), *late]


async def fill(dsn: str, options: StoreOptions | None = None) -> None:
    """Write the ledger of a database that is migrated and empty, as a worker does, in batches."""
    async with await PostgresStore.open(dsn, options) as store:
        await store.settle_key(key_check(ACCOUNT_KEY.encode()))
        for code in PROGRAMS:
            await registry.register(store, versions(read(shipped()[code].read_text(encoding="utf-8"), code), code), FOR_A_TEST)
        catalogue = Catalogue(await registry.programs(store))
        pipeline = Pipeline(store, catalogue, PipelineOptions(ACCOUNT_KEY.encode()), epoch=1, now=lambda: DUMPED_AT)
        arriving = out_of_order(events())
        pipeline.know(START)
        for place in range(0, len(arriving), _BATCH):
            part = arriving[place : place + _BATCH]
            records = [
                Record(TOPIC_OF_ALL[event.type], 0, place + n, 0, None, event.value(), tuple(event.headers()))
                for n, event in enumerate(part)
            ]
            await pipeline.process(Batch(tuple(records), ()))
        until = events()[-1].time
        pipeline.know(until)
        await settle(store, pipeline, until)


def fill_now(dsn: str) -> None:
    """`fill` from code that is not asynchronous."""
    asyncio.run(fill(dsn))
