"""The store in memory on a stage: every call may be a turn of somebody else, and every commit may go wrong as it is told to.

Coroutines of workers are driven by hand, one `send` at a time, so that how they interleave is the schedule's choice alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Generator, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Literal
from uuid import UUID

from contracts.events import Event
from tests.stores.memory import MemoryStore
from tests.stores.memory_batch import MemoryBatch
from tests.stores.memory_tables import dossier_of
from tests.stores.soundness import violations
from worker.decide.change import AccountChange, AccountRow, History, Loaded, Wanted
from worker.decide.state import Certainty, Moment
from worker.decode import Record
from worker.persist import Arrival, DeadLetter, Dossier, Erasure, Move, Route
from worker.persist.errors import ContendedError, OutcomeUnknownError, UnavailableError

CommitFault = Literal["fine", "answer_lost", "request_lost", "refused", "killed_after"]


class Killed(BaseException):
    """The process of a worker ends here; nothing that it has in memory is left."""


class Turn:
    """Awaited to let others go on; `waits_for` names the lock that is wanted."""

    def __init__(self, waits_for: Hashable = None) -> None:
        self.waits_for = waits_for

    def __await__(self) -> Generator[Turn, None, None]:
        yield self


_ON = Turn()


@dataclass(frozen=True, slots=True)
class Act:
    """What one coroutine does to the store: its fault at COMMIT, and the records that it brings, in their order."""

    commit: CommitFault = "fine"
    records: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """What a transaction wrote: moves of positions, and changes, each with the row that it replaced. `records`: that it was made
    of, in their order. `erased`: rows of accounts as they were before their members were forgotten, and which account each goes
    on as."""

    moves: tuple[Move, ...]
    changes: tuple[tuple[AccountRow | None, AccountChange], ...]
    records: tuple[Record, ...]
    erased: tuple[tuple[AccountRow, UUID], ...] = ()


class StageBatch(MemoryBatch):
    """A batch that gives others their turn before each call."""

    stage: MemoryStage
    act: Act

    def __init__(self, stage: MemoryStage, act: Act) -> None:
        super().__init__(stage.tables, {})
        self.stage = stage
        self.act = act
        self._moves: list[Move] = []
        self._changes: list[AccountChange] = []
        self._names: list[Hashable] = []
        self._erased: tuple[tuple[AccountRow, UUID], ...] = ()

    async def _lock(self, names: Iterable[tuple[str, Hashable]]) -> None:
        owners = self.stage.owners
        for name in names:
            while (owner := owners.get(name)) is not None and owner is not self:
                await Turn(name)
            if owner is None:
                owners[name] = self
                self._names.append(name)

    def commit(self, now: datetime) -> None:
        changes = tuple((a.row if (a := self._there(c.account_id)) else None, c) for c in self._changes)
        self.stage.committed.append(Commit(tuple(self._moves), changes, self.act.records, self._erased))
        super().commit(now)

    def end(self) -> None:
        for name in self._names:
            del self.stage.owners[name]
        self._names.clear()

    async def move_positions(self, moves: Sequence[Move]) -> datetime | None:
        await _ON
        self._moves += moves
        return await super().move_positions(moves)

    async def certainty(self) -> Certainty:
        await _ON
        return await super().certainty()

    async def routes(self, order_ids: Iterable[str]) -> dict[str, Route]:
        await _ON
        return await super().routes(order_ids)

    async def claim(self, arrivals: Sequence[Arrival], awaited: Iterable[str]) -> dict[str, Route]:
        await _ON
        return await super().claim(arrivals, awaited)

    async def park(self, events: Sequence[Event], outside: Collection[str] = ()) -> list[Event]:
        await _ON
        return await super().park(events, outside)

    async def take_parked(self, orders: Iterable[tuple[str, str]]) -> list[Event]:
        await _ON
        return await super().take_parked(orders)

    async def load(self, wanted: Sequence[Wanted], names: Mapping[UUID, tuple[str, str]] | None = None) -> dict[UUID, Loaded]:
        await _ON
        return await super().load(wanted, names)

    async def history(self, since: Mapping[UUID, Moment]) -> dict[UUID, History]:
        await _ON
        return await super().history(since)

    async def compare_and_set(self, changes: Sequence[AccountChange]) -> set[UUID]:
        await _ON
        return await super().compare_and_set(changes)

    async def write(self, changes: Sequence[AccountChange]) -> None:
        await _ON
        self._changes += changes
        await super().write(changes)

    async def erase(self, account: UUID) -> Erasure | None:
        await _ON
        erasure = await super().erase(account)
        if erasure is not None:
            self._erased = ((self.stage.tables.accounts[account].row, erasure.nameless),)
        return erasure

    async def dead_letter(self, letters: Sequence[DeadLetter]) -> int:
        await _ON
        return await super().dead_letter(letters)


class _Transaction(AbstractAsyncContextManager[StageBatch]):
    def __init__(self, stage: MemoryStage) -> None:
        self._stage = stage
        self._batch = StageBatch(stage, stage.act)

    async def __aenter__(self) -> StageBatch:
        return self._batch

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                await _ON
                self._commit()
        finally:
            self._batch.end()

    def _commit(self) -> None:
        fault = self._batch.act.commit
        if fault == "refused":
            raise UnavailableError("the connection was cut before COMMIT")
        if fault == "request_lost":
            raise OutcomeUnknownError("the connection was cut at COMMIT")
        self._batch.commit(self._stage.clock())
        if fault == "answer_lost":
            raise OutcomeUnknownError("the connection was cut at COMMIT")
        if fault == "killed_after":
            raise Killed


class HandDriven:
    """A coroutine that goes on by `send`: `stages.Actor` of the stage in memory."""

    def __init__(self, stage: MemoryStage, coroutine: Coroutine[Any, Any, Any], act: Act) -> None:
        self._stage = stage
        self._coroutine = coroutine
        self._act = act
        self._waits_for: Hashable = None

    @property
    def able(self) -> bool:
        return self._waits_for is None or self._waits_for not in self._stage.owners

    def turn(self, *, alone: bool) -> bool:
        return self._go_on(lambda: self._coroutine.send(None))

    def cut(self) -> bool:
        return self._go_on(lambda: self._coroutine.throw(UnavailableError("the connection was cut")))

    def give_up(self) -> bool:
        return self._go_on(lambda: self._coroutine.throw(ContendedError("waited too long for a lock")))

    def kill(self) -> None:
        self._coroutine.close()

    def _go_on(self, how: Callable[[], Any]) -> bool:
        self._stage.act = self._act
        try:
            turn = how()
        except StopIteration:
            return True
        # None: it only let others have their turn.
        assert turn is None or isinstance(turn, Turn)
        self._waits_for = None if turn is None else turn.waits_for
        return False


class MemoryStage(MemoryStore):
    """The store that all workers of a simulation share: `stages.Stage` in memory. `act`: of whoever has the turn."""

    turns = 8
    loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.owners: dict[Hashable, StageBatch] = {}
        self.act = Act()
        self.committed: list[Commit] = []

    def batch(self) -> AbstractAsyncContextManager[StageBatch]:
        return _Transaction(self)

    def begin(self, coroutine: Coroutine[Any, Any, Any], act: Act) -> HandDriven:
        return HandDriven(self, coroutine, act)

    def heads(self) -> Mapping[UUID, AccountRow]:
        return {account_id: account.row for account_id, account in self.tables.accounts.items()}

    def left_open(self) -> bool:
        return bool(self.owners)

    def unsound(self, accounts: Collection[UUID]) -> list[str]:
        found = []
        for account_id in accounts:
            account = self.tables.accounts[account_id]
            found += [f"{each.invariant}: {account_id}: {each.detail}" for each in violations(account, self.tables)]
            if account.row.fenced is not None:
                found.append(f"fenced: {account_id}: {account.row.fenced}")
        for account_id, version, _ in self.tables.outbox:
            there = self.tables.accounts.get(account_id)
            if there is not None and version > there.row.version:
                found.append(f"announced before it was committed: {account_id}: version {version}")
        return found

    def unsound_as_whole(self) -> list[str]:
        return self.unsound(self.tables.accounts)

    def kept_of(self, accounts: Collection[UUID]) -> list[Dossier]:
        return [dossier_of(self.tables, account_id) for account_id in sorted(accounts)]

    def clear(self) -> None:
        """Coroutines that nobody drives do nothing."""
