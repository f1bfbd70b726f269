"""Beside the work, a few accounts a minute are looked at: is each what its facts say? One that is not is set aside.

Each worker walks through the ids of its own shards, from a random place on, so that in the end every account is looked at. What
is found is looked at twice. A worker sets only so many aside in an hour: if many accounts differ at once, it is the release or
its terms that fold otherwise, and to fence everyone would be worse than what is wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from worker import metrics
from worker.catalogue import Catalogue
from worker.log import get_logger
from worker.persist import PostgresStore, Violation, shard_of
from worker.persist.errors import StoreError
from worker.persist.identity import SHARDS
from worker.upkeep.verify import FENCED, of_account

log = get_logger(__name__)

PERIOD_SECONDS: Final = 10.0
"""How often a few are taken: several at once cost less each."""
ACCOUNTS_AT_ONCE: Final = 200
_HOUR: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class SamplerOptions:
    """`accounts_per_minute` 0: nothing is looked at."""

    accounts_per_minute: int = 60
    fences_per_hour_max: int = 10


class Sampler:
    """Looks at accounts of the shards that this worker has."""

    def __init__(
        self,
        store: PostgresStore,
        catalogue: Catalogue,
        fence: Callable[[UUID, str], Awaitable[bool]],
        options: SamplerOptions,
        *,
        shards: Callable[[], Collection[int]],
    ) -> None:
        """`fence`: sets an account aside for a reason. `shards`: those that are this worker's now."""
        self._store = store
        self._catalogue = catalogue
        self._fence = fence
        self._options = options
        self._shards = shards
        self._after = uuid4()
        self._fenced_at: deque[float] = deque()
        self._owed = 0.0

    async def run(self) -> None:
        """Go on until cancelled."""
        while self._options.accounts_per_minute:
            await asyncio.sleep(PERIOD_SECONDS)
            self._owed += self._options.accounts_per_minute * PERIOD_SECONDS / 60
            try:
                while self._owed >= 1:
                    count = min(int(self._owed), ACCOUNTS_AT_ONCE)
                    self._owed -= count
                    await self.turn(count)
            except StoreError as error:
                metrics.verify_failures.inc()
                log.warning("verify_failed", error=type(error).__name__)

    async def turn(self, count: int) -> Sequence[Violation]:
        """Look at the next accounts, at most so many; returns what is wrong with them."""
        accounts = await self._next(count)
        if not accounts:
            return ()
        started = time.thread_time()
        found = await self._look(accounts)
        if found:
            # What was found may have been between two states of a row that is being mended right now.
            found = await self._look(sorted({each.account_id for each in found if each.account_id is not None}))
        metrics.verify_accounts.inc(len(accounts))
        metrics.verify_seconds.inc(time.thread_time() - started)
        await self._tell(found)
        return found

    async def _look(self, accounts: Sequence[UUID]) -> list[Violation]:
        programs = {code: self._catalogue.program(code) for code in self._catalogue.codes}
        found: list[Violation] = []
        for account in accounts:  # one at a time: between two of them the others go on
            found += [violation async for violation in self._store.verify([account])]
            async for dossier in self._store.dossiers([account]):
                # Beside the loop: folding a long life anew takes longer than the others should wait.
                found += await asyncio.to_thread(list, of_account(dossier, programs))
        return [violation for violation in found if violation.invariant != FENCED]

    async def _next(self, count: int) -> list[UUID]:
        """The accounts of this worker's shards behind the last one; from the beginning again after the end."""
        shards = sorted(self._shards())
        for _ in range(len(shards) + 2):
            rows = await self._store.written(self._after, None, count)
            if rows and shard_of(rows[0][0]) in shards:
                found = [account for account, _ in rows if shard_of(account) in shards]
                self._after = rows[-1][0]
                return found
            # On to the next shard that is ours, behind the one that the next account is in.
            here = shard_of(rows[0][0]) if rows else SHARDS
            onward = next((shard for shard in shards if shard > here), None)
            self._after = UUID(int=max(((onward or 0) << 122) - 1, 0))
        return []

    async def _tell(self, found: Sequence[Violation]) -> None:
        whose = {violation.account_id: violation for violation in reversed(found) if violation.account_id is not None}
        for violation in found:
            metrics.verify_findings.labels(invariant=violation.invariant).inc()
        for account, violation in whose.items():
            log.error("account_is_wrong", account=str(account), invariant=violation.invariant)  # the detail: `ledger verify`
            while self._fenced_at and self._fenced_at[0] < time.monotonic() - _HOUR:
                self._fenced_at.popleft()
            if len(self._fenced_at) >= self._options.fences_per_hour_max:
                log.error("account_not_fenced", account=str(account), why="as many as may be were fenced within the hour")
            elif await self._fence(account, f"found wrong: {violation.invariant}"):
                self._fenced_at.append(time.monotonic())
