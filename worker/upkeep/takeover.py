"""Take balances over from another ledger: through the worker's own pipeline, in batches, each committed on its own.

What was taken over before is a duplicate, so an interrupted run is simply run again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Final
from uuid import UUID

from contracts.events import Event
from worker.consume.batch import Batch
from worker.decide import opening
from worker.decide.change import Loaded, Needs, Wanted
from worker.decode import Admission
from worker.persist.api import Store
from worker.persist.identity import account_id
from worker.processing.pipeline import Pipeline
from worker.upkeep.balances import TOPIC, TYPE, Mistake, Opened

BATCH: Final = 1_000
ADMISSION: Final = Admission({TOPIC: frozenset({TYPE})})
"""Of the command line's pipeline: it takes openings, which no topic brings, and nothing else."""


def _batches(opened: Iterable[Opened]) -> Iterator[list[Opened]]:
    lines = iter(opened)
    while batch := list(islice(lines, BATCH)):
        yield batch


async def contradictions(store: Store, key: bytes, program: str, opened: Iterable[Opened]) -> AsyncIterator[Mistake]:
    """Lines whose account has been opened with something else before, or takes nothing for now."""
    for lines in _batches(opened):
        accounts = [account_id(key, program, each.event.member_id or "") for each in lines]
        wanted = [_wanted(account, each.event) for account, each in zip(accounts, lines, strict=True)]
        names = {account: (program, each.event.member_id or "") for account, each in zip(accounts, lines, strict=True)}
        async with store.batch() as batch:
            loaded = await batch.load(wanted, names)
        for account, each in zip(accounts, lines, strict=True):
            what = _contradiction(loaded[account], each.event)
            if what is not None:
                yield Mistake(each.line, what)


def _wanted(account: UUID, event: Event) -> Wanted:
    return Wanted(account, seen=((event.source, event.id),), needs=Needs(frozenset({("mark", opening.MARK)})))


def _contradiction(loaded: Loaded, event: Event) -> str | None:
    if loaded.row is not None and loaded.row.fenced is not None:
        return f"its account is fenced ({loaded.row.fenced}) and takes nothing until it is rebuilt"
    known = loaded.seen.get((event.source, event.id))
    if known is not None:
        return (
            None if known == event.digest else "was opened before with other content, or as of another instant; that one stands"
        )
    if ("mark", opening.MARK) in loaded.items:
        return "was opened before by another event; that one stands"
    return None


async def take_over(pipeline: Pipeline, opened: Iterable[Opened]) -> Counter[str]:
    """Write the openings as facts, each batch committed on its own; returns what became of them, as batches are counted."""
    total: Counter[str] = Counter()
    for lines in _batches(opened):
        records = tuple(each.record for each in lines)
        total += (await pipeline.process(Batch(records, ()))).outcomes
    return total
