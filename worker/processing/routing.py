"""Whose an event about an order is, by what is known of the order.

Several programs, and stores outside every program, may each have an order of the same id. The rule:

- An event that names its program belongs to that program's order, and waits until it comes. No other order of the id matters.
- An event that names none belongs to an order of a program: the contract lets the program be left out where the order's store
  belongs to one. It goes to the one program that has an order of the id, and waits while none has; an order outside does not
  matter. If several programs have one, a guest's or a member's, nobody can tell whose it is: a dead letter (`ambiguous_order`).

So what becomes of an event depends on which events come, and neither on their order nor on where batches end. For that:

- What names no program and follows nothing but a guest's order, or one outside, is set aside, and let go after 30 days (the
  sweeper's bound): another program's order may come. Where one program is registered, what follows a guest is dropped at once.
- An order that is split brings the orders that it goes on as, to all who placed it: what was told of them before waited as for
  any order, and an id that somebody else's order has is contested like any.
- Under one id one program may have an order of several members, or of a guest and of members: each of their accounts has it, with
  all that follows it, and nobody is paid for it until a command decides (`worker.processing.contests`).
- What an account took while its order was the only one is withdrawn when another program's order of the id comes: it becomes a
  dead letter after all, a decision (`worker.decide.state.withdrawal`) says that the fact counts no more, and what had been posted
  for it is corrected. What was promised for its points meanwhile stands, as with all news that is late; and so does what has a
  verdict (an amendment that uses more points), which the world was told.

Two workers cannot miss each other. Whoever brings the second order locks the order's route, loads the heads of the accounts of
all orders of the id, then looks for what is to be withdrawn, or copied from one account into another, and writes these heads as
`contested`, whether there is anything or not. Whoever applies what follows an order to an account whose head is contested looks
at the route again after it was loaded, and then writes the head. Of the two that write one head the second one has loaded it
after the first one had committed, or loses and loads it again (the whole batch, where several accounts have the order): so it
finds the fact, or the order. Where no head is contested nobody asks anything more than before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from worker.decide.state import AMBIGUOUS_ORDER
from worker.programs.catalogue import OUTSIDE, Refusal

Owner = TypeVar("Owner")
"""What names who has an order: an account's id, or a member's."""

AMBIGUOUS: Final = Refusal(
    AMBIGUOUS_ORDER, "program: should be given, several programs have an order of this id", "program"
)


@dataclass(frozen=True, slots=True)
class Home(Generic[Owner]):
    """Where an event about an order goes: to all who placed it. No `owners`: nowhere, it is dropped."""

    program: str
    owners: tuple[Owner, ...]


def home_of(
    owners: Mapping[str, Sequence[Owner | None]], program: str | None, *, alone: bool
) -> Home[Owner] | Refusal | None:
    """Where an event about an order goes; None if its order (in its program) has not come, or another program's may come yet.

    `owners`: by program, who placed the order (None: a guest); empty if it has not come. `program`: what the event says. `alone`:
    only one program is registered.
    """
    if program is not None:
        return Home(program, _members(owners[program])) if program in owners else None
    homes = [Home(code, _members(each)) for code, each in owners.items() if code != OUTSIDE]
    if len(homes) > 1:
        return AMBIGUOUS
    return homes[0] if homes and (alone or homes[0].owners) else None


def _members(owners: Sequence[Owner | None]) -> tuple[Owner, ...]:
    return tuple(owner for owner in owners if owner is not None)


def ambiguous(owners: Mapping[str, object]) -> bool:
    """Whether several programs have an order of the id."""
    return len(owners.keys() - {OUTSIDE}) > 1


def awaited_by(owners: Mapping[str, Mapping[str, object]]) -> list[tuple[str, str]]:
    """Orders and programs for which events may have waited.

    `owners`: by order id, who has the order in each program.
    """
    return sorted((order_id, program) for order_id, by_program in owners.items() for program in by_program if program != OUTSIDE)
