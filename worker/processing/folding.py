"""Fold accounts within one transaction: load, decide, compare and set the heads, write.

The first guess of what to load is nearly always right. Accounts for which it was not, or whose facts come late, are loaded again
with what the fold asked for, all of them in one go; accounts whose head another worker changed meanwhile are folded anew, and
cannot lose a second time, for the lost race left them locked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct, field
from msgspec.structs import replace

from contracts.counting import counted
from contracts.events import Event
from worker import metrics
from worker.decide.arrivals import change_by
from worker.decide.change import AccountChange, AccountRow, History, Loaded, Wanted
from worker.decide.errors import Defect, Late, NotLoaded
from worker.decide.fold import defect_of
from worker.decide.needs import ROUNDS_MAX
from worker.decide.rebuild import BEGINNING
from worker.decide.refold import Clock, compute_change
from worker.decide.state import Decision, Moment, blank, withdrawal
from worker.log import get_logger
from worker.persist.api import Batch
from worker.persist.errors import ContendedError
from worker.persist.rows import Dossier
from worker.processing.contests import Arrival, Contested
from worker.processing.erasures import look_again
from worker.processing.folding_anew import folded_anew, in_other_form, must_not_move
from worker.processing.inbox import Way
from worker.processing.shared_orders import SharedOrders
from worker.processing.tasks import Task, deduplicated_of, kept_of
from worker.programs.catalogue import Catalogue

log = get_logger(__name__)

AT_ONCE_FACTS: Final = 128
"""After so many facts were folded, others get their turn, the relay and the probes among them: every 10 ms or so."""


class Folded(Struct):
    """What became of a batch's accounts: changes whose heads were won, and facts that were not applied, with the reason.

    `withdrawn`: facts that had been applied, and new ones, of which it shows only now that it cannot be told whose they are.
    `contested`: orders of which it shows now that somebody else placed them too.
    """

    changes: list[AccountChange] = field(default_factory=list)
    duplicates: list[Event] = field(default_factory=list)
    conflicts: list[Event] = field(default_factory=list)
    withdrawn: list[Event] = field(default_factory=list)
    contested: list[Contested] = field(default_factory=list)
    late: int = 0
    applied: int = 0


class Folding:
    """Folds tasks under one clock."""

    def __init__(self, catalogue: Catalogue, epoch: int) -> None:
        self._catalogue = catalogue
        self._epoch = epoch

    async def fold(
        self, batch: Batch, tasks: Sequence[Task], clock: Clock, arrival: Arrival = {}, gone: Collection[Way] = ()  # noqa: B006
    ) -> Folded:
        """Fold all of them and compare and set their revisions; the caller writes the changes.

        `arrival`: the order in which facts came; `gone`: orders that lead to accounts which were erased. Raises ContendedError
        where somebody else has changed one of several accounts that placed an order.
        """
        changes: list[AccountChange] = []
        refused: list[Event] = []
        contested: list[Contested] = []
        open_tasks = list(tasks)
        for _ in range(2):
            tried = await self._round(batch, open_tasks, clock, refused, SharedOrders(tasks, arrival, gone, contested))
            won = await batch.compare_and_set(tried) if tried else set()
            changes.extend(change for change in tried if change.account_id in won)
            lost = {change.account_id for change in tried} - won
            if not lost:
                return _folded(tasks, changes, refused, contested)
            if any(task.shared for task in open_tasks if task.account_id in lost):
                raise ContendedError("an order was brought by several, and one of their accounts was changed meanwhile")
            metrics.commit_retries.labels(why="head").inc(len(lost))
            open_tasks = [task for task in open_tasks if task.account_id in lost]
        raise RuntimeError(f"{counted(len(open_tasks), 'account was', 'accounts were')} lost twice, although locked")

    async def fence(self, batch: Batch, account_id: UUID, why: str, revision: int | None = None) -> list[AccountChange]:
        """Fence an account that cannot be written; the caller writes the changes that it gets (none: it is gone on)."""
        loaded = (await batch.load([Wanted(account_id)], {}))[account_id]
        if loaded.row is None or loaded.row.fenced is not None or revision not in (None, loaded.row.revision):
            return []
        change = self._kept_for_later(Task(account_id), loaded, loaded.row.program, loaded.row.member_id, why)
        return [change] if await batch.compare_and_set([change]) else []

    async def _round(
        self, batch: Batch, tasks: Sequence[Task], clock: Clock, refused: list[Event], orders: SharedOrders
    ) -> list[AccountChange]:
        """Load and fold until every task has what it needs. `refused` gets facts that cannot be told whose they are."""
        changes: list[AccountChange] = []
        left = list(tasks)
        for task in left:
            program = self._catalogue.program(task.program) if task.program else None
            task.asked.facts(task.facts, program)
        for number in range(1, ROUNDS_MAX + 1):
            names = {task.account_id: (task.program, task.member_id) for task in left if task.member_id}
            loaded = await batch.load([task.wanted() for task in left], names)
            histories = await batch.history({task.account_id: task.asked.since for task in left if task.asked.since is not None})
            whole = await self._other_forms(batch, loaded)
            await _look_for_erasures(batch, left, loaded)
            await orders.look_for_others(batch, left, loaded, refused)
            given = await orders.tell_each_other(batch, left, loaded, self._catalogue)
            given |= {task.account_id for task in left if task.parted(loaded[task.account_id])}
            again = [task for task in left if task.account_id in given]
            at_once = 0
            for task in (each for each in left if each.account_id not in given):
                at_once += max(len(task.facts), 1)
                if at_once > AT_ONCE_FACTS:
                    await asyncio.sleep(0)
                    at_once = 0
                at_hand = loaded[task.account_id]
                if task.account_id in whole:
                    changes.append(_contesting(task, self._anew(task, whole[task.account_id], at_hand, clock)))
                    continue
                # At every load: another worker may have brought the same fact meanwhile.
                task.deduplicated = deduplicated_of(task, at_hand.row, at_hand.seen)
                try:
                    change = self._change(task, at_hand, histories.get(task.account_id), clock, last=number == ROUNDS_MAX)
                except (NotLoaded, Late) as raised:
                    task.asked.more(raised)
                    again.append(task)
                else:
                    if change is not None:
                        changes.append(_contesting(task, change))
            if not again:
                return changes
            left = again
        raise AssertionError("the last round fences whoever still asks")

    @staticmethod
    async def _other_forms(batch: Batch, loaded: Mapping[UUID, Loaded]) -> dict[UUID, Dossier]:
        """All that is kept of the accounts which are kept in another form."""
        other = [account_id for account_id, each in loaded.items() if in_other_form(each.row)]
        # Read anew: another worker may just have brought one into the form of this release, or fenced it.
        return {each.account_id: each for each in (await batch.dossiers(other) if other else ()) if in_other_form(each.row)}

    def _anew(self, task: Task, dossier: Dossier, loaded: Loaded, clock: Clock) -> AccountChange:
        """An account that another release kept: folded from its facts, and then from them and what is new; fenced, if that alone
        would move numbers."""
        row = dossier.row
        assert row is not None
        program = self._catalogue.program(row.program)
        # Whatever becomes of it, what is new is kept.
        task.deduplicated = deduplicated_of(task, row, loaded.seen)
        try:
            _must_be_folded(task)
            must_not_move(dossier, program, clock)
            change = folded_anew(dossier, program, clock, self._epoch, withdrawn=task.withdrawn)

            def fold(fresh: Sequence[Event], announced: Sequence[Decision], after: Moment | None) -> AccountChange:
                fresh = kept_of(fresh, row)
                return folded_anew(dossier, program, clock, self._epoch, fresh, announced, after, withdrawn=task.withdrawn)

            change = change_by(task.deduplicated.fresh, change.head, clock, BEGINNING, fold) or change
        except Defect as defect:
            return self._kept_for_later(task, Loaded(row, seen=loaded.seen), row.program, row.member_id, str(defect))
        return change

    def _change(self, task: Task, loaded: Loaded, history: History | None, clock: Clock, *, last: bool) -> AccountChange | None:
        row, deduplicated = loaded.row, task.deduplicated
        if row is None and not deduplicated.fresh:
            return None
        program = self._catalogue.program(task.program or (row.program if row is not None else ""))
        member_id = task.member_id or (row.member_id if row is not None else "")
        if row is not None and row.fenced is not None:
            changes = deduplicated.fresh or task.contested or task.shared
            return self._kept_for_later(task, loaded, program.code, member_id, row.fenced) if changes else None
        try:
            _must_be_folded(task)
            _must_be_readable(loaded, history)
            if history is not None and task.asked.facts(history.facts, program):
                raise NotLoaded

            def fold(fresh: Sequence[Event], announced: Sequence[Decision], after: Moment | None) -> AccountChange | None:
                given = (program, task.account_id, member_id, loaded, kept_of(fresh, row), clock, history)
                return compute_change(
                    *given, announced=announced, after=after, withdrawn=task.withdrawn, epoch=self._epoch
                )

            since = history.since if history is not None else None
            change = change_by(deduplicated.fresh, row.head if row is not None else blank(), clock, since, fold)
            touched = change is None and row is not None and (task.contested or task.shared)
            return _touched(row, self._epoch) if touched and row is not None else change
        except (NotLoaded, Late):
            if not last:
                raise
            defect = Defect(f"still asks for rows after {ROUNDS_MAX} loads")
        except Defect as found:
            defect = found
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever one account makes us do wrong, everyone else goes on
            defect = defect_of(error, "posting")
        return self._kept_for_later(task, loaded, program.code, member_id, str(defect))

    def _kept_for_later(self, task: Task, loaded: Loaded, program: str, member_id: str, why: str) -> AccountChange:
        """A fenced account takes its facts, so that nothing is lost, and nothing else until it is rebuilt."""
        row = loaded.row
        if (row is None or row.fenced is None) and not task.rehearsed:
            log.error("account_fenced", account=str(task.account_id), program=program, why=why)
            metrics.accounts_fenced.inc()
        return AccountChange(
            account_id=task.account_id,
            program=program,
            member_id=member_id,
            expected_revision=row.revision if row is not None else 0,
            version=row.version if row is not None else 0,
            epoch=max(row.epoch, self._epoch) if row is not None else self._epoch,
            head=row.head if row is not None else blank(),
            facts=list(task.deduplicated.fresh),
            decisions=[withdrawal(fact.source, fact.id) for fact in task.withdrawn],
            fenced=why,
        )


async def _look_for_erasures(batch: Batch, tasks: Sequence[Task], loaded: Mapping[UUID, Loaded]) -> None:
    """Fail where the batch looked for whose its facts are before an account was erased: see `worker.processing.erasures`."""
    fresh = {
        task.account_id: [fact for fact in task.facts if (fact.source, fact.id) not in loaded[task.account_id].seen]
        for task in tasks
    }
    await look_again(batch, fresh, loaded, {task.account_id for task in tasks if task.member_id})


def _contesting(task: Task, change: AccountChange) -> AccountChange:
    """A change that says so where an order of the account is contested."""
    if task.contested or task.shared:
        change.head = replace(change.head, contested=True)
    return change


def _must_be_folded(task: Task) -> None:
    """Raises Defect for an account that is to be fenced."""
    if task.fence is not None:
        raise Defect(task.fence)


def _must_be_readable(loaded: Loaded, history: History | None) -> None:
    """Raises Defect if a row of the account cannot be read."""
    why = loaded.unreadable or (history.unreadable if history is not None else None)
    if why is not None:
        raise Defect(f"there is {why}")


def _touched(row: AccountRow, epoch: int) -> AccountChange:
    """An account in which nothing changes but that whoever has loaded it before has to load it again."""
    return AccountChange(row.account_id, row.program, row.member_id, row.revision, row.version, max(row.epoch, epoch), row.head)


def _folded(
    tasks: Iterable[Task], changes: list[AccountChange], refused: Iterable[Event], contested: list[Contested]
) -> Folded:
    return Folded(
        changes,
        duplicates=[event for task in tasks for event in task.deduplicated.duplicates],
        conflicts=[conflict for task in tasks for conflict in task.deduplicated.conflicts],
        withdrawn=[*refused, *(event for task in tasks for event in task.withdrawn)],
        contested=contested,
        late=sum(change.late for change in changes),
        applied=sum(len(change.facts) for change in changes if change.fenced is None),
    )
