"""The simulation's part of a soak: processes of its own, which take the seeds that nobody has played yet on a store in turns."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Final

from tests.parts.postgres import DEFAULT_VERSION
from tests.simulation.__main__ import SEEDS_A_LINE, quiet, some
from tests.simulation.stores import StoreName, own_server, stages_on
from tests.soak import results
from worker.runtime.app import COLLECT_AFTER_OBJECTS

_YIELD: Final = 5
"""How much it stands back for the real parts, which have time limits."""

Block = tuple[int, int]
"""The first of some seeds, and how many they are."""


_COUNTS: Final[Mapping[StoreName, Mapping[str, str]]] = {
    "memory": {"messages": "simulated_messages", "commits": "simulated_commits", "faults": "simulated_faults"},
    "postgres": {name: f"postgres_{name}" for name in ("seeds", "messages", "commits", "faults")},
}
"""What the counts of a simulation are called in a line of results."""


def played(lines: Iterable[Mapping[str, Any]], store: StoreName = "memory") -> list[Block]:
    """The seeds of these rounds that were played on a store, in their order."""
    seeds = _COUNTS[store].get("seeds", "seeds")
    return sorted((line["first"], line[seeds]) for line in lines if line["kind"] == "simulation" and seeds in line)


def free(taken: Iterable[Block]) -> Iterator[Block]:
    """What is left beside blocks in ascending order: up to a hundred seeds each, the gaps first, without end."""
    seed = 0
    for first, count in (*taken, (None, 0)):
        while first is None or seed < first:
            line_end = seed - seed % SEEDS_A_LINE + SEEDS_A_LINE
            end = line_end if first is None else min(first, line_end)
            yield seed, end - seed
            seed = end
        seed = max(seed, first + count)


@contextmanager
def simulating(seconds: float, file: Path, processes: int, stores: Sequence[StoreName] = ("memory",)) -> Iterator[None]:
    """So many processes for each store beside this one that play seeds until the time is over, a line each block. On a store no
    seed is played by two of them, nor one of the rounds so far; what a stopped run left of a block is played by the next.

    Ends when they have. Raises RuntimeError if one ended otherwise.
    """
    spawn = get_context("spawn")
    begun: list[SpawnProcess] = []
    with ExitStack() as open_:
        for store in stores if processes else ():
            turns, taken = spawn.Value("q", 0), played(results.so_far(file), store)
            servers = open_.enter_context(own_server()) if store == "postgres" else None
            for number in range(processes):
                dsn = servers.create_database(DEFAULT_VERSION, f"simulation_{number}") if servers is not None else None
                arguments = (seconds, file, taken, turns, dsn)
                process = spawn.Process(target=_simulate, name=f"simulation-{store}-{number}", args=arguments, daemon=True)
                process.start()
                begun.append(process)
        yield
        for process in begun:
            process.join()
    for process in begun:
        if process.exitcode:
            raise RuntimeError(f"{process.name} ended with {process.exitcode}")


def _simulate(seconds: float, file: Path, taken: list[Block], turns: Synchronized[int], dsn: str | None) -> None:
    os.nice(_YIELD)
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 20, 50)  # as in a worker: a tenth more seeds
    quiet()
    counts = _COUNTS["memory" if dsn is None else "postgres"]
    end = time.monotonic() + seconds
    blocks, seen = free(taken), 0
    with stages_on(dsn) as stages:
        while time.monotonic() < end:
            with turns.get_lock():
                turn = turns.value
                turns.value += 1
            first, count = next(islice(blocks, turn - seen, None))
            seen = turn + 1
            line = some(first, end, count, stages)
            results.append(file, {"kind": "simulation", **{counts.get(name, name): value for name, value in line.items()}})
