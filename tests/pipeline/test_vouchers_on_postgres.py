"""Vouchers on a real Postgres: issued, used, given back, withdrawn by what comes late, lapsed; kept, and told as they are."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import asyncpg

from contracts.statement import Statement
from tests.flows.bad_records import HOUR, NOW, raw
from tests.flows.system import Raw
from tests.pipeline.harness import KEY
from tests.stores.ends import settle
from worker.consume.batch import Batch, Move
from worker.decide.program import Program
from worker.decode import Record
from worker.persist import PostgresStore
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.programs.terms_file import changed, read, shipped, versions
from worker.reading.statements import read as statement
from worker.upkeep import verify

VOUCHER = {"name": "500_off", "value": 500, "lasts": {"days": 30}, "order_cancelled": "given_back"}
STAMPS = {"id": "stamps", "rule": "SCO-13", "points": 500, "at": "threshold", "into": "voucher", "voucher": VOUCHER}
MILES = {"id": "miles", "rule": "SCO-13", "points": 100, "at": "request", "into": "partner"}
LINE = {"sku": "X", "quantity": 1, "unit_price": 90, "tax": 9}


def program() -> Program:
    """ScoLar, where every 500 points are a voucher, which goes with its points, and hundreds may be given to a partner."""
    path = shipped()["scolar"]
    values = read(path.read_text(encoding="utf-8"), path.name)
    return Program(versions(changed(values, {"conversions": [{**STAMPS, "reversed": "withdrawn"}, MILES]}), "scolar"))


def life(member: str) -> dict[str, Raw]:
    """What happens to a member, by the name of it."""

    def told(type_: str, hours: float, **data: Any) -> Raw:
        """An event of so many hours ago."""
        time = (NOW - hours * HOUR).isoformat()
        return raw(type_, f"{member}-{type_}-{hours}", data, program="scolar", time=time)

    about, order = {"member_id": member}, {"order_id": f"O-{member}"}
    price = {"store": "scolar_web", "payment_method": "credit_card", "lines": [LINE]}
    return {
        "joined": told("member.registered", 9, **about),  # 500 points, which are a voucher
        "taken": told("points.adjusted", 8, **about, points=-600, reason="mistake"),  # the first voucher goes with them
        "given": told("points.adjusted", 7, **about, points=1_200, reason="goodwill"),  # two more
        "order": told("order.placed", 5, **about, **order, **price),
        "used": told("voucher.used", 4.5, **about, **order, voucher_id="stamps:1"),
        "cancelled": told("order.cancelled", 3, **order, lines="all", reason="customer_request"),
        "asked": told("conversion.requested", 2, **about, request_id="C1", conversion="miles"),
    }


class Ledger:
    """A pipeline on a database, and what is published of vouchers."""

    def __init__(self, store: PostgresStore, sql: asyncpg.Connection) -> None:
        self.store, self.sql, self.program, self.taken = store, sql, program(), 0
        self.pipeline = Pipeline(store, Catalogue([self.program]), PipelineOptions(KEY), epoch=1, now=lambda: NOW)

    async def take(self, *records: Raw) -> None:
        at = int(NOW.timestamp() * 1000)
        found = [Record(r.topic, 0, self.taken + n, at, r.key, r.value, tuple(r.headers)) for n, r in enumerate(records)]
        start, self.taken = self.taken or None, self.taken + len(records)
        await self.pipeline.process(Batch(tuple(found), (Move("commerce.order", 0, start, self.taken, b"", NOW, at_end=True),)))

    async def at(self, instant: datetime, member: str = "M1") -> Statement:
        """A member's statement when the clock has come to an instant; the ledger is verified."""
        self.pipeline.know(instant)
        await settle(self.store, self.pipeline, instant)
        assert [each async for each in verify.check(self.store, {"scolar": self.program})] == []
        async for dossier in self.store.dossiers():
            if dossier.row is not None and dossier.row.member_id == member:
                return statement(dossier, self.program, instant, "now")
        raise AssertionError("there is no account")

    async def published(self, member: str = "M1") -> list[tuple[str, str]]:
        """What subscribers were told of a member's vouchers, in order."""
        rows = await self.sql.fetch(
            "SELECT value FROM outbox WHERE topic = 'loyalty.voucher-issued' ORDER BY account_id, version, ordinal"
        )
        data = [json.loads(row["value"]) for row in rows]
        return [(each["voucher_id"], each["status"]) for each in data if each["member_id"] == member]


def vouchers(says: Statement) -> dict[str, str]:
    return {each.voucher_id: each.status for each in says.vouchers}


async def test_vouchers_are_issued_used_given_back_withdrawn_and_lapse(database: str) -> None:
    sql, happens = await asyncpg.connect(database), life("M1")
    async with await PostgresStore.open(database) as store:
        ledger = Ledger(store, sql)
        await ledger.take(happens["joined"])
        await ledger.take(happens["given"], happens["order"])
        await ledger.take(happens["used"])
        says = await ledger.at(NOW)
        assert (vouchers(says), says.available) == ({"stamps:1": "used", "stamps:2": "open", "stamps:3": "open"}, 200)
        await ledger.take(happens["cancelled"], happens["asked"])
        says = await ledger.at(NOW)
        assert (vouchers(says)["stamps:1"], says.available) == ("given_back", 100)
        assert [(each.request_id, each.decision, each.points) for each in says.requests] == [("C1", "accepted", 100)]
        begun = [(f"stamps:{n}", "open") for n in (1, 2, 3)] + [("stamps:1", "used"), ("stamps:1", "given_back")]
        assert await ledger.published() == begun
        await ledger.take(happens["taken"])
        says = await ledger.at(NOW)
        assert vouchers(says) == {"stamps:1": "withdrawn", "stamps:2": "open", "stamps:3": "open"}
        # 500 and 1,200 less 600, less two vouchers, is 100; the partner was promised those.
        assert (says.available, {each.code for each in says.findings}) == (0, {"adjusted_below_zero", "voucher_withdrawn"})
        assert (await ledger.published())[len(begun) :] == [("stamps:1", "withdrawn")], "nothing else has changed"
        says = await ledger.at(NOW + timedelta(days=31))
        assert vouchers(says) == {"stamps:1": "withdrawn", "stamps:2": "lapsed", "stamps:3": "lapsed"}
        assert (await ledger.published())[-2:] == [("stamps:2", "lapsed"), ("stamps:3", "lapsed")]
    await sql.close()


async def test_whatever_order_it_is_told_in_the_vouchers_are_the_same(database: str) -> None:
    sql, found = await asyncpg.connect(database), []
    async with await PostgresStore.open(database) as store:
        ledger = Ledger(store, sql)
        for number, names in enumerate(permutations(("given", "used", "cancelled", "taken"))):
            member, size = f"M{number}", 1 + number % 3
            happens = life(member)
            records = [happens[name] for name in ("joined", "order", *names)]
            for start in range(0, len(records), size):
                await ledger.take(*records[start : start + size])
            says = await ledger.at(NOW, member)
            assert dict(await ledger.published(member)) == vouchers(says), names
            found.append((vouchers(says), says.available, sorted(each.code for each in says.findings)))
    assert found[0][:2] == ({"stamps:1": "withdrawn", "stamps:2": "open", "stamps:3": "open"}, 100)
    assert all(each == found[0] for each in found)
    await sql.close()
