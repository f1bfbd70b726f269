"""`python -m tests.differential`: lives of members on Postgres, beside `simulate` and one fold of sorted facts.

--seconds N [--seed S] [--results FILE] [--processes N]   goes on where the file ends, a line each process; exit code 1 if a life
                                                          came out differently
--crowd S [--programs N] [--life N [--tellings 1-4,7]]    one crowd, or one life of it, or a part of that, told in full
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

from tests.differential.lives import PROGRAMS, Crowd, Life, crowd
from tests.differential.run import harness
from tests.differential.soaking import KIND, databases, play_on
from tests.simulation.__main__ import quiet
from tests.simulation.shrink import numbers_of
from tests.soak import results


async def _replay(addresses: Sequence[str], seed: int, programs: int, number: int | None, tellings: Sequence[int] | None) -> int:
    made = crowd(seed, programs)
    lives = made.lives if number is None else [made.lives[number]]
    if tellings is not None:
        lives = [life.some(tellings) for life in lives]
    if number is not None:
        sys.stdout.write(f"{lives[0].choice}\n")
        _tell(made, lives[0])
    async with harness(addresses) as stages:
        found = await stages.compare(made, lives)
    for life, wrong in found.items():
        sys.stdout.writelines(f"life {life}: {text}\n" for text in wrong)
    return int(bool(found))


def _tell(made: Crowd, life: Life) -> None:
    for each in life.tellings:
        told = {name: (text or b"").decode() for name, text in each.record.headers}
        names = " ".join(told.get(f"ce_{name}", "-") for name in ("type", "program", "source", "id"))
        sys.stdout.write(f"{each.number:3} {each.time.isoformat()} late {each.late_at.isoformat()} {'|' if each.ends else ' '} ")
        sys.stdout.write(f"{names} {(each.record.value or b'').decode()}\n")
    for order, at in made.clock.items():
        sys.stdout.write(f"clock {order}: {' '.join(each.isoformat() for each in at)}\n")


def main() -> int:
    """Exit code 1 if any life came out differently."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--crowd", type=int)
    parser.add_argument("--programs", type=int, default=PROGRAMS)
    parser.add_argument("--life", type=int)
    parser.add_argument("--tellings", type=numbers_of)
    parser.add_argument("--as-found", action="store_true", help="do not make failing lives small")
    parser.add_argument("--results", type=Path, default=results.RESULTS)
    arguments = parser.parse_args()
    if arguments.crowd is not None:
        quiet()
        with databases() as addresses:
            return asyncio.run(_replay(addresses, arguments.crowd, arguments.programs, arguments.life, arguments.tellings))
    before = results.read(arguments.results)
    played = [line for line in results.so_far(arguments.results) if line["kind"] == KIND]
    first = arguments.seed if arguments.seed is not None else max((line["next"] for line in played), default=0)
    step = arguments.processes
    rest = (step, arguments.seconds, arguments.results, not arguments.as_found)
    if step == 1:
        play_on(first, *rest)
    else:
        spawned = [get_context("spawn").Process(target=play_on, args=(first + number, *rest)) for number in range(step)]
        for process in spawned:
            process.start()
        for process in spawned:
            process.join()
    lines = results.read(arguments.results)[len(before) :]
    total = sum(line["compared_histories"] for line in lines)
    spent = sum(line["seconds"] for line in lines)
    failed = sum(len(line["failures"]) for line in lines)
    sys.stdout.write(f"{total} histories, {total / max(spent, 1e-9):.1f} a second of a process, {failed} came out differently\n")
    return int(failed > 0 or {line["next"] % step for line in lines} != {*range(step)})


if __name__ == "__main__":
    raise SystemExit(main())
