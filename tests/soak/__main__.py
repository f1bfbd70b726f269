"""`python -m tests.soak`: simulation and faults beside each other for a time, results appended, and what all of it comes to.

--seconds N [--results FILE] [--without simulation|faults] [--simulations N] [--stores memory,postgres]
                     goes on where the file ends, the simulation in so many processes for each of the stores; exit code 1 if a
                     promise was broken
--table              the totals so far
--write              keep these rounds with the tests, and the totals in tests/README.md
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.faults.soak import soak as soak_faults
from tests.simulation.stores import STORES, StoreName
from tests.soak import results
from tests.soak.simulating import simulating


def main() -> int:
    """Exit code 1 if any promise was broken now."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--results", type=Path, default=results.RESULTS)
    parser.add_argument("--without", choices=("simulation", "faults"))
    parser.add_argument("--simulations", type=int, default=1, help="processes that simulate, for each store")
    parser.add_argument("--stores", type=lambda text: text.split(","), default=STORES, help=f"of {', '.join(STORES)}")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    before = len(results.read(arguments.results))
    if arguments.seconds:
        _soak(arguments.seconds, arguments.results, arguments.without, arguments.simulations, arguments.stores)
    lines = results.read(arguments.results)
    everything = [*results.so_far(arguments.results), *results.fuzzed()]
    if arguments.write:
        results.keep(arguments.results)
        results.write(results.read(results.KEPT))
    sys.stdout.write(results.table(everything) + "\n")
    broken = [text for line in lines[before:] for text in (*line.get("problems", ()), *line.get("failures", ()))]
    return int(bool(broken))


def _soak(seconds: float, file: Path, without: str | None, simulations: int, stores: Sequence[StoreName]) -> None:
    with simulating(seconds, file, 0 if without == "simulation" else simulations, stores):
        if without != "faults":
            asyncio.run(soak_faults(seconds, file))


if __name__ == "__main__":
    raise SystemExit(main())
