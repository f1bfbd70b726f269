"""`python -m tests.mutation`: tries mutants of `worker.decide` until the time is over; goes on where the last run ended.

--seconds N      how long to learn which tests run what (what is known already is kept in build/) and to try mutants
--most N         not more mutants than the first so many of the sample
--seed N         draws the sample
--patience N     how many seconds of tests are run against one mutant before it counts as a survivor
--again          tries the survivors of earlier runs that are not explained once more, before it goes on
--only TEXT      only mutants whose name contains it, e.g. "refold._overdrawn"
--report         tries nothing, and says what the results come to
--write          tries nothing; keeps the results with the tests, and what they come to in tests/README.md
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.mutation import results
from tests.mutation.campaign import Campaign, Result
from tests.mutation.mutants import Mutant, all_mutants, sample
from worker.decide import fold

SUITES = (
    "tests/rules",
    "tests/oracle",
    "tests/fold",
    "tests/explain/test_telling.py",
    "tests/explain/test_trace.py",
    "tests/explain/test_late_terms.py",
    "tests/recovery/test_folding_anew.py",
)
"""The pure suites: no Kafka, no Postgres, no processes."""
FEW = {"FOLD_EXAMPLES": "2", "ORACLE_EXAMPLES": "40", "CONSERVATION_EXAMPLES": "10"}


def main() -> int:
    """Exit code 1 if a mutant survived that nobody explained."""
    arguments = _arguments()
    mutants = sample(arguments.seed, all_mutants())
    if arguments.write:
        results.keep(mutants, arguments.results)
        results.write(results.read(results.KEPT).values(), results.explained())
    mutants = [mutant for mutant in mutants if arguments.only in mutant.name][: arguments.most]
    known = results.read(results.KEPT, arguments.results)
    if not (arguments.report or arguments.write):
        os.environ.update({name: os.environ.get(name, value) for name, value in FEW.items()})
        if not str(fold.__file__).endswith(".py"):
            raise SystemExit("worker.decide is compiled here: mutants are put into its Python, so install it uncompiled")
        left = _open(mutants, known, again=arguments.again)
        _say(f"{len(mutants)} mutants, {len(left)} to be tried")
        if left:
            _try(left, arguments, known)
        known = results.read(results.KEPT, arguments.results)
    return report(mutants, known)


def _open(mutants: Sequence[Mutant], known: Mapping[str, Mapping[str, Any]], *, again: bool) -> list[Mutant]:
    """What is to be tried: survivors that nobody explained first, if asked for, then what has no result as it stands."""
    why = results.explained()
    found = [(mutant, known.get(mutant.name)) for mutant in mutants]
    alive = [mutant for mutant, line in found if line and results.current(line, mutant) and results.fate(line, why) == "survived"]
    return [*(alive if again else ()), *(mutant for mutant, line in found if not results.current(line, mutant))]


def _try(mutants: list[Mutant], arguments: argparse.Namespace, known: Mapping[str, Mapping[str, Any]]) -> None:
    os.nice(max(0, 10 - os.nice(0)))

    def keep(result: Result) -> None:
        results.append(arguments.results, result)
        if result.status not in results.KILLED:
            _say(f"{result.status}: {result.mutant.name} (line {result.mutant.line})")

    options = ["-qq", "-p", "no:cacheprovider", "-o", "timeout=0", "--no-header", "--no-summary"]
    killed = [(line["mutant"].partition(": ")[0], line["by"]) for line in known.values() if line["by"]]
    lived = {name for name, line in known.items() if line["status"] not in results.KILLED}
    campaign = Campaign(mutants, arguments.seconds, arguments.patience, keep, killed, lived)
    code = pytest.main([*options, *SUITES], plugins=[campaign])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise SystemExit(int(code))


def report(mutants: Sequence[Mutant], known: Mapping[str, Mapping[str, Any]]) -> int:
    """A line for each module, and the table; returns 1 if a survivor is not explained."""
    why = results.explained()
    counts: dict[str, Counter[str]] = {}
    tried = []
    for mutant in mutants:
        line = known.get(mutant.name)
        if line is None or not results.current(line, mutant):
            counts.setdefault(mutant.module, Counter())["left"] += 1
        else:
            tried.append(line)
            counts.setdefault(mutant.module, Counter()).update(["tried", results.fate(line, why)])
    for name, count in sorted(counts.items()):
        share = 100 * count["killed"] / max(count["tried"], 1)
        _say(
            f"{name:14} {count['tried']:5} tried {count['killed']:5} killed ({share:3.0f} %) {count['same']:4} the same "
            f"{count['told']:4} explained {count['survived']:4} not explained {count['left']:5} not tried"
        )
    _say(results.table(tried, why))
    return int(any(count["survived"] for count in counts.values()))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--patience", type=float, default=60)
    parser.add_argument("--most", type=int, default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--results", type=Path, default=results.RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
