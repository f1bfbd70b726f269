"""Ledgers without a server: deliver events in order, let the clock run, read statements. The same fold as the worker's, over a
store that keeps what the database would keep of each account.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID, uuid5

from contracts.events import TOPIC_OF, Event, OrderClaimed, OrderPlaced
from contracts.statement import Statement
from worker.decide.account import Account
from worker.decide.change import NOTHING, Loaded
from worker.decide.deduplication import Deduplicated, apart, deduplicate
from worker.decide.fold import fold, moment_of
from worker.decide.needs import needs
from worker.decide.program import Program
from worker.decide.refold import Clock
from worker.decide.state import Decision, blank
from worker.decide.statement import statement
from worker.processing.contests import Shared, missing
from worker.processing.routing import Home, home_of
from worker.programs.catalogue import OUTSIDE, Catalogue, Refusal
from worker.simulation.loading import change_of
from worker.simulation.store import Book, Ledger

_NAMESPACE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


class Simulation:
    """A program's ledgers, delivered one event at a time.

    `told`: decisions that a worker took, to be replayed instead of taken anew; `paid`: those of the clock, by member: what was
    paid out in money. Up to a member's last one nothing else was paid; without points it says only how far the clock had come.
    `counts`: what was dropped, and why.
    """

    def __init__(
        self,
        program: Program,
        told: Mapping[tuple[str, str], Decision] | None = None,
        paid: Mapping[str, Sequence[Decision]] | None = None,
    ) -> None:
        self.program = program
        self.ledgers: dict[str, Ledger] = {}
        self._book = Book()
        self.counts: Counter[str] = Counter()
        self._told = dict(told or {})
        self._told_of: dict[str, list[Decision]] = {}
        told_paid = {member: decisions for member, decisions in (paid or {}).items() if decisions}
        self._paid = {member: [each for each in decisions if each.points] for member, decisions in told_paid.items()}
        self._paid_until = {
            member: max(datetime.fromisoformat(each.id) for each in decisions) for member, decisions in told_paid.items()
        }
        self._catalogue = Catalogue([program])
        self._parked: dict[str, dict[tuple[str, str], Event]] = {}

    def deliver(self, event: Event, now: datetime | None = None) -> None:
        """Apply one event, and what had been parked for the order that it brings."""
        now = now or event.recorded_time or event.time
        program = self._catalogue.resolve(event)
        if isinstance(program, Refusal):
            self.counts[program.reason] += 1
        elif isinstance(event.data, OrderPlaced):
            assert program is not None
            self._place(event, event.data, program, now)
        elif event.member_id is not None:
            by_member = {event.member_id: [event]}
            if isinstance(event.data, OrderClaimed):
                self._tell_each_other(event.data.order_id, by_member)
            for member, facts in by_member.items():
                self._apply(member, facts, now)
        else:
            by_member, brought = {}, list[str]()
            self._send_home([event], by_member, brought)
            self._tell(by_member, brought, now)

    def _place(self, event: Event, data: OrderPlaced, program: str, now: datetime) -> None:
        """An order, and what waited for it."""
        member = data.member_id if program != OUTSIDE else None
        self._book.claim(data.order_id, program, member)
        by_member: dict[str, list[Event]] = {}
        if member is not None:
            by_member[member] = [event]
        else:
            self.counts["dropped"] += 1
        brought = [data.order_id]
        self._send_home(self._waited(data.order_id), by_member, brought)
        self._tell(by_member, brought, now)

    def _tell(self, by_member: dict[str, list[Event]], brought: Iterable[str], now: datetime) -> None:
        """Apply what is coming to members. `brought`: orders that come with it."""
        for order_id in dict.fromkeys(brought):
            self._tell_each_other(order_id, by_member)
        for owner, facts in by_member.items():
            self._apply(owner, facts, now)

    def _tell_each_other(self, order_id: str, coming: dict[str, list[Event]]) -> None:
        """Add what those who placed an order have yet to be told of each other to what is coming to them."""
        owners = self._book.owners(order_id).get(self.program.code, ())
        if len(owners) < 2:
            return
        members = [owner for owner in owners if owner is not None]
        told = {each: [*self._about(each, order_id), *self._deduplicated(each, coming.get(each, ())).fresh] for each in members}
        more, _ = missing(Shared(order_id, self.program.code, None in owners), told, {})
        for member, facts in more.items():
            coming.setdefault(member, []).extend(facts)

    def _about(self, member: str, order_id: str) -> list[Event]:
        ledger = self.ledgers.get(member)
        return [] if ledger is None else ledger.about(order_id)

    def _deduplicated(self, member: str, facts: Sequence[Event]) -> Deduplicated:
        """Facts that come to a member, by what is to become of them."""
        ledger = self.ledgers.get(member)
        while True:
            names = {(fact.source, fact.id) for fact in facts}
            known = {name: found for name in names if ledger is not None and (found := ledger.known(*name)) is not None}
            renamed = apart(facts, {name: type_ for name, (_, type_) in known.items()})
            if renamed is facts:
                return deduplicate(facts, {name: digest for name, (digest, _) in known.items()})
            facts = renamed

    def _waited(self, order_id: str) -> list[Event]:
        """What had been parked for an order."""
        return sorted(self._parked.pop(order_id, {}).values(), key=lambda each: each.key)

    def _send_home(self, events: Sequence[Event], by_member: dict[str, list[Event]], brought: list[str]) -> None:
        """Give events about orders to the members whose orders they are, with what had been parked for the parts of those that
        are split; those whose order has not come are parked."""
        left = list(events)
        while left:
            event = left.pop(0)
            order_id = event.order_id or ""
            owners = self._book.owners(order_id)
            home = home_of(owners, event.program, alone=True)
            if home is None:
                if not self._catalogue.awaits(event):
                    self.counts["dropped" if event.program is None and OUTSIDE in owners else "unknown_order"] += 1
                    continue
                parked = self._parked.setdefault(order_id, {})
                first = parked.setdefault((event.source, event.id), event)
                if TOPIC_OF.get(first.type) != TOPIC_OF.get(event.type):
                    first = parked.setdefault((event.apart().source, event.id), event)
                if first is not event:
                    self.counts["duplicate" if first.digest == event.digest else "conflict"] += 1
                continue
            elif isinstance(home, Refusal):
                self.counts[home.reason] += 1
            elif not home.owners:
                # Of a guest: kept, for a member may be told to have placed the order too.
                self.counts["dropped"] += 1
                self._parked.setdefault(order_id, {}).setdefault((event.source, event.id), event)
            if isinstance(home, Home):
                for owner in home.owners:
                    by_member.setdefault(owner, []).append(event)
                for part in event.brings:
                    for each in home.owners or (None,):
                        self._book.claim(part, home.program, each)
                    brought.append(part)
                    left += self._waited(part)

    def _apply(self, member: str, facts: list[Event], now: datetime) -> None:
        ledger = self.ledgers.get(member)
        if ledger is None:
            ledger = self.ledgers[member] = self._book.open(member, uuid5(_NAMESPACE, f"{self.program.code}:{member}"))
        loaded = ledger.load(needs(facts, self.program))
        deduplicated = self._deduplicated(member, facts)
        self.counts["duplicate"] += len(deduplicated.duplicates)
        self.counts["conflict"] += len(deduplicated.conflicts)
        if deduplicated.fresh:
            self._change(ledger, deduplicated.fresh, now, loaded)

    def _change(self, ledger: Ledger, facts: list[Event], until: datetime, loaded: Loaded) -> None:
        clock = Clock(until=until, certainty=None, paid_until=self._paid_until.get(ledger.member_id))
        # A fact that was told before what it is about is decided when that comes.
        told = self._told_of.setdefault(ledger.member_id, [])
        told += [self._told[key] for key in ((fact.source, fact.id) for fact in facts) if key in self._told]
        change = change_of(ledger, self.program, facts, clock, (*told, *self._paid.get(ledger.member_id, ())), loaded)
        if change is not None:
            ledger.write(change)

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
                self._change(ledger, [], until, ledger.load(NOTHING))

    def statements(self, at: datetime, asked: str) -> Iterator[Statement]:
        """Every member's statement at an instant up to which the clock has run, by member id, one at a time."""
        return (self.statement(member, at, asked) for member in sorted(self.ledgers))

    def statement(self, member: str, at: datetime, asked: str) -> Statement:
        """One member's statement, from the facts with a business time up to `at`."""
        ledger = self.ledgers[member]
        assert ledger.row is not None
        account = Account(self.program, blank(), {}, {}, complete=True)
        account.decided.update(ledger.decisions)
        account.paid_until = self._paid_until.get(member)
        fold(account, sorted((fact for fact in ledger.facts.values() if fact.time <= at), key=moment_of), at)
        return statement(account, member, ledger.row.version, at, asked)
