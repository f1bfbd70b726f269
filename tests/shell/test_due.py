"""Due instants: up to the watermark, in chunks, leaving room for events, whatever fails."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.shell.conftest import until
from worker.due import DueLoop, DueOptions
from worker.due.pace import due_until, pause_seconds

NOW = datetime(2026, 4, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Account:
    account_id: UUID
    due_at: datetime


@dataclass
class Ledger:
    """Accounts with their next instants, and what became of them."""

    accounts: list[Account]
    waiting: list[UUID] = field(default_factory=list)
    decided: set[UUID] = field(default_factory=set)
    chunks: list[list[UUID]] = field(default_factory=list)
    asked: list[tuple[Collection[int], datetime]] = field(default_factory=list)
    fails: int = 0
    stuck: bool = False
    works_seconds: float = 0.0

    async def due(self, shards: Collection[int], until: datetime, limit: int) -> Sequence[Any]:
        self.asked.append((shards, until))
        return sorted((one for one in self.accounts if one.due_at <= until), key=lambda one: one.due_at)[:limit]

    async def decidable(self, shards: Collection[int], limit: int) -> Sequence[UUID]:
        return [one for one in self.waiting if one not in self.decided][:limit]

    async def process(self, ids: Sequence[UUID], until: datetime | None) -> None:
        if self.fails:
            self.fails -= 1
            raise ConnectionError("the database is away")
        await asyncio.sleep(self.works_seconds)
        self.chunks.append(list(ids))
        if not self.stuck:
            self.accounts = [one for one in self.accounts if one.account_id not in ids]
            self.decided |= {*ids}


def ledger_of(count: int, at: datetime = NOW - timedelta(days=1)) -> Ledger:
    return Ledger([Account(uuid.uuid4(), at + timedelta(microseconds=number)) for number in range(count)])


async def no_events(_: float) -> None:
    """No records wait."""


def loop_of(
    ledger: Ledger,
    watermark: datetime | None = NOW,
    events_first: Callable[[float], Awaitable[None]] = no_events,
    **options: Any,
) -> DueLoop:
    return DueLoop(
        ledger,
        ledger.process,
        DueOptions(**{"idle_seconds": 0.01, **options}),
        shards=lambda: range(64),
        watermark=lambda: watermark,
        events_first=events_first,
        clock=lambda: NOW,
    )


@pytest.mark.parametrize(
    ("watermark", "expected"),
    [
        (None, None),
        (NOW - timedelta(hours=1), NOW - timedelta(hours=1, seconds=30)),
        (NOW, NOW - timedelta(seconds=30)),
        (NOW + timedelta(days=1), NOW - timedelta(seconds=30)),
    ],
)
def test_instants_are_taken_up_to_the_watermark_less_the_grace(watermark: datetime | None, expected: datetime | None) -> None:
    assert due_until(watermark, NOW, timedelta(seconds=30)) == expected


@pytest.mark.parametrize(("share", "pause"), [(0.5, 2.0), (0.2, 8.0), (1.0, 0.0)])
def test_while_events_wait_due_accounts_take_their_share_of_the_time(share: float, pause: float) -> None:
    assert pause_seconds(2.0, share) == pytest.approx(pause)


async def test_all_that_is_due_is_taken_in_chunks_oldest_first() -> None:
    ledger = ledger_of(25)
    order = [one.account_id for one in ledger.accounts]
    assert await loop_of(ledger, accounts_max=10).take_all() == 25
    assert [len(chunk) for chunk in ledger.chunks] == [10, 10, 5]
    assert [one for chunk in ledger.chunks for one in chunk] == order
    assert {asked for _, asked in ledger.asked} == {NOW - timedelta(seconds=30)}


async def test_nothing_is_taken_before_anything_was_read() -> None:
    ledger = ledger_of(5)
    assert await loop_of(ledger, watermark=None).take_all() == 0
    assert ledger.asked == []


async def test_what_may_be_decided_is_decided_though_no_time_is_known() -> None:
    ledger = ledger_of(2)
    ledger.waiting = [uuid.uuid4()]
    assert await loop_of(ledger, watermark=None).take_all() == 1
    assert ledger.chunks == [ledger.waiting]


async def test_what_does_not_get_done_is_not_asked_for_in_a_hot_loop() -> None:
    ledger = ledger_of(5)
    ledger.stuck = True
    await loop_of(ledger).take_all()
    assert len(ledger.chunks) == 1


async def test_between_chunks_events_get_their_time() -> None:
    ledger = ledger_of(3)
    ledger.works_seconds = 0.02
    left: list[float] = []

    async def events_first(seconds: float) -> None:
        left.append(seconds)

    await loop_of(ledger, accounts_max=1, events_first=events_first, share_max=0.25).take_all()
    assert len(left) == 3
    assert min(left) >= 0.02 * 3


async def test_it_goes_on_after_failures_and_wakes_when_the_watermark_moves() -> None:
    ledger = ledger_of(1)
    ledger.fails = 2
    loop = loop_of(ledger)
    task = asyncio.create_task(loop.run())
    await until(lambda: not ledger.accounts)
    slow = loop_of(ledger, idle_seconds=3_600)
    other = asyncio.create_task(slow.run())
    await until(lambda: len(ledger.asked) > 3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    ledger.accounts = [Account(uuid.uuid4(), NOW - timedelta(days=1))]
    slow.poke()
    await until(lambda: not ledger.accounts)
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
