"""What one run cost: time, CPU of all processes, write-ahead log, statements and commits; and how runs in turn compare."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from worker.persist.link import Connection


@dataclass(frozen=True, slots=True)
class Run:
    """One measured stretch of work. CPU by process kind, in seconds; `wal_bytes` of the whole server."""

    events: int
    seconds: float
    cpu_seconds: dict[str, float]
    wal_bytes: int = 0
    statements: int = 0
    commits: int = 0

    @property
    def per_second(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """CPU microseconds per event, all processes together."""
        return sum(self.cpu_seconds.values()) / self.events * 1e6

    def of_each(self) -> dict[str, float]:
        """The figures per event and per second, for the record."""
        return {
            "events_per_second": self.per_second,
            "cpu_us_per_event": self.cpu_microseconds,
            **{f"cpu_us_per_event_{kind}": seconds / self.events * 1e6 for kind, seconds in self.cpu_seconds.items()},
            "wal_bytes_per_event": self.wal_bytes / self.events,
            "statements_per_event": self.statements / self.events,
            "commits_per_event": self.commits / self.events,
        }


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one moment."""

    at: float
    cpu_seconds: dict[str, float]
    wal_bytes: int
    statements: int
    commits: int


COUNTERS = """
    SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint AS wal_bytes,
        coalesce(sum(calls), 0)::bigint AS statements,
        coalesce(sum(calls) FILTER (WHERE query ILIKE 'commit%'), 0)::bigint AS commits
    FROM pg_stat_statements JOIN pg_database ON oid = dbid
    WHERE toplevel AND datname = current_database() AND query NOT LIKE '%/* bench */'
"""
"""Of this database, without the bench's own questions."""


async def read(connection: Connection, at: float, pids: Mapping[str, Sequence[int]]) -> Reading:
    """The counters now. `pids`: process ids by kind; children count with their parents."""
    row = await connection.fetchrow(COUNTERS)
    assert row is not None
    cpu = {kind: sum(cpu_of(pid) for pid in each) for kind, each in pids.items()}
    return Reading(at, cpu, row["wal_bytes"], row["statements"], row["commits"])


def between(first: Reading, last: Reading, events: int) -> Run:
    """What was used from one reading to the other."""
    cpu = {kind: seconds - first.cpu_seconds[kind] for kind, seconds in last.cpu_seconds.items()}
    return Run(
        events,
        last.at - first.at,
        cpu,
        last.wal_bytes - first.wal_bytes,
        last.statements - first.statements,
        last.commits - first.commits,
    )


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of all its children, those that have ended too."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        ended = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    total = getattr(ended, "children_user", 0.0) + getattr(ended, "children_system", 0.0)
    for each in family:
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Of at least one value."""
        found = sorted(values)
        return cls(statistics.median(found), found[0], found[-1])


Contestants = Mapping[str, Callable[[], Awaitable[Run]]]
"""By name, what makes one run of each."""


async def in_turn(contestants: Contestants, rounds: int, tell: Callable[[str], None]) -> Rounds:
    """Rounds of all, A B … B A …, so that what changes with time on the machine falls on all alike."""
    found: list[dict[str, Run]] = []
    for number in range(rounds):
        order = list(contestants)[:: -1 if number % 2 else 1]
        runs: dict[str, Run] = {}
        for name in order:
            run = runs[name] = await contestants[name]()
            tell(f"round {number + 1} of {rounds}: {name} {run.per_second:,.0f}/s, {run.cpu_microseconds:,.0f} us CPU")
        found.append(runs)
    return Rounds(found)


@dataclass(frozen=True, slots=True)
class Rounds:
    """Runs of several contestants, taken in turn; every round holds one run of each."""

    runs: Sequence[Mapping[str, Run]]

    def ratio(self, one: str, other: str, figure: Callable[[Run], float]) -> Spread:
        """The figure of the one over that of the other, round by round."""
        return Spread.of(figure(runs[one]) / figure(runs[other]) for runs in self.runs)

    def figures(self, name: str) -> dict[str, Spread]:
        """All figures of a contestant over the rounds."""
        each = [runs[name].of_each() for runs in self.runs]
        return {figure: Spread.of(values[figure] for values in each) for figure in each[0]}

    @property
    def names(self) -> tuple[str, ...]:
        """Who took part."""
        return tuple(self.runs[0])
