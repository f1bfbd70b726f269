"""The table of rows and the stories that they are about, as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.terms.fields.finding import Row
from tests.terms.fields.stories import Told

KEPT: Final = Path(__file__).parent / "kept.ndjson"


@dataclass(slots=True)
class Kept:
    """Rows by the key of their place, stories by name."""

    rows: dict[str, Row] = field(default_factory=dict)
    stories: dict[str, Told] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Kept:
        """What a file holds; nothing if it is not there."""
        kept = cls()
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            body = json.loads(line)
            if "key" in body:
                row = Row(**body)
                kept.rows[row.key] = row
            else:
                told = Told.of(line)
                kept.stories[told.name] = told
        return kept

    def add(self, row: Row, told: Told) -> None:
        """Another row."""
        self.rows[row.key] = row
        self.stories[row.story] = told

    def write(self, path: Path) -> None:
        """All of it, in an order that depends on nothing else."""
        used = {row.story for row in self.rows.values()}
        stories = (self.stories[name].as_json() for name in sorted(used))
        rows = (self.rows[key].as_json() for key in sorted(self.rows))
        path.write_text("".join(f"{line}\n" for line in (*stories, *rows)), encoding="utf-8")

    def by_story(self) -> Iterator[tuple[Told, list[Row]]]:
        """The rows of each story."""
        for name, told in self.stories.items():
            yield told, [row for row in self.rows.values() if row.story == name]
