"""A ledger with other people's accounts in it, and one person who is to be forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.flows.shop import Sent
from tests.flows.system import ACCOUNT_KEY
from tests.parts.topics import topic_of
from tests.stores.ends import settle
from tests.upgrades.traffic import DUMPED_AT, fill
from worker.consume.batch import Batch
from worker.decode import Record
from worker.persist import Dossier, PostgresStore, StoreOptions, account_id
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.runtime.erasing import Eraser
from worker.upkeep.verify import check

PERSON = "canary-person-77"
PROGRAM = "lenovo-pro"
DAY = timedelta(days=1)
TRACE = "cafe0000cafe1111cafe2222cafe3333"
T0 = DUMPED_AT - 60 * DAY
SECRETS = (PERSON, "canary-reason", "canary-operator", "canary-nickname", "canary-gift-note", TRACE)


@dataclass
class Ledger:
    """The ledger, and what happens to it."""

    dsn: str
    store: PostgresStore
    pipeline: Pipeline
    catalogue: Catalogue
    sql: Any
    _offset: int = 0

    def person(self) -> UUID:
        """The id that the person's account has."""
        return account_id(ACCOUNT_KEY.encode(), PROGRAM, PERSON)

    async def deliver(self, events: Sequence[Sent | bytes], *, pipeline: Pipeline | None = None) -> dict[str, int]:
        """Deliver events in one batch; bytes: a record that is no event. Returns the counts by outcome."""
        records = []
        for event in events:
            self._offset += 1
            if isinstance(event, bytes):
                headers: tuple[tuple[str, bytes | None], ...] = (("ce_subject", PERSON.encode()), ("ce_id", b"x"))
                records.append(Record("commerce.member", 0, self._offset, 0, PERSON.encode(), event, headers))
            else:
                headers = (*event.headers(), ("ce_traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode()))
                topic = topic_of(event.value(), headers)
                records.append(Record(topic, 0, self._offset, 0, PERSON.encode(), event.value(), headers))
        done = await (pipeline or self.pipeline).process(Batch(tuple(records), ()))
        return {name: count for name, count in done.outcomes.items() if count}

    async def clock(self, at: datetime) -> None:
        """Everything up to an instant has been read, and is done."""
        await self.store.advance_watermark(at)
        self.pipeline.know(at)
        await settle(self.store, self.pipeline, at)

    async def publish(self) -> None:
        """What a relay does: every message and every dead letter goes out."""
        while await self.store.hand_over_dead_letters(1_000) + len(rows := await self.store.read(range(64), 1_000)):
            await self.store.delete(rows)

    async def erase(self, wait_seconds: float = 0) -> int:
        """Let the eraser take its turn."""
        return await Eraser(self.store, self.pipeline.erase, wait_seconds).turn()

    async def findings(self) -> list[str]:
        """What verify has to say of the whole ledger."""
        programs = {code: self.catalogue.program(code) for code in self.catalogue.codes}
        return [f"{each.invariant}: {each.detail}" async for each in check(self.store, programs)]

    async def dossier(self, account: UUID) -> Dossier:
        """All that is kept of an account."""
        (dossier,) = [each async for each in self.store.dossiers([account])]
        return dossier

    async def nameless(self) -> Any:
        """The row of the account that goes on without a name."""
        (row,) = await self.sql.fetch("SELECT * FROM account WHERE member_id LIKE 'erased:%'")
        return row

    async def sums(self) -> Any:
        """What the whole ledger comes to."""
        return await self.sql.fetchrow(
            "SELECT (SELECT sum(available) FROM account) AS available, (SELECT sum(pending) FROM account) AS pending, "
            "(SELECT sum(available) FROM lot) AS lots, (SELECT count(*) FROM fact) AS facts, "
            "(SELECT count(*) FROM decision) AS decisions, (SELECT count(*) FROM step) AS steps, "
            "(SELECT sum(points) FROM entry) AS moved, (SELECT count(*) FROM entry) AS entries"
        )


def pipeline(store: PostgresStore, catalogue: Catalogue) -> Pipeline:
    """A worker's, whose clock stands long after everything."""
    return Pipeline(store, catalogue, PipelineOptions(ACCOUNT_KEY.encode()), epoch=1, now=lambda: DUMPED_AT + 100 * DAY)


@pytest.fixture
async def ledger(database: str) -> AsyncIterator[Ledger]:
    """Other people's traffic, all of it published; the worker has no more rights than it needs."""
    await fill(database)
    sql = await asyncpg.connect(database)
    async with await PostgresStore.open(database, StoreOptions(role="loyalty_worker")) as store:
        catalogue = Catalogue(await registry.programs(store))
        made = Ledger(database, store, pipeline(store, catalogue), catalogue, sql)
        await made.publish()
        yield made
    await sql.close()


def sent(type_: str, day: float, **data: Any) -> Sent:
    """An event of the person's, so many days after the beginning; its id is made from what it is."""
    name = "-".join([type_, str(day), str(data.get("order_id", ""))])
    return Sent(type_, name, "/shop", T0 + day * DAY, PROGRAM, data, PERSON)


def life() -> list[Sent]:
    """What the person did: joined, was given points, bought with points, was sent goods, gave some back."""
    line = {"line_id": "1", "sku": "S1", "quantity": 2, "unit_price": 5_000, "tax": 1_000, "engraving": "canary-gift-note"}
    order = {"store": "lenovo_pro_jp", "payment_method": "credit_card", "lines": [line], "nickname": "canary-nickname"}
    return [
        sent("member.registered", 0, member_id=PERSON),
        sent("member.enrolled", 0.1, member_id=PERSON, nickname="canary-nickname"),
        sent("points.adjusted", 1, member_id=PERSON, points=900, reason="canary-reason", operator="canary-operator"),
        sent("order.placed", 2, order_id="C1", member_id=PERSON, points_used=300, **order),
        sent("shipment.dispatched", 4, order_id="C1", lines="all", comment="canary-gift-note"),
        sent("order.placed", 5, order_id="C2", member_id=PERSON, **order),
        sent("shipment.dispatched", 6, order_id="C2", lines="all"),
        sent("points.held", 7, member_id=PERSON, points=50, reason="canary-reason"),
        sent("return.received", 8, order_id="C1", lines=[{"line_id": "1", "quantity": 1}], comment="canary-gift-note"),
    ]


def erasure(day: float = 30) -> Sent:
    """The person is to be forgotten."""
    return sent("member.erased", day, member_id=PERSON, nickname="canary-nickname")
