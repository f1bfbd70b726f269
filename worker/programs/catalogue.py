"""The programs that this worker runs, and which of them an event belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from contracts.events import Event, OrderPlaced, RedemptionRequested
from worker.decide.program import Program

OUTSIDE = ""
"""The program of orders of stores outside every program: they are counted and dropped. What follows them:
`worker.processing.routing`."""


class Refusal(NamedTuple):
    """Why an event that keeps the contract is a dead letter all the same. `path`: the attribute or field at fault."""

    reason: str
    detail: str
    path: str


class Catalogue:
    """Programs by code, and their stores as the terms in force say."""

    def __init__(self, programs: Iterable[Program] = ()) -> None:
        self._programs: Mapping[str, Program] = {}
        self.replace(programs)

    def replace(self, programs: Iterable[Program]) -> None:
        """Go on with these programs: terms were registered."""
        self._programs = {program.code: program for program in programs}

    def __len__(self) -> int:
        return len(self._programs)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of all programs."""
        return tuple(self._programs)

    def program(self, code: str) -> Program:
        """The program of a code; KeyError if there is none."""
        return self._programs[code]

    def resolve(self, event: Event) -> str | Refusal | None:
        """The program of an event: its code, OUTSIDE, None if only its order can tell, or why it cannot be told."""
        if event.program is not None:
            if event.program in self._programs:
                return event.program
            known = ", ".join(self._programs)
            return Refusal("unknown_program", f"program: no terms are registered for it; known are {known}", "program")
        data = event.data
        if isinstance(data, OrderPlaced):
            return self._of_store(data.store, event.time, open_to_all=True)
        if isinstance(data, RedemptionRequested):
            return self._of_store(data.store, event.time, open_to_all=False)
        if event.member_id is None:
            return None
        if len(self._programs) == 1:
            return next(iter(self._programs))
        return Refusal("program_missing", "program: should be given (attribute ce_program), for no store tells it", "program")

    def awaits(self, event: Event) -> bool:
        """Whether an event about an order that has not come is kept until it does (COM-C5). One that names no program is, if any
        program would keep it."""
        codes = self.codes if event.program is None else (event.program,)
        return any(self._programs[code].at(event.time).terms.unknown_order == "kept" for code in codes)

    def _of_store(self, store: str, at: datetime, *, open_to_all: bool) -> str | Refusal:
        """The program of a store: the one that names it as eligible, else as excluded, else the one that takes all stores."""
        stores = {code: program.at(at).terms.membership.stores for code, program in self._programs.items()}
        for found in (
            [code for code, each in stores.items() if each.names(store) and each.earns(store)],
            [code for code, each in stores.items() if each.names(store)],
            [code for code, each in stores.items() if each.earns(store)],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                detail = f"program: should be given, the store belongs to {' and '.join(found)}"
                return Refusal("ambiguous_store", detail, "program")
        return OUTSIDE if open_to_all else Refusal("unknown_store", "data.store: belongs to no program", "data.store")
