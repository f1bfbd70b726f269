"""The lives of an account: an erasure ends one, and what is told of later belongs to the next.

Until the erasure is done both lie in one account. What names the member and happened later, or is about an order that was placed
later, waits: its step has no entries, no verdict and no effect, but a finding. When the erasure is done, the facts of the life
that ended go on without a name, and those of the next are folded as a fresh account. So an account is the same whatever is told
first, the erasure or what came before and after it, and whenever the erasure is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import Event, OrderPlaced
from contracts.events.event import follows
from worker.decide.account import Account

_ERASED: Final = "member.erased"
_PLACED: Final = "order.placed"
_SPLIT: Final = "order.split"
AWAITS: Final = "awaits_erasure"
"""The finding about a fact of the next life."""


def waits(account: Account, fact: Event) -> bool:
    """Whether the open step's fact is of after an erasure and has no effect on the life that ended: a finding says so.

    What is about an order of that life goes on in it, except that the order is not placed again.
    """
    ended = account.head.erased_at
    if ended is None or fact.time <= ended:
        return False
    again = isinstance(fact.data, OrderPlaced)
    known = (fact.follows or again) and account.order(fact.order_id or "") is not None
    if known and not again:
        return False
    account.note_finding("order_twice" if known else AWAITS, fact.order_id, "after the erasure" if known else fact.type)
    return True


class Told(NamedTuple):
    """What of a fact says of which life it is. `at`: its business time; `brings`: orders that come with it."""

    source: str
    id: str
    type: str
    at: datetime
    order_id: str | None
    brings: tuple[str, ...] = ()


def ended_at(facts: Iterable[tuple[str, datetime]]) -> datetime | None:
    """When the first life ended that facts of one account tell of, by type and business time; None: they ask for no erasure."""
    return min((at for type_, at in facts if type_ == _ERASED), default=None)


def of_next(facts: Sequence[Told], ended: datetime) -> list[Told]:
    """Of all facts of one account those of the life after the one that ended then. An order, and what follows it or a part of it,
    is of the life in which it was placed first."""
    placed: dict[str | None, datetime] = {}
    for fact in facts:
        if fact.type == _PLACED:
            placed[fact.order_id] = min(fact.at, placed.get(fact.order_id, fact.at))
    splits = [fact for fact in facts if fact.type == _SPLIT]
    while splits:
        known = [fact for fact in splits if fact.order_id in placed]
        # One of an order that never came is of the life in which it was told.
        for fact in known or splits:
            for part in fact.brings:
                placed.setdefault(part, placed.get(fact.order_id, fact.at))
        splits = [fact for fact in splits if fact not in known] if known else []
    return [fact for fact in facts if _lived_at(fact, placed) > ended]


def _lived_at(fact: Told, placed: Mapping[str | None, datetime]) -> datetime:
    return placed.get(fact.order_id, fact.at) if fact.type == _PLACED or follows(fact.type) else fact.at
