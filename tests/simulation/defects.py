"""Defects put in on purpose: each must be found, and `python -m tests.simulation.defects` says within how many seeds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from typing import Any
from unittest.mock import patch

from tests.oracle.comparison import disagreement
from tests.oracle.programs import PROGRAMS
from tests.simulation.__main__ import quiet
from tests.simulation.shrink import Failure, attempt
from tests.simulation.stage import StageBatch
from tests.simulation.stages import Stages, in_memory
from tests.stores.memory_batch import MemoryBatch
from worker.decide import refold, reversal
from worker.decide.calendar import DAY, Days
from worker.decide.change import AccountChange
from worker.decide.deduplication import Deduplicated
from worker.decide.order_records import Spent
from worker.persist import Move, Position
from worker.persist.encoding import cloudevents_headers
from worker.persist.rows import OutboxRow
from worker.processing import folding
from worker.publish.relay import Relay

Defect = Callable[[], AbstractContextManager[Any]]


def positions_not_checked() -> AbstractContextManager[Any]:
    """Whoever commits moves the positions, wherever they stand."""

    async def move(self: MemoryBatch, moves: Sequence[Move]) -> datetime | None:
        def commit(now: datetime) -> None:
            for m in moves:
                place = (m.topic, m.partition)
                self._tables.positions[place] = Position(*place, m.next_offset, m.digest, m.record_time, now)

        self._on_commit.append(commit)
        return self._tables.watermark

    return patch.object(MemoryBatch, "move_positions", move)


def repeats_not_left_out() -> AbstractContextManager[Any]:
    """What was applied before is folded again."""
    return patch.object(folding, "sift", lambda facts, *_: Deduplicated(fresh=list(facts)))


def posted_before_commit() -> AbstractContextManager[Any]:
    """Messages can be published before the change that they tell of is committed."""
    write = StageBatch.write

    async def early(self: StageBatch, changes: Sequence[AccountChange]) -> None:
        for c in changes:
            for m in c.messages:
                name = (c.account_id, m.version, m.ordinal)
                headers = cloudevents_headers(name, c.epoch, m.topic, c.program, m.effective_at, m.traceparent)
                row = OutboxRow(*name, m.topic, m.key.encode(), m.data, headers, datetime.now(UTC))
                self.stage.tables.outbox[name] = row
        await write(self, changes)

    return patch.object(StageBatch, "write", early)


def heads_not_compared() -> AbstractContextManager[Any]:
    """A head is written whatever another worker made of it meanwhile."""
    return patch.object(MemoryBatch, "_stands", lambda *_: True)


def difference_not_posted() -> AbstractContextManager[Any]:
    """A late fact changes balances without entries that say so."""
    return patch.object(refold, "corrections", lambda *_: [])


def unacknowledged_deleted() -> AbstractContextManager[Any]:
    """What was handed to Kafka counts as published."""

    async def all_of_it(_: Relay, sent: Sequence[tuple[Any, asyncio.Future[Any]]], __: set[Any]) -> list[Any]:
        return [row for row, future in sent if future.done() and (future.exception() or True)]

    return patch.object(Relay, "_acknowledged", all_of_it)


def newest_lot_given_back_first() -> AbstractContextManager[Any]:
    """Used points go back to the lot that was taken last."""
    used_up = reversal._used_up

    def newest(spent: tuple[Spent, ...], points: int) -> tuple[Spent, ...]:
        return used_up(spent[::-1], points)[::-1]

    return patch.object(reversal, "_used_up", newest)


def parked_left_behind() -> AbstractContextManager[Any]:
    """What waited for an order is taken out of where it waits, and not given to the order."""

    async def nothing(self: StageBatch, orders: Iterable[tuple[str, str]]) -> list[Any]:
        await take(self, orders)
        return []

    take = StageBatch.take_parked
    return patch.object(StageBatch, "take_parked", nothing)


def a_day_longer() -> AbstractContextManager[Any]:
    """Points can still be used on the day after their last one."""

    def end(self: Days, day: date) -> datetime:
        return self.start(day + 2 * DAY)

    return patch.object(Days, "end", end)


IN_SIMULATION: tuple[Defect, ...] = (
    positions_not_checked,
    repeats_not_left_out,
    posted_before_commit,
    heads_not_compared,
    difference_not_posted,
    unacknowledged_deleted,
    parked_left_behind,
)
IN_ORACLE: tuple[Defect, ...] = (newest_lot_given_back_first, a_day_longer)


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


BEGINNINGS = range(0, 1_000, 100)
MOST = 100


def main() -> None:
    """Say of each defect how many seeds it takes to find it, from ten beginnings, and how it shows first."""
    quiet()
    for defect in (*IN_SIMULATION, *IN_ORACLE):
        counts, how = [], ""
        for first in BEGINNINGS:
            if defect in IN_SIMULATION:
                failure = simulated_until_found(defect, MOST, first)
                counts.append(failure.seed - first + 1 if failure else None)
                how = how or (failure.why if failure else "")
            else:
                found = compared_until_found(defect, MOST, first)
                counts.append(found[0] - first + 1 if found else None)
                how = how or (found[1] if found else "")
        print(f"{defect.__name__}: within {counts} seeds: {how[:100]}")  # noqa: T201 - a command: this is its answer


if __name__ == "__main__":
    main()
