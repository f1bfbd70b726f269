"""`loyalty simulate`: events from a file through the worker's own fold, and statements at the instants asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from contracts.events import Event
from worker.cli.failures import Exit, Failure
from worker.cli.output import Progress, tell
from worker.decide.program import Program
from worker.decide.state import Decision
from worker.decode import Broken, Limits, Record, Skipped, decode
from worker.simulate import Simulation
from worker.statements import as_json

# A simulation has no present: no event is too far ahead of it.
_END_OF_TIME: Final = datetime(9000, 1, 1, tzinfo=UTC)
_LIMITS: Final = Limits()

Told = Mapping[tuple[str, str], Decision]


class Reading:
    """A file of structured CloudEvents, one a line. Lines that break the contract are told with their number, and counted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told = False
        self.counts: Counter[str] = Counter()

    def events(self) -> Iterator[Event]:
        """The events in file order; may be read again."""
        self.counts = Counter()
        progress = Progress("events read", 5_000)
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not (value := line.strip()):
                    continue
                match decode(Record(self._path.name, 0, number, 0, None, value, ()), _END_OF_TIME, _LIMITS):
                    case Broken(reason, detail):
                        self.counts["broken"] += 1
                        if not self._told:
                            tell(f"{self._path}:{number}: {reason}: {detail}")
                    case Skipped(type_):
                        self.counts["of unknown type"] += 1
                        if not self._told:
                            tell(f"{self._path}:{number}: skipped, nothing is known of the type {type_}")
                    case event:
                        self.counts["delivered"] += 1
                        yield event
                progress.at(number)
        progress.end()
        self._told = True


def read_decisions(path: Path) -> dict[tuple[str, str], Decision]:
    """Verdicts that a worker took, one JSON object a line, as `loyalty ledger decisions` prints them."""
    found: dict[tuple[str, str], Decision] = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                one = msgspec.json.decode(line, type=Decision, strict=True)
            except msgspec.DecodeError as error:
                right = '{"source", "id", "verdict": "accepted" or "rejected", "points", "reason"?}'
                raise Failure(Exit.USAGE, f"{path}:{number}: {error}; a decision is {right}") from None
            found[one.source, one.id] = one
    return found


def simulate(program: Program, reading: Reading, instants: Sequence[tuple[datetime, str]], told: Told) -> list[dict[str, Any]]:
    """For each instant (and its text as asked): the statements when what was recorded by then has been delivered.

    Each answer is that of a run of its own, whatever else is asked for: the clock of one instant does not touch another's.
    """
    answers: dict[str, dict[str, Any]] = {}
    wanted = sorted(set(instants))
    simulation = Simulation(program, told)
    position = 0
    last: datetime | None = None
    for event in reading.events():
        recorded = event.recorded_time or event.time
        if last is not None and recorded < last:
            # Not in the order of recording: what one instant has not seen may come before what it has.
            return _one_by_one(program, reading, instants, told)
        last = recorded
        while position < len(wanted) and recorded > wanted[position][0]:
            answers[wanted[position][1]] = _answer(_copy(simulation), *wanted[position])
            position += 1
        if position == len(wanted):
            reading.counts["delivered"] -= 1
            reading.counts["recorded later"] += 1
        else:
            simulation.deliver(event)
    for at, text in wanted[position:]:
        answers[text] = _answer(_copy(simulation), at, text)
    reading.counts.update(simulation.counts)
    return [answers[text] for _, text in instants]


def _one_by_one(program: Program, reading: Reading, instants: Sequence[tuple[datetime, str]], told: Told) -> list[dict[str, Any]]:
    answers = []
    counts: Counter[str] = Counter()
    for at, text in instants:
        simulation = Simulation(program, told)
        later = 0
        for event in reading.events():
            if (event.recorded_time or event.time) <= at:
                simulation.deliver(event)
            else:
                later += 1
        counts = reading.counts + simulation.counts + Counter({"recorded later": later})
        counts["delivered"] -= later
        answers.append(_answer(simulation, at, text))
    reading.counts = counts
    return answers


def _answer(simulation: Simulation, at: datetime, text: str) -> dict[str, Any]:
    simulation.run_clock(at)
    return {"at": text, "members": [as_json(one) for one in simulation.statements(at, text)]}


def _copy(simulation: Simulation) -> Simulation:
    """The same ledgers, to let the clock run on without touching these. The records in them never change."""
    copy = Simulation(simulation.program)
    copy.ledgers = {
        member: replace(
            ledger,
            lots=dict(ledger.lots),
            items=dict(ledger.items),
            facts=dict(ledger.facts),
            decisions=dict(ledger.decisions),
            entries=list(ledger.entries),
            steps=list(ledger.steps),
        )
        for member, ledger in simulation.ledgers.items()
    }
    return copy
