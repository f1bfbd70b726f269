"""Beside the work, a few accounts a minute are compared with what their facts say. One that differs is fenced.

Each worker walks through the ids of its own shards, from a random place on, so that in the end every account is looked at. What
is found is looked at twice, and an account is set aside only as it was when it was found wrong. What shows only by folding it
must show in a second, complete fold too, the one that would mend it: a mistake in the way of looking sets nobody aside. One that
began before terms were registered that were in force already may have been folded under other terms: it is told of, and goes on.
A worker sets only so many aside in an hour: if many accounts differ at once, it is the release that folds otherwise, and to
fence everyone would be worse than what is wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from worker import metrics
from worker.decide.state import is_current
from worker.log import get_logger
from worker.persist import PostgresStore, Terms, Violation, shard_of
from worker.persist.errors import StoreError
from worker.persist.identity import SHARDS
from worker.programs.catalogue import Catalogue
from worker.upkeep.rebuild import differs
from worker.upkeep.verify import ENTRIES, REFOLD, of_account

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


@dataclass(frozen=True, slots=True)
class _Found:
    """What is wrong with an account at a revision of it. `since`: when its first fact was recorded."""

    program: str
    revision: int
    since: datetime | None
    violations: Sequence[Violation]

    @property
    def by_fold(self) -> bool:
        """Whether all that was found hangs on how the facts were folded anew."""
        return all(violation.invariant in (REFOLD, ENTRIES) for violation in self.violations)

    def may_be_terms(self, registered: Sequence[Terms]) -> bool:
        """Whether it may be right by terms that held when it was folded: others were registered since for the time before."""
        late = [
            each.counts_since
            for each in registered
            if each.program == self.program and each.counts_since is not None and each.begins_at <= each.counts_since
        ]
        return self.by_fold and self.since is not None and any(each >= self.since for each in late)


class Sampler:
    """Looks at accounts of the shards that this worker has."""

    def __init__(
        self,
        store: PostgresStore,
        catalogue: Catalogue,
        fence: Callable[[UUID, str, int], Awaitable[bool]],
        options: SamplerOptions,
        *,
        shards: Callable[[], Collection[int]],
    ) -> None:
        """`fence`: sets an account aside for a reason, if it is at a revision. `shards`: those that are this worker's now."""
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
            found = await self._look(sorted(found))
        metrics.verify_accounts.inc(len(accounts))
        metrics.verify_seconds.inc(time.thread_time() - started)
        await self._tell(found)
        return [violation for each in found.values() for violation in each.violations]

    async def _look(self, accounts: Sequence[UUID]) -> dict[UUID, _Found]:
        """What is wrong with each; fenced ones wait for an operator, those kept otherwise are another release's."""
        programs = {code: self._catalogue.program(code) for code in self._catalogue.codes}
        found: dict[UUID, _Found] = {}
        for account in accounts:  # one at a time: between two of them the others go on
            dossiers = [each async for each in self._store.dossiers([account])]
            # After the dossier: if the account is still at that revision in the end, then both were of it.
            violations = [violation async for violation in self._store.verify([account])]
            for dossier in dossiers:
                row = dossier.row
                if row is not None and (row.fenced is not None or not is_current(row.head)):
                    continue
                # Beside the loop: folding a long life anew takes longer than the others should wait.
                violations += await asyncio.to_thread(list, of_account(dossier, programs))
                if violations:
                    code, revision = (row.program, row.revision) if row is not None else ("", 0)
                    found[account] = _Found(code, revision, min(dossier.recorded, default=None), violations)
        return found

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

    async def _tell(self, found: Mapping[UUID, _Found]) -> None:
        registered = await self._store.terms() if found else ()
        for account, each in found.items():
            first = each.violations[0].invariant
            for violation in each.violations:
                metrics.verify_findings.labels(invariant=violation.invariant).inc()
            log.error("account_is_wrong", account=str(account), invariant=first)  # the detail: `ledger verify`
            while self._fenced_at and self._fenced_at[0] < time.monotonic() - _HOUR:
                self._fenced_at.popleft()
            if each.may_be_terms(registered):
                log.error(
                    "account_not_fenced", account=str(account), why="terms of its time were registered after its first fact"
                )
            elif each.by_fold and not await self._differs(account):
                log.error("account_not_fenced", account=str(account), why="a rebuild would change nothing: the finding was wrong")
            elif len(self._fenced_at) >= self._options.fences_per_hour_max:
                log.error("account_not_fenced", account=str(account), why="the limit of fences within an hour is reached")
            elif await self._fence(account, f"found wrong: {first}", each.revision):
                self._fenced_at.append(time.monotonic())

    async def _differs(self, account: UUID) -> bool:
        """Whether a rebuild of the account as it is now would change it."""
        async for dossier in self._store.dossiers([account]):
            row = dossier.row
            if row is not None and row.program in self._catalogue.codes:
                return await asyncio.to_thread(differs, dossier, self._catalogue.program(row.program))
        return True
