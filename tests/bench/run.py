"""`make bench`: rounds of all contestants in turn, ratios against their goals, and the record of it all.

`python -m tests.bench.run --events 20000 --members 5000 --rounds 5` on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench.baseline import Baseline
from tests.bench.delays import Delays
from tests.bench.delays import measure as measure_delays
from tests.bench.limits import CopyOnly, Replay, consume_only, record
from tests.bench.measure import Rounds, Run, Spread, in_turn
from tests.bench.ours import Ours
from tests.bench.peer import make_peers
from tests.bench.stack import Key, Stack, by_member, by_order, fsyncs_per_second, now
from tests.bench.workload import HOT, HOT_IN_ORDER, LATE, UNIFORM, Mix, Workload

RESULTS = Path(__file__).with_name("results")
SEED = 1
SMALL_LOAD = 100.0
"""Events per second at which nobody should wait for a batch to fill."""
PACKAGES = ("aiokafka", "asyncpg", "faststream", "pydantic", "msgspec")

Contestant = Callable[[], Awaitable[Run]]


def per_second(run: Run) -> float:
    """Events per second."""
    return run.per_second


def cpu(run: Run) -> float:
    """CPU per event over all processes."""
    return run.cpu_microseconds


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio of two contestants that is to be reached: at least, or at most, so much."""

    what: str
    one: str
    other: str
    figure: Callable[[Run], float]
    at_least: float | None = None
    at_most: float | None = None

    def reached(self, ratio: float) -> bool:
        """Whether a median is good enough."""
        return (self.at_least is None or ratio >= self.at_least) and (self.at_most is None or ratio <= self.at_most)

    def __str__(self) -> str:
        return f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"


GOALS = (
    Goal("end to end vs 8 concurrent handlers", "worker", "handlers_8", per_second, at_least=5),
    Goal("end to end vs sequential handlers", "worker", "handlers_1", per_second, at_least=5),
    Goal("CPU per event vs 8 concurrent handlers", "worker", "handlers_8", cpu, at_most=0.2),
    Goal("end to end vs own SQL replayed", "worker", "sql_replayed", per_second, at_least=0.6),
    Goal("SQL replayed vs COPY of the same bytes", "sql_replayed", "copy_only", per_second, at_least=0.2),
    Goal("hot members vs all alike", "worker_hot", "worker", per_second, at_least=0.9),
    Goal("hot members, none late, vs all alike", "worker_hot_in_order", "worker", per_second, at_least=0.9),
    Goal("10 % late vs 1 % late", "worker_late", "worker", per_second, at_least=0.5),
    Goal("CPU per event, 2 workers vs 1, keyed by member", "workers_2", "worker", cpu, at_most=1.1),
    Goal("CPU per event, 2 workers vs 1, keyed by order", "workers_2_by_order", "worker_by_order", cpu, at_most=1.3),
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. The handlers get fewer events, for they take longer."""

    members: int
    events: int
    handler_events: int
    sequential_events: int
    rounds: int
    delay_seconds: float


async def prepare(stack: Stack, sizes: Sizes, only: Sequence[str]) -> dict[str, Contestant]:
    """Publish every workload that is asked for, once, and say how each contestant runs."""
    found: dict[str, Contestant] = {}
    kinds: tuple[tuple[str, Mix, Key, dict[str, int]], ...] = (
        ("uniform", UNIFORM, by_member, {"worker": 1, "workers_2": 2}),
        ("hot", HOT, by_member, {"worker_hot": 1}),
        ("hot_in_order", HOT_IN_ORDER, by_member, {"worker_hot_in_order": 1}),
        ("late", LATE, by_member, {"worker_late": 1}),
        ("by_order", UNIFORM, by_order, {"worker_by_order": 1, "workers_2_by_order": 2}),
    )
    uniform = Workload(SEED, sizes.members, sizes.events, now())
    await stack.template("members", uniform.joining())
    for name, mix, key, workers in kinds:
        wanted = {each: count for each, count in workers.items() if not only or each in only}
        if not wanted and name != "uniform":
            continue
        prefix = f"{name}."
        await stack.topics(prefix)
        count = stack.publish(prefix, Workload(SEED, sizes.members, sizes.events, now(), mix).traffic(), key)
        for each, number in wanted.items():
            found[each] = Ours(stack, stack.directory, "members", prefix, count, number)
    handlers = {
        "handlers_8": Baseline(stack, stack.directory, "uniform.", sizes.handler_events, 8),
        "handlers_1": Baseline(stack, stack.directory, "uniform.", sizes.sequential_events, 1),
    }
    found |= {name: each for name, each in handlers.items() if not only or name in only}
    if not only or {"sql_replayed", "copy_only"} & set(only):
        recording = await record(stack, "members", list(Workload(SEED, sizes.members, sizes.events, now()).traffic()))
        found |= {"sql_replayed": Replay(stack, recording), "copy_only": CopyOnly(stack, recording)}
    peers = make_peers(stack, sizes.handler_events)
    if isinstance(peers, str):
        tell(peers)
    else:
        found |= {name: each for name, each in peers.items() if not only or name in only}
    return found


def machine(stack: Stack) -> dict[str, Any]:
    """What the figures were taken on."""
    with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_before": os.getloadavg()[0],
        "fsyncs_per_second": fsyncs_per_second(stack.directory),
        "system": platform.platform(),
        "python": platform.python_version(),
        "postgres": stack.postgres.about.rpartition(" on ")[0],
        "kafka": stack.kafka.about.partition(",")[0],
        **{name: version(name) for name in PACKAGES},
    }


def goals_of(rounds: Rounds) -> Iterator[tuple[Goal, Spread]]:
    """The goals whose contestants took part, with what was reached."""
    for goal in GOALS:
        if {goal.one, goal.other} <= set(rounds.names):
            yield goal, rounds.ratio(goal.one, goal.other, goal.figure)


def report(rounds: Rounds) -> str:
    """The table: ratios first, absolutes beside them for the record."""
    lines = [f"{'figure':52}{'median':>9}{'low':>9}{'high':>9}{'goal':>9}"]
    for goal, spread in goals_of(rounds):
        verdict = "" if goal.reached(spread.median) else "  MISSED"
        lines.append(f"{goal.what:52}{spread.median:9.2f}{spread.low:9.2f}{spread.high:9.2f}{goal!s:>9}{verdict}")
    lines.append("")
    heads = ("events/s", "CPU us", "workers", "postgres", "kafka", "WAL B", "statements", "commits")
    lines.append(f"{'medians, of each event':24}" + "".join(f"{head:>12}" for head in heads))
    for name in rounds.names:
        figures = rounds.figures(name)
        names = ("events_per_second", "cpu_us_per_event", *(f"cpu_us_per_event_{kind}" for kind in heads[2:5]))
        names += ("wal_bytes_per_event", "statements_per_event", "commits_per_event")
        cells = [figures[each].median if each in figures else 0.0 for each in names]
        lines.append(f"{name:24}" + "".join(f"{cell:12,.0f}" if cell >= 10 else f"{cell:12.3f}" for cell in cells))
    return "\n".join(lines)


async def delays(stack: Stack, rounds: Rounds, sizes: Sizes) -> list[Delays]:
    """Delays at a small load, and at half of what a worker was measured to do; none where the worker did not take part."""
    if "worker" not in rounds.names:
        return []
    half = rounds.figures("worker")["events_per_second"].median / 2
    found: list[Delays] = []
    for pace in (SMALL_LOAD, half):
        found.append(await measure_delays(stack, stack.directory, "members", sizes.members, pace, sizes.delay_seconds))
        tell(str(found[-1]))
    return found


def delay_lines(found: Sequence[Delays]) -> str:
    """The table of delays, in milliseconds."""
    lines = [f"{'delays in ms at events/s':>28}{'to ledger p50':>16}{'p99':>8}{'to published p50':>20}{'p99':>8}"]
    for each in found:
        values = (each.to_ledger_p50, each.to_ledger_p99, each.to_published_p50, each.to_published_p99)
        cells = "".join(f"{value * 1_000:{width}.0f}" for value, width in zip(values, (16, 8, 20, 8), strict=True))
        lines.append(f"{each.events_per_second:28,.0f}{cells}")
    lines.append(f"{'goals':>28}{'':16}{'100':>8}{'50':>20}{'250':>8}")
    return "\n".join(lines)


def keep(rounds: Rounds, late: Sequence[Delays], about: dict[str, Any], sizes: Sizes) -> Path:
    """Write the record; returns where."""
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": about,
        "sizes": asdict(sizes),
        "goals": [
            {"figure": goal.what, "goal": str(goal), "reached": goal.reached(spread.median), **asdict(spread)}
            for goal, spread in goals_of(rounds)
        ],
        "delays": [asdict(each) for each in late],
        "figures": {name: {figure: asdict(spread) for figure, spread in rounds.figures(name).items()} for name in rounds.names},
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


async def bench(sizes: Sizes, only: Sequence[str], directory: Path) -> None:
    """All of it."""
    stack = Stack(directory)
    stack.start()
    try:
        about = machine(stack)
        tell(", ".join(f"{name} {value}" for name, value in about.items()))
        contestants = await prepare(stack, sizes, only)
        rounds = await in_turn(contestants, sizes.rounds, tell)
        sys.stdout.write(report(rounds) + "\n")
        tell(f"aiokafka alone reads {await consume_only(stack, 'uniform.', sizes.events):,.0f} records/s")
        late = await delays(stack, rounds, sizes)
        if late:
            sys.stdout.write(delay_lines(late) + "\n")
        tell(f"kept in {keep(rounds, late, about, sizes)}")
    finally:
        stack.stop()


def tell(line: str) -> None:
    """How far it is."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main() -> None:
    """Arguments, and a directory on a real disk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--members", type=int, default=50_000)
    parser.add_argument("--handler-events", type=int, default=20_000, help="events for 8 concurrent handlers")
    parser.add_argument("--sequential-events", type=int, default=2_000, help="events for sequential handlers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--delay-seconds", type=float, default=60, help="how long events come at a steady pace")
    parser.add_argument("--only", default="", help="names of contestants, with commas between them")
    parser.add_argument("--directory", type=Path, help="where the servers' data lies; default: a temporary directory")
    given = parser.parse_args()
    sizes = Sizes(
        given.members,
        given.events,
        min(given.handler_events, given.events),
        min(given.sequential_events, given.events),
        given.rounds,
        given.delay_seconds,
    )
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.directory) as directory:
        only = [name for name in given.only.split(",") if name]
        asyncio.run(bench(sizes, only, Path(directory)))


if __name__ == "__main__":
    main()
