"""A store in memory that checks every change it takes, and the fold from scratch to compare with."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid5

from msgspec.structs import replace

from contracts.events import Event, OrderPlaced
from tests.fold.histories import History as Life
from worker.decide.account import Account
from worker.decide.change import (
    EVERYTHING,
    AccountChange,
    AccountRow,
    History,
    Loaded,
    Message,
    Needs,
    PostedEntry,
    StoredEntry,
    StoredStep,
)
from worker.decide.errors import Late
from worker.decide.fold import fold, moment_of
from worker.decide.instants import next_after
from worker.decide.lot_name import is_grant
from worker.decide.order_records import Order, Voucher
from worker.decide.program import Program
from worker.decide.refold import Clock, compute_change
from worker.decide.state import (
    Certainty,
    Decision,
    Earmark,
    Entry,
    Head,
    Item,
    ItemKey,
    Lot,
    Moment,
    Request,
    awaited_by,
    blank,
)
from worker.decide.step import Step
from worker.decide.undo import head_before
from worker.simulation.loading import change_of

KEPT = ("pending", "available", "held", "lapsed", "forfeited", "revoked")
CHECK_EVERY = 7
"""So many changes are written between two looks at a whole account, which cost more the longer it is."""
_NAMESPACE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
_Key = tuple[str, str]
_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(slots=True)
class Book:
    """All that is stored of one account."""

    member_id: str
    account_id: UUID
    row: AccountRow | None = None
    lots: dict[str, Lot] = field(default_factory=dict)
    items: dict[ItemKey, Item] = field(default_factory=dict)
    facts: dict[_Key, Event] = field(default_factory=dict)
    decisions: dict[_Key, Decision] = field(default_factory=dict)
    entries: list[PostedEntry] = field(default_factory=list)
    steps: list[StoredStep] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    @property
    def head(self) -> Head:
        """The account's head; that of an account which is not there yet is empty."""
        return self.row.head if self.row is not None else blank()

    def history(self, since: Moment) -> History:
        """What a store finds from a moment on: entries go by the lowest version of the steps, and by their moment."""
        later = self.steps[bisect_left(self.steps, since, key=lambda step: step.moment) :]
        keys = [(step.moment.source, step.moment.id) for step in later if step.moment.rank]
        first = min((step.version for step in later), default=0)
        return History(
            steps=later[::-1],
            facts=sorted((self.facts[key] for key in keys), key=lambda fact: fact.key),
            decisions=[self.decisions[name] for name in (step.moment.name for step in later) if name in self.decisions],
            entries=[StoredEntry(e.moment, e.entry) for e in self.entries if later and e.version >= first and e.moment >= since],
            since=since,
        )

    def load(self, wanted: Needs) -> Loaded:
        """What was asked for of the account as it stands."""
        if wanted.complete:
            return Loaded(self.row, wanted, lots=dict(self.lots), items=dict(self.items))
        lots = {
            ref: lot
            for ref, lot in self.lots.items()
            if (wanted.all_open and lot.pending + lot.available) or lot.origin in wanted.origins
        }
        items = {
            key: item for key, item in self.items.items() if key in wanted.items or (wanted.all_open and item.due_at is not None)
        }
        return Loaded(self.row, wanted, lots=lots, items=items)


class StoredAccounts:
    """The accounts of one program. `narrow`: load only what facts need; `checked`: look at every change that is written."""

    def __init__(
        self, program: Program, told: Mapping[_Key, Decision] | None = None, *, narrow: bool = False, checked: bool = True
    ) -> None:
        self.program = program
        self.books: dict[str, Book] = {}
        self.narrow = narrow
        self.checked = checked
        self.told = dict(told or {})
        self.writes = 0
        self._homes: dict[str, str] = {}
        self._parked: dict[str, list[Event]] = {}

    @property
    def decisions(self) -> dict[_Key, Decision]:
        """Every verdict that was announced."""
        return {key: decision for book in self.books.values() for key, decision in book.decisions.items()}

    def deliver(self, batch: Sequence[Event], until: datetime | None = None, certainty: Certainty | None = None) -> None:
        """Take a batch as the worker does: park what has no order yet, leave duplicates out, fold each account once."""
        for member, facts in self.routed(batch).items():
            self.change(self.book(member), facts, Clock(until=until, certainty=certainty))

    def book(self, member: str) -> Book:
        """A member's account, empty if there is none yet."""
        return self.books.setdefault(member, Book(member, uuid5(_NAMESPACE, member)))

    def routed(self, batch: Sequence[Event]) -> dict[str, list[Event]]:
        """New facts by whose they are: without those that wait for their order, with those that had waited."""
        for event in batch:
            if isinstance(event.data, OrderPlaced) and event.data.member_id is not None:
                self._homes.setdefault(event.data.order_id, event.data.member_id)
        groups: dict[str, dict[_Key, Event]] = {}
        for event in batch:
            for member, fact in self._route(event):
                if (fact.source, fact.id) not in self.book(member).facts:
                    groups.setdefault(member, {})[fact.source, fact.id] = fact
        return {member: [*facts.values()] for member, facts in sorted(groups.items())}

    def _route(self, event: Event) -> Iterable[tuple[str, Event]]:
        if event.member_id is not None:
            yield event.member_id, event
            if isinstance(event.data, OrderPlaced):
                for parked in self._parked.pop(event.data.order_id, []):
                    yield from self._route(parked)
            return
        assert event.order_id is not None
        if event.order_id in self._homes:
            member = self._homes[event.order_id]
            yield member, event
            for part in event.brings:
                self._homes.setdefault(part, member)
                for parked in self._parked.pop(part, []):
                    yield from self._route(parked)
        else:
            self._parked.setdefault(event.order_id, []).append(event)

    def run_clock(self, until: datetime, certainty: Certainty | None = None) -> None:
        """What the due loop does: look at every account whose next due instant has come, or whose redemption need not wait."""
        for book in self.books.values():
            awaited = awaited_by(book.head)
            decidable = awaited is not None and (certainty is None or awaited <= certainty.passed)
            if decidable or (book.head.next_due_at is not None and book.head.next_due_at <= until):
                self.change(book, [], Clock(until=until, certainty=certainty))

    def change(self, book: Book, facts: list[Event], clock: Clock) -> AccountChange | None:
        """Fold facts and clock into an account and write what comes out."""
        told = [self.told[key] for key in (*book.facts, *((fact.source, fact.id) for fact in facts)) if key in self.told]
        change = change_of(book, self.program, facts, clock, told) if self.narrow else self._fold_whole(book, facts, clock, told)
        if change is not None:
            before = (book.head, book.row.version if book.row else 0)
            write(book, change)
            if self.checked:
                check_change(change, *before)
                check_late_redemptions(book, change, before[0].last)
                self.writes += 1
                if self.writes % CHECK_EVERY == 0:
                    check_book(book, self.program)
        return change

    def _fold_whole(self, book: Book, facts: list[Event], clock: Clock, told: Sequence[Decision]) -> AccountChange | None:
        loaded = book.load(EVERYTHING)
        loaded.announced = told
        arguments = (self.program, book.account_id, book.member_id, loaded, facts, clock)
        history: History | None = None
        while True:
            try:
                return compute_change(*arguments, history=history)
            except Late as late:
                history = book.history(late.since)


def write(book: Book, change: AccountChange) -> None:
    """Take a change over, as a store does."""
    assert change.expected_revision == (book.row.revision if book.row else 0)
    book.row = AccountRow(
        account_id=change.account_id,
        program=change.program,
        member_id=change.member_id,
        revision=change.expected_revision + 1,
        version=change.version,
        epoch=change.epoch,
        head=change.head,
    )
    _put(book.lots, change.lots)
    _put(book.items, change.items)
    # A database gives rows in no order that means anything.
    book.lots = dict(reversed(book.lots.items()))
    book.items = dict(reversed(book.items.items()))
    for fact in change.facts:
        assert (fact.source, fact.id) not in book.facts, "a fact is written once"
        book.facts[fact.source, fact.id] = fact
    for decision in change.decisions:
        known = book.decisions.get((decision.source, decision.id))
        assert known is None, f"decided before: {known}, now {decision}"
        book.decisions[decision.source, decision.id] = decision
    if change.undone_from is not None:
        del book.steps[bisect_left(book.steps, change.undone_from, key=lambda step: step.moment) :]
    book.steps.extend(change.steps)
    book.entries.extend(change.entries)
    book.messages.extend(change.messages)


def _put(rows: dict[_K, _V], changed: Mapping[_K, _V | None]) -> None:
    for key, row in changed.items():
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row


# -- what is true after every change


def check_change(change: AccountChange, before: Head, version: int) -> None:
    """The change itself: versions, messages and entries go on from where the account stood."""
    announced = [message.version for message in change.messages if message.topic == "loyalty.balance-changed"]
    assert announced == list(range(version + 1, change.version + 1)), "every version is announced by one balance-changed"
    ordinals: Counter[int] = Counter()
    balances = {"available": before.available, "pending": before.pending, "on_hold": before.held}
    for message in change.messages:
        assert message.ordinal == ordinals[message.version], "the messages of a version are numbered from 0"
        ordinals[message.version] += 1
        assert (message.topic == "loyalty.balance-changed") == (message.ordinal == 0)
        data = json.loads(message.data)
        if message.ordinal == 0:
            for name, points in data["change"].items():
                balances[name] += points
                assert data[name] == balances[name], "what changed adds up to the balance"
    after = change.head
    assert balances == {"available": after.available, "pending": after.pending, "on_hold": after.held}
    kept = {bucket: getattr(before, bucket) for bucket in KEPT}
    lines: Counter[int] = Counter()
    for posted in change.entries:
        assert posted.version > version
        assert posted.line == lines[posted.version]
        lines[posted.version] += 1
        entry = posted.entry
        assert entry.points > 0
        for bucket, points in ((entry.source, -entry.points), (entry.target, entry.points)):
            if bucket in kept:
                kept[bucket] += points
        for bucket, shown in ((entry.source, posted.source_after), (entry.target, posted.target_after)):
            assert shown == kept.get(bucket), "each entry says what its buckets held after it"
    assert kept == {bucket: getattr(after, bucket) for bucket in KEPT}


def check_late_redemptions(book: Book, change: AccountChange, last: Moment | None) -> None:
    """What was accepted in the past left nothing below zero at any instant that had been folded since."""
    if last is None:
        return
    accepted = {_taken_with(book, each) for each in change.decisions if each.verdict == "accepted" and each.points}
    lowest, head = 0, book.head
    for step in reversed(book.steps):
        if step.moment <= last:
            lowest = min(lowest, head.available)
        if (step.moment.source, step.moment.id) in accepted and step.moment < last:
            assert lowest >= 0, f"{step.moment} overdraws the account"
        head = head_before(head, step.before)


def _taken_with(book: Book, decision: Decision) -> _Key:
    """The fact in whose step points were taken: that which asked, or its order, if that came to stand later."""
    fact = book.facts.get((decision.source, decision.id))
    order = book.items.get(("order", fact.order_id or "")) if fact is not None else None
    later = fact is not None and isinstance(order, Order) and order.placed_at > fact.time
    return (order.source, order.id) if later and isinstance(order, Order) else (decision.source, decision.id)


def check_book(book: Book, program: Program) -> None:
    """The account as it stands: balances are what the entries and the lots say, and the way back leads to nothing."""
    head, net = book.head, Counter[str]()
    by_lot: Counter[tuple[str, str]] = Counter()
    for posted in book.entries:
        entry = posted.entry
        net[entry.source] -= entry.points
        net[entry.target] += entry.points
        if entry.lot is not None:
            by_lot[entry.lot, entry.source] -= entry.points
            by_lot[entry.lot, entry.target] += entry.points
    for bucket in KEPT:
        assert net[bucket] == getattr(head, bucket), f"{bucket} is the sum of its entries"
    assert head.available == sum(lot.available for lot in book.lots.values()) - head.arrears
    assert head.pending == sum(lot.pending for lot in book.lots.values())
    assert head.arrears >= 0
    assert not head.arrears or not any(lot.available for lot in book.lots.values()), "what is owed is set off first"
    assert head.held >= 0
    for ref, lot in book.lots.items():
        assert min(lot.pending, lot.available, lot.lapsed, lot.revoked) >= 0, ref
        assert lot.pending + lot.available + lot.lapsed + lot.revoked > 0 or is_grant(lot.origin, lot.part), ref
        assert 0 <= lot.voided <= lot.points, f"more of {ref} was taken back than was granted"
        assert lot.pending + lot.available + lot.lapsed + lot.revoked <= lot.points, f"{ref} holds more than was granted"
        assert lot.pending == by_lot[ref, "pending"], ref
        # What a credit set off against arrears never reached its lot.
        assert lot.available <= by_lot[ref, "available"], ref
        if lot.available and lot.lapses_at is not None and head.last is not None:
            assert lot.lapses_at > head.last.at, f"{ref} has lapsed and can still be used"
    assert all(one.moment < two.moment for one, two in zip(book.steps, book.steps[1:], strict=False)), "steps in business order"
    applied = {(step.moment.source, step.moment.id) for step in book.steps if step.moment.rank}
    withdrawn = {name for name, decision in book.decisions.items() if decision.withdraws}
    assert applied == set(book.facts) - withdrawn, "one step for each fact that counts"
    check_undo(book)
    check_due(book)
    check_vouchers(book)
    check_used(book, net, program)
    check_told_tiers(book, program)


def check_vouchers(book: Book) -> None:
    """Whoever listens knows each voucher as it is; those that may be withdrawn, and no others, are named in the head."""
    told: dict[str, str] = {}
    for message in book.messages:
        if message.topic == "loyalty.voucher-issued":
            data = json.loads(message.data)
            told[data["voucher_id"]] = data["status"]
    kept = {each.voucher_id: each.status for each in book.items.values() if isinstance(each, Voucher)}
    assert {name: status for name, status in told.items() if status != "withdrawn" or name in kept} == kept
    vouchers = [each for each in book.items.values() if isinstance(each, Voucher)]
    assert sorted(book.head.vouchers) == sorted(each.voucher_id for each in vouchers if each.usable and each.withdraws)


def check_undo(book: Book) -> None:
    """Putting every before-image back leads to an account that is not there yet."""
    lots, items, head = dict(book.lots), dict(book.items), book.head
    for step in reversed(book.steps):
        head = head_before(head, step.before)
        for ref, lot in step.before.lots.items():
            if lot is None:
                lots.pop(ref, None)
            else:
                lots[ref] = lot
        for each in step.before.items:
            if each.was is None:
                items.pop(each.key, None)
            else:
                items[each.key] = each.was
    assert (lots, items) == ({}, {})
    # That an order is contested is not of the fold, and is never taken back.
    assert replace(head, clock_due_at=None, next_due_at=None, contested=False) == blank()


def check_used(book: Book, net: Mapping[str, int], program: Program) -> None:
    """Points used on an order are spent, back, on their way back or forfeited; all of it is over when nothing is kept."""
    orders = [item for item in book.items.values() if isinstance(item, Order)]
    spent = held = 0
    for order in orders:
        gone = order.used.back + order.used.forfeited + sum(each.points for each in order.used.due_back)
        assert gone <= order.used.points, order.order_id
        if order.status == "open" and not any(line.kept for line in order.lines):
            assert gone == order.used.points, f"{order.order_id}: nothing is kept, and points are still used on it"
        spent += order.used.points - order.used.back - order.used.forfeited - order.used.reserved
        held += order.used.reserved
    if program.versions[0].terms.rewards is None and program.versions[0].terms.redemption.subscription is None:
        held += sum(item.points for (_, key), item in book.items.items() if isinstance(item, Earmark) and key.startswith("hold:"))
        for item in book.items.values():
            if isinstance(item, Request) and item.type == "redemption" and item.status == "accepted":
                held += item.points
        converted, all_told = _converted(book, program)
        assert net["spent"] == spent + converted if all_told else net["spent"] >= spent + converted
        assert book.head.held == held


def _converted(book: Book, program: Program) -> tuple[int, bool]:
    """The points that vouchers are made of, and those that were converted on request; and whether that is all: of what turns into
    other points by itself no record is kept."""
    known = {each.id: each for version in program.versions for each in version.terms.conversions}
    points = 0
    for item in book.items.values():
        if isinstance(item, Voucher) and item.status != "withdrawn":
            points += item.points
        elif isinstance(item, Request) and item.type == "conversion" and item.status == "accepted":
            points += 0 if known[item.sku or ""].into == "voucher" else item.points
    return points, not any(each.into == "points" and each.at != "request" for each in known.values())


def check_told_tiers(book: Book, program: Program) -> None:
    """Whoever reads only what is published knows the tier."""
    first = next((version.lowest_tier for version in program.versions if version.lowest_tier is not None), None)
    known = first
    for message in book.messages:
        if message.topic == "loyalty.tier-changed":
            data = json.loads(message.data)
            assert data["previous_tier"] == known
            known = data["tier"]
    assert known == (book.head.tier.name if book.head.tier else first), "a change of tier was not told"


def check_due(book: Book) -> None:
    """Nothing with a date is forgotten."""
    head = book.head
    dates = [item.due_at for item in book.items.values() if item.due_at is not None]
    dates += [lot.matures_at for lot in book.lots.values() if lot.pending and lot.matures_at is not None]
    dates += [lot.lapses_at for lot in book.lots.values() if lot.available and lot.lapses_at is not None]
    if dates:
        assert head.clock_due_at is not None
        assert head.clock_due_at <= min(dates)
    if head.clock_due_at is not None:
        assert head.last is not None
        assert head.next_due_at == next_after(head.last, head.clock_due_at), "an instant at which the clock gets on"


# -- one fold of the sorted set


@dataclass(frozen=True)
class Scratch:
    """An account folded from nothing, and its steps."""

    account: Account
    steps: list[Step]


def scratch(
    program: Program,
    facts: Iterable[Event],
    decisions: Mapping[_Key, Decision],
    until: datetime | None,
    certainty: Certainty | None = None,
) -> Scratch:
    """One fold of a set of facts from nothing, with the decisions that were announced."""
    account = Account(program, blank(), {}, {}, complete=True)
    account.decided.update(decisions)
    account.certainty = certainty
    return Scratch(account, fold(account, sorted(facts, key=moment_of), until))


def net_entries(entries: Iterable[tuple[Moment, Entry]]) -> Counter[Any]:
    """Points by what they were moved for, with corrections set off against what they correct."""
    net: Counter[Any] = Counter()
    for moment, entry in entries:
        sign = 1 if entry.source < entry.target else -1
        buckets = tuple(sorted((entry.source, entry.target)))
        net[moment, buckets, entry.lot, entry.order_id, entry.rule, entry.reason, entry.kind] += sign * entry.points
    return Counter({key: points for key, points in net.items() if points})


def compare(book: Book, whole: Scratch, *, exact_due: bool = True) -> None:
    """The stored account is the fold: head, lots, items, steps, and entries for every moment."""
    head, expected = replace(book.head, contested=False), whole.account.head
    if not exact_due:
        head = replace(head, clock_due_at=expected.clock_due_at, next_due_at=expected.next_due_at)
    assert_same("head", as_dict(head), as_dict(expected))
    assert_same("lots", book.lots, whole.account.lots)
    assert_same("items", book.items, whole.account.items)
    assert [step.moment for step in book.steps] == [step.moment for step in whole.steps]
    posted = net_entries((posted.moment, posted.entry) for posted in book.entries)
    folded = net_entries((step.moment, entry) for step in whole.steps for entry in step.entries)
    assert_same("entries", posted, folded)


def as_dict(record: Head) -> dict[str, Any]:
    """A record's fields by name."""
    return {name: getattr(record, name) for name in record.__struct_fields__}


def assert_same(what: str, one: Mapping[Any, Any], other: Mapping[Any, Any]) -> None:
    """Equal, or a message that says what differs."""
    if one != other:
        keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
        raise AssertionError(f"{what} differ:\n" + "\n".join(f"{k}:\n  is {one.get(k)}\n  not {other.get(k)}" for k in keys))


def compare_all(books: StoredAccounts, life: Life, until: datetime, certainty: Certainty | None = None) -> None:
    """Every account equals one fold of what belongs to it."""
    for book in books.books.values():
        check_book(book, books.program)
        whole = scratch(books.program, book.facts.values(), book.decisions, until, certainty)
        try:
            compare(book, whole, exact_due=not books.narrow)
        except AssertionError as error:
            raise AssertionError(f"seed {life.seed}, member {book.member_id}: {error}") from error
        assert whole.account.decided == book.decisions, f"seed {life.seed}: the fold takes decisions of its own"
