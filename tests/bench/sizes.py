"""How much is measured: at full size, and small enough to see within minutes that everything works."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Sizes:
    """`rounds` of the contestants in turn, `runs` of what is measured by itself.

    The handlers get fewer events, for they take longer. `short_events`: of the variants, and of the steady rate that the later
    steps are compared with. `late_events`: single late events into a long history.
    """

    rounds: int = 5
    runs: int = 3
    members: int = 50_000
    events: int = 200_000
    handler_events: int = 20_000
    sequential_events: int = 2_000
    short_events: int = 30_000
    delay_seconds: int = 30
    past_orders: int = 10_000
    history_turns: int = 20
    storage_events: int = 20_000
    accounts: int = 1_000_000
    backlog_events: int = 1_000_000
    facts: int = 10_000_000
    entries: int = 50_000_000


FULL = Sizes()
QUICK = Sizes(
    rounds=1,
    runs=1,
    members=1_000,
    events=15_000,
    handler_events=3_000,
    sequential_events=500,
    short_events=15_000,
    delay_seconds=5,
    past_orders=500,
    history_turns=3,
    storage_events=4_000,
    accounts=8_000,
    backlog_events=20_000,
    facts=20_000,
    entries=100_000,
)


def changed(sizes: Sizes, settings: Iterable[str]) -> Sizes:
    """Sizes with some of them set, each `name=number`. Raises ValueError for a name that is none, or no whole number above 0."""
    known = {each.name for each in fields(Sizes)}
    for setting in settings:
        name, _, number = setting.partition("=")
        if name not in known or not number.isdigit() or int(number) < 1:
            raise ValueError(f"{setting!r} should be NAME=NUMBER, with a name of: {', '.join(sorted(known))}")
        sizes = replace(sizes, **{name: int(number)})
    return sizes
