"""What a batch does about orders that came more than once under their id, once the heads of their accounts were loaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.events import Event, OrderContested
from worker.decide.change import Loaded
from worker.persist.api import Batch
from worker.persist.errors import ContendedError
from worker.persist.rows import Route
from worker.processing.contests import Arrival, Contested, missing
from worker.processing.inbox import Way
from worker.processing.routing import ambiguous
from worker.processing.tasks import Task, deduplicated_of
from worker.programs.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class SharedOrders:
    """The orders of one batch: see `worker.processing.routing`.

    Asks nothing where there are none, and no head says that there were.
    """

    tasks: Sequence[Task]
    arrival: Arrival
    gone: Collection[Way]
    contested: list[Contested]

    async def look_for_others(
        self, batch: Batch, tasks: Sequence[Task], loaded: Mapping[UUID, Loaded], refused: list[Event]
    ) -> None:
        """Find what is to be withdrawn, and leave out new facts of which it shows only now that nobody can tell whose they are,
        now that heads were loaded. Raises ContendedError where it shows that a new fact belongs to somebody else too."""
        withdrawn = await batch.nameless({(task.account_id, order_id) for task in tasks for order_id in task.contested})
        suspects = [task for task in tasks if (row := loaded[task.account_id].row) is not None and row.head.contested]
        routes = await batch.routes({fact.order_id or "" for task in suspects for fact in task.facts if fact.follows})
        several = {order_id for order_id, route in routes.items() if ambiguous(route.accounts)}
        for task in tasks:
            task.withdrawn = withdrawn.get(task.account_id, ())
        for task in suspects if several else ():
            refused += (fact for fact in task.facts if _nameless(fact) and fact.order_id in several)
            task.facts = [fact for fact in task.facts if not (_nameless(fact) and fact.order_id in several)]
        for task in suspects:
            self._must_go_to_all(task, routes, loaded)

    def _must_go_to_all(self, task: Task, routes: Mapping[str, Route], loaded: Mapping[UUID, Loaded]) -> None:
        row = loaded[task.account_id].row
        assert row is not None
        following = [fact for fact in task.facts if fact.follows]
        for order_id in {fact.order_id or "" for fact in following} - task.shared.keys():
            owners = routes[order_id].accounts.get(row.program, ()) if order_id in routes else ()
            for owner in owners:
                if owner is None or owner == task.account_id or (owner, order_id) in self.gone:
                    continue
                there = next((each.facts for each in self.tasks if each.account_id == owner), ())
                names = {(fact.sent_source, fact.id, fact.type) for fact in there}
                if any((fact.sent_source, fact.id, fact.type) not in names for fact in following if fact.order_id == order_id):
                    raise ContendedError("an order was brought by somebody else too meanwhile")

    async def tell_each_other(
        self, batch: Batch, tasks: Sequence[Task], loaded: Mapping[UUID, Loaded], catalogue: Catalogue
    ) -> set[UUID]:
        """Give each account that placed an order what the others were told about it, now that heads were loaded; returns those
        that got anything, of which is not known yet what they know of it. Raises ContendedError where one of them has changed
        since."""
        sharing = [task for task in tasks if task.shared]
        for task in sharing:
            row = loaded[task.account_id].row
            revision = row.revision if row is not None else 0
            if task.revision not in (None, revision):
                raise ContendedError("an order was brought by several, and one of their accounts was changed meanwhile")
        sharing = [task for task in sharing if task.revision is None]
        kept = await batch.about({(task.account_id, order_id) for task in sharing for order_id in task.shared})
        given: set[UUID] = set()
        for shared in {(each.order_id, each.program): each for task in sharing for each in task.shared.values()}.values():
            told = {
                task.account_id: _told(task, shared.order_id, kept.get(task.account_id, ()), loaded[task.account_id])
                for task in sharing
                if task.shared.get(shared.order_id) is shared
            }
            more, contested = missing(shared, told, self.arrival)
            self.contested.extend([contested] if contested is not None else [])
            for task in sharing:
                task.facts += more.get(task.account_id, ())
            given |= {account_id for account_id, facts in more.items() if facts}
        for task in sharing:
            row = loaded[task.account_id].row
            task.revision = row.revision if row is not None else 0
            known = {each for fact in kept.get(task.account_id, ()) for each in fact.brings}
            _sort(task, self.arrival, known)
            program = task.program or (row.program if row is not None else "")
            task.asked.facts(task.facts, catalogue.program(program) if program else None)
        return given


def _sort(task: Task, arrival: Arrival, known: Collection[str | None]) -> None:
    """Put facts in the order in which they came to this account. What follows an order came with the account's own telling of it,
    if that is new (the order is not `known`); but that the order is contested, when somebody else's came."""
    brought: dict[str | None, tuple[Any, ...]] = {}
    for fact in task.facts:
        for order_id in fact.brings:
            if order_id not in known:
                came = arrival.get(fact.origin, ())
                brought[order_id] = min(came, brought.get(order_id, came))

    def key(fact: Event) -> tuple[Any, ...]:
        came, own = arrival.get(fact.origin, ()), brought.get(fact.order_id)
        waited = own and fact.follows and came < own and not isinstance(fact.data, OrderContested)
        return (own[0], 1, fact.key, 0) if own and waited else came

    task.facts.sort(key=key)


def _told(task: Task, order_id: str, kept: Sequence[Event], loaded: Loaded) -> list[Event]:
    """What an account was told of an order: what is kept, and what is new; but not what is withdrawn now."""
    withdrawn = {(fact.source, fact.id) for fact in task.withdrawn}
    fresh = [fact for fact in deduplicated_of(task, loaded.row, loaded.seen).fresh if order_id in (fact.order_id, *fact.brings)]
    return [fact for fact in (*kept, *fresh) if (fact.source, fact.id) not in withdrawn]


def _nameless(fact: Event) -> bool:
    """Whether only the order that a fact follows says of which program it is."""
    return fact.program is None and fact.follows
