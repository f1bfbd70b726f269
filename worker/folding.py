"""Fold accounts within one transaction: load, decide, win the heads, write.

The first guess of what to load is nearly always right. Accounts for which it was not, or whose facts come late, are loaded again
with what the fold asked for, all of them in one go; accounts whose head another worker changed meanwhile are folded anew, and
cannot lose a second time, for the lost race left them locked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from contracts.events import Event, OrderPlaced
from worker import metrics
from worker.catalogue import Catalogue
from worker.decide.account import Defect, NotLoaded
from worker.decide.change import AccountChange, History, Loaded, Wanted
from worker.decide.needs import Needs, needs
from worker.decide.orders import content_of
from worker.decide.refold import Clock, Late, change_account
from worker.decide.state import Head, Moment, Order
from worker.log import get_logger
from worker.persist.api import Batch

log = get_logger(__name__)

ROUNDS_MAX = 12
"""Every round loads what the one before found missing; more than this is a defect."""


@dataclass(slots=True)
class Task:
    """One account of a batch: whose it is, its incoming facts, and what was learned about loading it."""

    account_id: UUID
    program: str = ""
    member_id: str = ""
    facts: list[Event] = field(default_factory=list)
    needs: Needs = field(default_factory=Needs)
    since: Moment | None = None

    def wanted(self) -> Wanted:
        """What to load."""
        return Wanted(
            account_id=self.account_id,
            seen=tuple((fact.source, fact.id) for fact in self.facts),
            items=tuple(sorted(self.needs.items)),
            origins=tuple(sorted(self.needs.origins)),
            wide=self.needs.wide,
        )


@dataclass(slots=True)
class Folded:
    """What became of a batch's accounts: changes whose heads were won, and facts that were not applied, with the reason."""

    changes: list[AccountChange] = field(default_factory=list)
    duplicates: list[Event] = field(default_factory=list)
    conflicts: list[tuple[Event, str, str]] = field(default_factory=list)
    late: int = 0
    applied: int = 0


class Folding:
    """Folds tasks under one clock. `on_defect` is told of accounts whose fold failed."""

    def __init__(self, catalogue: Catalogue, epoch: int, on_defect: Callable[[UUID, str], None]) -> None:
        self._catalogue = catalogue
        self._epoch = epoch
        self._on_defect = on_defect

    async def fold(self, batch: Batch, tasks: Sequence[Task], clock: Clock) -> Folded:
        """Fold and win all of them; the caller writes the changes."""
        folded = Folded()
        open_tasks = list(tasks)
        for attempt in range(2):
            changes = await self._round(batch, open_tasks, clock, folded, first=attempt == 0)
            won = await batch.win(changes) if changes else set()
            folded.changes.extend(change for change in changes if change.account_id in won)
            lost = {change.account_id for change in changes} - won
            if not lost:
                return folded
            metrics.commit_retries.labels(why="head").inc(len(lost))
            open_tasks = [task for task in open_tasks if task.account_id in lost]
        raise RuntimeError(f"{len(open_tasks)} accounts were lost twice, although they were locked")

    async def _round(
        self, batch: Batch, tasks: Sequence[Task], clock: Clock, folded: Folded, *, first: bool
    ) -> list[AccountChange]:
        """Load and fold until every task has what it needs."""
        changes: list[AccountChange] = []
        left = list(tasks)
        for task in left:
            task.needs = _joined(task.needs, needs(task.facts))
        for number in range(ROUNDS_MAX):
            names = {task.account_id: (task.program, task.member_id) for task in left if task.member_id}
            loaded = await batch.load([task.wanted() for task in left], names)
            histories = await batch.history({task.account_id: task.since for task in left if task.since is not None})
            again: list[Task] = []
            for task in left:
                at_hand = loaded[task.account_id]
                if first and number == 0:
                    _sift(task, at_hand, folded)
                try:
                    change = self._change(task, at_hand, histories.get(task.account_id), clock, folded)
                except NotLoaded as missing:
                    task.needs = _joined(task.needs, Needs(set(missing.items), set(missing.origins), missing.wide))
                    again.append(task)
                except Late as late:
                    task.since = late.since
                    again.append(task)
                else:
                    if change is not None:
                        changes.append(change)
            if not again:
                return changes
            left = again
            for task in left:
                if task.since is not None:
                    task.needs.wide = True
        raise RuntimeError(f"{len(left)} accounts still ask for rows after {ROUNDS_MAX} rounds")

    def _change(self, task: Task, loaded: Loaded, history: History | None, clock: Clock, folded: Folded) -> AccountChange | None:
        row = loaded.row
        if row is None and not task.facts:
            return None
        program = self._catalogue.program(task.program or (row.program if row is not None else ""))
        member_id = task.member_id or (row.member_id if row is not None else "")
        if row is not None and row.fenced is not None:
            return _kept_for_later(task, loaded, program.code, member_id, row.fenced, self._epoch) if task.facts else None
        if history is not None:
            more = needs(history.facts)
            if not (more.items <= task.needs.items and more.origins <= task.needs.origins):
                task.needs = _joined(task.needs, more)
                raise NotLoaded
        try:
            change = change_account(
                program, task.account_id, member_id, loaded, task.needs, task.facts, clock, history, epoch=self._epoch
            )
        except Defect as defect:
            why = str(defect)
            self._on_defect(task.account_id, why)
            log.error("account_fenced", account=str(task.account_id), program=program.code, why=why)
            metrics.accounts_fenced.inc()
            return _kept_for_later(task, loaded, program.code, member_id, why, self._epoch)
        folded.late += len(task.facts) if history is not None else 0
        folded.applied += len(task.facts)
        return change


def _joined(one: Needs, other: Needs) -> Needs:
    return Needs(one.items | other.items, one.origins | other.origins, one.wide or other.wide)


def _kept_for_later(task: Task, loaded: Loaded, program: str, member_id: str, why: str, epoch: int) -> AccountChange:
    """A fenced account takes its facts, so that nothing is lost, and nothing else until it is rebuilt."""
    row = loaded.row
    return AccountChange(
        account_id=task.account_id,
        program=program,
        member_id=member_id,
        expected_revision=row.revision if row is not None else 0,
        version=row.version if row is not None else 0,
        epoch=row.epoch if row is not None else epoch,
        head=row.head if row is not None else Head(),
        facts=list(task.facts),
        fenced=why,
    )


def _sift(task: Task, loaded: Loaded, folded: Folded) -> None:
    """Leave out what is known already, and what contradicts it."""
    fresh: dict[tuple[str, str], Event] = {}
    orders: dict[str, Event] = {}
    for fact in task.facts:
        key = (fact.source, fact.id)
        known = loaded.seen.get(key) or (fresh[key].digest if key in fresh else None)
        if known is not None:
            if known == fact.digest:
                folded.duplicates.append(fact)
            else:
                folded.conflicts.append((fact, "conflict", "id: this source and id were used for other content before"))
            continue
        if isinstance(fact.data, OrderPlaced):
            verdict = _same_order(fact, loaded, orders)
            if verdict is not None:
                if verdict:
                    folded.duplicates.append(fact)
                else:
                    detail = "data.order_id: the order was placed before with other content; the first stands"
                    folded.conflicts.append((fact, "order_conflict", detail))
                continue
            orders[fact.data.order_id] = fact
        fresh[key] = fact
    task.facts = list(fresh.values())


def _same_order(fact: Event, loaded: Loaded, orders: dict[str, Event]) -> bool | None:
    """Whether an order under this id stands already: True with the same content, False with other, None if none does.

    One whose redemption may still be refused does not stand yet: sent again, it is a fact, and the fold says which one counts.
    Otherwise it would depend on the cut of the batches whether an order that was sent again after a rejection is taken.
    """
    assert isinstance(fact.data, OrderPlaced)
    order_id = fact.data.order_id
    if order_id in orders:
        first = orders[order_id]
        return None if _asks(first) else first.body == fact.body
    known = loaded.items.get(("order", order_id))
    if not isinstance(known, Order) or known.status in ("rejected", "waiting"):
        return None
    return known.content == content_of(fact.body)


def _asks(fact: Event) -> bool:
    """Whether an order wants to use points, so that it may be rejected."""
    data = fact.data
    return isinstance(data, OrderPlaced) and (bool(data.points_used) or data.use_all_points or data.redemption_id is not None)


def unique(tasks: Iterable[Task]) -> list[Task]:
    """Tasks by account id: the order in which rows are locked everywhere."""
    return sorted(tasks, key=lambda task: task.account_id)
