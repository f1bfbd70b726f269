"""`python -m tests.mutation`: tries mutants of `worker.decide` until the time is over; goes on where the last run ended.

--seconds N      how long to try mutants (learning which tests run which lines comes before)
--most N         not more mutants than the first so many of the sample
--seed N         draws the sample
--patience N     how many seconds of tests are run against one mutant before it counts as a survivor
--again          tries the survivors of earlier runs once more
--only TEXT      only mutants whose name contains it, e.g. "refold._overdrawn"
--report         tries nothing, and says what the results come to
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.mutation.campaign import Campaign, Result
from tests.mutation.mutants import Mutant, all_mutants, sample

RESULTS = Path("build/mutants.ndjson")
SURVIVORS = Path(__file__).with_name("survivors.yaml")
SUITES = (
    "tests/rules",
    "tests/oracle",
    "tests/fold",
    "tests/explain/test_telling.py",
    "tests/explain/test_working.py",
)
"""The pure suites: no Kafka, no Postgres, no processes."""
FEW = {"FOLD_EXAMPLES": "2", "ORACLE_EXAMPLES": "40"}
KILLED = ("killed", "timeout")


def main() -> int:
    """Exit code 1 if a mutant survived that nobody explained."""
    arguments = _arguments()
    mutants = sample(arguments.seed, all_mutants())
    if arguments.only:
        mutants = [mutant for mutant in mutants if arguments.only in mutant.name]
    mutants = mutants[: arguments.most]
    known = read(arguments.results)
    if not arguments.report:
        os.environ.update({name: os.environ.get(name, value) for name, value in FEW.items()})
        left = [mutant for mutant in mutants if _is_open(known.get(mutant.name), mutant, again=arguments.again)]
        print(f"{len(mutants)} mutants, {len(left)} to be tried")  # noqa: T201 - a command: this is its answer
        if left:
            _try(left, arguments)
        known = read(arguments.results)
    return report([(mutant, known.get(mutant.name)) for mutant in mutants])


def read(results: Path) -> dict[str, dict[str, Any]]:
    """The last result of each mutant, by its name."""
    lines = results.read_text().splitlines() if results.exists() else []
    return {line["mutant"]: line for line in map(json.loads, lines)}


def explained() -> dict[str, str]:
    """Why some survive: the reason by the mutant's name."""
    return {each["mutant"]: each["why"] for each in yaml.safe_load(SURVIVORS.read_text())}


def _is_open(result: dict[str, Any] | None, mutant: Mutant, *, again: bool) -> bool:
    if result is None or result["digest"] != mutant.digest:
        return True
    return again and result["status"] not in KILLED and mutant.name not in explained()


def _try(mutants: list[Mutant], arguments: argparse.Namespace) -> None:
    results: Path = arguments.results
    results.parent.mkdir(parents=True, exist_ok=True)
    os.nice(max(0, 10 - os.nice(0)))

    def keep(result: Result) -> None:
        line = {
            "mutant": result.mutant.name,
            "status": result.status,
            "by": result.by,
            "tests": result.tests,
            "seconds": result.seconds,
            "line": result.mutant.line,
            "digest": result.mutant.digest,
        }
        with results.open("a") as file:
            file.write(json.dumps(line) + "\n")
        if result.status not in KILLED:
            print(f"{result.status}: {result.mutant.name} (line {result.mutant.line})", flush=True)  # noqa: T201 - a command: this is its answer

    options = ["-qq", "-p", "no:cacheprovider", "-o", "timeout=0", "--no-header", "--no-summary"]
    code = pytest.main([*options, *SUITES], plugins=[Campaign(mutants, arguments.seconds, arguments.patience, keep)])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise SystemExit(int(code))


def report(found: list[tuple[Mutant, dict[str, Any] | None]]) -> int:
    """A line for each module; returns 1 if a survivor is not explained."""
    why = explained()
    counts: dict[str, Counter[str]] = {}
    unexplained = 0
    for mutant, result in found:
        count = counts.setdefault(mutant.module, Counter())
        if result is None or result["digest"] != mutant.digest:
            count["not tried"] += 1
            continue
        count["tried"] += 1
        status = "killed" if result["status"] in KILLED else "explained" if mutant.name in why else "survived"
        count[status] += 1
        unexplained += status == "survived"
    total = sum(counts.values(), Counter[str]())
    for name, count in [*sorted(counts.items()), ("all", total)]:
        share = 100 * count["killed"] / max(count["tried"], 1)
        print(  # noqa: T201 - a command: this is its answer
            f"{name:14} {count['tried']:5} tried {count['killed']:5} killed ({share:3.0f} %) "
            f"{count['explained']:4} explained {count['survived']:4} not explained {count['not tried']:5} not tried"
        )
    return int(unexplained > 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--patience", type=float, default=60)
    parser.add_argument("--most", type=int, default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
