"""Chapters of faults on real parts, for a time: each is a line of results. `python -m tests.faults.soak` plays some of them only.

--seconds N [--results FILE] [--only kills,zombies] [--seed N]
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any, Final

from tests.faults.chapter import Harness, Told
from tests.faults.menu import CLUSTER_BROKERS, MENU, chosen, missing, without_clocks
from tests.faults.parts import own_theatre
from tests.soak import results

SECONDS_A_CHAPTER: Final = 30.0
CHAPTERS_A_THEATRE: Final = 12
WORKERS: Final = 4
FORKED: Final = 0.5
"""Of the theatres: those whose workers are forked, and whose clocks stand still."""
NOT_PLAYED_MAX: Final = 3
PROBLEM_LENGTH_MAX: Final = 4_000


def main() -> int:
    """Exit code 1 if any promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--results", type=Path, default=results.RESULTS)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(MENU), help=f"of {', '.join(MENU)}")
    parser.add_argument("--seed", type=int, default=None, help="of the first chapter; default: after the last one played")
    arguments = parser.parse_args()
    return int(asyncio.run(soak(arguments.seconds, arguments.results, arguments.only, arguments.seed)) > 0)


async def soak(seconds: float, file: Path, only: Sequence[str] = tuple(MENU), seed: int | None = None) -> int:
    """Play chapters until the time is over; returns how many ended badly. After such a one the next begins on new parts, and
    the logs of the workers stay where the line says."""
    end = time.monotonic() + seconds
    if seed is None:
        earlier = [line["seed"] for line in results.so_far(file) if line["kind"] == "faults"]
        seed = max(earlier, default=-1) + 1
    failed = not_played = 0
    while time.monotonic() < end:
        directory = Path(mkdtemp(prefix="loyalty-faults-"))
        right = True
        try:
            async for line in _chapters(directory, seed, frozenset(only), end):
                results.append(file, line)
                seed, not_played = line["seed"] + 1, 0
                right = right and not line["problems"]
                failed += bool(line["problems"])
        except Exception as error:
            # The parts did not start, or broke where nobody broke them: nothing was learned about the ledger.
            not_played += 1
            right = False
            why = f"{type(error).__name__}: {error}"[:PROBLEM_LENGTH_MAX]
            results.append(file, {"kind": "faults", "seed": seed, "seconds": 0.0, "not_played": 1, "why": why, "problems": []})
            seed += 1
            if not_played == NOT_PLAYED_MAX:
                raise
        if right:
            shutil.rmtree(directory, ignore_errors=True)
    return failed


async def _chapters(directory: Path, seed: int, only: frozenset[str], end: float) -> AsyncIterator[dict[str, Any]]:
    """Some chapters on parts of their own, up to one that ends badly; then the whole ledger is verified."""
    still = without_clocks(only)
    forked = bool(still) and (still == only or Random(seed).random() < FORKED)
    only = still if forked else only
    brokers = _brokers(seed, only)
    async with own_theatre(directory, f"soak{seed}.", seed, brokers, WORKERS, forked) as stage:
        last = seed + CHAPTERS_A_THEATRE - 1
        for number in range(seed, last + 1):
            name = chosen(number, only, brokers)
            assert name is not None, f"nothing of {sorted(only)} can be played here: {[missing(each) for each in only]}"
            line = await _chapter(stage, number, name)
            yield line
            if line["problems"] or time.monotonic() >= end:
                last = number
                break
        yield _line("verify", "the whole ledger", last, await stage.verify(), stage)


def _brokers(seed: int, only: frozenset[str]) -> int:
    """How many brokers the next chapters have."""
    possible = [count for count in (1, CLUSTER_BROKERS) if chosen(seed, only, count) is not None] or [1]
    return Random(seed).choices(possible, [3, 1][: len(possible)])[0]


async def _chapter(stage: Harness, seed: int, name: str) -> dict[str, Any]:
    course = MENU[name]
    told = await stage.play(course.injections, seed, course.events, SECONDS_A_CHAPTER, course.share)
    return _line("faults", name, seed, told, stage)


def _line(kind: str, course: str, seed: int, told: Told, stage: Harness) -> dict[str, Any]:
    """A line of results, said as well."""
    about = {"kind": kind, "seed": seed, "course": course, "seconds": round(told.seconds, 1)}
    if told.problems:
        about["kept"] = str(stage.system.directory)
    problems = [problem[:PROBLEM_LENGTH_MAX] for problem in told.problems]
    words = ", ".join(f"{count} {what}" for what, count in told.counts.items())
    verdict = ", ".join(f"{count} {what}" for what, count in told.witness.items()) or "not asked"
    sys.stdout.write(f"faults {seed} ({course}) in {told.seconds:.0f} s {told.took}: {words}; witness: {verdict}\n")
    sys.stdout.writelines(f"  PROBLEM {problem}\n" for problem in problems)
    sys.stdout.flush()
    # Apart from the counts: its verdict is about all chapters so far, and what it found is among the problems.
    return {**about, **told.counts, "witness": told.witness, "problems": problems}


if __name__ == "__main__":
    raise SystemExit(main())
