"""A batch of the store in memory: what it writes is seen when it is committed, what it locked others wait for."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

from msgspec.structs import replace

from contracts.events import TOPIC_OF, Event
from tests.stores.memory_erasure import Parted, emptied, part
from tests.stores.memory_tables import Account, ParkedKey, Tables, dossier_of
from worker.decide.change import FORGOTTEN, NOTHING, AccountChange, AccountRow, History, Loaded, StoredEntry, Wanted
from worker.decide.state import CLOCK_RANK, FORMAT, Certainty, Moment
from worker.persist import (
    AccountCollisionError,
    Arrival,
    CommandName,
    CommandVerdict,
    ConstraintError,
    DeadLetter,
    Dossier,
    Erasure,
    HeldCommand,
    Move,
    OutboxRow,
    Position,
    PositionLostError,
    Route,
    Total,
)
from worker.persist.chain import Begun, chained, content_of, salts
from worker.persist.dead_letters import LetterName, by_name
from worker.persist.encoding import cloudevents_headers


class MemoryBatch:
    """`api.Batch` in memory."""

    def __init__(self, tables: Tables, locks: dict[Hashable, asyncio.Lock]) -> None:
        self._tables = tables
        self._locks = locks
        self._held: dict[Hashable, asyncio.Lock] = {}
        self._routes: dict[str, Route] = {}
        self._parked: dict[ParkedKey, Event] = {}
        self._taken: set[ParkedKey] = set()
        self._won: dict[UUID, AccountChange] = {}
        self._parted: dict[UUID, Account] = {}
        self._begun: dict[UUID, Begun] = {}
        self._on_commit: list[Callable[[datetime], None]] = []

    async def _lock(self, names: Iterable[tuple[str, Hashable]]) -> None:
        """Locks rows in the order of their names, until the batch ends."""
        for name in names:
            if name not in self._held:
                lock = self._locks.setdefault(name, asyncio.Lock())
                await lock.acquire()
                self._held[name] = lock

    def commit(self, now: datetime) -> None:
        """Makes everything visible at once."""
        for act in self._on_commit:
            act(now)

    def end(self) -> None:
        """Gives the locks back."""
        for lock in self._held.values():
            lock.release()

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        held, won, done = set(self._held), dict(self._won), len(self._on_commit)
        try:
            yield
        finally:
            self._won = won
            del self._on_commit[done:]
            for name in self._held.keys() - held:
                self._held.pop(name).release()

    async def move_positions(self, moves: Sequence[Move]) -> datetime | None:
        ordered = sorted(moves, key=lambda move: (move.topic, move.partition))
        await self._lock(("position", (move.topic, move.partition)) for move in ordered)
        there = self._tables.positions
        lost = [
            (m.topic, m.partition)
            for m in ordered
            if (None if (at := there.get((m.topic, m.partition))) is None else at.next_offset) != m.from_offset
        ]
        if lost:
            raise PositionLostError(lost)

        def commit(now: datetime) -> None:
            for m in ordered:
                there[m.topic, m.partition] = Position(m.topic, m.partition, m.next_offset, m.digest, m.record_time, now)

        self._on_commit.append(commit)
        return self._tables.watermark if moves else None

    async def certainty(self) -> Certainty:
        return self._tables.certainty

    async def routes(self, order_ids: Iterable[str]) -> dict[str, Route]:
        found = {order_id: self._routes.get(order_id, self._tables.routes.get(order_id)) for order_id in order_ids}
        return {order_id: route for order_id, route in found.items() if route is not None}

    async def claim(self, arrivals: Sequence[Arrival], awaited: Iterable[str]) -> dict[str, Route]:
        names = sorted({*awaited, *(arrival.order_id for arrival in arrivals)})
        await self._lock(("order", name) for name in names)
        known = await self.routes(names)
        for arrival in arrivals:
            accounts = dict(known[arrival.order_id].accounts) if arrival.order_id in known else {}
            there = accounts.get(arrival.program, ())
            if not there or (arrival.account_id is not None and arrival.account_id not in there):
                accounts[arrival.program] = (*there, arrival.account_id)
            known[arrival.order_id] = Route(arrival.order_id, accounts)
        claimed = {name: known.get(name, Route(name)) for name in names}
        self._routes.update(claimed)
        self._on_commit.append(lambda _: self._tables.routes.update(claimed))
        return claimed

    async def nameless(self, orders: Iterable[tuple[UUID, str]]) -> dict[UUID, list[Event]]:
        found: dict[UUID, list[Event]] = {}
        for account_id, order_id in sorted(set(orders)):
            account = self._tables.accounts.get(account_id)
            if account is None:
                continue
            for key, (_, fact) in account.facts.items():
                if fact.order_id == order_id and fact.program is None and fact.follows and key not in account.decisions:
                    found.setdefault(account_id, []).append(fact)
        return {account_id: sorted(facts, key=lambda fact: fact.key) for account_id, facts in found.items()}

    async def about(self, orders: Iterable[tuple[UUID, str]]) -> dict[UUID, list[Event]]:
        found: dict[UUID, list[Event]] = {}
        for account_id, order_id in sorted(set(orders)):
            account = self._tables.accounts.get(account_id)
            for key, (_, fact) in account.facts.items() if account is not None else ():
                told = account.decisions.get(key) if account is not None else None
                if order_id in (fact.order_id, *fact.brings) and not (told is not None and told[1].withdraws):
                    found.setdefault(account_id, []).append(fact)
        return {account_id: sorted(facts, key=lambda fact: fact.key) for account_id, facts in found.items()}

    async def park(self, events: Sequence[Event], outside: Collection[str] = ()) -> list[Event]:
        conflicts = []
        for event in events:
            if event.order_id is None:
                raise ValueError(f"{event.type} names no order that it could wait for")
            key = (event.order_id, event.source, event.id)
            there = self._tables.parked.get(key) if key not in self._taken else None
            first = there[1] if there is not None else self._parked.setdefault(key, event)
            if first.digest != event.digest and TOPIC_OF.get(first.type) != TOPIC_OF.get(event.type):
                conflicts += [each.as_sent() for each in await self.park([event.apart()], outside)]
            elif first.digest != event.digest:
                conflicts.append(event)
            elif first is event:
                self._on_commit.append(partial(self._commit_parked, key))
        return conflicts

    def _commit_parked(self, key: ParkedKey, now: datetime) -> None:
        if key in self._parked:
            self._tables.parked[key] = (now, self._parked[key])

    def _commit_taken(self, key: ParkedKey, _: datetime) -> None:
        self._tables.parked.pop(key, None)

    async def take_parked(self, orders: Iterable[tuple[str, str]]) -> list[Event]:
        wanted = set(orders)
        waiting = {
            **{key: event for key, (_, event) in self._tables.parked.items() if key not in self._taken},
            **self._parked,
        }
        taken = {
            key: event
            for key, event in waiting.items()
            if any(key[0] == order_id and event.program in (None, program) for order_id, program in wanted)
        }
        for key in taken:
            self._parked.pop(key, None)
            self._taken.add(key)
            self._on_commit.append(partial(self._commit_taken, key))
        return sorted((event.as_sent() for event in taken.values()), key=lambda event: event.key)

    async def load(self, wanted: Sequence[Wanted], names: Mapping[UUID, tuple[str, str]] | None = None) -> dict[UUID, Loaded]:
        if len({w.account_id for w in wanted}) != len(wanted):
            raise ValueError("an account is wanted twice in one load")
        found = {w.account_id: self._load(w, (names or {}).get(w.account_id)) for w in wanted}
        for (account_id, _, _), decision in self._tables.announced.items():
            if account_id in found:
                found[account_id].announced = [*found[account_id].announced, decision]
        return found

    def _load(self, wanted: Wanted, name: tuple[str, str] | None) -> Loaded:
        account = self._tables.accounts.get(wanted.account_id)
        if account is None:
            return Loaded(None, wanted.needs)
        if name is not None and account.row.member_id != FORGOTTEN and name != (account.row.program, account.row.member_id):
            raise AccountCollisionError(wanted.account_id)
        needs = wanted.needs if account.row.head.format == FORMAT else NOTHING
        _, forgotten_until = self._tables.erasures.get(wanted.account_id, (None, None))
        return Loaded(
            replace(account.row, forgotten_until=forgotten_until),
            needs,
            seen={key: account.facts[key][1].digest for key in wanted.seen if key in account.facts},
            seen_types={key: account.facts[key][1].type for key in wanted.seen if key in account.facts},
            lots={
                ref: lot
                for ref, lot in account.lots.items()
                if (needs.all_open and lot.pending + lot.available) or lot.origin in needs.origins
            },
            items={
                key: item
                for key, item in account.items.items()
                if key in needs.items or (needs.all_open and item.due_at is not None)
            },
        )

    async def dossiers(self, accounts: Collection[UUID]) -> list[Dossier]:
        return [dossier_of(self._tables, each, account=self._parted.get(each)) for each in sorted(set(accounts))]

    async def history(self, since: Mapping[UUID, Moment]) -> dict[UUID, History]:
        return {account_id: self._history(account_id, moment) for account_id, moment in since.items()}

    def _history(self, account_id: UUID, since: Moment) -> History:
        account = self._tables.accounts.get(account_id)
        if account is None:
            return History((), (), (), (), since)
        steps = sorted((step for moment, step in account.steps.items() if moment >= since), key=lambda s: s.moment, reverse=True)
        named = [(s.moment.source, s.moment.id) for s in reversed(steps) if s.moment.rank != CLOCK_RANK]
        first = min((step.version for step in steps), default=None)
        return History(
            steps=steps,
            facts=[account.facts[key][1] for key in named if key in account.facts],
            decisions=[account.decisions[s.moment.name][1] for s in reversed(steps) if s.moment.name in account.decisions],
            entries=[
                StoredEntry(p.moment, p.entry)
                for _, p in account.entries
                if first is not None and p.version >= first and p.moment >= since
            ],
            since=since,
        )

    def begin_chain(self, account: UUID, begun: Begun) -> None:
        self._begun[account] = begun

    async def compare_and_set(self, changes: Sequence[AccountChange]) -> set[UUID]:
        await self._lock(("account", c.account_id) for c in sorted(changes, key=lambda c: c.account_id))
        won = {c.account_id: c for c in changes if self._stands(c)}
        self._won |= won
        for change in won.values():
            self._on_commit.append(partial(self._commit_head, change))
        return set(won)

    def _stands(self, change: AccountChange) -> bool:
        there = self._there(change.account_id)
        if there is None:
            return True
        row = there.row
        taken_over = row.member_id in (change.member_id, FORGOTTEN)
        return (row.revision, row.program) == (change.expected_revision, change.program) and taken_over

    def _there(self, account_id: UUID) -> Account | None:
        """The account as this batch sees it."""
        return self._parted.get(account_id) or self._tables.accounts.get(account_id)

    def _commit_head(self, c: AccountChange, _: datetime) -> None:
        row = AccountRow(c.account_id, c.program, c.member_id, c.expected_revision + 1, c.version, c.epoch, c.head, c.fenced)
        if c.account_id in self._tables.accounts:
            self._tables.accounts[c.account_id].row = row
        else:
            self._tables.accounts[c.account_id] = Account(row)

    async def write(self, changes: Sequence[AccountChange]) -> None:
        for change in changes:
            assert self._won.get(change.account_id) is change, "written without having been won in this batch"
            there = self._there(change.account_id)
            if there is not None and any((fact.source, fact.id) in there.facts for fact in change.facts):
                raise ConstraintError("fact_pkey")
            if there is not None and (there.lots.keys() & {*change.new_lots} or there.items.keys() & {*change.new_items}):
                raise ConstraintError("lot_pkey or item_pkey")
            self._on_commit.append(partial(self._commit_rows, change))

    def _commit_rows(self, c: AccountChange, now: datetime) -> None:
        account = self._tables.accounts[c.account_id]
        account.facts.update({(fact.source, fact.id): (now, fact) for fact in c.facts})
        if c.account_id in self._begun:
            account.begun = self._begun[c.account_id]
            account.chain = account.begun.chain
        account.chain, proofs = chained(account.chain, [content_of(fact) for fact in c.facts], salts())
        account.proofs.update(zip(((fact.source, fact.id) for fact in c.facts), proofs, strict=True))
        account.decisions.update({(decision.source, decision.id): (now, decision) for decision in c.decisions})
        account.entries.extend((now, posted) for posted in c.entries)
        _put(account.lots, c.lots)
        _put(account.items, c.items)
        if c.undone_from is not None:
            account.steps = {moment: step for moment, step in account.steps.items() if moment < c.undone_from}
        account.steps.update({step.moment: step for step in c.steps})
        for m in c.messages:
            name = (c.account_id, m.version, m.ordinal)
            headers = cloudevents_headers(name, c.epoch, m.topic, c.program, m.effective_at, m.traceparent)
            self._tables.outbox[name] = OutboxRow(*name, m.topic, m.key.encode(), m.data, headers, now)

    async def ask_erasures(self, asked: Mapping[UUID, datetime]) -> None:
        self._on_commit.append(lambda _: self._commit_asked(asked))

    def _commit_asked(self, asked: Mapping[UUID, datetime]) -> None:
        for account_id, until in asked.items():
            before, done = self._tables.erasures.get(account_id, (until, None))
            self._tables.erasures[account_id] = (until if before == done else min(before, until), done)

    async def erased(self, accounts: Collection[UUID]) -> dict[UUID, datetime]:
        found = {account_id: self._tables.erasures.get(account_id, (None, None))[1] for account_id in accounts}
        return {account_id: until for account_id, until in found.items() if until is not None}

    async def erase(self, account: UUID) -> Erasure | None:
        there = self._tables.accounts[account]
        before = there.row
        await self.claim((), {fact.order_id for _, fact in there.facts.values() if fact.order_id is not None})
        await self._lock([("account", account)])
        until, done = self._tables.erasures.get(account, (None, None))
        unpublished = any(of == account for of, _, _ in self._tables.outbox)
        if there.row is not before or until is None or until == done or unpublished:
            return None
        parted = part(there, until)
        self._parted = {account: parted.left, parted.nameless.row.account_id: parted.nameless}
        self._on_commit.append(partial(self._commit_parted, there.row, parted, until))
        moved = await self.routes(parted.orders)
        for order_id, route in moved.items():
            owners = {
                of: tuple(parted.to if owner == account else owner for owner in owners) for of, owners in route.accounts.items()
            }
            self._routes[order_id] = Route(order_id, owners)
        self._on_commit.append(lambda _: self._tables.routes.update({each: self._routes[each] for each in moved}))
        return Erasure(parted.to, there.row.member_id, bool(parted.left.facts))

    def _commit_parted(self, was: AccountRow, parted: Parted, until: datetime, _: datetime) -> None:
        self._tables.accounts |= {was.account_id: parted.left, parted.to: parted.nameless}
        self._tables.erasures[was.account_id] = (parted.asked_until or until, until)
        for name, held in [*self._tables.held.items()]:
            if held.account_id == was.account_id and held.event.time <= until:
                del self._tables.held[name]
        self._tables.dead_letters.update(emptied(self._tables.dead_letters, was, until if parted.left.facts else None))

    async def points_given(self, totals: Collection[Total]) -> dict[Total, int]:
        await self._lock(("given", total) for total in sorted(set(totals)))
        return {total: self._tables.given.get(total, 0) for total in totals}

    async def give_points(self, more: Mapping[Total, int]) -> None:
        self._on_commit.append(lambda _: self._tables.given.update(Counter(self._tables.given) + Counter(more)))

    async def known_commands(self, names: Collection[CommandName]) -> tuple[set[CommandName], dict[CommandName, bytes]]:
        accounts = self._tables.accounts
        facts = {name for name in names if name[0] in accounts and name[1:] in accounts[name[0]].facts}
        return facts, {name: self._tables.held[name].event.digest for name in names if name in self._tables.held}

    async def hold(self, commands: Sequence[HeldCommand]) -> set[CommandName]:
        await self._lock(("held", name) for name in sorted(each.name for each in commands))
        there = {each.name: self._tables.held.get(each.name) for each in commands}
        new = {each.name: each for each in commands if there[each.name] is None}
        self._on_commit.append(partial(self._commit_held, new))
        return {each.name for each in commands if (old := there[each.name]) and old.event.digest != each.event.digest}

    def _commit_held(self, new: Mapping[CommandName, HeldCommand], now: datetime) -> None:
        self._tables.held.update({name: dataclasses.replace(held, held_at=now) for name, held in new.items()})

    async def take_approved(self, name: CommandName) -> HeldCommand | None:
        await self._lock([("verdict", name)])
        held = self._tables.held.get(name)
        if held is None or held.verdict is None or held.verdict.applied_at is not None:
            return None
        self._on_commit.append(partial(self._commit_applied, held, held.verdict))
        return held if held.verdict.verdict == "approved" else None

    def _commit_applied(self, held: HeldCommand, verdict: CommandVerdict, now: datetime) -> None:
        self._tables.held[held.name] = dataclasses.replace(held, verdict=dataclasses.replace(verdict, applied_at=now))

    async def dead_letter(self, letters: Sequence[DeadLetter]) -> int:
        new = {name: d for name, d in by_name(letters).items() if name not in self._tables.dead_letters}
        self._on_commit.append(partial(self._commit_dead, new))
        return len(new)

    def _commit_dead(self, new: Mapping[LetterName, DeadLetter], now: datetime) -> None:
        self._tables.dead_letters.update(new)
        self._tables.queued_letters.update(dict.fromkeys(sorted(new), now))


_K = TypeVar("_K")
_V = TypeVar("_V")


def _put(rows: dict[_K, _V], new: Mapping[_K, _V | None]) -> None:
    for key, row in new.items():
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row
