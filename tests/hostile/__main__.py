"""`python -m tests.hostile`: hostile records, terms files and lives for a time; the counts are appended to a file.

--seconds N [--results FILE]   goes on where the file ends, or what is kept with the tests; each kind has its part of the time,
                               atheris too where it is installed
--seed N --kind KIND           one case again: record, terms, or life (in every program)
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from random import Random
from tempfile import TemporaryFile
from typing import Any, Final

import structlog

from tests.hostile.folding import fold
from tests.hostile.guided import played_last
from tests.hostile.lives import programs
from tests.hostile.records import hostile
from tests.hostile.terms_files import hostile_text, hostile_values, judge_text, judge_values
from tests.hostile.verdict import judge
from tests.soak.results import to_fuzz

RESULTS: Final = Path("build/fuzz.ndjson")
FOUND: Final = Path("build/fuzz-found")
SHARES: Final = {"record": 0.45, "life": 0.25, "terms": 0.1, "guided": 0.2}
"""Of the time; without atheris its share goes to none."""
FAILURES_KEPT: Final = 20


@dataclass(slots=True)
class Tally:
    """What one kind of case came to. `slowest`: the most processor seconds of one record (of one file)."""

    kind: str
    first: int
    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def line(self, seconds: float) -> dict[str, Any]:
        """As it is appended."""
        return {
            "kind": self.kind,
            "first": self.first,
            "cases": self.cases,
            "seconds": round(seconds, 1),
            "slowest_seconds": round(self.slowest, 4),
            "outcomes": dict(sorted(self.outcomes.items())),
            "failures": self.failures[:FAILURES_KEPT],
        }


def play_record(tally: Tally, seed: int) -> None:
    """One record."""
    kind, seconds = judge(hostile(Random(seed)))
    tally.outcomes[kind] += 1
    tally.slowest = max(tally.slowest, seconds)


def play_terms(tally: Tally, seed: int) -> None:
    """One terms file: its text, or its values."""
    rng = Random(seed)
    started = time.thread_time()
    tally.outcomes[judge_text(hostile_text(rng)) if seed % 2 else judge_values(hostile_values(rng))] += 1
    tally.slowest = max(tally.slowest, time.thread_time() - started)


def play_life(tally: Tally, seed: int) -> None:
    """One life in every program; its records are what is counted."""
    for code in programs():
        try:
            outcomes, slowest = fold(code, seed, events=(30, 80)[seed % 7 == 0])
        except Exception as error:
            raise AssertionError(f"{code}: {error}") from error
        tally.outcomes.update(outcomes)
        tally.cases += outcomes["records"]
        tally.slowest = max(tally.slowest, slowest)


PLAYS: Final[dict[str, Callable[[Tally, int], None]]] = {"record": play_record, "terms": play_terms, "life": play_life}


def run(kind: str, first: int, seconds: float) -> Tally:
    """Seeds from `first` on until the time is over."""
    tally = Tally(kind, first)
    end, seed = time.monotonic() + seconds, first
    while time.monotonic() < end:
        try:
            PLAYS[kind](tally, seed)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            tally.failures.append(f"--kind {kind} --seed {seed}: {type(error).__name__}: {error}"[:500])
            tally.outcomes["failed"] += 1
        tally.cases += kind != "life"
        seed += 1
    tally.outcomes["seeds"] = seed - first
    return tally


def guided(seconds: float, found: Path = FOUND) -> Tally:
    """Atheris, in a process of its own: it ends the process when it finds something. If that ends badly, all that it said and
    the case it was playing are kept."""
    tally = Tally("guided", 0)
    found.mkdir(parents=True, exist_ok=True)
    with TemporaryFile("w+", errors="replace") as said:
        command = (sys.executable, "-m", "tests.hostile.guided", str(int(seconds)), str(found))
        code = subprocess.run(command, stdout=said, stderr=said, check=False).returncode
        said.seek(0)
        text = said.read()
    # It says how many there were, now and then and at its end.
    counts = re.findall(r"^(?:#|stat::number_of_executed_units: )(\d+)", text, re.MULTILINE)
    tally.cases = max(map(int, counts), default=0)
    if code != 0:
        kept = found / f"ended-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        kept.with_suffix(".log").write_text(text)
        kept.with_suffix(".case").write_bytes(played_last(found))
        tally.failures.append(f"ended with {code} after {tally.cases} cases; {kept}.log, {kept}.case: {text[-1_000:]}")
    return tally


def main() -> int:
    """Exit code 1 if anything failed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    arguments = _arguments()
    if arguments.seed is not None:
        PLAYS[arguments.kind](Tally(arguments.kind, arguments.seed), arguments.seed)
        print("nothing is wrong with it")  # noqa: T201 - a command: this is its answer
        return 0
    results: Path = arguments.results
    results.parent.mkdir(parents=True, exist_ok=True)
    earlier = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    failed = False
    for kind, share in SHARES.items():
        if kind == "guided" and find_spec("atheris") is None:
            print("without atheris: `pip install '.[fuzz]'` brings it, on Linux for x86")  # noqa: T201 - a command: this is its answer
            continue
        began = time.monotonic()
        first = to_fuzz(kind, results)
        tally = guided(arguments.seconds * share) if kind == "guided" else run(kind, first, arguments.seconds * share)
        line = tally.line(time.monotonic() - began)
        with results.open("a") as file:
            file.write(json.dumps(line) + "\n")
        earlier.append(line)
        failed |= bool(tally.failures)
        print(json.dumps(line))  # noqa: T201 - a command: this is its answer
    cases = sum(line["cases"] for line in earlier)
    print(f"{cases} cases, {sum(len(line['failures']) for line in earlier)} failures, in {results}")  # noqa: T201 - a command: this is its answer
    return int(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seed", type=int)
    what.add_argument("--seconds", type=float)
    parser.add_argument("--kind", choices=sorted(PLAYS), default="record")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
