"""A terms file means what it says: see `tests.terms.fields`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.terms.fields.finding import Row, differs, missing, values_with
from tests.terms.fields.kept import KEPT, Kept
from tests.terms.fields.places import alternatives, every_place
from tests.terms.fields.stories import Told, at, outcome, program_of

OPEN = Path(__file__).parent / "open.txt"
"""Places of which no row was found yet. A new field gets a row, or is put in here by whoever says why."""
TABLE = Kept.read(KEPT)
PLACES = {place.key: place for place in every_place()}
ROWS = [pytest.param(told, rows, id=told.name) for told, rows in TABLE.by_story()]


def test_every_place_of_a_file_has_a_row_or_is_known_to_lack_one() -> None:
    known = set(OPEN.read_text(encoding="utf-8").splitlines())
    without = {place.key for place in missing(TABLE.rows)}
    assert without - known == set(), "python -m tests.terms.fields looks for rows; what none is found of is read by no story"
    assert known - without == set(), f"has a row now: take it out of {OPEN.name}"


def test_no_row_is_of_a_place_that_is_gone() -> None:
    assert [key for key in TABLE.rows if key not in PLACES] == [], "python -m tests.terms.fields leaves them out"


@pytest.mark.parametrize(("told", "rows"), ROWS)
def test_another_value_makes_another_ledger_or_is_refused(told: Told, rows: list[Row]) -> None:
    for row in rows:
        values = values_with(told, row.given)
        if row.refused and row.value is not None:
            assert differs(values, told, row.path, row.value, ()) is None, f"{row.key}: {row.path} may stand there"
        elif row.refused:
            place = PLACES[row.key]
            others = alternatives(place, at(values[-1], row.path), values[-1], told, ())
            taken = [each for each in others if differs(values, told, row.path, each, ()) is not None]
            assert taken == [], f"{row.key} takes values: python -m tests.terms.fields looks for what they change"
        else:
            before = outcome(program_of(values), told)
            assert differs(values, told, row.path, row.value, before), f"{row.key}: {row.value!r} changes nothing"
