"""Whose an event about an order is, by what is known of the order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from worker.catalogue import OUTSIDE, Unresolved

Owner = TypeVar("Owner")
"""What names who has an order: an account's id, or a member's."""


@dataclass(frozen=True, slots=True)
class Home(Generic[Owner]):
    """Where an event about an order goes. `owner` None: nowhere, it is dropped."""

    program: str
    owner: Owner | None


def home_of(owners: Mapping[str, Owner | None], program: str | None) -> Home[Owner] | Unresolved | None:
    """Where an event about an order goes; None if its order (in its program) has not come.

    `owners`: by program, who has the order (None: a guest); empty if it has not come. `program`: what the event says.
    """
    if program is not None:
        if program in owners:
            return Home(program, owners[program])
        # An order outside every program is dropped whatever the event says it belongs to.
        return Home(OUTSIDE, None) if set(owners) == {OUTSIDE} else None
    if len(owners) > 1:
        return Unresolved("ambiguous_order", "program: should be given, several programs have an order of this id")
    return next((Home(code, owner) for code, owner in owners.items()), None)


def awaited_by(owners: Mapping[str, Mapping[str, object]]) -> list[tuple[str, str]]:
    """Orders and programs for which events may have waited. For an order outside every program all of them did.

    `owners`: by order id, who has the order in each program.
    """
    return sorted(
        (order_id, program)
        for order_id, by_program in owners.items()
        for program in by_program
        if program != OUTSIDE or len(by_program) == 1
    )
