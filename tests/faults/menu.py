"""Which faults are put together into chapters, and how much of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.faults.torments import (
    Torment,
    broker_restarts,
    cut_connections,
    goings,
    kills,
    locks,
    postgres_restarts,
    rebalances,
    zombies,
)


@dataclass(frozen=True, slots=True)
class Course:
    """What is done in a chapter. `share`: of how many COMMITs the line breaks. `weight`: how often it is played."""

    torments: tuple[Torment, ...]
    share: float = 0.0
    weight: int = 1


MENU: Final[Mapping[str, Course]] = {
    "kills": Course((kills,), 0.1, 4),
    "zombies": Course((zombies,), 0.1, 1),
    "commits": Course((), 0.5, 1),
    "connections": Course((cut_connections, locks), 0.1, 1),
    "rebalances": Course((rebalances, goings), 0.1, 2),
    "postgres": Course((postgres_restarts,), 0.1, 1),
    "broker": Course((broker_restarts,), 0.1, 2),
    "storm": Course((kills, zombies, rebalances, cut_connections, locks), 0.2, 1),
}
