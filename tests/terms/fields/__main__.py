"""`python -m tests.terms.fields`: looks for what shows that a field is read, of each place that has nothing yet."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import pytest

from tests.terms.fields.finding import Finder, missing
from tests.terms.fields.kept import KEPT, Kept
from tests.terms.fields.places import Place
from tests.terms.fields.stories import Told, recorded


def main() -> int:
    """Exit code 1 if nothing was found of a place."""
    parser = argparse.ArgumentParser(prog="python -m tests.terms.fields", description=__doc__)
    parser.add_argument("--list", action="store_true", help="only what is missing")
    parser.add_argument("--only", default="", help="places whose name holds this")
    parser.add_argument("--stories", type=Path, help="where the stories are that an earlier run recorded, or are to be recorded")
    parser.add_argument("--part", default="0/1", help="of so many parts this one, such as 0/2")
    arguments = parser.parse_args()
    kept = Kept.read(KEPT)
    part, parts = map(int, arguments.part.split("/"))
    wanted = [place for place in missing(kept.rows) if arguments.only in place.key][part::parts]
    if arguments.list:
        sys.stdout.writelines(f"{place.key}\n" for place in wanted)
        return int(bool(wanted))
    finder = Finder([*kept.stories.values(), *_stories(arguments.stories)])
    nothing: list[Place] = []
    for number, place in enumerate(wanted, 1):
        began = time.monotonic()
        try:
            row = finder.find(place)
        except RuntimeError as error:
            sys.stdout.write(f"BROKEN: {error}\n")
            row = None
        if row is None:
            nothing.append(place)
        else:
            kept.add(row, finder.stories[row.story])
            kept.write(KEPT)
        what = "nothing" if row is None else "refused" if row.refused else f"{row.path} = {row.value!r}"
        sys.stdout.write(f"{number}/{len(wanted)} {time.monotonic() - began:.1f} s {place.key}: {what[:120]}\n")
        sys.stdout.flush()
    sys.stdout.writelines(f"NOTHING shows that it is read: {place.key}\n" for place in nothing)
    return int(bool(nothing))


def _stories(file: Path | None) -> list[Told]:
    if file is not None and file.exists():
        return [Told.of(line) for line in file.read_text(encoding="utf-8").splitlines()]
    with recorded() as found:
        pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", "tests/rules"])
    if file is not None:
        file.write_text("".join(f"{each.as_json()}\n" for each in found.values()), encoding="utf-8")
    return [*found.values()]


if __name__ == "__main__":
    raise SystemExit(main())
