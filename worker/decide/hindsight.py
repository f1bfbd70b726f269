"""Facts that a later one has us read otherwise: a delivery whose shipment is told after it is a delivery of that shipment, and a
return that is withdrawn was none.

Whoever folds has every fact from where the fold begins on. So each is read as those after it say, and one that comes later, about
something that was read without it, takes the account back to where its order came to stand.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from contracts.events import (
    Event,
    ExchangeShipped,
    ExchangeWithdrawn,
    OrderClaimed,
    OrderContested,
    PaymentFailed,
    ReturnWithdrawn,
    ShipmentDispatched,
)
from worker.decide import parts
from worker.decide.account import Account
from worker.decide.errors import NotLoaded
from worker.decide.order_records import Order
from worker.decide.state import Contest, Item, ItemKey, Moment, cause_of, clock_moment


def shipment(order_id: str, shipment_id: str) -> str:
    """The name of a shipment of an order."""
    return f"shipment:{cause_of(order_id, shipment_id)}"


def payment(order_id: str) -> str:
    """The name of the payment of an order."""
    return f"payment:{cause_of(order_id, '')}"


def of_return(order_id: str, return_id: str) -> str:
    """The name of a return of an order."""
    return f"return:{cause_of(order_id, return_id)}"


def of_exchange(order_id: str, exchange_id: str) -> str:
    """The name of an exchange of an order."""
    return f"exchange:{cause_of(order_id, exchange_id)}"


def contest(order_id: str) -> str:
    """The name of the question whose an order is."""
    return f"contest:{cause_of(order_id, '')}"


PAYMENT: Final = "payment"
"""The name under which an order keeps that its payment was undone."""


def undone(kind: str, id_: str) -> str:
    """The name under which an order keeps that a return or an exchange was undone."""
    return f"{kind}:{id_}"


def counted(kind: str, how: str, id_: str) -> str:
    """The name under which an order keeps that (the request of) a return or an exchange counts."""
    return f"{kind}.{how}:{id_}"


def sent(shipment_id: str) -> str:
    """The name under which an order keeps that a shipment has left."""
    return f"dispatched:{shipment_id}"


def arrived(shipment_id: str) -> str:
    """The name under which an order keeps that (some of) a shipment has arrived."""
    return f"delivered:{shipment_id}"


def _of_dispatch(data: ShipmentDispatched) -> str | None:
    return None if data.shipment_id is None else shipment(data.order_id, data.shipment_id)


# By the data's type: of what it may turn how earlier facts are read.
_TURNS: Final[Mapping[type[Any], Callable[[Any], str | None]]] = {
    ShipmentDispatched: _of_dispatch,
    PaymentFailed: lambda data: payment(data.order_id),
    ReturnWithdrawn: lambda data: of_return(data.order_id, data.return_id),
    ExchangeWithdrawn: lambda data: of_exchange(data.order_id, data.exchange_id),
    ExchangeShipped: lambda data: of_exchange(data.order_id, data.exchange_id),
    OrderContested: lambda data: contest(data.order_id),
    OrderClaimed: lambda data: contest(data.order_id),
}


def turning(facts: Iterable[Event]) -> dict[str, list[Event]]:
    """Facts that may turn how others are read, by what they are about, in their order."""
    found: dict[str, list[Event]] = {}
    for fact in facts:
        of = _TURNS.get(type(fact.data))
        thing = None if of is None else of(fact.data)
        if thing is not None:
            found.setdefault(thing, []).append(fact)
    return found


def after(account: Account, thing: str) -> list[Event]:
    """Facts about a thing that come after the one in hand, in their order."""
    event = account.event
    assert event is not None
    return [each for each in account.turning.get(thing, ()) if each.key > event.key]


def add(account: Account, facts: Collection[Event]) -> None:
    """Have facts known that are folded now although they were told for an earlier time."""
    more = turning(facts)
    known = account.turning
    account.turning = {
        thing: sorted((*known.get(thing, ()), *more.get(thing, ())), key=lambda fact: fact.key) for thing in {**known, **more}
    }


def back_to(new: Iterable[Event], withdrawn: Iterable[Event], items: Mapping[ItemKey, Item]) -> Moment | None:
    """From where the account is to be folded again, because new facts turn how others were read, or facts that did so count no
    more; None: from nowhere. Raises NotLoaded for the order of a part."""
    found: Moment | None = None
    for fact, gone in (*((each, False) for each in new), *((each, True) for each in withdrawn)):
        if isinstance(fact.data, OrderContested | OrderClaimed):
            known = items.get(("contest", fact.data.order_id))
            if isinstance(known, Contest) and known.contested:
                began = clock_moment(known.since)
                found = began if found is None else min(found, began)
        elif type(fact.data) in _TURNS:
            order = _order_of(fact, items)
            if isinstance(order, Order) and order.placed_at <= fact.time and (gone or _turned(order, fact.data)):
                stood = clock_moment(order.placed_at)
                found = stood if found is None else min(found, stood)
    return found


def _order_of(fact: Event, items: Mapping[ItemKey, Item]) -> Item | None:
    """The order that a fact is about, or of a part of which it is."""
    named = items.get(("order", fact.order_id or ""))
    if not isinstance(named, Order) or named.part_of is None:
        return named
    key: ItemKey = ("order", named.part_of)
    if key not in items:
        raise NotLoaded(items=(key,))
    return items[key]


def _turned(order: Order, data: Any) -> bool:
    """Whether a new fact has something of an order read otherwise."""
    if isinstance(data, ShipmentDispatched):
        return data.shipment_id is not None and arrived(parts.own(order, data.order_id, data.shipment_id)) in order.told
    if isinstance(data, PaymentFailed):
        return order.payment.paid_at is not None or any(each.paid for each in parts.under(order, data.order_id))
    if isinstance(data, ReturnWithdrawn):
        return _has_counted("return", order, parts.own(order, data.order_id, data.return_id))
    if not isinstance(data, ExchangeWithdrawn | ExchangeShipped):
        return False
    exchange_id = parts.own(order, data.order_id, data.exchange_id)
    if isinstance(data, ExchangeWithdrawn):
        return _has_counted("exchange", order, exchange_id)
    # A replacement that left before its exchange was withdrawn.
    return undone("exchange", exchange_id) in order.told


def _has_counted(kind: str, order: Order, id_: str) -> bool:
    return counted(kind, "requested", id_) in order.told or counted(kind, "received", id_) in order.told
