"""What a step of the bench says: rows with a goal and whether it was reached, and the record on disk that they are kept in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from tests.bench.measure import Spread

Unit = Literal["ratio", "s", "ms", "/s", "bytes", "each"]


@dataclass(frozen=True, slots=True)
class Goal:
    """At least, or at most, so much, in the unit of its row."""

    at_least: float | None = None
    at_most: float | None = None

    def reached(self, value: float) -> bool:
        """Whether a median is good enough."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        limits = ((">=", self.at_least), ("<=", self.at_most))
        return ", ".join(f"{sign} {limit:g}" for sign, limit in limits if limit is not None)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure over `runs` runs; without a goal it is published only."""

    figure: str
    unit: Unit
    spread: Spread
    runs: int
    goal: Goal | None = None

    @classmethod
    def of(cls, figure: str, unit: Unit, values: Iterable[float], goal: Goal | None = None) -> Self:
        """From the values of its runs."""
        found = list(values)
        return cls(figure, unit, Spread.of(found), len(found), goal)

    def plain(self) -> dict[str, Any]:
        """As it is kept."""
        told: dict[str, Any] = {"figure": self.figure, "unit": self.unit, "runs": self.runs, **asdict(self.spread)}
        if self.goal is not None:
            told |= {"goal": str(self.goal), "reached": self.goal.reached(self.spread.median)}
        return told


@dataclass(slots=True)
class Outcome:
    """Of a step: rows for the table, absolutes by contestant, and whatever else belongs on record."""

    rows: list[Row] = field(default_factory=list)
    figures: dict[str, dict[str, Spread]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Record:
    """The file of a bench: written anew after every step, so that what fails later loses nothing."""

    path: Path
    document: dict[str, Any]

    @classmethod
    def begin(cls, path: Path, machine: Mapping[str, Any], sizes: Mapping[str, Any], at: str) -> Self:
        """A record without steps."""
        return cls(path, {"at": at, "machine": dict(machine), "sizes": dict(sizes), "steps": {}, "failed": {}})

    @classmethod
    def resume(cls, path: Path, sizes: Mapping[str, Any]) -> Self:
        """A record to go on with. Raises ValueError if it was measured with other sizes."""
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["sizes"] != dict(sizes):
            raise ValueError(f"{path} was measured with other sizes: {document['sizes']}")
        return cls(path, document)

    def finished(self, step: str) -> bool:
        """Whether a step has its figures."""
        return step in self.document["steps"]

    def keep(self, step: str, outcome: Outcome, about: Mapping[str, Any]) -> None:
        """Put a finished step on record."""
        figures = {name: {each: asdict(spread) for each, spread in found.items()} for name, found in outcome.figures.items()}
        rows = [row.plain() for row in outcome.rows]
        self.document["steps"][step] = {**about, "rows": rows, "figures": figures, "details": outcome.details}
        self.document["failed"].pop(step, None)
        self._write()

    def fail(self, step: str, why: str) -> None:
        """Put on record that a step did not come to an end."""
        self.document["failed"][step] = why
        self._write()

    def median(self, step: str, contestant: str, figure: str) -> float | None:
        """A median of an earlier step; None if it is not on record."""
        found = self.document["steps"].get(step, {}).get("figures", {}).get(contestant, {}).get(figure)
        return None if found is None else float(found["median"])

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(self.document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        beside.replace(self.path)
