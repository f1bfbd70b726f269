"""A file of balances from another ledger: one JSON object a line, or CSV; read as events of opening, and checked.

NDJSON: each line is the data of `balance.opened` (without `announce`). CSV, with a heading: one row for each lot or counted
amount, the rows of a member one after the other; the columns of the member (`tier`, ...) may stay empty but in one of them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

from contracts.events import BalanceOpened, CountedAmount, Event, OpenedLot
from contracts.events.fields import ID_CHARACTERS_MAX
from contracts.terms import Terms
from worker.decide.program import Program, Version
from worker.decode import Broken, Limits, Record, Skipped, decode
from worker.decode.record import BrokenRecordError
from worker.decode.strict_json import canonical, parse

SOURCE: Final = "loyalty:ledger-open"
"""The source of these events; their id is the member's, so that the same line is the same event for ever."""
TOPIC: Final = "loyalty.command"
"""The topic whose dead letters tell of an opening that was refused; no topic brings one."""
TYPE: Final = "balance.opened"

_LIMITS: Final = Limits()
_MEMBER: Final = ("member_id", "tier", "registered_on", "enrolled_on", "last_change_on")
_LOT: Final = ("points", "kind", "expires_on", "granted_on")
_COUNTED: Final = ("counted_on", "counted_amount")
_INTEGERS: Final = ("points", "counted_amount")
_BEFORE: Final = ("registered_on", "enrolled_on", "last_change_on")


class Mistake(NamedTuple):
    """What is wrong with a line, and would be right."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A line (in CSV: the first of a member's) as an event, and as the record that would bring it."""

    line: int
    event: Event
    record: Record

    @property
    def points(self) -> int:
        """All points that it brings along."""
        assert isinstance(self.event.data, BalanceOpened)
        return sum(lot.points for lot in self.event.data.lots)


@dataclass(frozen=True, slots=True)
class Opening:
    """Which program's accounts are opened, as of which instant (UTC), and whether subscribers are told."""

    program: Program
    at: datetime
    announce: bool


def openings(path: Path, opening: Opening) -> Iterator[Opened | Mistake]:
    """Every line of a file as an event to be taken over, or each of its mistakes. Raises OSError, UnicodeDecodeError."""
    version = opening.program.at(opening.at)
    members: dict[str, int] = {}
    rows = _csv(path) if path.suffix.lower() == ".csv" else _ndjson(path)
    for row in rows:
        opened = row if isinstance(row, Mistake) else _opened(row.line, row.data, opening)
        if isinstance(opened, Mistake):
            yield opened
            continue
        member = opened.event.member_id or ""
        mistakes = list(_mistakes(opened, version, opening))
        if member in members:
            mistakes.append(Mistake(opened.line, f"member_id: is on line {members[member]} already"))
        members.setdefault(member, opened.line)
        yield from mistakes or (opened,)


# -- reading


class _Row(NamedTuple):
    line: int
    data: dict[str, Any]


def _ndjson(path: Path) -> Iterator[_Row | Mistake]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not (raw := line.strip()):
                continue
            try:
                data, _ = parse(raw, _LIMITS)
            except BrokenRecordError as error:
                yield Mistake(number, error.broken.detail)
                continue
            if not isinstance(data, dict):
                yield Mistake(number, 'should be an object such as {"member_id": "M1", "lots": [{"points": 100}]}')
                continue
            yield from _unknown(number, data) or (_Row(number, data),)


def _unknown(number: int, data: Mapping[str, Any]) -> list[Mistake]:
    """Fields that nobody reads: an event may have some, but in a migration they are slips of the pen."""
    known = [*BalanceOpened.model_fields]
    known.remove("announce")
    found = [(name, known) for name in data if name not in known]
    for name, model in (("lots", OpenedLot), ("counted", CountedAmount)):
        parts = data.get(name)
        for place, part in enumerate(parts if isinstance(parts, list) else ()):
            fields = [*model.model_fields]
            found += [
                (f"{name}.{place}.{each}", fields) for each in (part if isinstance(part, dict) else ()) if each not in fields
            ]
    return [Mistake(number, f"{name[:80]}: no such field; there are {', '.join(fields)}") for name, fields in found]


def _csv(path: Path) -> Iterator[_Row | Mistake]:
    with path.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.DictReader(text, strict=True, restkey="", restval="")
        wrong = [name for name in reader.fieldnames or () if name not in (*_MEMBER, *_LOT, *_COUNTED)]
        if wrong or "member_id" not in (reader.fieldnames or ()):
            what = f"no such column: {', '.join(wrong)}; " if wrong else ""
            yield Mistake(1, f"{what}the heading should have member_id and any of {', '.join((*_MEMBER[1:], *_LOT, *_COUNTED))}")
            return
        try:
            numbered = ((reader.line_num, row) for row in reader)
            for _, rows in groupby(numbered, key=lambda pair: pair[1]["member_id"]):
                yield _joined(list(rows))
        except csv.Error as error:
            yield Mistake(reader.line_num, f"not CSV: {error}")


def _joined(rows: list[tuple[int, dict[str, str]]]) -> _Row | Mistake:
    """The rows of one member as one object."""
    data: dict[str, Any] = {"lots": [], "counted": []}
    for number, row in rows:
        if "" in row:
            return Mistake(number, "has more cells than the heading")
        for name in _MEMBER:
            text = row.get(name, "").strip()
            if text and data.setdefault(name, text) != text:
                return Mistake(number, f"{name}: differs from the member's row before")
        cells: dict[str, Any] = {name: row[name].strip() for name in (*_LOT, *_COUNTED) if row.get(name, "").strip()}
        for name in _INTEGERS:
            if name in cells:
                if not (cells[name].isascii() and cells[name].isdigit()):
                    return Mistake(number, f"{name}: should be a whole number of 0 or more, without separators")
                cells[name] = int(cells[name])
        lot = {name: cells[name] for name in _LOT if name in cells}
        if lot:
            data["lots"].append(lot)
        if any(name in cells for name in _COUNTED):
            data["counted"].append({name.removeprefix("counted_"): cells[name] for name in _COUNTED if name in cells})
    return _Row(rows[0][0], data)


# -- checking


def _opened(line: int, data: dict[str, Any], opening: Opening) -> Opened | Mistake:
    member = data.get("member_id")
    event = {
        "specversion": "1.0",
        # A member id that is none is told by the data's own check.
        "id": member if isinstance(member, str) and member.isprintable() and 0 < len(member) <= ID_CHARACTERS_MAX else "-",
        "source": SOURCE,
        "type": TYPE,
        "time": opening.at.isoformat(),
        "program": opening.program.code,
        "data": {**data, "announce": opening.announce},
    }
    record = Record(TOPIC, 0, line, 0, None, canonical(event), ())
    match decode(record, datetime.now(UTC), _LIMITS):
        case Broken(detail=detail):
            return Mistake(line, detail.removeprefix("data."))
        case Skipped(type_):
            return Mistake(line, f"nothing is known of the type {type_}")
        case decoded:
            return Opened(line, decoded, record)


def _mistakes(opened: Opened, version: Version, opening: Opening) -> Iterator[Mistake]:
    """What the program's terms, or the instant of the opening, contradict."""
    data = opened.event.data
    assert isinstance(data, BalanceOpened)
    today = version.days.date_of(opening.at)
    for path, problem in _against_terms(data, version.terms):
        yield Mistake(opened.line, f"{path}: {problem}")
    for path, day in _past_days(data):
        if day > today:
            yield Mistake(opened.line, f"{path}: {day} should not be after the day of the opening, {today}")
    for place, lot in enumerate(data.lots):
        if lot.expires_on is not None and lot.expires_on < today:
            yield Mistake(
                opened.line, f"lots.{place}.expires_on: {lot.expires_on} was over at the opening; leave lapsed points out"
            )


def _against_terms(data: BalanceOpened, terms: Terms) -> Iterator[tuple[str, str]]:
    levels = [level.name for level in terms.tiers.levels] if terms.tiers is not None else []
    if data.tier is not None and data.tier not in levels:
        yield "tier", f"should be one of {', '.join(levels)}" if levels else "the program has no tiers; leave it out"
    if data.counted and not levels:
        yield "counted", "the program has no tiers; leave it out"
    if data.last_change_on is not None and terms.expiry.pool is None:
        yield "last_change_on", "the program's points do not lapse as one balance; leave it out"
    kinds = kinds_of(terms)
    for place, lot in enumerate(data.lots):
        if lot.kind is not None and lot.kind not in kinds:
            yield f"lots.{place}.kind", f"should be one of {', '.join(sorted(kinds))}"


def _past_days(data: BalanceOpened) -> Iterator[tuple[str, date]]:
    for name in _BEFORE:
        day = getattr(data, name)
        if day is not None:
            yield name, day
    for place, lot in enumerate(data.lots):
        if lot.granted_on is not None:
            yield f"lots.{place}.granted_on", lot.granted_on
    for place, counted in enumerate(data.counted):
        yield f"counted.{place}.on", counted.on


def kinds_of(terms: Terms) -> frozenset[str]:
    """The kinds of points that a program's terms know."""
    pool = terms.expiry.pool
    return frozenset(
        (
            terms.adjustment.kind,
            terms.earning.bonus_kind,
            *(each.kind for each in terms.earning.components),
            *(each.kind for each in terms.activities),
            *(kind for term in terms.expiry.terms for kind in term.kinds),
            *(pool.kinds if pool is not None else ()),
        )
    )
