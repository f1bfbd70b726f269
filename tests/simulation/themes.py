"""What is special about a world: tales of members, other terms for them, ids used twice, streams that are late, wrong clocks.

Drawn from the seed apart from everything else, so that a world without a theme stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from random import Random
from typing import Any, Final

from tests.fold import variants
from tests.simulation.tales import (
    DAY,
    Tale,
    at_once,
    contested,
    held_over,
    in_parts,
    joins_again,
    long_names,
    many_orders,
    reserved_over,
    taken_over,
    used_and_back,
)
from worker.decide.program import Program
from worker.programs.terms_file import TermsError, changed, versions

_OFTEN: Final[tuple[tuple[Tale, float], ...]] = (
    (used_and_back, 0.4),
    (held_over, 0.15),
    (reserved_over, 0.2),
    (contested, 0.2),
    (at_once, 0.2),
    (taken_over, 0.15),
    (many_orders, 0.03),
    (long_names, 0.1),
)
_LATE: Final = (timedelta(seconds=10), timedelta(hours=1), DAY, 40 * DAY, 400 * DAY, 400 * DAY, 400 * DAY)
_CLOCKS: Final = (timedelta(minutes=-10), timedelta(minutes=7), -2 * DAY, 2 * DAY, timedelta(seconds=-301))

_BACK: Final = {"rule": "XX-01", "outcome": "back"}
_FRESH: Final = {"reversal.back_expiry": {"mode": "fresh"}}
CHOICES: Final[tuple[dict[str, Any], ...]] = (
    {**_FRESH, "reversal.used_points": [{**_BACK, "days": 0}]},
    {"reversal.used_points": [{**_BACK, "days": 3}], "calendar": {"days_after": "exact"}},
    {
        "reversal.used_points": [{**_BACK, "days": 14}],
        "redemption.two_step": {"hold_seconds": 600, "hold_seconds_max": 40 * 86_400},
    },
    {
        "expiry": {"pool": {"rule": "XX-08", "months": 2, "prolonged_by": ["order"]}},
        "reversal.used_points": [{**_BACK, "days": 0}],
    },
    {
        "expiry": {"pool": {"rule": "XX-08", "months": 1, "prolonged_by": ["use"]}, "last_day": "exact"},
        "reversal.used_points": [{**_BACK, "days": 3}],
        "calendar": {"days_after": "exact"},
    },
    {
        "expiry": {"terms": [{"rule": "XX-11", "months": 1}], "last_day": "exact"},
        "reversal.back_expiry": {"mode": "grace", "grace_days": 20},
        "redemption.taken_at": "shipment",
        "reversal.used_points": [{**_BACK, "days": 0}],
    },
)
"""Terms under which points go back in ways that the shipped programs do not have."""
POOLED: Final = tuple(number for number, choice in enumerate(CHOICES) if "pool" in choice.get("expiry", {}))
"""Those of them under which points are in a pool."""


@dataclass(frozen=True, slots=True)
class Themes:
    """`chosen`: the number of other terms that a program of the world has, by its place. `tales`: of members, for each program.
    `shared_ids`: programs and stores outside all of them use the same order ids, and not every event about an order says whose.
    `late`: by how much everything (or, with `late_source`, one source) is published later than it happened; then the watermark
    never moves past what was not read. `clocks`: by how much the own clock of each worker is wrong; they go by the database's.
    `erases`: who asks for it is forgotten while the rest goes on. `splits`: tales of the first program that are told apart.
    """

    chosen: tuple[int | None, ...]
    tales: tuple[tuple[Tale, ...], ...]
    shared_ids: bool
    late: timedelta
    late_source: str | None
    clocks: tuple[timedelta, ...]
    erases: bool
    splits: tuple[Tale, ...]


def themes(seed: int) -> Themes:
    """The themes of a seed's world."""
    rng = Random(f"{seed} themes")
    chosen = tuple(rng.randrange(len(CHOICES)) if rng.random() < 0.3 else None for _ in range(3))
    tales = tuple(tuple(tale for tale, share in _OFTEN if rng.random() < share) for _ in range(3))
    # Whose balance is taken over with a last change long ago has a pool that is over at once.
    tales = tuple(
        (*some, taken_over) if number in POOLED and taken_over not in some else some
        for some, number in zip(tales, chosen, strict=True)
    )
    # Names grow where points that come back get a lot of their own.
    chosen = tuple(0 if long_names in some else number for some, number in zip(tales, chosen, strict=True))
    shared_ids = rng.random() < 0.15
    late = rng.choice(_LATE) if rng.random() < 0.25 else timedelta(0)
    if late:
        tales = ((*tales[0], at_once, at_once), *tales[1:])
    late_source = rng.choice([None, None, None, "//tale", "//shop"])
    wrong = rng.random() < 0.25
    clocks = tuple(rng.choice(_CLOCKS) if wrong and rng.random() < 0.6 else timedelta(0) for _ in range(3))
    # By numbers of its own, so that a world in which nobody is forgotten is what it was before anybody was.
    erases = not shared_ids and Random(f"{seed} erasures").random() < 0.3
    if erases:
        tales = ((*tales[0], joins_again, joins_again), *tales[1:])
    # Of these too: told after all else, by numbers of their own.
    splits = (in_parts,) * (0 if shared_ids else Random(f"{seed} splits").choice([0, 0, 1, 3]))
    return Themes(chosen, tales, shared_ids, late, late_source, clocks, erases, splits)


@lru_cache
def chosen(code: str, number: int) -> Program:
    """A shipped program with some of the choices above; as shipped where they do not go together."""
    try:
        return Program(versions(changed(variants.values_of(code), CHOICES[number]), code))
    except TermsError:
        return variants.as_shipped(code)
