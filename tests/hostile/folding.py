"""Lives folded by the worker's own pipeline: no event that is accepted may fence an account, whatever it says."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from time import thread_time
from typing import Final

from contracts.events import TOPICS_OUT, Event
from tests.hostile.lives import NOW, life, programs
from tests.parts.topics import WITH_OPENINGS, topic_of
from tests.stores.ends import read_to_ends
from tests.stores.memory import MemoryStore
from tests.stores.soundness import violations
from worker.consume.batch import Batch, Move
from worker.decide.program import Program
from worker.decode import Limits, Record, decode
from worker.persist.api import Store
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.reading import statements

KEY: Final = b"a key for tests, not a secret"
BATCHES: Final = (1, 3, 10_000)
DAYS_END: Final = "2190"
"""From here on terms lead beyond the last day that the contract has, the end of 2200."""


class Fenced(AssertionError):
    """An accepted event made the fold fail; `seed` and `code` make the life again."""


def pipeline(store: Store, program: Program) -> Pipeline:
    """The pipeline of a worker that runs one program."""
    return Pipeline(store, Catalogue([program]), PipelineOptions(KEY, admission=WITH_OPENINGS), epoch=1, now=lambda: NOW)


def batches(records: Sequence[Record], size: int) -> list[Batch]:
    """The records as they would be read from one partition."""
    found = []
    for start in range(0, len(records), size):
        part = records[start : start + size]
        numbered = tuple(
            Record(topic_of(r.value, r.headers), r.partition, start + place, r.timestamp_ms, r.key, r.value, r.headers)
            for place, r in enumerate(part)
        )
        move = Move("commerce.order", 0, start or None, start + len(part), b"", NOW, at_end=True)
        found.append(Batch(numbered, (move,)))
    return found


def accepted(records: Sequence[Record]) -> list[Event]:
    """Those that keep the contract; each is the same when it is read from the database."""
    events = []
    for record in records:
        event = decode(record, NOW, Limits())
        if isinstance(event, Event):
            check_stored(event)
            events.append(event)
    return events


def check_stored(event: Event) -> None:
    """An accepted event comes back from what is stored of it as it was."""
    again = Event.from_stored(event.source, event.id, event.type, event.time, event.program, event.traceparent, event.body)
    assert (again.data, again.digest, again.key) == (event.data, event.digest, event.key)


async def _fold(code: str, seed: int, events: int, size: int) -> tuple[Counter[str], float]:
    program = programs()[code]
    records = life(program, seed, events)
    good = accepted(records)
    store = MemoryStore(clock=lambda: NOW)
    worker = pipeline(store, program)
    outcomes: Counter[str] = Counter(accepted=len(good), records=len(records))
    slowest = 0.0
    for batch in batches(records, size):
        worker.know(NOW)
        started = thread_time()
        done = await worker.process(batch)
        slowest = max(slowest, (thread_time() - started) / len(batch.records))
        outcomes.update(done.outcomes)
        check_accounts(store, f"{code} seed {seed} events {events} batches of {size}")
    for until in (NOW, NOW + timedelta(days=400), NOW + timedelta(days=366 * 250)):
        accounts = sorted(store.tables.accounts)
        worker.know(until)
        await read_to_ends(store)
        await worker.run_due(accounts, until)
        check_accounts(store, f"{code} seed {seed} events {events} batches of {size}, clock at {until:%Y}")
    async for dossier in store.dossiers():
        statements.read(dossier, program, NOW)
    return outcomes, slowest


def check_accounts(store: MemoryStore, name: str) -> None:
    """No account is fenced, and all add up. What is told keeps its contract, as far as that has days: the clock of the last look
    brings points whose last day is beyond them."""
    for account in store.tables.accounts.values():
        if account.row.fenced is not None:
            raise Fenced(f"{name}: {account.row.fenced}")
        found = list(violations(account, store.tables))
        assert not found, f"{name}: {found}"
    for row in store.tables.outbox.values():
        value = json.loads(row.value or b"null")
        if row.topic in TOPICS_OUT and not (value or {}).get("effective_at", "") > DAYS_END:
            TOPICS_OUT[row.topic].model_validate_json(row.value or b"")
    store.tables.outbox.clear()


def fold(code: str, seed: int, events: int = 30) -> tuple[Counter[str], float]:
    """Fold one life; returns what became of its records, and the most processor seconds that one of them took.

    Raises Fenced, and AssertionError when the books do not add up.
    """
    return asyncio.run(_fold(code, seed, events, BATCHES[seed % len(BATCHES)]))
