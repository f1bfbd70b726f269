"""Which account an order belongs to, and events that wait for their order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from contracts.events import CONTESTED_SOURCE, TOPIC_OF, Event
from worker.persist.accounts import columns
from worker.persist.chain import NO_ORIGIN
from worker.persist.encoding import Row, event_of
from worker.persist.link import Link
from worker.persist.rows import Arrival, ParkedSince, Route


async def routes(link: Link, order_ids: Iterable[str]) -> dict[str, Route]:
    """Routes of the orders that anything is known about; the others are left out."""
    wanted = sorted(set(order_ids))
    if not wanted:
        return {}
    return {row["order_id"]: route_of(row) for row in await link.fetch("routes", wanted)}


async def claim(link: Link, arrivals: Sequence[Arrival], awaited: Iterable[str]) -> dict[str, Route]:
    """One statement locks and writes, the next reads: by then nobody else can change these rows."""
    waves = _waves(arrivals, set(awaited))
    for wave in waves:
        await link.execute("claim", *columns(wave))
    return await routes(link, (row[0] for wave in waves for row in wave))


def _waves(arrivals: Sequence[Arrival], awaited: set[str]) -> list[list[tuple[str, bool, str, UUID | None]]]:
    """Rows to claim, in waves that each name an order once. One wave, unless an order id came for two programs or accounts at
    once."""
    waves: list[dict[str, tuple[str, bool, str, UUID | None]]] = [{}]
    for arrival in arrivals:
        row = (arrival.order_id, True, arrival.program, arrival.account_id)
        for wave in waves:
            if arrival.order_id not in wave:
                wave[arrival.order_id] = row
                break
            if wave[arrival.order_id] == row:
                break
        else:
            waves.append({arrival.order_id: row})
    for order_id in awaited - waves[0].keys():
        waves[0][order_id] = (order_id, False, "", None)
    return [[wave[order_id] for order_id in sorted(wave)] for wave in waves if wave]


async def nameless(link: Link, orders: Iterable[tuple[UUID, str]]) -> dict[UUID, list[Event]]:
    """Facts of accounts that follow these (account, order) and name no program, in business order; not those withdrawn."""
    wanted = sorted(set(orders))
    found: dict[UUID, list[Event]] = {}
    for row in await link.fetch("nameless", *columns(wanted)) if wanted else ():
        event = event_of(row)
        if event.follows:
            found.setdefault(row["account_id"], []).append(event)
    return found


async def about(link: Link, orders: Iterable[tuple[UUID, str]]) -> dict[UUID, list[Event]]:
    """Facts of accounts that name these (account, order) and were not withdrawn, in business order."""
    wanted = sorted(set(orders))
    found: dict[UUID, list[Event]] = {}
    for row in await link.fetch("about", *columns(wanted)) if wanted else ():
        found.setdefault(row["account_id"], []).append(event_of(row))
    return found


async def park(link: Link, events: Sequence[Event], outside: Collection[str]) -> list[Event]:
    """Keeps events until their order comes; returns those that contradict an event parked under the same identity, which is that
    of an event of a topic.

    `outside`: orders known outside every program alone; what follows them and names no program is set aside.
    """
    first: dict[tuple[str, str, str], Event] = {}
    for event in events:
        if event.order_id is None:
            raise ValueError(f"{event.type} names no order that it could wait for")
        first.setdefault((event.order_id, event.source, event.id), event)
    if not first:
        return []
    rows = [
        (
            *(*key, e.type, e.time, e.program, e.digest, e.body, e.traceparent, *(e.origin or NO_ORIGIN)),
            e.program is None and e.order_id in outside,
        )
        for key, e in sorted(first.items(), key=lambda item: item[0])
    ]
    stands = {key: (event.digest, event.type) for key, event in first.items()}
    new = {(row["order_id"], row["source"], row["id"]) for row in await link.fetch("park", *columns(rows))}
    if before := [key for key in first if key not in new]:
        for row in await link.fetch("parked_digests", *columns(before)):
            stands[row["order_id"], row["source"], row["id"]] = (row["digest"], row["type"])
    # Every record by itself: one that was told twice in the batch contradicts what stands twice.
    others = [(event, stands[event.order_id or "", event.source, event.id]) for event in events]
    others = [(event, stood) for event, stood in others if event.digest != stood[0]]
    contradicting = [event for event, (_, type_) in others if TOPIC_OF.get(type_) == TOPIC_OF.get(event.type)]
    apart = [event.apart() for event, (_, type_) in others if TOPIC_OF.get(type_) != TOPIC_OF.get(event.type)]
    return [*contradicting, *(event.as_sent() for event in await park(link, apart, outside))]


async def take_parked(link: Link, orders: Iterable[tuple[str, str]]) -> list[Event]:
    """Takes out what waited for these orders (order, program), in business order."""
    wanted = sorted(set(orders))
    if not wanted:
        return []
    rows = await link.fetch("take_parked", *columns(wanted))
    return sorted((event_of(row).as_sent() for row in rows), key=lambda event: event.key)


async def drainable(link: Link, limit: int) -> list[Route]:
    """Routes of orders that have come although something still waits for them."""
    return [route_of(row) for row in await link.fetch("drainable", limit)]


async def let_go(link: Link, before: datetime, limit: int) -> int:
    """Removes what has followed nothing but orders outside every program since before an instant; returns how many events."""
    rows = await link.fetch("followers_of_none", before, limit)
    return await link.execute("drop_parked", *columns([tuple(row) for row in rows])) if rows else 0


async def parked_since(link: Link, before: datetime, limit: int) -> list[ParkedSince]:
    """Orders waited for since before an instant, the longest first."""
    rows = await link.fetch("parked_since", before, limit)
    return [ParkedSince(row["order_id"], row["events"], row["oldest_at"]) for row in rows]


async def contested(link: Link, limit: int) -> list[str]:
    """Orders that several placed, of which no command has said whose they are."""
    return [row["order_id"] for row in await link.fetch("contested", CONTESTED_SOURCE, limit)]


def route_of(row: Row) -> Route:
    accounts: dict[str, tuple[UUID | None, ...]] = {}
    for program, account_id in zip(row["programs"], row["account_ids"], strict=True):
        accounts[program] = (*accounts.get(program, ()), account_id)
    return Route(row["order_id"], accounts)
