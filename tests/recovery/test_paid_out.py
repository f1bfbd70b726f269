"""What was paid out in money before a restore is not paid anew: it is read back from what was published, wherever it was told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.flows.shop import Sent
from tests.flows.system import ACCOUNT_KEY
from tests.parts.terms import FOR_A_TEST
from tests.parts.topics import TOPIC_OF_ALL
from tests.rules.story import PROGRAMS
from tests.stores.ends import settle
from tests.stores.memory import MemoryStore
from worker.consume.batch import Batch
from worker.decide.program import Program
from worker.decode import Record
from worker.persist import PostgresStore, account_id
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.programs.terms_file import read, versions
from worker.upkeep import verify
from worker.upkeep.restore import Payments

CODE, KEY = "cash", ACCOUNT_KEY.encode()
VERSIONS = versions(read(PROGRAMS[CODE].read_text(encoding="utf-8"), CODE), CODE)
NOW = datetime(2024, 6, 1, tzinfo=UTC)
SHARDS = range(64)


class Shop:
    """A ledger of the program that pays out, and what is delivered to it."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.pipeline = Pipeline(store, Catalogue([Program(VERSIONS)]), PipelineOptions(KEY), epoch=1, now=lambda: NOW)

    async def take(self, *events: Sent) -> None:
        """One batch."""
        records = (
            Record(TOPIC_OF_ALL[each.type], 0, place, 0, None, each.value(), tuple(each.headers()))
            for place, each in enumerate(events)
        )
        done = await self.pipeline.process(Batch(tuple(records), ()))
        assert done.outcomes["applied"] == len(events), done

    async def until(self, text: str) -> None:
        """The clock runs up to a day."""
        at = datetime.fromisoformat(f"{text}T12:00:00+00:00")
        self.pipeline.know(at)
        await settle(self.store, self.pipeline, at)

    async def stands(self) -> dict[str, Any]:
        """By member: the balance, and all that was decided; the ledger is verified."""
        assert [each async for each in verify.check(self.store, {CODE: Program(VERSIONS)})] == []
        rows = [each async for each in self.store.dossiers()]
        return {each.row.member_id: (each.row.head.available, sorted(map(repr, each.decisions))) for each in rows if each.row}


def bought(member: str, name: str, day: str, cents: int) -> tuple[Sent, Sent]:
    """Goods that ship at once."""
    at = datetime.fromisoformat(f"{day}T10:00:00+00:00")
    line = {"line_id": "1", "sku": "S", "quantity": 1, "unit_price": cents, "tax": 0}
    order = {"order_id": name, "member_id": member, "store": "outfitter", "lines": [line], "payment_method": "own_card"}
    sent = Sent("shipment.dispatched", f"{name}-sent", "/shop", at, CODE, {"order_id": name, "lines": "all"}, member)
    return Sent("order.placed", name, "/shop", at, CODE, {**order, "currency": "EUR"}, member), sent


def returned(member: str, name: str, day: str) -> Sent:
    at = datetime.fromisoformat(f"{day}T10:00:00+00:00")
    return Sent("return.received", f"{name}-back", "/shop", at, CODE, {"order_id": name, "lines": "all"}, member)


async def world() -> tuple[dict[str, Any], list[bytes]]:
    """What came to be before the restore, and what was published of it.

    M1 is paid 900 on the first of April; then goods of March come back. M2 had too little on the first of February, until a late
    order was told of; the payment then was told with that order.
    """
    shop = Shop(MemoryStore(clock=lambda: NOW))
    await shop.take(*bought("M1", "A", "2024-03-05", 40_000), *bought("M1", "B", "2024-03-06", 20_000))
    await shop.take(*bought("M2", "C", "2024-01-05", 33_200))
    await shop.until("2024-04-02")
    await shop.take(returned("M1", "B", "2024-03-25"), *bought("M2", "D", "2024-01-06", 200))
    outbox = shop.store.tables.outbox
    return await shop.stands(), [outbox[name].value for name in sorted(outbox) if outbox[name].topic == "loyalty.balance-changed"]


@pytest.mark.parametrize("read_back", [True, False])
async def test_the_same_is_paid_after_a_restore_though_news_came_in_another_order(database: str, read_back: bool) -> None:
    before, published = await world()
    payments = Payments()
    assert all(payments.read(value, KEY) for value in (*published, published[0]))
    paid = payments.decisions()
    accounts = {account_id(KEY, CODE, member): member for member in before}
    assert sorted((accounts[account], each.points) for account, each in paid) == [("M1", 900), ("M2", 501)]
    async with await PostgresStore.open(database) as store:
        await registry.register(store, VERSIONS, FOR_A_TEST)
        if read_back:
            assert await store.announce(paid) == 2
        shop = Shop(store)
        await shop.take(*bought("M1", "A", "2024-03-05", 40_000), *bought("M1", "B", "2024-03-06", 20_000))
        await shop.take(returned("M1", "B", "2024-03-25"), *bought("M2", "C", "2024-01-05", 33_200))
        await shop.until("2024-04-02")
        await shop.take(*bought("M2", "D", "2024-01-06", 200))
        after = await shop.stands()
        assert (after == before) is read_back
        if read_back:
            assert await store.announce(paid) == 0
        else:
            assert "points=600" in str(after["M1"])


async def test_a_payment_that_was_corrected_and_one_told_in_two_epochs_is_one() -> None:
    _, published = await world()
    again = [value.replace(b'"epoch":1', b'"epoch":2') for value in published]
    payments = Payments()
    assert all(payments.read(value, KEY) for value in (*published, *again))
    assert sorted(each.points for _, each in payments.decisions()) == [501, 900]


async def test_a_payment_told_without_its_day_is_not_passed_over_in_silence() -> None:
    _, published = await world()
    late = next(value for value in published if b'"pay_out"' in value and b'"cause":{"type":"clock"}' not in value)
    told = json.loads(late)
    told["entries"] = [{name: value for name, value in each.items() if name != "effective_at"} for each in told["entries"]]
    payments = Payments()
    assert not payments.read(json.dumps(told).encode(), KEY)
    assert payments.decisions() == []
