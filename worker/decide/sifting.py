"""Which of an account's incoming facts are new: what is known already is left out, and what contradicts it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from contracts.events import Event, OrderPlaced
from worker.decide.orders import content_of
from worker.decide.state import Item, ItemKey, Order


@dataclass(slots=True)
class Sifted:
    """Facts by what is to become of them: `fresh` ones are folded, `conflicts` are refused, with the reason and a detail."""

    fresh: list[Event] = field(default_factory=list)
    duplicates: list[Event] = field(default_factory=list)
    conflicts: list[tuple[Event, str, str]] = field(default_factory=list)


def sift(facts: Iterable[Event], seen: Mapping[tuple[str, str], bytes], items: Mapping[ItemKey, Item]) -> Sifted:
    """Sift facts of one account in the order in which they came.

    `seen`: digests of those that are known, by source and id. `items`: rows of the account, with every order that is placed.
    """
    sifted = Sifted()
    fresh: dict[tuple[str, str], bytes] = {}
    orders: dict[str, Event] = {}
    for fact in facts:
        key = (fact.source, fact.id)
        known = seen.get(key) or fresh.get(key)
        if known is not None:
            if known == fact.digest:
                sifted.duplicates.append(fact)
            else:
                sifted.conflicts.append((fact, "conflict", "id: this source and id were used for other content before"))
            continue
        if isinstance(fact.data, OrderPlaced):
            same = _same_order(fact, items, orders)
            if same is not None:
                if same:
                    sifted.duplicates.append(fact)
                else:
                    detail = "data.order_id: the order was placed before with other content; the first stands"
                    sifted.conflicts.append((fact, "order_conflict", detail))
                continue
            orders[fact.data.order_id] = fact
        fresh[key] = fact.digest
        sifted.fresh.append(fact)
    return sifted


def _same_order(fact: Event, items: Mapping[ItemKey, Item], orders: Mapping[str, Event]) -> bool | None:
    """Whether an order under this id stands already: True with the same content, False with other, None if none does.

    One whose redemption may still be refused does not stand yet: sent again, it is a fact, and the fold says which one counts.
    Otherwise it would depend on the cut of the batches whether an order that was sent again after a rejection is taken.
    """
    assert isinstance(fact.data, OrderPlaced)
    order_id = fact.data.order_id
    if order_id in orders:
        first = orders[order_id]
        return None if _asks(first) else first.body == fact.body
    known = items.get(("order", order_id))
    if not isinstance(known, Order) or known.status in ("rejected", "waiting"):
        return None
    return known.content == content_of(fact.body)


def _asks(fact: Event) -> bool:
    """Whether an order wants to use points, so that it may be rejected."""
    data = fact.data
    return isinstance(data, OrderPlaced) and (bool(data.points_used) or data.use_all_points or data.redemption_id is not None)
