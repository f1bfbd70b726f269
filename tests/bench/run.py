"""`make bench`: every figure of the table in this folder's README, step by step, and the record of it all.

On a machine that does nothing else. `--quick` shows within minutes that every step works; its figures say nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench import backlog, contestants, delays, growing, history, month_end, starting, storage, verdicts
from tests.bench.context import Bench, tell
from tests.bench.figures import Outcome, Record
from tests.bench.report import text
from tests.bench.sizes import FULL, QUICK, Sizes, changed
from tests.bench.stack import Stack, fsyncs_per_second
from worker.runtime.build import the_fold_is

RESULTS = Path(__file__).with_name("results")
QUICK_RESULTS = Path(__file__).parents[2] / "build"
PACKAGES = ("aiokafka", "asyncpg", "faststream", "pydantic", "msgspec")

Step = Callable[[Bench], Awaitable[Outcome]]
STEPS: Mapping[str, Step] = {
    "against": contestants.against,
    "variants": contestants.variants,
    "delays": delays.measure,
    "verdicts": verdicts.measure,
    "history": history.measure,
    "storage": storage.measure,
    "starting": starting.measure,
    "month_end": month_end.measure,
    "backlog": backlog.measure,
    "growing": growing.measure,
}


def machine(stack: Stack) -> dict[str, Any]:
    """What the figures are taken on."""
    with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "fold": the_fold_is(),
        "postgres": stack.postgres.about.rpartition(" on ")[0],
        "kafka": stack.kafka.about.partition(",")[0],
        **{name: version(name) for name in PACKAGES},
    }


def code() -> str:
    """The commit that is measured, with a mark if the work tree differs from it; empty outside a repository."""
    command = ("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=10")
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def wanted(only: str, skip: str) -> list[str]:
    """The steps asked for, in their order. Raises ValueError for a name that is none."""
    named = {"only": [name for name in only.split(",") if name], "skip": [name for name in skip.split(",") if name]}
    for name in (*named["only"], *named["skip"]):
        if name not in STEPS:
            raise ValueError(f"no step {name!r}; there are: {', '.join(STEPS)}")
    return [name for name in STEPS if (not named["only"] or name in named["only"]) and name not in named["skip"]]


async def bench(record: Record, stack: Stack, sizes: Sizes, steps: Sequence[str]) -> None:
    """The steps that the record does not have yet; one that fails is put on record, and the next one runs."""
    run = Bench(stack, sizes, record)
    for name in steps:
        if record.finished(name):
            tell(f"{name}: on record already")
            continue
        started = time.monotonic()
        about = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "load_before": round(os.getloadavg()[0], 2),
            "fsyncs_per_second": round(fsyncs_per_second(stack.directory)),
            "code": code(),
        }
        tell(f"{name}: load {about['load_before']}, {about['fsyncs_per_second']} fsyncs/s")
        try:
            outcome = await STEPS[name](run)
        except Exception as error:  # noqa: BLE001  # the other steps are worth having
            tell(traceback.format_exc())
            record.fail(name, f"{type(error).__name__}: {str(error)[:500]}")
            continue
        record.keep(name, outcome, about | {"seconds": round(time.monotonic() - started, 1)})
        tell(f"{name}: {time.monotonic() - started:.0f} s")


def begun(given: argparse.Namespace, sizes: Sizes, stack: Stack) -> Record:
    """The record to go on with, or a new one."""
    if given.resume is not None:
        return Record.resume(given.resume, asdict(sizes))
    at = datetime.now(UTC)
    out = given.out or (QUICK_RESULTS if given.quick else RESULTS) / f"{'bench-' if given.quick else ''}{at:%Y-%m-%d-%H%M}.json"
    return Record.begin(out, machine(stack), asdict(sizes), at.isoformat(timespec="seconds"))


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="everything at small size")
    parser.add_argument("--only", default="", help=f"steps, with commas between them: {', '.join(STEPS)}")
    parser.add_argument("--skip", default="", help="steps to leave out")
    parser.add_argument("--size", action="append", default=[], metavar="NAME=NUMBER", help="a size other than usual (sizes.py)")
    parser.add_argument("--resume", type=Path, help="a record to go on with: steps that it has are not done again")
    parser.add_argument("--out", type=Path, help="where the record goes; default: results/, with --quick build/")
    parser.add_argument("--directory", type=Path, help="where the servers' data lies; default: a temporary directory")
    return parser.parse_args(arguments)


def main() -> int:
    """All of it, on a directory of a real disk; 1 if a step failed."""
    given = parse()
    try:
        sizes, steps = changed(QUICK if given.quick else FULL, given.size), wanted(given.only, given.skip)
    except ValueError as error:
        tell(str(error))
        return 2
    # SIGTERM ends it as Ctrl-C does: servers stopped, tens of gigabytes taken away, the steps that are done on record.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.directory) as directory:
        Path(directory).chmod(0o755)  # as root, Postgres runs as somebody else, and should have its data on this disk
        stack = Stack(Path(directory))
        stack.start()
        try:
            record = begun(given, sizes, stack)
            tell(", ".join(f"{name} {value}" for name, value in record.document["machine"].items()))
            asyncio.run(bench(record, stack, sizes, steps))
        finally:
            stack.stop()
    sys.stdout.write(text(record.document) + f"\nkept in {record.path}\n")
    return 1 if record.document["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
