"""`loyalty simulate`: events from a file through the worker's own fold, and statements at the instants asked for."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

import msgspec

from contracts.events import Event
from worker.cli.failures import Exit, Failure
from worker.cli.member import COLUMNS
from worker.cli.output import Format, Progress, show_table, tell
from worker.decide.program import Program
from worker.decide.state import CLOCK_SOURCE, Decision, clock_moment
from worker.decode import Broken, Limits, Record, Skipped, decode
from worker.reading.statements import as_json
from worker.simulation.simulate import Simulation

# A simulation has no present: no event is too far ahead of it.
_END_OF_TIME: Final = datetime(9000, 1, 1, tzinfo=UTC)
_LIMITS: Final = Limits()
LINES_TOLD_MAX: Final = 50
"""Lines of a file that are told of one by one: a file of something else altogether has nothing but such."""


@dataclass(frozen=True, slots=True)
class Told:
    """Decisions that a worker took: verdicts by the event that asked, and what was paid out in money, by member."""

    verdicts: Mapping[tuple[str, str], Decision] = field(default_factory=dict)
    paid: Mapping[str, Sequence[Decision]] = field(default_factory=dict)


class _Line(Decision, frozen=True, kw_only=True):
    """A decision as it is printed; one of the clock names its member, for others have one of the same instant."""

    member_id: str | None = None


class Reading:
    """A file of structured CloudEvents, one a line. Lines that break the contract are told with their number, and counted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told_lines = 0
        self._told = 0
        self.counts = _no_counts()

    def events(self) -> Iterator[Event]:
        """The events in file order; may be read again."""
        self.counts = _no_counts()
        progress = Progress("events read", 5_000)
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not (value := line.strip()):
                    continue
                match decode(Record(self._path.name, 0, number, 0, None, value, ()), _END_OF_TIME, _LIMITS):
                    case Broken(reason=reason, detail=detail):
                        self.counts["broken"] += 1
                        self._tell(number, f"{reason}: {detail}")
                    case Skipped(type_):
                        self.counts["of unknown type"] += 1
                        self._tell(number, f"skipped, nothing is known of the type {type_}")
                    case event:
                        self.counts["delivered"] += 1
                        yield event
                progress.at(number)
        progress.end()

    def leave_out(self) -> None:
        """Count the event just given as one recorded later than all that is asked for."""
        self.counts["delivered"] -= 1
        self.counts["recorded later"] += 1

    def _tell(self, number: int, what: str) -> None:
        """Tell of a line once, however often it is read."""
        if number > self._told_lines:
            self._told_lines = number
            self._told += 1
            if self._told <= LINES_TOLD_MAX:
                tell(f"{self._path}:{number}: {what}")
            elif self._told == LINES_TOLD_MAX + 1:
                tell(f"{self._path}: there are more such lines; from here on they are only counted")


def _no_counts() -> Counter[str]:
    """Counts in the order in which they are told."""
    return Counter({"delivered": 0, "recorded later": 0, "broken": 0, "of unknown type": 0})


def read_decisions(path: Path) -> Told:
    """Decisions that a worker took, one JSON object a line, as `loyalty ledger decisions` prints them."""
    verdicts: dict[tuple[str, str], Decision] = {}
    paid: dict[str, list[Decision]] = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                one = msgspec.json.decode(line, type=_Line, strict=True)
                if one.source == CLOCK_SOURCE:
                    member, decision = _paid(one)
                    paid.setdefault(member, []).append(decision)
                else:
                    verdicts[one.source, one.id] = Decision(one.source, one.id, one.verdict, one.points, one.reason)
            except msgspec.DecodeError as error:
                right = '{"source", "id", "verdict": "accepted" or "rejected", "points", "reason"?, "member_id"?}'
                raise Failure(Exit.USAGE, f"{path}:{number}: {error}; a decision is {right}") from None
    return Told(verdicts, paid)


def _paid(one: _Line) -> tuple[str, Decision]:
    """What was paid to a member at an instant, under the name that the fold has for it."""
    if one.member_id is None:
        raise msgspec.ValidationError("Object missing required field `member_id`: others were paid at the same instant")
    try:
        at = msgspec.convert(one.id, datetime)
    except msgspec.ValidationError:
        at = None
    if at is None or at.tzinfo is None:
        raise msgspec.ValidationError("Expected an instant with its offset - at `$.id`")
    moment = clock_moment(at.astimezone(UTC))
    return one.member_id, Decision(*moment.name, one.verdict, one.points)


@dataclass(frozen=True, slots=True)
class Answer:
    """The statements of all members at one instant, kept in a file until they are printed: there may be many."""

    at: str
    lines: IO[str]

    def members(self) -> Iterator[dict[str, Any]]:
        """The statements, by member id."""
        self.lines.seek(0)
        return (json.loads(line) for line in self.lines)


def simulate(program: Program, reading: Reading, instants: Sequence[tuple[datetime, str]], told: Told) -> list[Answer]:
    """For each instant (and its text as asked): the statements when what was recorded by then has been delivered.

    Each answer is that of a run of its own, whatever else is asked for: the clock of one instant does not touch another's.
    """
    answers: dict[str, Answer] = {}
    wanted = sorted(set(instants))
    simulation = Simulation(program, told.verdicts, told.paid)
    position = 0
    last: datetime | None = None
    for event in reading.events():
        recorded = event.recorded_time or event.time
        if last is not None and recorded < last:
            # Not in the order of recording: what one instant has not seen may come before what it has.
            return _one_by_one(program, reading, instants, told)
        last = recorded
        while position < len(wanted) and recorded > wanted[position][0]:
            answers[wanted[position][1]] = _answer(simulation, *wanted[position])
            position += 1
        if position == len(wanted):
            reading.leave_out()
        else:
            simulation.deliver(event)
    for at, text in wanted[position:]:
        answers[text] = _answer(simulation, at, text)
    reading.counts.update(simulation.counts)
    return [answers[text] for _, text in instants]


def _one_by_one(program: Program, reading: Reading, instants: Sequence[tuple[datetime, str]], told: Told) -> list[Answer]:
    answers: dict[str, Answer] = {}
    for at, text in sorted(set(instants)):
        simulation = Simulation(program, told.verdicts, told.paid)
        for event in reading.events():
            if (event.recorded_time or event.time) <= at:
                simulation.deliver(event)
            else:
                reading.leave_out()
        answers[text] = _answer(simulation, at, text)
        reading.counts.update(simulation.counts)
    return [answers[text] for _, text in instants]


def _answer(simulation: Simulation, at: datetime, text: str) -> Answer:
    answer = Answer(text, TemporaryFile("w+", encoding="utf-8"))  # noqa: SIM115  # it lives as long as the answer
    with simulation.rehearsed():
        simulation.run_clock(at)
        for one in simulation.statements(at, text):
            print(json.dumps(as_json(one), ensure_ascii=False), file=answer.lines)
    return answer


def show(answers: Sequence[Answer], format_: Format, code: str) -> None:
    """Print the answers, a member at a time: one array of {"at", "members"}, an object a line, or tables."""
    if format_ is Format.TABLE:
        for answer in answers:
            rows = ([one[column] for column in COLUMNS] for one in answer.members())
            show_table(f"{code} at {answer.at}", COLUMNS, rows)
        return
    array = format_ is Format.JSON
    out = sys.stdout
    out.write("[" if array else "")
    for number, answer in enumerate(answers):
        out.write(f'{"," if array and number else ""}{chr(10) if array else ""}{{"at": {json.dumps(answer.at)}, "members": [')
        for place, one in enumerate(answer.members()):
            out.write(f"{',' if place else ''}{chr(10) if array else ''}{json.dumps(one, ensure_ascii=False)}")
        out.write("]}" if array else "]}\n")
    out.write("\n]\n" if array else "")
