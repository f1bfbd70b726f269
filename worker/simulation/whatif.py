"""What would change: the same history folded under two programs' terms, member by member. Nothing is written anywhere.

Under both, redemptions are decided anew from the history in business order, so that only the terms make a difference; a verdict
that a worker gave may have been another one, where something came late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from contracts.events import Event, OrderPlaced
from worker.decide.account import Account
from worker.decide.fold import fold, moment_of
from worker.decide.program import Program
from worker.decide.state import blank
from worker.decide.step import Step
from worker.processing.contests import Shared, missing
from worker.processing.routing import Home, home_of
from worker.programs.catalogue import OUTSIDE

NUMBERS: Final = ("available", "pending", "held", "earned", "used", "lapsed", "forfeited", "taken_back", "refused")
"""What is compared of each member, in points; `refused` counts redemptions. The totals count from the account's beginning."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Where a member stands under some terms."""

    numbers: Mapping[str, int]
    tier: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One member under the old and the new terms."""

    member_id: str
    old: Figures
    new: Figures

    @property
    def changes(self) -> dict[str, int]:
        """New minus old, where they differ."""
        found = {name: self.new.numbers[name] - self.old.numbers[name] for name in NUMBERS}
        return {name: change for name, change in found.items() if change}

    @property
    def any(self) -> bool:
        """Whether anything is different."""
        return bool(self.changes) or self.old.tier != self.new.tier


@dataclass(slots=True)
class Total:
    """Sums over all members; `tiers`: how many go from which tier to which."""

    members: int = 0
    changed: int = 0
    old: Counter[str] = field(default_factory=Counter)
    new: Counter[str] = field(default_factory=Counter)
    tiers: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)

    def add(self, difference: Difference) -> None:
        """Count a member in."""
        self.members += 1
        self.changed += difference.any
        self.old.update(difference.old.numbers)
        self.new.update(difference.new.numbers)
        if difference.old.tier != difference.new.tier:
            self.tiers[difference.old.tier, difference.new.tier] += 1


def compare(old: Program, new: Program, member_id: str, facts: Iterable[Event], at: datetime) -> Difference:
    """One member's facts under both terms, up to an instant. Raises Defect where they cannot be folded."""
    ordered = sorted((fact for fact in facts if fact.time <= at), key=moment_of)
    return Difference(member_id, figures(old, ordered, at), figures(new, ordered, at))


def figures(program: Program, ordered: Iterable[Event], at: datetime) -> Figures:
    """Where facts (in business order) lead under some terms."""
    account = Account(program, blank(), {}, {}, complete=True)
    steps = fold(account, ordered, at)
    return _figures(program, account, steps, at)


def _figures(program: Program, account: Account, steps: Iterable[Step], at: datetime) -> Figures:
    head, moved = account.head, Counter[str]()
    for step in steps:
        for entry in step.entries:
            moved[entry.source] -= entry.points
            moved[entry.target] += entry.points
        moved["refused"] += sum(answer.decision.verdict == "rejected" for answer in step.answers)
    numbers = {
        "available": head.available,
        "pending": head.pending,
        "held": head.held,
        "earned": -moved["granted"],
        "used": moved["spent"],
        "lapsed": head.lapsed,
        "forfeited": head.forfeited,
        "taken_back": head.revoked,
        "refused": moved["refused"],
    }
    return Figures(numbers, head.tier.name if head.tier else program.at(at).lowest_tier)


class Histories:
    """Facts by member, from events in any order: those about an order go to its member, what belongs to no member is dropped."""

    def __init__(self, programs: Iterable[Program]) -> None:
        self._programs = tuple(programs)
        self._homes: dict[str, dict[str, tuple[str | None, ...]]] = {}
        self._facts: dict[str, dict[tuple[str, str], Event]] = {}
        self._waiting: dict[str, list[Event]] = {}

    def add(self, event: Event) -> None:
        """Take one event; a repeat of one is left out."""
        if event.program is not None and all(event.program != program.code for program in self._programs):
            return
        if isinstance(event.data, OrderPlaced):
            self._place(event, event.data)
        elif event.member_id is not None:
            self._keep(event.member_id, event)
        elif event.order_id is not None:
            self._send_home(event.order_id, event)

    def _place(self, event: Event, order: OrderPlaced) -> None:
        program = event.program or self._of_store(order.store, event.time)
        member = order.member_id if program != OUTSIDE else None
        homes = self._homes.setdefault(order.order_id, {})
        homes[program] = tuple(dict.fromkeys((*homes.get(program, ()), member)))
        self._keep(member, event)
        for waiting in self._waiting.pop(order.order_id, []):
            self._send_home(order.order_id, waiting)

    def _send_home(self, order_id: str, event: Event) -> None:
        home = home_of(self._homes.get(order_id, {}), event.program, alone=True)
        if home is None:
            self._waiting.setdefault(order_id, []).append(event)
        elif isinstance(home, Home):
            for owner in home.owners:
                self._keep(owner, event)
            for part in event.brings:
                homes = self._homes.setdefault(part, {})
                homes[home.program] = tuple(dict.fromkeys((*homes.get(home.program, ()), *(home.owners or (None,)))))
                for waiting in self._waiting.pop(part, []):
                    self._send_home(part, waiting)

    def _of_store(self, store: str, at: datetime) -> str:
        """The first program that names a store: two terms of one program need not name the same ones."""
        for program in self._programs:
            stores = program.at(at).terms.membership.stores
            if stores.names(store):
                return program.code
        return next((each.code for each in self._programs if each.at(at).terms.membership.stores.earns(store)), OUTSIDE)

    def _keep(self, member: str | None, event: Event) -> None:
        if member is not None:
            self._facts.setdefault(member, {}).setdefault((event.source, event.id), event)

    def _tell_each_other(self, shared: Shared, owners: Iterable[str | None]) -> None:
        """Those who placed an order under one id have to know of each other, as where a worker reads them."""
        about = {
            owner: [each for each in self._facts.get(owner, {}).values() if shared.order_id in (each.order_id, *each.brings)]
            for owner in owners
            if owner is not None
        }
        more, _ = missing(shared, about, {})
        for owner, facts in more.items():
            for fact in facts:
                self._keep(owner, fact)

    def members(self) -> Iterator[tuple[str, Iterable[Event]]]:
        """Every member with the facts, by member id; each is let go once it was told."""
        for order_id, homes in self._homes.items():
            for program, owners in homes.items():
                if program != OUTSIDE and len(owners) > 1:
                    self._tell_each_other(Shared(order_id, program, None in owners), owners)
        for member in sorted(self._facts):
            yield member, self._facts.pop(member).values()
