"""Whose an event about an order is, by what is known of the order.

Several programs, and stores outside every program, may each have an order of the same id. The rule:

- An event that names its program belongs to that program's order, and waits until it comes. No other order of the id matters.
- An event that names none belongs to an order of a program: the contract lets the program be left out where the order's store
  belongs to one. It goes to the program whose order has come, or, if none has, to the first one that comes. An order outside does
  not matter either: what follows it alone is set aside for a program's order, and let go after 30 days (the sweeper's bound).
- An event that names none and comes when several programs have an order of its id is a dead letter (`ambiguous_order`).

So what becomes of an event that names its program, or of any event while at most one program uses the id, depends on which events
come, and neither on their order nor on where batches end. Where two programs use an id and an event names neither, it depends on
which of their orders came before it, and if none did, on which came first; still not on where batches end. That is all that can
be promised: nobody can know that a second program will use the id, and a fact that an account has taken is never taken away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from worker.programs.catalogue import OUTSIDE, Unresolved

Owner = TypeVar("Owner")
"""What names who has an order: an account's id, or a member's."""


@dataclass(frozen=True, slots=True)
class Home(Generic[Owner]):
    """Where an event about an order goes. `owner` None: nowhere, it is dropped."""

    program: str
    owner: Owner | None


def home_of(owners: Mapping[str, Owner | None], program: str | None, *, waited: bool = False) -> Home[Owner] | Unresolved | None:
    """Where an event about an order goes; None if its order (in its program) has not come.

    `owners`: by program, in the order in which they came, who has the order (None: a guest); empty if it has not come.
    `program`: what the event says. `waited`: the event came before all of these orders.
    """
    if program is not None:
        return Home(program, owners[program]) if program in owners else None
    homes = [Home(code, owner) for code, owner in owners.items() if code != OUTSIDE]
    if len(homes) > 1 and not waited:
        return Unresolved("ambiguous_order", "program: should be given, several programs have an order of this id")
    return homes[0] if homes else None


def awaited_by(owners: Mapping[str, Mapping[str, object]]) -> list[tuple[str, str]]:
    """Orders and programs for which events may have waited.

    `owners`: by order id, who has the order in each program.
    """
    return sorted((order_id, program) for order_id, by_program in owners.items() for program in by_program if program != OUTSIDE)
