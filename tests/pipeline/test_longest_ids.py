"""Every id that the contract allows works in every event, on a real Postgres: its indexes take 2.7 KB a row."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import asyncpg
import pytest

from contracts.events import EVENT_TYPES, Event
from contracts.events.fields import ID_CHARACTERS_MAX
from tests.fold.histories import history
from tests.fold.variants import MORE_CHOICES
from tests.hostile.folding import batches, pipeline
from tests.hostile.lives import NOW
from tests.parts.topics import topic_of
from tests.stores.memory import MemoryStore
from worker.decide.program import Program
from worker.decode import Record
from worker.persist import PostgresStore, Store
from worker.programs.terms_file import load, shipped
from worker.upkeep import verify

HISTORIES = Path(__file__).parent / "histories"
IDS = {
    *("order_id", "member_id", "line_id", "sku", "redemption_id", "request_id", "shipment_id", "return_id", "exchange_id"),
    *("review_id", "survey_id", "reference", "subscription_id", "refund_id"),
    *("source", "id"),  # of an event that another one is about
}
FILLERS = ("🎉", ":%/", "~#@.")
"""Four bytes a character, what escaping makes longer, and what parts names."""


def longest(value: str) -> str:
    """An id that stands for another one, as long as the contract allows."""
    filler = FILLERS[crc32(value.encode()) % len(FILLERS)]
    return (value + filler * ID_CHARACTERS_MAX)[:ID_CHARACTERS_MAX]


def with_longest(data: Any) -> Any:
    """The data of an event with the longest ids."""
    if isinstance(data, list):
        return [with_longest(each) for each in data]
    if not isinstance(data, Mapping):
        return data
    return {key: longest(each) if key in IDS and isinstance(each, str) else with_longest(each) for key, each in data.items()}


def record(event: Event, place: int, *, long: bool) -> Record:
    """An event as a record, `long`: with the longest ids."""
    data, source, id_ = json.loads(event.body), event.source, event.id
    if long:
        data, source, id_ = with_longest(data), longest(source), longest(id_)
    said = {"specversion": "1.0", "id": id_, "source": source, "type": event.type, "time": event.time.isoformat()}
    value = json.dumps({**said, "program": event.program, "data": data}).encode()
    return Record(topic_of(value), 0, place, 0, None, value, ())


async def taken(store: Store, program: Program, records: Sequence[Record], size: int, topic: str = "t") -> Counter[str]:
    """What became of records that a worker took."""
    worker, outcomes = pipeline(store, program), Counter[str]()
    worker.know(NOW)
    for batch in batches(records, size):
        done = await worker.process(replace(batch, moves=tuple(replace(move, topic=topic) for move in batch.moves)))
        outcomes.update(done.outcomes)
    return outcomes


async def reasons(dsn: str) -> list[str]:
    """Why there are dead letters, and why accounts are fenced."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT reason FROM dead_letter UNION ALL SELECT fenced FROM account WHERE fenced IS NOT NULL"
        )
    finally:
        await connection.close()
    return sorted(row["reason"] for row in rows)


async def balances(store: Store) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    """Every account's balances, by program and member."""
    found = {}
    async for dossier in store.dossiers():
        assert dossier.row is not None
        head = dossier.row.head
        name = dossier.row.member_id.rstrip("".join(FILLERS))
        found[dossier.row.program, name] = (head.available, head.pending, head.held, head.arrears)
    return found


async def test_the_longest_ids_change_nothing_but_names(database: str) -> None:
    types: set[str] = set()
    short = MemoryStore(clock=lambda: NOW)
    # Conversions of each kind: to a partner and at once, into other points and by the calendar, and those that are asked for.
    conversions = dict(zip(sorted(shipped()), [*MORE_CHOICES["conversions"], (), ()], strict=True))
    programs = {
        code: load(path, {"reversal.back_expiry.mode": "fresh", "conversions": conversions[code]})
        for code, path in shipped().items()
    }
    async with await PostgresStore.open(database) as store:
        for code, program in programs.items():
            events = [event for event in history(program, 7, orders=12, contested=True, split=True).events if event.time < NOW]
            types |= {event.type for event in events}
            Random(7).shuffle(events)  # so that some wait for their orders, and accounts are folded anew
            was = await taken(short, program, [record(event, place, long=False) for place, event in enumerate(events)], 25, code)
            now = await taken(store, program, [record(event, place, long=True) for place, event in enumerate(events)], 25, code)
            assert now == was
        letters = sorted(letter.reason for letter in short.tables.dead_letters.values())
        assert await reasons(database) == letters
        assert await balances(store) == await balances(short)
        assert [violation async for violation in verify.check(store, programs)] == []
    missing = EVENT_TYPES.keys() - {"balance.opened", "member.erased", "order.contested"} - types
    assert not missing, f"tests/fold/histories.py makes none of {missing}"


@pytest.mark.parametrize(
    ("name", "code", "overrides", "balance"),
    [
        ("handed_back_again_and_again", "belle-maison", {"reversal.back_expiry.mode": "fresh"}, (100, 0)),
        ("longest_ids", "lenovo-pro", {}, (100, 100)),
    ],
)
async def test_a_history_whose_names_were_once_too_long(
    name: str, code: str, overrides: dict[str, str], balance: tuple[int, int], database: str
) -> None:
    program = load(shipped()[code], overrides)
    lines = (HISTORIES / f"{name}.ndjson").read_bytes().splitlines()
    async with await PostgresStore.open(database) as store:
        await taken(store, program, [Record(topic_of(line), 0, 0, 0, None, line, ()) for line in lines], 1)
        assert await reasons(database) == []
        (dossier,) = [each async for each in store.dossiers()]
        assert dossier.row is not None
        assert (dossier.row.head.available, dossier.row.head.pending) == balance
        assert [violation async for violation in verify.check(store, {code: program})] == []
