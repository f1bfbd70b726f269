"""Which of an account's incoming facts are new: what is known already is left out, and what contradicts it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from contracts.events import Event, OrderPlaced
from worker.decide.order_records import Order
from worker.decide.orders import content_of
from worker.decide.state import Item, ItemKey

Key = tuple[str, str]


@dataclass(slots=True)
class Deduplicated:
    """Facts by what is to become of them: `fresh` ones are folded, `conflicts` are refused, with the reason and a detail.

    `doubtful`: orders under the id of a fresh one, which stands unless it is rejected. What becomes of them shows when the fresh
    ones are folded; so it is the same whether they come in one batch or in two. `nameless`: the person was forgotten, so what is
    known may be kept without what named them.
    """

    fresh: list[Event] = field(default_factory=list)
    doubtful: list[Event] = field(default_factory=list)
    duplicates: list[Event] = field(default_factory=list)
    conflicts: list[tuple[Event, str, str]] = field(default_factory=list)
    nameless: bool = False
    _digests: dict[Key, bytes] = field(default_factory=dict)

    def settle(self, seen: Mapping[Key, bytes], items: Mapping[ItemKey, Item | None]) -> bool:
        """Sift the first doubtful fact by the rows that folding those before it left; whether it is to be folded with them."""
        return self.take(self.doubtful.pop(0), seen, items)

    def take(self, fact: Event, seen: Mapping[Key, bytes], items: Mapping[ItemKey, Item | None]) -> bool:
        """Sift one more fact by the rows that folding those before it left; whether it is to be folded with them."""
        key = (fact.source, fact.id)
        known = seen.get(key) or self._digests.get(key)
        if known is not None:
            if known == fact.digest or (self.nameless and known == _nameless(fact)):
                self.duplicates.append(fact)
            else:
                self.conflicts.append((fact, "conflict", "id: this source and id were used for other content before"))
            return False
        same = _same_order(fact, items) if isinstance(fact.data, OrderPlaced) else None
        if same is None:
            self._digests[key] = fact.digest
            self.fresh.append(fact)
        elif same:
            self.duplicates.append(fact)
        else:
            detail = "data.order_id: the order was placed before with other content; the first stands"
            self.conflicts.append((fact, "order_conflict", detail))
        return same is None


def deduplicate(
    facts: Iterable[Event], seen: Mapping[Key, bytes], items: Mapping[ItemKey, Item], *, nameless: bool = False
) -> Deduplicated:
    """Sift facts of one account in the order in which they came.

    `seen`: digests of those that are known, by source and id. `items`: rows of the account, with every order that is placed.
    `nameless`: it is the account of a person who was forgotten.
    """
    deduplicated = Deduplicated(nameless=nameless)
    placed: set[str] = set()
    doubtful: set[Key] = set()
    for fact in facts:
        order_id = fact.data.order_id if isinstance(fact.data, OrderPlaced) else None
        if order_id in placed or (doubtful and (fact.source, fact.id) in doubtful):
            doubtful.add((fact.source, fact.id))
            deduplicated.doubtful.append(fact)
        elif deduplicated.take(fact, seen, items) and order_id is not None:
            placed.add(order_id)
    return deduplicated


def _nameless(fact: Event) -> bytes:
    """The digest under which a fact is kept whose person was forgotten, so that a repeat of it is not taken for another."""
    return fact.without_person().digest


def _same_order(fact: Event, items: Mapping[ItemKey, Item | None]) -> bool | None:
    """Whether an order under this id stands already: True with the same content, False with other, None if none does.

    One whose redemption may still be refused does not stand yet: sent again, it is a fact, and the fold says which one counts.
    """
    known = items.get(("order", fact.order_id or ""))
    if not isinstance(known, Order) or known.status in ("rejected", "waiting"):
        return None
    return known.content == content_of(fact.body)
