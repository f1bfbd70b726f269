"""Stories of shops as data: terms, what was told, and when somebody looked; and what came of one, to be compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import pytest

from contracts.events import Event
from contracts.terms import Terms
from contracts.terms_checks import contradictions
from tests.rules.heard import Heard
from tests.rules.story import Story, file_of, instant, reading_of
from worker.decide.program import Program
from worker.programs.terms_file import TermsError, changed, set_path, versions
from worker.simulation.simulate import Simulation

LOOKS_MAX: Final = 3
"""Statements are read at so many of the instants at which somebody looked, the last ones."""
Values = dict[str, Any]
Outcome = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A story: a program's code, values changed by dotted path, and in order what was told (type, time, id, data, when it came)
    and when somebody looked (an instant alone)."""

    code: str
    set: Mapping[str, Any]
    tellings: Sequence[Any]

    @property
    def name(self) -> str:
        """By which rows refer to it."""
        return sha256(self.as_json().encode()).hexdigest()[:16]

    def as_json(self) -> str:
        """The story as a line."""
        body = {"code": self.code, "set": self.set, "tellings": self.tellings}
        return json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of(cls, line: str) -> Told:
        """The story of a line."""
        return cls(**json.loads(line))

    def values(self) -> list[Values]:
        """Every version of the terms, with what the file says of it and nothing else, in the long form."""
        found = versions(changed(file_of(self.code), self.set), self.code)
        return [json.loads(each.model_dump_json(exclude_unset=True, exclude={"rules", "questions", "cases"})) for each in found]


def program_of(values: Sequence[Values]) -> Program:
    """A program of these versions. Raises TermsError where `program validate` would refuse it, for whatever but that a clause is
    not written out, as no story needs."""
    found: list[Terms] = []
    for each in values:
        found += versions(each, "terms")
    wrong = [str(each) for terms in found for each in contradictions(terms)]
    if wrong := [each for each in wrong if "is not among `rules`" not in each]:
        raise TermsError("terms", wrong)
    return Program(found)


def at(values: Any, path: str) -> Any:
    """What stands at a dotted path; None: nothing."""
    for name in path.split(".") if path else ():
        try:
            values = values[int(name)] if isinstance(values, list) else values.get(name)
        except (LookupError, AttributeError, ValueError):
            return None
    return values


def otherwise(values: Sequence[Values], path: str, value: object, *, without: bool = False) -> list[Values]:
    """The versions with another value at a dotted path, or with none there."""
    found = []
    for each in values:
        copy = json.loads(json.dumps(each))
        try:
            if without:
                above, _, last = path.rpartition(".")
                section = at(copy, above)
                if isinstance(section, dict):
                    section.pop(last, None)
            else:
                set_path(copy, path, json.loads(json.dumps(value)))
        except (LookupError, TypeError, ValueError, TermsError):
            copy = each  # this version has no such place
        found.append(copy)
    return found


def outcome(program: Program, told: Told) -> Outcome:
    """All that can be seen of what becomes of a story: entries, messages, statements, and what was dropped."""
    simulation = Simulation(program)
    looks = [each for each in told.tellings if isinstance(each, str)]
    seen: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        heard = Heard(patch)
        for number, each in enumerate(told.tellings):
            if isinstance(each, str):
                simulation.run_clock(instant(each))
                if each in looks[-LOOKS_MAX:]:
                    seen += [one.model_dump() for one in simulation.statements(instant(each), each)]
                continue
            type_, at, id_, data, recorded = each
            body = json.dumps(data, sort_keys=True, ensure_ascii=False).encode()
            event = Event.from_stored("story", id_ or f"e{number}", type_, instant(at), program.code, None, body)
            simulation.deliver(event, instant(recorded) if recorded else None)
    entries = [(stored.moment, stored.entry) for ledger in simulation.ledgers.values() for stored in ledger.entries]
    return [entries, heard.messages, seen, simulation.counts]


@contextmanager
def recorded() -> Iterator[dict[str, Told]]:
    """The stories that are told meanwhile with `tests.rules.story`, by name, each once however its facts are delivered."""
    raw: list[tuple[str, Values, list[Any]]] = []
    found: dict[str, Told] = {}
    begin, tell, look = Story.__init__, Story.tell, Story.at
    of: dict[int, list[Any]] = {}

    def init(self: Story, code: str, set: Any = None, reading: Any = None, **more: Any) -> None:  # noqa: A002 - as Story calls it
        begin(self, code, set, reading, **more)
        of[id(self)] = []
        raw.append((code, {**(reading_of(code, *reading) if reading else {}), **(set or {})}, of[id(self)]))

    def telling(self: Story, type_: str, at: str, recorded: str | None = None, id_: str | None = None, **data: Any) -> Event:
        event = tell(self, type_, at, recorded, id_, **data)
        of[id(self)].append([type_, at, id_, {key: value for key, value in data.items() if value is not None}, recorded])
        return event

    def looking(self: Story, at: str, *rest: Any, **more: Any) -> Any:
        of[id(self)].append(at)
        return look(self, at, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Story, "__init__", init)
        patch.setattr(Story, "tell", telling)
        patch.setattr(Story, "at", looking)
        yield found
    seen: set[str] = set()
    for code, values, tellings in raw:
        told = Told(code, json.loads(json.dumps(values, default=_plain)), json.loads(json.dumps(tellings, default=_plain)))
        facts = sorted(json.dumps(each, sort_keys=True) for each in told.tellings if not isinstance(each, str))
        alike = json.dumps([told.code, told.set, facts], sort_keys=True)
        if facts and alike not in seen:
            seen.add(alike)
            found[told.name] = told


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Sequence):
        return list(value)
    return str(value)
