"""Accounts of a batch: what is to be folded into each, and the orders that several of them have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from msgspec import Struct, field

from contracts.events import Event
from worker.decide.change import AccountRow, Loaded, Wanted, nameless
from worker.decide.deduplication import Deduplicated, apart, deduplicate
from worker.decide.load_request import LoadRequest
from worker.persist.rows import Route
from worker.processing.contests import Shared
from worker.processing.inbox import Way
from worker.processing.routing import ambiguous


class Task(Struct):
    """One account of a batch: whose it is, its incoming facts (deduplicated when it was loaded last), and what to load of it.

    `contested`: orders of the account whose id another program uses too; `withdrawn`: facts that followed them and count no more.
    `shared`: orders of the account that others placed too; `revision`: at which the account was when it was told of the others.
    `fence`: why the account is to be fenced and not folded
    (None: it is folded). `rehearsed`: nothing of it will be kept.
    """

    account_id: UUID
    program: str = ""
    member_id: str = ""
    facts: list[Event] = field(default_factory=list)
    asked: LoadRequest = field(default_factory=LoadRequest)
    contested: set[str] = field(default_factory=set)
    withdrawn: Sequence[Event] = ()
    shared: dict[str, Shared] = field(default_factory=dict)
    revision: int | None = None
    fence: str | None = None
    rehearsed: bool = False
    deduplicated: Deduplicated = field(default_factory=Deduplicated)

    def parted(self, loaded: Loaded) -> bool:
        """Keep apart what another topic's event has the name of; whether anything was renamed, and so has to be looked for."""
        facts = apart(self.facts, loaded.seen_types)
        renamed = facts is not self.facts
        self.facts = list(facts) if renamed else self.facts
        return renamed

    def wanted(self) -> Wanted:
        """What to load."""
        return Wanted(
            account_id=self.account_id,
            seen=tuple((fact.source, fact.id) for fact in self.facts),
            needs=self.asked.needs,
        )


def deduplicated_of(task: Task, row: AccountRow | None, seen: Mapping[tuple[str, str], bytes]) -> Deduplicated:
    """The task's facts by what is to become of them."""
    deduplicated = deduplicate(task.facts, seen, nameless=row is not None and row.member_id == nameless(task.account_id))
    deduplicated.fresh = kept_of(deduplicated.fresh, row)
    return deduplicated


def kept_of(facts: Sequence[Event], row: AccountRow | None) -> list[Event]:
    """Facts as they are kept: those of an account whose person was forgotten name nobody either."""
    forgotten = row is not None and row.member_id == nameless(row.account_id)
    return [fact.without_person() for fact in facts] if forgotten else list(facts)


def contest(tasks: dict[UUID, Task], routes: Iterable[Route], gone: Collection[Way]) -> None:
    """Have accounts withdraw what named no program and followed orders of theirs, where several programs have an order of the id.
    `routes`: of orders that came; `gone`: of these, what leads to accounts that were erased."""
    for route in routes:
        for program, accounts in route.accounts.items() if ambiguous(route.accounts) else ():
            for account in accounts:
                if account is not None and (account, route.order_id) not in gone:
                    tasks.setdefault(account, Task(account, program)).contested.add(route.order_id)


def share(tasks: dict[UUID, Task], orders: Iterable[Shared], routes: Mapping[str, Route], gone: Collection[Way]) -> None:
    """Have all who placed an order be told of each other. `orders`: with which more than one came; `gone`: as above."""
    for shared in orders:
        for account in routes[shared.order_id].accounts[shared.program]:
            if account is not None and (account, shared.order_id) not in gone:
                tasks.setdefault(account, Task(account, shared.program)).shared[shared.order_id] = shared


def unique(tasks: Iterable[Task]) -> list[Task]:
    """Tasks by account id: the order in which rows are locked everywhere."""
    return sorted(tasks, key=lambda task: task.account_id)
