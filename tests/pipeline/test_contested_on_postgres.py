"""Contested orders on a real Postgres: workers do not miss each other, and every order of delivery and cutting is one ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any
from unittest.mock import patch

import pytest

from tests.flows.bad_records import HOUR, NOW, gift, order, raw, shipped
from tests.flows.system import Raw
from tests.pipeline.harness import KEY, PROGRAM, programs
from tests.stores.ends import settle
from worker.consume.batch import Batch, Move
from worker.decode import Record
from worker.persist import PostgresStore
from worker.persist.batch import PostgresBatch
from worker.persist.errors import ContendedError
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.reading.statements import read
from worker.upkeep import verify

FIRST = order("A", "M", "first")
SECOND = order("A", "N", "second", NOW - HOUR / 2)
THIRD = order("A", "P", "third", NOW - HOUR / 3)
SHIPPED = shipped("A", "ship", NOW - HOUR / 4)
CLAIM = raw("order.claimed", "claim", {"order_id": "A", "member_id": "M"}, program=PROGRAM, time=NOW.isoformat())
TRIES_MAX = 3


class Worker:
    """A pipeline on a database, each of whose batches comes from a partition of its own."""

    partitions = 0

    def __init__(self, store: PostgresStore) -> None:
        self.store = store
        self.pipeline = Pipeline(store, Catalogue(programs().values()), PipelineOptions(KEY), epoch=1, now=lambda: NOW)

    async def take(self, *records: Raw) -> None:
        """One batch, tried again where another worker was in the way, as the worker does."""
        Worker.partitions += 1
        at, partition = int(NOW.timestamp() * 1000), Worker.partitions
        read = [Record(r.topic, partition, place, at, r.key, r.value, tuple(r.headers)) for place, r in enumerate(records)]
        batch = Batch(tuple(read), (Move("commerce.order", partition, None, len(read), b"", NOW, at_end=True),))
        for attempt in range(TRIES_MAX):
            try:
                await self.pipeline.process(batch)
            except ContendedError:
                assert attempt + 1 < TRIES_MAX
            else:
                return

    async def statements(self) -> dict[str, Any]:
        """Of every member; the ledger is verified, and all that could be decided is."""
        self.pipeline.know(NOW)
        await settle(self.store, self.pipeline, NOW)
        assert [each async for each in verify.check(self.store, programs())] == []
        found = {}
        async for dossier in self.store.dossiers():
            assert dossier.row is not None
            found[dossier.row.member_id] = read(dossier, programs()[dossier.row.program], NOW, "now")
        return found


@pytest.mark.parametrize(
    ("slow", "quick", "method"),
    [
        (SHIPPED, SECOND, "load"),
        (SHIPPED, SECOND, "compare_and_set"),
        (SECOND, SHIPPED, "load"),
        (SECOND, SHIPPED, "about"),
        (SECOND, SHIPPED, "compare_and_set"),
        (CLAIM, SECOND, "claim"),
        (SECOND, CLAIM, "claim"),
    ],
    ids=lambda value: value if isinstance(value, str) else dict(value.headers)["ce_id"].decode(),
)
@pytest.mark.parametrize("before", [(FIRST,), (FIRST, THIRD)], ids=["second", "third"])
async def test_workers_that_bring_an_order_what_follows_it_and_the_command_do_not_miss_each_other(
    before: Sequence[Raw], slow: Raw, quick: Raw, method: str, database: str
) -> None:
    """Just before the slow worker calls a method of its batch, the quick one commits."""
    async with await PostgresStore.open(database) as store:
        worker = Worker(store)
        await worker.take(*before)
        original, calls = getattr(PostgresBatch, method), 0

        async def hooked(batch: PostgresBatch, *arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 1:
                await worker.take(quick)
            return await original(batch, *arguments)

        with patch.object(PostgresBatch, method, hooked):
            await worker.take(slow)
        assert calls
        await worker.take(*(each for each in (SECOND, SHIPPED, CLAIM) if each not in (slow, quick)))
        says = await worker.statements()
        found = {name: (each.available + each.pending, len(each.findings)) for name, each in says.items()}
        assert found == {"M": (5, 0), **dict.fromkeys(["N"] if THIRD not in before else ["N", "P"], (0, 2))}


def story(rng: Random, run: int) -> list[Raw]:
    """Orders of one id of two or three members and perhaps a guest, what follows them, and perhaps commands, in any order."""
    order_id, members = f"O#{run:02d}", [f"{name}#{run:02d}" for name in rng.sample("MNPQ", rng.choice([2, 2, 3]))]

    def at() -> str:
        return (NOW - HOUR + timedelta(minutes=rng.randrange(50))).isoformat()

    def follower(type_: str, **data: Any) -> Raw:
        named = rng.choice([PROGRAM, None]) if type_ != "order.claimed" else PROGRAM
        return raw(type_, f"{type_}-{rng.getrandbits(32)}", {"order_id": order_id, **data}, program=named, time=at())

    told = [order(order_id, member, f"{member}-{n}", datetime.fromisoformat(at())) for member in members for n in range(2)]
    found = told[: rng.choice([len(told), len(told) - 1])]
    found += [gift(member, 100, f"gift-{member}") for member in members]
    found += [follower("order.paid"), follower("shipment.dispatched", lines="all"), follower("order.paid")]
    found += [follower("return.received", lines="all", return_id="R")] if rng.random() < 0.5 else []
    found += [follower("order.claimed", member_id=rng.choice([*members, f"X#{run:02d}"])) for _ in range(rng.randrange(3))]
    rng.shuffle(found)
    return found


async def test_every_order_of_delivery_and_every_cutting_is_one_ledger(database: str) -> None:
    """Accounts are compared by their whole statements; repeats are among what is delivered."""
    async with await PostgresStore.open(database) as store:
        worker, expected = Worker(store), dict[str, list[str]]()
        for run in range(40):
            rng = Random(run // 4)
            records = story(rng, run)
            rng = Random(run)
            rng.shuffle(records)
            records += rng.sample(records, 3)
            while records:
                count = rng.choice([1, 1, 2, 3, len(records)])
                await worker.take(*records[:count])
                records = records[count:]
        for name, says in (await worker.statements()).items():
            run = int(name[2:])
            text = says.model_copy(update={"version": 0}).model_dump_json()
            expected.setdefault(f"{name[0]} of {run // 4}", []).append(text.replace(name[1:], ""))
    assert len(expected) > 20
    for name, ledgers in expected.items():
        assert len(ledgers) == 4, name
        assert len(set(ledgers)) == 1, "\n".join((name, *ledgers))
