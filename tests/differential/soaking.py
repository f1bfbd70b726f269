"""Crowds one after the other, with a line of results now and then. Beside the command: what another process runs may not stand
in its `__main__`.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.differential.lives import crowd
from tests.differential.run import PLAYS, harness, kind_of
from tests.parts.postgres import DEFAULT_VERSION, Servers
from tests.simulation.__main__ import quiet
from tests.soak import results
from worker.runtime.app import COLLECT_AFTER_OBJECTS

KIND = "differential"
LINE_SECONDS = 300.0
"""A line of results is kept at least so often, so that little is lost if a run is stopped."""


@contextmanager
def databases() -> Iterator[Sequence[str]]:
    """A database for each play, on a server of their own."""
    with TemporaryDirectory() as directory:
        servers = Servers(Path(directory))
        try:
            yield [servers.create_database(DEFAULT_VERSION, f"play_{number}") for number in range(len(PLAYS))]
        finally:
            servers.stop()


async def soak(addresses: Sequence[str], first: int, step: int, seconds: float, *, shrink: bool = True) -> dict[str, Any]:
    """A line of results: crowds of every so many-th seed until the time is over."""
    began, worked = time.monotonic(), time.process_time()
    seed, counts = first, Counter[str]()
    failures: list[str] = []
    kinds: Counter[str] = Counter()
    async with harness(addresses) as stages:
        while time.monotonic() < began + seconds:
            made = crowd(seed)
            found = await stages.compare(made, made.lives)
            counts["crowds"] += 1
            counts["compared_histories"] += len(made.lives)
            counts["compared_events"] += sum(len(life.tellings) for life in made.lives)
            for number, wrong in found.items():
                new = kinds[kind_of(wrong[0])] == 0
                kinds[kind_of(wrong[0])] += 1
                if new and shrink:
                    small = await stages.shrunk(made, made.lives[number], wrong[0])
                    failures.append(f"{small.why}\n  {made.lives[number].choice}\n  {small.command}")
                    sys.stdout.write(f"FAILED: {failures[-1]}\n")
                    sys.stdout.flush()
                else:
                    failures.append(f"{wrong[0]}: crowd {seed} life {number}")
            seed += step
    spent = {"seconds": round(time.monotonic() - began, 1), "core_seconds": round(time.process_time() - worked, 1)}
    sys.stdout.writelines(f"{count:5} {kind}\n" for kind, count in kinds.most_common())
    return {"kind": KIND, "first": first, "next": seed, **counts, **spent, "failures": failures}


def play_on(first: int, step: int, seconds: float, file: Path, shrink: bool) -> None:
    """One process of a run: lines of results of every so many-th crowd, from a first one on, until the time is over."""
    quiet()
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 20, 50)
    end = time.monotonic() + seconds
    with databases() as addresses:
        while (left := end - time.monotonic()) > 0:
            line = asyncio.run(soak(addresses, first, step, min(left, LINE_SECONDS), shrink=shrink))
            results.append(file, line)
            first = line["next"]
