"""A pipeline on the store in memory that is handed records as if they had come from one partition."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from contracts.events import Event
from contracts.statement import Statement
from tests.flows.bad_records import NOW
from tests.flows.system import Raw
from tests.stores.ends import read_to_ends
from tests.stores.memory import MemoryStore
from worker.consume.batch import Batch, Move
from worker.decide.program import Program
from worker.decode import Admission, Limits, Record, decode
from worker.persist import Dossier
from worker.processing.ceilings import Ceilings
from worker.processing.pipeline import Done, Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.programs.terms_file import load, shipped
from worker.reading.statements import read
from worker.upkeep import verify

KEY = b"a key for tests, not a secret"
PROGRAM = "belle-maison"


@lru_cache(maxsize=1)
def programs() -> dict[str, Program]:
    """The shipped programs by code."""
    return {code: load(path) for code, path in shipped().items()}


class Harness:
    """`offset`: how many records were taken. `now`: what the worker's clock says."""

    def __init__(
        self, store: MemoryStore | None = None, admission: Admission | None = None, ceilings: Ceilings | None = None
    ) -> None:
        self.store = store if store is not None else MemoryStore(clock=lambda: NOW)
        options = PipelineOptions(KEY, admission=admission or Admission(), ceilings=ceilings or Ceilings())
        self.catalogue = Catalogue(programs().values())
        self.now = NOW
        self.pipeline = Pipeline(self.store, self.catalogue, options, epoch=1, now=lambda: self.now)
        self.offset = 0

    def read(self, records: Sequence[Raw], times: Sequence[tuple[datetime, bool]] | None = None) -> Batch:
        """Records as a batch that was read, with the move of its partition. `times`: that of each, and whether the broker's."""
        start = self.offset
        read = tuple(
            Record(each.topic, 0, start + number, int(at.timestamp() * 1000), each.key, each.value, tuple(each.headers), own)
            for number, (each, (at, own)) in enumerate(zip(records, times or [(NOW, False)] * len(records), strict=True))
        )
        self.offset += len(read)
        return Batch(read, (Move("commerce.order", 0, start or None, self.offset, b"", NOW, at_end=True),))

    async def take(self, *records: Raw) -> Done:
        """One batch."""
        return await self.pipeline.process(self.read(records))

    async def take_at(self, *records: tuple[datetime, bool, Raw]) -> Done:
        """One batch of records with their times, and whether the broker noted each."""
        return await self.pipeline.process(self.read([each for *_, each in records], [(at, own) for at, own, _ in records]))

    def decoded(self, *records: Raw) -> list[Event]:
        """Records as events."""
        found = [decode(each, self.now, Limits(), Admission()) for each in self.read(records).records]
        return [each for each in found if isinstance(each, Event)]

    async def forget(self) -> None:
        """All messages are published, and whoever asked to be forgotten is."""
        self.store.tables.outbox.clear()
        for account in await self.store.erasures_due(self.now, 1000):
            assert await self.pipeline.erase(account)

    async def until(self, at: datetime) -> None:
        """The watermark comes to an instant, all topics are read to their ends, and the clock runs."""
        self.pipeline.know(at)
        await read_to_ends(self.store)
        due = {each.account_id for each in await self.store.due(range(64), at, 1000)}
        await self.pipeline.run_due(due | {*await self.store.decidable(range(64), 1000)}, at)

    async def dossier(self, member: str) -> Dossier:
        """All that is kept of a member."""
        async for dossier in self.store.dossiers():
            if dossier.row is not None and dossier.row.member_id == member:
                return dossier
        raise AssertionError(f"{member} has no account")

    async def statement(self, member: str) -> Statement:
        """A member's statement; the ledger is verified."""
        assert [violation async for violation in verify.check(self.store, programs())] == []
        dossier = await self.dossier(member)
        assert dossier.row is not None
        return read(dossier, programs()[dossier.row.program], NOW, "now")

    def letters(self) -> list[str]:
        """The reasons of all dead letters."""
        return sorted(letter.reason for letter in self.store.tables.dead_letters.values())
