"""`python -m tests.oracle`: lives of members that fold and naive rules tell alike, from where the last run ended.

--seconds N [--programs CODE …] [--first SEED] [--results FILE]   a line a program; exit code 1 if any life is told otherwise

`python -m tests.soak --write` keeps the lines and puts their sum into `tests/README.md`.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.oracle.comparison import disagreement
from tests.oracle.programs import PROGRAMS
from tests.soak import results

KIND = "oracle"


@dataclass(frozen=True, slots=True)
class Played:
    """Lives of one program, from the seed `first` on, and how those differ that do."""

    kind: str
    program: str
    first: int
    lives: int
    seconds: float
    failures: list[str]


def play(code: str, first: int, seconds: float) -> Played:
    """Lives of a program, one a seed, until the time is over."""
    began = time.monotonic()
    seed, found = first, []
    while time.monotonic() < began + seconds:
        if different := disagreement(code, seed):
            found.append(different)
        seed += 1
    return Played(KIND, code, first, seed - first, round(time.monotonic() - began, 1), found)


def begin(code: str, file: Path) -> int:
    """The first seed that no line has."""
    lines = [line for line in results.so_far(file) if line["kind"] == KIND and line["program"] == code]
    return max((line["first"] + line["lives"] for line in lines), default=0)


def main() -> int:
    """Exit code 1 if any life is told otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--programs", nargs="+", choices=sorted(PROGRAMS), default=sorted(PROGRAMS))
    parser.add_argument("--first", type=int)
    parser.add_argument("--results", type=Path, default=results.RESULTS)
    arguments = parser.parse_args()
    broken = False
    for code in arguments.programs:
        first = begin(code, arguments.results) if arguments.first is None else arguments.first
        played = play(code, first, arguments.seconds / len(arguments.programs))
        results.append(arguments.results, asdict(played))
        sys.stdout.write(f"{code}: {played.lives} lives from seed {first} on, {len(played.failures)} told otherwise\n")
        sys.stdout.writelines(f"{text}\n" for text in played.failures)
        broken = broken or bool(played.failures)
    return int(broken)


if __name__ == "__main__":
    raise SystemExit(main())
