"""The simulation's part of a soak: processes of its own, which take the seeds that nobody has played yet in turns."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Final

from tests.simulation.__main__ import SEEDS_A_LINE, quiet, some
from tests.soak import results
from worker.app import COLLECT_AFTER_OBJECTS

_YIELD: Final = 5
"""How much it stands back for the real parts, which have time limits."""

Block = tuple[int, int]
"""The first of some seeds, and how many they are."""


def played(lines: Iterable[Mapping[str, Any]]) -> list[Block]:
    """The seeds of these rounds, in their order."""
    return sorted((line["first"], line["seeds"]) for line in lines if line["kind"] == "simulation")


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
def simulating(seconds: float, file: Path, processes: int) -> Iterator[None]:
    """So many processes beside this one that play seeds until the time is over, a line each block. No seed is played by two of
    them, nor one of the rounds so far; what a stopped run left of a block is played by the next.

    Ends when they have. Raises RuntimeError if one ended otherwise.
    """
    spawn = get_context("spawn")
    turns = spawn.Value("q", 0)
    taken = played(results.so_far(file))
    begun: list[SpawnProcess] = []
    for number in range(processes):
        process = spawn.Process(target=_simulate, name=f"simulation-{number}", args=(seconds, file, taken, turns), daemon=True)
        process.start()
        begun.append(process)
    yield
    for process in begun:
        process.join()
        if process.exitcode:
            raise RuntimeError(f"{process.name} ended with {process.exitcode}")


def _simulate(seconds: float, file: Path, taken: list[Block], turns: Synchronized[int]) -> None:
    os.nice(_YIELD)
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 20, 50)  # as in a worker: a tenth more seeds
    quiet()
    end = time.monotonic() + seconds
    blocks, seen = free(taken), 0
    while time.monotonic() < end:
        with turns.get_lock():
            turn = turns.value
            turns.value += 1
        first, count = next(islice(blocks, turn - seen, None))
        seen = turn + 1
        line = some(first, end, count)
        line["simulated_messages"] = line.pop("messages")
        line["simulated_commits"] = line.pop("commits")
        line["simulated_faults"] = line.pop("faults")
        results.append(file, {"kind": "simulation", **line})
