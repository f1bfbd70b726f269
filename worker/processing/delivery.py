"""Deliver the events of a batch: to the account each belongs to, to those that wait for their order, or back as dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

from contracts.events import Event, OrderClaimed, OrderPlaced
from worker.persist.api import Batch
from worker.persist.identity import account_id
from worker.persist.rows import Arrival, Route
from worker.processing.ceilings import Gate
from worker.processing.contests import Shared
from worker.processing.inbox import Inbox
from worker.processing.routing import Home, awaited_by, home_of
from worker.processing.tasks import Task, contest, share
from worker.programs.catalogue import OUTSIDE, Catalogue, Refusal

CONFLICT: Final = Refusal("conflict", "id: this source and id were used for other content before", "id")
UNKNOWN_ORDER: Final = Refusal(
    "unknown_order", "data.order_id: no such order has come; send the event again after it", "data.order_id"
)


class Delivery:
    """Whose each event is. `account_key`: what account ids are derived with. `topic`: the name that a topic of the contract has
    on this cluster. `gate`: holds commands that give too much."""

    def __init__(self, catalogue: Catalogue, account_key: bytes, topic: Callable[[str], str], gate: Gate) -> None:
        self._catalogue = catalogue
        self._account_key = account_key
        self._topic = topic
        self._gate = gate

    def sort_in(self, inbox: Inbox, event: Event) -> None:
        """Put an event with those of its kind, if it can be told of which program it is."""
        program = self._catalogue.resolve(event)
        if isinstance(program, Refusal):
            self.refuse(inbox, event, program)
        elif isinstance(event.data, OrderPlaced):
            assert program is not None
            inbox.orders.append((event, program))
        elif event.member_id is not None:
            assert program is not None
            inbox.members.append((event, program))
        else:
            inbox.followers.append(event)

    async def route(self, batch: Batch, inbox: Inbox) -> dict[UUID, Task]:
        """Give every event to its account; what waits is parked, and commands above a ceiling are held."""
        tasks: dict[UUID, Task] = {}
        await self._leave_out_erased(batch, inbox)
        for event in await self._gate.judge(batch, inbox):
            self.refuse(inbox, event, CONFLICT)
        for event, program in inbox.members:
            self._assign(inbox, tasks, program, event.member_id or "", event)
        routes = await self._routes(batch, inbox)
        self._place_orders(inbox, routes, tasks)
        await self._bring(batch, inbox, routes, {event.order_id or "" for event, _ in inbox.orders})
        share(tasks, self._shared(inbox, routes), routes, inbox.gone)
        if len(self._catalogue) > 1:
            came = {*(event.order_id or "" for event, _ in inbox.orders), *(arrival.order_id for arrival in inbox.parts)}
            contest(tasks, [routes[order_id] for order_id in came], inbox.gone)
        await self._follow(batch, inbox, routes, tasks)
        return tasks

    def refuse(self, inbox: Inbox, event: Event, why: Refusal) -> None:
        """Make a dead letter of the record that an event came in."""
        inbox.refuse(event, why, self._topic)

    def _account(self, program: str, member_id: str) -> UUID:
        return account_id(self._account_key, program, member_id)

    async def _leave_out_erased(self, batch: Batch, inbox: Inbox) -> None:
        """Leave out what is told of people from before they were forgotten: it would make them known again."""
        named = [(event, self._account(program, event.member_id or "")) for event, program in inbox.members]
        ordered = [(event, self._account(program, event.member_id)) for event, program in inbox.orders if event.member_id]
        inbox.erased = await batch.erased({account for _, account in (*named, *ordered)}) if named or ordered else {}
        if not inbox.erased:
            return

        def before(event: Event, account: UUID) -> bool:
            until = inbox.erased.get(account)
            return until is not None and event.time <= until

        left_out = {event.origin for event, account in named if before(event, account)}
        inbox.members = [(event, program) for event, program in inbox.members if event.origin not in left_out]
        inbox.of_erased = {event.origin for event, account in ordered if before(event, account)}
        inbox.outcomes["erased"] += len(left_out) + len(inbox.of_erased)

    def _assign(self, inbox: Inbox, tasks: dict[UUID, Task], program: str, member_id: str, event: Event) -> None:
        account = self._account(program, member_id)
        task = tasks.get(account)
        if task is None:
            task = tasks[account] = Task(account, program, member_id)
        task.program, task.member_id = program, member_id
        task.facts.append(event)

    async def _routes(self, batch: Batch, inbox: Inbox) -> dict[str, Route]:
        """Whose all orders of the batch are. Orders that come, and those that are waited for, are claimed before anyone looks."""
        arriving = {event.order_id for event, _ in inbox.orders}
        decided = {event.order_id or "" for event, _ in inbox.members if isinstance(event.data, OrderClaimed)}
        others = [event for event in inbox.followers if event.order_id not in arriving]
        routes = await batch.routes({event.order_id or "" for event in inbox.followers})
        unknown = Route("")
        awaited = {
            order_id
            for event in others
            if self._home(routes.get(order_id := event.order_id or "", unknown), event) is None
        }
        arrivals: dict[Arrival, None] = {}
        for event, program in inbox.orders:
            data = event.data
            assert isinstance(data, OrderPlaced)
            member = data.member_id if program != OUTSIDE and event.origin not in inbox.of_erased else None
            account = self._account(program, member) if member is not None else None
            arrivals[Arrival(data.order_id, program, account)] = None
        if arrivals or awaited or decided:
            routes |= await batch.claim(list(arrivals), sorted(awaited | decided))
        return routes

    def _place_orders(self, inbox: Inbox, routes: dict[str, Route], tasks: dict[UUID, Task]) -> None:
        """Give orders to their accounts; guests' and outside orders are counted and dropped."""
        for event, program in inbox.orders:
            data = event.data
            assert isinstance(data, OrderPlaced)
            if event.origin in inbox.of_erased:
                continue
            if data.member_id is None or program == OUTSIDE:
                inbox.outcomes["dropped"] += 1
            else:
                self._assign(inbox, tasks, program, data.member_id, event)

    async def drain(self, batch: Batch, inbox: Inbox, routes: dict[str, Route], tasks: dict[UUID, Task]) -> None:
        """Give what is parked still to the accounts of orders that have come."""
        await self._bring(batch, inbox, routes, set(routes))
        share(tasks, self._shared(inbox, routes), routes, inbox.gone)
        self.send_home(inbox.waited, inbox, routes, tasks)

    async def _bring(self, batch: Batch, inbox: Inbox, routes: dict[str, Route], came: set[str]) -> None:
        """Take what had been parked for orders that came, and claim the parts of those that are split, for which more may have
        been parked: an order may have been split, and a part of it again, before it came."""
        splits = [event for event in inbox.followers if event.brings]
        while came or splits:
            awaited = awaited_by({order_id: routes[order_id].accounts for order_id in came})
            # What was parked came first: if something of this batch contradicts it, the later one is at fault.
            waited = await batch.take_parked(awaited) if awaited else []
            inbox.waited += waited
            splits += [event for event in waited if event.brings]
            homes = [(event, self._home(routes[event.order_id or ""], event)) for event in splits]
            splits = [event for event, home in homes if home is None]
            parts = dict.fromkeys(
                Arrival(part, home.program, owner)
                for event, home in homes
                if isinstance(home, Home)
                for part in event.brings
                for owner in home.owners or (None,)
            )
            if not parts:
                return
            routes |= await batch.claim(list(parts), [])
            inbox.parts += parts
            came = {arrival.order_id for arrival in parts}

    def _shared(self, inbox: Inbox, routes: dict[str, Route]) -> list[Shared]:
        """The orders that came, or were decided about, with which more than one came under its id. What is told again of somebody
        who was forgotten contests nothing: it may be the order that is there."""
        guests = {
            (event.order_id or "", program): event
            for event, program in reversed(inbox.orders)
            if event.member_id is None and program != OUTSIDE
        }
        came = [(event.order_id or "", program) for event, program in inbox.orders if event.origin not in inbox.of_erased]
        came += [(event.order_id or "", program) for event, program in inbox.members if isinstance(event.data, OrderClaimed)]
        came += [(arrival.order_id, arrival.program) for arrival in inbox.parts]
        guest_parts = {(arrival.order_id, arrival.program) for arrival in inbox.parts if arrival.account_id is None}
        found = []
        for order_id, program in dict.fromkeys(came):
            owners = routes[order_id].accounts.get(program, ())
            guest = (order_id, program) in guests or (order_id, program) in guest_parts or None in owners
            if program != OUTSIDE and len(owners) + (guest and None not in owners) > 1:
                found.append(Shared(order_id, program, guest, guests.get((order_id, program))))
        return found

    def _home(self, route: Route, event: Event) -> Home[UUID] | Refusal | None:
        return home_of(route.accounts, event.program, alone=len(self._catalogue) == 1)

    async def _follow(self, batch: Batch, inbox: Inbox, routes: dict[str, Route], tasks: dict[UUID, Task]) -> None:
        """Give events to the accounts of their orders: those that came now, and those that had been parked for an order. Others
        are parked."""
        parked = self.send_home((*inbox.waited, *inbox.followers), inbox, routes, tasks)
        if parked:
            for event in await batch.park(parked, {order_id for order_id, route in routes.items() if route.of_nobody}):
                self.refuse(inbox, event, CONFLICT)
            inbox.outcomes["parked"] += len(parked)

    def send_home(self, events: Iterable[Event], inbox: Inbox, routes: dict[str, Route], tasks: dict[UUID, Task]) -> list[Event]:
        """Give each event to the account of its order; returns those whose order has not come."""
        homeless: list[Event] = []
        for event in events:
            route = routes[event.order_id or ""]
            home = self._home(route, event)
            if home is None and self._catalogue.awaits(event):
                homeless.append(event)
            elif home is None and event.program is None and route.of_nobody:
                inbox.outcomes["dropped"] += 1
            elif home is None:
                self.refuse(inbox, event, UNKNOWN_ORDER)
            elif isinstance(home, Refusal):
                self.refuse(inbox, event, home)
            else:
                owners = [owner for owner in home.owners if (owner, route.order_id) not in inbox.gone]
                for owner in owners:
                    tasks.setdefault(owner, Task(owner, home.program)).facts.append(event)
                if not owners:
                    inbox.outcomes["dropped"] += 1
        return homeless
