"""Ledgers without a server: deliver events in order, let the clock run, read statements. The same fold as the worker's, over a
book that keeps of each account what the database would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID, uuid5

from contracts.events import Event, OrderPlaced
from contracts.statement import Statement
from worker.book import Book, Ledger
from worker.decide.account import Account, Defect, NotLoaded
from worker.decide.fold import fold, moment_of
from worker.decide.needs import Needs, needs
from worker.decide.program import Program
from worker.decide.refold import Clock, Late, change_account
from worker.decide.state import Decision, Head
from worker.decide.statement import statement

ROUNDS_MAX = 12
_NAMESPACE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


class Simulation:
    """A program's ledgers, delivered one event at a time.

    `told`: decisions that a worker took, to be replayed instead of taken anew. `counts`: what was dropped, and why.
    """

    def __init__(self, program: Program, told: Mapping[tuple[str, str], Decision] | None = None) -> None:
        self.program = program
        self.ledgers: dict[str, Ledger] = {}
        self._book = Book()
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
            ledger = self.ledgers[member] = self._book.open(member, uuid5(_NAMESPACE, f"{self.program.code}:{member}"))
        fresh: list[Event] = []
        for fact in facts:
            known = ledger.digest_of(fact.source, fact.id)
            if known is not None:
                self.counts["duplicate" if known == fact.digest else "conflict"] += 1
            else:
                fresh.append(fact)
        if fresh:
            self._change(ledger, fresh, Clock(until=now, certain_until=None))

    def _change(self, ledger: Ledger, facts: list[Event], clock: Clock) -> None:
        told = [self._told[key] for key in ((fact.source, fact.id) for fact in facts) if key in self._told]
        asked, history = needs(facts), None
        for _ in range(ROUNDS_MAX):
            arguments = (self.program, ledger.account_id, ledger.member_id, ledger.load(asked), asked, facts, clock, history)
            try:
                change = change_account(*arguments, told=told)
            except Late as late:
                history = ledger.history(late.since)
                asked = asked.joined(needs(history.facts)).joined(Needs(wide=True))
            except NotLoaded as missing:
                asked = asked.joined(Needs(set(missing.items), set(missing.origins), missing.wide))
            else:
                if change is not None:
                    ledger.write(change)
                return
        raise Defect(f"the fold asks for rows without end: {asked}")

    @contextmanager
    def rehearsed(self) -> Iterator[None]:
        """What happens within is taken back at the end: the clock may run ahead and statements be read."""
        rows = {member: ledger.row for member, ledger in self.ledgers.items()}
        with self._book.undone():
            yield
        for member, row in rows.items():
            self.ledgers[member].row = row

    def run_clock(self, until: datetime) -> None:
        """Let the clock of every account run up to an instant."""
        for ledger in self.ledgers.values():
            if ledger.row is not None and ledger.row.head.next_due_at is not None and ledger.row.head.next_due_at <= until:
                self._change(ledger, [], Clock(until=until, certain_until=None))

    def statements(self, at: datetime, asked: str) -> Iterator[Statement]:
        """Every member's statement at an instant up to which the clock has run, by member id, one at a time."""
        return (self.statement(member, at, asked) for member in sorted(self.ledgers))

    def statement(self, member: str, at: datetime, asked: str) -> Statement:
        """One member's statement, from the facts with a business time up to `at`."""
        ledger = self.ledgers[member]
        assert ledger.row is not None
        account = Account(self.program, Head(), {}, {}, complete=True)
        account.decided.update(ledger.decisions)
        fold(account, sorted((fact for fact in ledger.facts.values() if fact.time <= at), key=moment_of), at)
        return statement(account, member, ledger.row.version, asked)
