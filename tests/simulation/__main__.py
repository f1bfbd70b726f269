"""`python -m tests.simulation`: one seed again, or as many as fit into a time, with the results appended to a file.

--seed N [--messages 1-4,7] [--steps none]   plays one seed, or the part of it that a failure was reduced to
--store postgres                             plays on a Postgres that is started for it
--seconds N [--results FILE]                 plays seeds one after the other and goes on where the file ends
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

from tests.simulation.play import Outcome
from tests.simulation.shrink import Failure, attempt, numbers_of, shrink
from tests.simulation.stages import Stages, in_memory
from tests.simulation.stores import STORES, stages_of

SEEDS_A_LINE = 100


def main() -> int:
    """Exit code 1 if anything failed."""
    arguments = _arguments()
    quiet()
    with stages_of(arguments.store) as stages:
        if arguments.seed is None:
            results = arguments.results or Path(f"build/simulation-{arguments.store}.ndjson")
            return soak(arguments.seconds, results, arguments.first, stages)
        found = attempt(arguments.seed, arguments.messages, arguments.steps, stages=stages)
    print(found if isinstance(found, Outcome) else f"FAILED: {found.why}")  # noqa: T201 - a command: this is its answer
    return int(isinstance(found, Failure))


def quiet() -> None:
    """Workers say much about faults that are meant to be."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def soak(seconds: float, results: Path, first: int | None = None, stages: Stages = in_memory) -> int:
    """Play seeds until the time is over; one line of results for each hundred, so that little is lost if it is stopped."""
    results.parent.mkdir(parents=True, exist_ok=True)
    earlier = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    seed = first if first is not None else max((line["first"] + line["seeds"] for line in earlier), default=0)
    end = time.monotonic() + seconds
    failed = 0
    while time.monotonic() < end:
        line = some(seed, end, stages=stages)
        seed += line["seeds"]
        failed += len(line["failures"])
        with results.open("a") as file:
            file.write(json.dumps(line) + "\n")
        earlier.append(line)
    total = {name: sum(line[name] for line in earlier) for name in ("seeds", "messages", "core_seconds")}
    speed = total["messages"] / max(total["core_seconds"], 1e-9)
    failures = sum(len(line["failures"]) for line in earlier)
    print(  # noqa: T201 - a command: this is its answer
        f"{total['seeds']} seeds, {total['messages']} messages, {speed:.0f} a second of a core, {failures} failures, in {results}"
    )
    return int(failed > 0)


def some(first: int, end: float, count: int = SEEDS_A_LINE, stages: Stages = in_memory) -> dict[str, Any]:
    """A line of results: up to so many seeds from `first` on, none begun after `end` (monotonic seconds)."""
    started, worked = time.monotonic(), time.process_time()
    counts, failures = {"seeds": 0, "messages": 0, "commits": 0, "faults": 0}, list[str]()
    for found in _played(range(first, first + count), end, stages):
        counts["seeds"] += 1
        if isinstance(found, Failure):
            small = shrink(found, stages)
            failures.append(small.command)
            print(f"FAILED: {small.why}\n  {small.command}")  # noqa: T201 - a command: this is its answer
            continue
        for name in ("messages", "commits", "faults"):
            counts[name] += getattr(found, name)
    spent = {"seconds": round(time.monotonic() - started, 2), "core_seconds": round(time.process_time() - worked, 2)}
    return {"first": first, **counts, **spent, "failures": failures}


def _played(seeds: range, end: float, stages: Stages) -> Iterator[Outcome | Failure]:
    for seed in seeds:
        if time.monotonic() >= end:
            return
        yield attempt(seed, stages=stages)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.splitlines()[0] if __doc__ else "")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seed", type=int)
    what.add_argument("--seconds", type=float)
    parser.add_argument("--messages", type=numbers_of, help="play these messages of the seed only")
    parser.add_argument("--steps", type=numbers_of, help="play these steps of the seed only")
    parser.add_argument("--store", choices=STORES, default="memory")
    parser.add_argument("--results", type=Path, help="default: a file of the store in build/")
    parser.add_argument("--first", type=int, help="begin with this seed")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
