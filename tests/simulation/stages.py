"""What a stage does for a play: a store that workers share, whose calls are turns, and what is looked at between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from contracts.events import Event
from tests.simulation.stage import Act, Commit, MemoryStage
from tests.stores.memory_tables import Account, ParkedKey
from worker.decide.change import AccountRow
from worker.persist import DeadLetter, Dossier, OutboxRow, Partition, Position, Route, Store
from worker.persist.dead_letters import LetterName


class Tables(Protocol):
    """What is committed, read between turns."""

    @property
    def accounts(self) -> Mapping[UUID, Account]: ...
    @property
    def routes(self) -> Mapping[str, Route]: ...
    @property
    def parked(self) -> Mapping[ParkedKey, tuple[datetime, Event]]: ...
    @property
    def positions(self) -> Mapping[Partition, Position]: ...
    @property
    def outbox(self) -> Mapping[tuple[UUID, int, int], OutboxRow]: ...
    @property
    def dead_letters(self) -> Mapping[LetterName, DeadLetter]: ...

    watermark: datetime | None


class Actor(Protocol):
    """Something that a worker does, a turn at a time. Each method but `kill` returns True if it came to its end, and raises what
    it ended with."""

    @property
    def able(self) -> bool:
        """Whether it can go on; False: it waits for a lock that another one has."""

    def turn(self, *, alone: bool) -> bool:
        """Go on up to the next call to the store; `alone`: nobody else has a turn before this ends, so it may go on to there."""

    def cut(self) -> bool:
        """Go on over a connection that breaks now."""

    def give_up(self) -> bool:
        """Go on although the lock was not given: the wait was too long."""

    def kill(self) -> None:
        """The process ends, and with it this."""


class Stage(Store, Protocol):
    """A store on a stage. `committed`: transactions that were not looked at yet, in their order."""

    committed: list[Commit]
    turns: int
    """About how many turns a batch takes."""
    loop: asyncio.AbstractEventLoop | None
    """Where its coroutines have to run; None: anywhere, for they wait for nothing."""

    @property
    def tables(self) -> Tables: ...

    async def erasures_due(self, until: datetime, limit: int) -> list[UUID]:
        """Accounts whose members asked, up to an instant, to be forgotten."""

    def begin(self, coroutine: Coroutine[Any, Any, Any], act: Act) -> Actor:
        """Put a coroutine on the stage; it begins at its first turn."""

    def heads(self) -> Mapping[UUID, AccountRow]:
        """The rows of all accounts."""

    def left_open(self) -> bool:
        """Whether a transaction is open or a lock is held."""

    def unsound(self, accounts: Collection[UUID]) -> list[str]:
        """What breaks an invariant, of these accounts or of the messages that wait to be published."""

    def unsound_as_whole(self) -> list[str]:
        """What breaks an invariant, of everything."""

    def kept_of(self, accounts: Collection[UUID]) -> list[Dossier]:
        """All that is kept of these accounts."""

    def clear(self) -> None:
        """Whatever is still going on ends."""


Stages = Callable[[Callable[[], datetime]], Stage]
"""Makes an empty stage. Its leases go by the clock given."""
in_memory: Stages = MemoryStage
