"""Whose an event about an order is, by what is known of the order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from worker.catalogue import OUTSIDE, Unresolved
from worker.persist.rows import Route


@dataclass(frozen=True, slots=True)
class Home:
    """Where an event about an order goes. `account` None: nowhere, it is dropped."""

    program: str
    account: UUID | None


def home_of(route: Route | None, program: str | None) -> Home | Unresolved | None:
    """Where an event about an order goes; None if its order (in its program) has not come."""
    if route is None:
        return None
    if program is not None:
        if program in route.accounts:
            return Home(program, route.accounts[program])
        # An order outside every program is dropped whatever the event says it belongs to.
        return Home(OUTSIDE, None) if set(route.accounts) == {OUTSIDE} else None
    if len(route.accounts) > 1:
        return Unresolved("ambiguous_order", "program: should be given, several programs have an order of this id")
    return next((Home(code, account) for code, account in route.accounts.items()), None)


def awaited_by(routes: Mapping[str, Route]) -> list[tuple[str, str]]:
    """Orders and programs for which events may have waited. For an order outside every program all of them did."""
    return sorted(
        (order_id, program)
        for order_id, route in routes.items()
        for program in route.accounts
        if program != OUTSIDE or len(route.accounts) == 1
    )
