"""Orders that several members, or a guest and a member, placed under one id in one program: who has to know what of the others.

The order that came first is not the right one for that: whoever knows, or guesses, the id of an order could take it. So each of
the accounts has its own order, every fact that follows orders of the id, and the fact that the order is contested
(`order.contested`, written by the worker), which the fold reads from the order's own moment on (`worker.decide.contesting`). A
command (`order.claimed`) is a fact of the member that it names; the others get it as `order.contested` with `lost`, which does
not name the member. It tells them nothing while the member named has not placed the order.

What an account gets is a function of what all of them have been told, so it is the same in whatever order all of it comes and
wherever batches end. Of races between workers: `worker.processing.routing`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from contracts.events import CONTESTED_SOURCE, TOPIC_OF, Event, OrderClaimed, OrderContested, Origin

Owner = TypeVar("Owner")
"""What names who has an order: an account's id, or a member's."""
Arrival = Mapping[Origin | None, tuple[Any, ...]]
"""The order of arrival of what is new, by where it came from: what is not in it came before."""

_CONTESTED: Final = "order.contested"


@dataclass(frozen=True, slots=True)
class Contested:
    """An order that turns out to be contested: the first of those that came under its id, and a new one (None: a guest's, which
    is not kept)."""

    program: str
    one: Event
    other: Event | None


@dataclass(frozen=True, slots=True)
class Shared:
    """An order with which more than one came under its id. `guest`: one of them is a guest's; `telling`: it is new."""

    order_id: str
    program: str
    guest: bool = False
    telling: Event | None = None


def missing(
    shared: Shared, told: Mapping[Owner, Sequence[Event]], arrival: Arrival
) -> tuple[dict[Owner, list[Event]], Contested | None]:
    """What each of those who placed an order has yet to be told, and whether the order turns out to be contested now.

    `told`: what each was told about orders of the id, kept or new, withdrawn facts left out. One that was split into an order of
    the id has placed it.
    """

    def came(event: Event) -> tuple[Any, ...]:
        return (arrival.get(event.origin, ()), event.key)

    placed = {owner: sorted((e for e in events if shared.order_id in e.brings), key=came) for owner, events in told.items()}
    found: dict[Owner, list[Event]] = {}
    new: list[Event] = []
    for owner, events in told.items():
        names = {_name(event) for event in events}
        others = sorted((each for other in placed if other != owner for each in placed[other]), key=came)
        others += [shared.telling] if shared.telling is not None else []
        if not placed[owner]:
            continue  # what it was told as the order was refused
        more = [each for each in _of_others(shared, owner, told, placed) if _name(each) not in names]
        if (others or shared.guest) and not any(_says_contested(event) for event in events):
            new.append(placed[owner][0])
            first = min(event.time for event in placed[owner])
            more.append(_contested(shared, first, others[0].origin if others else None))
        found[owner] = list({_name(each): each for each in more}.values())
    if not new:
        return found, None
    one = min((events[0] for events in placed.values() if events), key=came)
    others = [event for event in new if event is not one]
    return found, Contested(shared.program, one, max(others, key=came) if others else shared.telling)


def _of_others(
    shared: Shared, owner: Owner, told: Mapping[Owner, Sequence[Event]], placed: Mapping[Owner, Sequence[Event]]
) -> Iterable[Event]:
    """What the others were told that this one has to know."""
    for other, events in told.items():
        for event in events if other != owner else ():
            # That an order was split into one of the id is of nobody else.
            if event.follows and event.order_id == shared.order_id and not isinstance(event.data, OrderContested):
                yield event.as_sent()
            elif isinstance(event.data, OrderClaimed) and placed[other]:
                yield _lost(shared, event)


def _name(event: Event) -> tuple[str, str, str | None]:
    """What an event is known by, however an account keeps it: source and id name an event of a topic."""
    return event.sent_source, event.id, TOPIC_OF.get(event.type)


def _says_contested(event: Event) -> bool:
    return isinstance(event.data, OrderContested) and not event.data.lost


def _contested(shared: Shared, at: datetime, origin: Origin | None) -> Event:
    body = _body(order_id=shared.order_id)
    return Event.from_stored(CONTESTED_SOURCE, shared.order_id, _CONTESTED, at, shared.program, None, body, origin)


def _lost(shared: Shared, claim: Event) -> Event:
    body = _body(lost=True, order_id=shared.order_id)
    told = (claim.sent_source, claim.id, _CONTESTED, claim.time, shared.program, claim.traceparent, body, claim.origin)
    return Event.from_stored(*told)


def _body(**data: bool | str) -> bytes:
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
