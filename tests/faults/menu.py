"""Which faults are put together into chapters, how much of each, and what they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.faults import clock, disk
from tests.faults.injections import (
    Injection,
    broker_ends,
    broker_restarts,
    clock_steps,
    cut_connections,
    full_disks,
    goings,
    kills,
    leader_moves,
    locks,
    postgres_restarts,
    rebalances,
    zombies,
)

CLUSTER_BROKERS: Final = 3


@dataclass(frozen=True, slots=True)
class Course:
    """What is done in a chapter. `share`: of how many COMMITs the line breaks. `weight`: how often it is played, on one broker
    and on three. `events`: about how many are told; fewer where workers get little done."""

    injections: tuple[Injection, ...]
    share: float
    weight: tuple[int, int]
    events: int = 2_500


MENU: Final[Mapping[str, Course]] = {
    "kills": Course((kills,), 0.2, (10, 1), 1_500),
    "zombies": Course((zombies,), 0.1, (2, 1)),
    "commits": Course((), 0.5, (4, 0)),
    "connections": Course((cut_connections, locks), 0.1, (2, 0)),
    "rebalances": Course((rebalances, goings), 0.1, (2, 1)),
    "postgres": Course((postgres_restarts,), 0.1, (2, 0)),
    "broker": Course((broker_restarts,), 0.1, (3, 0)),
    "leaders": Course((leader_moves, broker_ends), 0.1, (0, 4)),
    "clocks": Course((clock_steps, goings), 0.1, (2, 0)),
    "disk": Course((full_disks,), 0.1, (3, 0)),
    "machines": Course((kills, clock_steps, full_disks), 0.1, (3, 0), 1_500),
    "blackouts": Course((kills, postgres_restarts, broker_restarts), 0.1, (3, 0), 1_500),
    "storm": Course((kills, zombies, rebalances, cut_connections, locks), 0.2, (2, 1)),
}


def missing(name: str) -> str | None:
    """Why a course cannot be played on this machine; None if it can."""
    injections = MENU[name].injections
    return (clock.missing() if clock_steps in injections else None) or (disk.missing() if full_disks in injections else None)


def without_clocks(names: frozenset[str]) -> frozenset[str]:
    """The courses in which no clock has to step."""
    return frozenset(name for name in names if clock_steps not in MENU[name].injections)


def chosen(seed: int, only: frozenset[str], brokers: int) -> str | None:
    """The course of a chapter; None if nothing that may be chosen can be played on so many brokers."""
    weights = {
        name: course.weight[brokers == CLUSTER_BROKERS] for name, course in MENU.items() if name in only and missing(name) is None
    }
    if not any(weights.values()):
        return None
    return Random(seed).choices(list(weights), list(weights.values()))[0]
