"""Defects put into the worker, its store or its stage on purpose; `python -m tests.simulation.defects` says how each is found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from unittest.mock import patch
from uuid import UUID

from contracts.events import Event
from tests.simulation.stage import StageBatch
from tests.stores import memory_erasure
from tests.stores.memory_batch import MemoryBatch
from worker.decide import account as account_module
from worker.decide import arrivals, expiry, fold, lives, refold, reversal, summing
from worker.decide.account import Account
from worker.decide.calendar import DAY, Days
from worker.decide.change import AccountChange, Loaded, Wanted
from worker.decide.deduplication import Deduplicated, deduplicate
from worker.decide.order_records import Spent
from worker.decide.state import Head, Item, ItemKey, Lot
from worker.decide.step import Step
from worker.persist import Move, Position
from worker.persist.encoding import cloudevents_headers
from worker.persist.rows import OutboxRow
from worker.processing import delivery, folding, tasks
from worker.processing.routing import Home, home_of
from worker.programs.catalogue import OUTSIDE, Refusal
from worker.publish.relay import Relay
from worker.runtime.clocks import Clocks
from worker.upkeep import verify

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
    return patch.object(tasks, "deduplicate", lambda facts, *_, **__: Deduplicated(fresh=list(facts)))


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


def erasures_that_take_all() -> AbstractContextManager[Any]:
    """An erasure takes what happened after it too."""
    return patch.object(memory_erasure, "of_next", lambda *_: [])


def lives_parted_by_time_alone() -> AbstractContextManager[Any]:
    """What is told after an erasure is of the next life, though it is about an order of the one before."""
    return patch.object(memory_erasure, "of_next", lambda facts, ended: [fact for fact in facts if fact.at > ended])


def next_life_decided_at_once() -> AbstractContextManager[Any]:
    """What is told after an erasure does not wait until it is done."""
    return patch.object(lives, "waits", lambda *_: False)


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


def parts_left_behind() -> AbstractContextManager[Any]:
    """What waited for a part of an order is taken out of where it waits, and not given to the order."""

    async def bring(self: delivery.Delivery, batch: Any, inbox: Any, *more: Any) -> None:
        await claim(self, batch, inbox, *more)
        parts = {arrival.order_id for arrival in inbox.parts}
        inbox.waited = [event for event in inbox.waited if event.order_id not in parts]

    claim = delivery.Delivery._bring
    return patch.object(delivery.Delivery, "_bring", bring)


def a_day_longer() -> AbstractContextManager[Any]:
    """Points can still be used on the day after their last one."""

    def end(self: Days, day: date) -> datetime:
        return self.start(day + 2 * DAY)

    return patch.object(Days, "end", end)


# -- what was found on real Kafka and Postgres once


def closed_lots_left_out() -> AbstractContextManager[Any]:
    """An account that is loaded with all its open lots lacks the closed ones, although they were asked for by name."""
    load = MemoryBatch._load

    def open_ones(self: MemoryBatch, wanted: Wanted, name: tuple[str, str] | None) -> Loaded:
        loaded = load(self, wanted, name)
        if wanted.needs.all_open:
            loaded.lots = {ref: lot for ref, lot in loaded.lots.items() if lot.pending + lot.available}
        return loaded

    return patch.object(MemoryBatch, "_load", open_ones)


def certainty_by_business_time() -> AbstractContextManager[Any]:
    """A redemption is refused once the watermark has passed the time at which it happened, whatever lies unread before it."""
    make, until = refold._Work.account, dict[str, datetime | None]()

    def noting(self: refold._Work, head: Head, lots: dict[str, Lot], items: dict[ItemKey, Item]) -> Account:
        until["now"] = self.clock.until  # of the account that is folded until another one is made
        return make(self, head, lots, items)

    def passed(account: Account) -> bool:
        return account.certainty is None or ((now := until["now"]) is not None and now >= account.at)

    @contextmanager
    def both() -> Iterator[None]:
        with patch.object(refold._Work, "account", noting), patch.object(Account, "certain", property(passed)):
            yield

    return both()


def followers_taken_by_orders_outside() -> AbstractContextManager[Any]:
    """An order of a store outside every program takes what was said of another order of its id."""

    def home(owners: Mapping[str, tuple[UUID | None, ...]], program: str | None, *, alone: bool) -> Home[UUID] | Refusal | None:
        if OUTSIDE in owners and program not in owners:
            return Home(OUTSIDE, ())
        return home_of(owners, program, alone=alone)

    return patch.object(delivery, "home_of", home)


def own_clock_gone_by() -> AbstractContextManager[Any]:
    """What time it is is what the worker's own machine says."""
    return patch.object(Clocks, "now", lambda clocks: clocks._own())


def entries_never_summed() -> AbstractContextManager[Any]:
    """Entries are told one by one, however many they are."""
    return patch.object(summing, "SUMMED_BY", ())


def plain_fold_accepts_what_waits() -> AbstractContextManager[Any]:
    """Whoever folds an account to check it takes verdicts that the ledger did not take."""

    def deciding(account: Account, facts: Sequence[Event], until: datetime | None) -> list[Step]:
        account.announced_only = False
        return fold.fold(account, facts, until)

    return patch.object(verify, "fold", deciding)


def pool_never_opened_in_the_past() -> AbstractContextManager[Any]:
    """An account of which little is loaded takes it for granted that the pool's end lies ahead, or that nothing is in it."""
    matters = Account._pool_matters

    def ahead(self: Account, head: Head) -> bool:
        if self.all_open:
            return matters(self, head)
        return head.pool_lapses_at is not None and head.pool_lapses_at > self.at

    return patch.object(Account, "_pool_matters", ahead)


def names_that_grow() -> AbstractContextManager[Any]:
    """The lot into which points are handed back is named after all that handed them back before."""
    return patch.object(expiry, "hand_back_part", "{}~{}".format)


def batches_folded_at_once() -> AbstractContextManager[Any]:
    """Facts that came together are folded in business order, so that verdicts hang on where batches end."""

    def at_once(facts: Sequence[Event], *given: Any) -> AccountChange | None:
        fold: arrivals.FoldFirst = given[-1]
        return fold(facts, (), None)

    return patch.object(folding, "change_by", at_once)


def past_dues_left_where_they_are() -> AbstractContextManager[Any]:
    """What became due before the account's last fact is looked for at that instant, to which the clock cannot go back."""
    return patch.object(account_module, "next_after", lambda _last, due: due)


def unknown_fields_not_compared() -> AbstractContextManager[Any]:
    """Other content under an id is taken for a repeat where it differs in what nobody reads."""
    return patch.object(tasks, "deduplicate", partial(_forgiving, deduplicate))


def _forgiving(sift: Callable[..., Deduplicated], *given: Any, nameless: bool) -> Deduplicated:
    return sift(*given, nameless=True)
