"""Ledgers in memory: deliver events in order, let the clock run, read statements. The same fold as the worker's.

It keeps of each account what a database would: the head, rows, steps with their before-images, facts, decisions, entries.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID, uuid5

from contracts.events import Event, OrderPlaced
from contracts.statement import Statement
from worker.decide.account import Account
from worker.decide.change import AccountChange, AccountRow, History, Loaded, StoredEntry, StoredStep
from worker.decide.fold import fold, moment_of
from worker.decide.needs import Needs
from worker.decide.program import Program
from worker.decide.refold import Clock, Late, change_account
from worker.decide.state import Decision, Head, Item, ItemKey, Lot, Moment
from worker.decide.statement import statement

_K = TypeVar("_K")
_V = TypeVar("_V")
_NAMESPACE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


@dataclass(slots=True)
class Ledger:
    """One account in memory. Steps are kept in business order."""

    member_id: str
    account_id: UUID
    row: AccountRow | None = None
    lots: dict[str, Lot] = field(default_factory=dict)
    items: dict[ItemKey, Item] = field(default_factory=dict)
    facts: dict[tuple[str, str], Event] = field(default_factory=dict)
    decisions: dict[tuple[str, str], Decision] = field(default_factory=dict)
    entries: list[StoredEntry] = field(default_factory=list)
    steps: list[StoredStep] = field(default_factory=list)

    def loaded(self) -> Loaded:
        """Everything the account has."""
        return Loaded(row=self.row, lots=self.lots, items=self.items, wide=True)

    def history(self, since: Moment) -> History:
        """What lies at or after a moment."""
        start = bisect_left(self.steps, since, key=lambda step: step.moment)
        later = self.steps[start:]
        keys = [(step.moment.source, step.moment.id) for step in later if step.moment.rank]
        return History(
            steps=later[::-1],
            facts=sorted((self.facts[key] for key in keys), key=lambda fact: fact.key),
            decisions=[self.decisions[name] for name in (step.moment.name for step in later) if name in self.decisions],
            entries=[entry for entry in self.entries if entry.moment >= since],
        )

    def write(self, change: AccountChange) -> None:
        """Take a change over."""
        self.row = AccountRow(
            account_id=change.account_id,
            program=change.program,
            member_id=change.member_id,
            revision=change.expected_revision + 1,
            version=change.version,
            epoch=change.epoch,
            head=change.head,
        )
        for ref, lot in change.lots.items():
            _put(self.lots, ref, lot)
        for key, item in change.items.items():
            _put(self.items, key, item)
        self.facts.update(((fact.source, fact.id), fact) for fact in change.facts)
        self.decisions.update(((each.source, each.id), each) for each in change.decisions)
        self.entries.extend(StoredEntry(posted.moment, posted.entry) for posted in change.entries)
        if change.undone_from is not None:
            del self.steps[bisect_left(self.steps, change.undone_from, key=lambda step: step.moment) :]
        self.steps.extend(change.steps)


def _put(rows: dict[_K, _V], key: _K, row: _V | None) -> None:
    if row is None:
        rows.pop(key, None)
    else:
        rows[key] = row


class Simulation:
    """A program's ledgers in memory, delivered one event at a time.

    `told`: decisions that a worker took, to be replayed instead of taken anew. `counts`: what was dropped, and why.
    """

    def __init__(self, program: Program, told: Mapping[tuple[str, str], Decision] | None = None) -> None:
        self.program = program
        self.ledgers: dict[str, Ledger] = {}
        self.counts: Counter[str] = Counter()
        self._told = dict(told or {})
        self._homes: dict[str, str | None] = {}
        self._parked: dict[str, list[Event]] = {}
        self._parked_keys: set[tuple[str, str]] = set()

    def deliver(self, event: Event, now: datetime | None = None) -> None:
        """Apply one event, and what had been parked for the order that it brings."""
        member = self._member_of(event)
        if member is None:
            return
        facts = [event]
        if isinstance(event.data, OrderPlaced):
            facts += self._parked.pop(event.data.order_id, [])
        self._apply(member, facts, now or event.recorded_time or event.time)

    def _member_of(self, event: Event) -> str | None:
        """The member an event is about; None if it is parked or dropped."""
        data = event.data
        if event.program not in (None, self.program.code):
            self.counts["other_program"] += 1
            return None
        if isinstance(data, OrderPlaced):
            stores = self.program.at(event.time).terms.membership.stores
            ours = event.program is not None or data.store in stores.eligible or data.store in stores.excluded
            member = data.member_id if ours else None
            if self._homes.get(data.order_id) is None:
                self._homes[data.order_id] = member
            if member is None:
                self.counts["guest_or_other_store"] += 1
                self._parked.pop(data.order_id, None)
            return member
        if event.member_id is not None:
            return event.member_id
        assert event.order_id is not None
        if event.order_id in self._homes:
            return self._homes[event.order_id]
        if (event.source, event.id) not in self._parked_keys:
            self._parked_keys.add((event.source, event.id))
            self._parked.setdefault(event.order_id, []).append(event)
        return None

    def _apply(self, member: str, facts: Iterable[Event], now: datetime) -> None:
        ledger = self.ledgers.get(member)
        if ledger is None:
            ledger = self.ledgers[member] = Ledger(member, uuid5(_NAMESPACE, f"{self.program.code}:{member}"))
        fresh: list[Event] = []
        for fact in facts:
            known = ledger.facts.get((fact.source, fact.id))
            if known is not None:
                self.counts["duplicate" if known.digest == fact.digest else "conflict"] += 1
            else:
                fresh.append(fact)
        if fresh:
            self._change(ledger, fresh, Clock(until=now, certain_until=None))

    def _change(self, ledger: Ledger, facts: list[Event], clock: Clock) -> None:
        told = [self._told[key] for key in ((fact.source, fact.id) for fact in facts) if key in self._told]
        arguments = (self.program, ledger.account_id, ledger.member_id, ledger.loaded(), Needs(), facts, clock)
        try:
            change = change_account(*arguments, told=told, complete=True)
        except Late as late:
            change = change_account(*arguments, history=ledger.history(late.since), told=told, complete=True)
        if change is not None:
            ledger.write(change)

    def run_clock(self, until: datetime) -> None:
        """Let the clock of every account run up to an instant."""
        for ledger in self.ledgers.values():
            if ledger.row is not None and ledger.row.head.next_due_at is not None and ledger.row.head.next_due_at <= until:
                self._change(ledger, [], Clock(until=until, certain_until=None))

    def statements(self, at: datetime, asked: str) -> list[Statement]:
        """Every member's statement at an instant up to which the clock has run, by member id."""
        return [self.statement(member, at, asked) for member in sorted(self.ledgers)]

    def statement(self, member: str, at: datetime, asked: str) -> Statement:
        """One member's statement, from the facts with a business time up to `at`."""
        ledger = self.ledgers[member]
        assert ledger.row is not None
        account = Account(self.program, Head(), {}, {}, complete=True)
        account.decided.update(ledger.decisions)
        fold(account, sorted((fact for fact in ledger.facts.values() if fact.time <= at), key=moment_of), at)
        return statement(account, member, ledger.row.version, asked)
