"""`python -m tests.simulation.defects`: in how many seeds each planted defect is found.

--seeds N [--first SEED] [NAME ...]   plays (or compares) all these seeds with each defect, one after the other
--write                               puts the table into `tests/README.md`, with the rows that were not made anew as they are
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.oracle.comparison import disagreement
from tests.oracle.programs import PROGRAMS
from tests.simulation import planted
from tests.simulation.__main__ import quiet
from tests.simulation.planted import Defect
from tests.simulation.shrink import Failure, attempt
from tests.simulation.stages import Stages, in_memory
from tests.simulation.world import world

README: Final = Path(__file__).parents[1] / "README.md"
BEGIN: Final = "<!-- defects: made by `python -m tests.simulation.defects --write`, not by hand -->"
END: Final = "<!-- end of defects -->"
HEADING: Final = "| defect | found in | first seed | messages till then | shows as |\n|---|---|---|---|---|"

IN_SIMULATION: tuple[Defect, ...] = (
    planted.positions_not_checked,
    planted.repeats_not_left_out,
    planted.posted_before_commit,
    planted.heads_not_compared,
    planted.difference_not_posted,
    planted.unacknowledged_deleted,
    planted.parked_left_behind,
    planted.parts_left_behind,
    planted.erasures_that_take_all,
    planted.lives_parted_by_time_alone,
)
FOUND_ON_REAL_PARTS: tuple[Defect, ...] = (
    planted.closed_lots_left_out,
    planted.certainty_by_business_time,
    planted.followers_taken_by_orders_outside,
    planted.own_clock_gone_by,
    planted.entries_never_summed,
    planted.plain_fold_accepts_what_waits,
    planted.pool_never_opened_in_the_past,
    planted.names_that_grow,
    planted.batches_folded_at_once,
    planted.past_dues_left_where_they_are,
    planted.unknown_fields_not_compared,
    planted.next_life_decided_at_once,
)
IN_ORACLE: tuple[Defect, ...] = (planted.newest_lot_given_back_first, planted.a_day_longer)
ALL: tuple[Defect, ...] = (*IN_SIMULATION, *FOUND_ON_REAL_PARTS, *IN_ORACLE)


def simulated_until_found(defect: Defect, most: int, first: int = 0, stages: Stages = in_memory) -> Failure | None:
    """The first seed whose simulation finds a defect."""
    with defect():
        attempts = (attempt(seed, stages=stages) for seed in range(first, first + most))
        return next((found for found in attempts if isinstance(found, Failure)), None)


def compared_until_found(defect: Defect, most: int, first: int = 0) -> tuple[int, str] | None:
    """The first seed for which the naive rules disagree with the fold, in any program, and how."""
    with defect():
        for seed in range(first, first + most):
            for code in PROGRAMS:
                if found := disagreement(code, seed):
                    return seed, found
    return None


@dataclass(slots=True)
class Tally:
    """How a defect was found: by how many seeds, which was the first, how it showed, and the messages played till then."""

    found: int = 0
    first: int | None = None
    why: str = ""
    messages: int = 0

    def count(self, seed: int, why: str | None, messages: int) -> None:
        """One more seed. `why`: how it showed, None if it did not."""
        if self.first is None:
            self.messages += messages
        if why is not None:
            self.found += 1
            if self.first is None:
                self.first, self.why = seed, why


def tally(defect: Defect, seeds: range) -> Tally:
    """Play (or compare) all these seeds with a defect."""
    found = Tally()
    with defect():
        for seed in seeds:
            if defect in IN_ORACLE:
                found.count(seed, next(filter(None, (disagreement(code, seed) for code in PROGRAMS)), None), 0)
            else:
                made = world(seed)
                outcome = attempt(seed, made=made)
                found.count(seed, outcome.why if isinstance(outcome, Failure) else None, len(made.messages))
    return found


def row_of(defect: Defect, found: Tally, count: int) -> str:
    """A row of the table."""
    why = " ".join(found.why.replace("|", "/").split())[:100]
    first, messages = ("", "") if found.first is None else (found.first, found.messages)
    return f"| {defect.__name__} | {found.found} of {count} | {first} | {messages} | {why} |"


def main() -> None:
    """One row for each defect, as it is known."""
    arguments = _arguments()
    quiet()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    made: dict[str, str] = {}
    print(HEADING)  # noqa: T201 - a command: this is its answer
    for defect in ALL:
        if not arguments.names or defect.__name__ in arguments.names:
            row = made[defect.__name__] = row_of(defect, tally(defect, seeds), len(seeds))
            print(row, flush=True)  # noqa: T201 - a command: this is its answer
    if arguments.write:
        before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
        rows = {**dict(_kept()), **made}
        table = "\n".join((BEGIN, HEADING, *(rows[each.__name__] for each in ALL if each.__name__ in rows), END))
        README.write_text(before + table + rest.partition(END)[2], encoding="utf-8")


def _kept() -> Iterator[tuple[str, str]]:
    """The rows of the table as it stands now, by the names of the defects."""
    table = README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    for row in table.strip().splitlines()[2:]:
        yield row.split("|")[1].strip(), row


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.defects", description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="begin with this seed")
    parser.add_argument("--write", action="store_true", help="put the table into tests/README.md")
    parser.add_argument("names", nargs="*", help="these defects only")
    return parser.parse_args()


if __name__ == "__main__":
    main()
