"""Why points moved: every posting of an account beside the movement of the fold that it comes from, with the fold's working.

A posting was right by what was known when it was posted. So the facts are folded once for each time at which something late was
recorded, and a posting is explained by the fold of that time. What late news changed is told as a difference: how much the same
movement was before, how much it is since, and which facts came late.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from contracts.events import Event
from worker.decide.account import Account
from worker.decide.fold import fold, moment_of
from worker.decide.order_records import Order
from worker.decide.program import Program
from worker.decide.refold import NOTHING_CERTAIN
from worker.decide.state import Decision, Entry, Lot, Moment, blank
from worker.decide.working import Journal, Noted, Reversing, Working


@dataclass(frozen=True, slots=True)
class Known:
    """A fact and when it was recorded."""

    event: Event
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Posting:
    """One row of the ledger: named by `version` and `line`, recorded at a time, about a movement at a business moment."""

    version: int
    line: int
    recorded_at: datetime
    moment: Moment
    entry: Entry
    correction: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What late news made of a movement: points before and since (negative: the other way), and the facts that came late."""

    was: int
    now: int
    late: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """One posting. `cause` None: the clock. `order`: the one it is about, as it stands at the end. `since`: for used points that
    were on their way back, when that began and its working. `change`: for corrections."""

    posting: Posting
    cause: Event | None
    lot: Lot | None
    working: Working | None
    order: Order | None
    since: tuple[Moment, Reversing] | None
    change: Change | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All postings of an account in business order, its facts by identity, and the account at the instant asked for."""

    account: Account
    events: Mapping[tuple[str, str], Event]
    postings: tuple[Explained, ...]


_Name = tuple[Moment, Entry]


def _name(moment: Moment, entry: Entry) -> _Name:
    """A movement without its points, the same for both directions."""
    low, high = sorted((entry.source, entry.target))
    return moment, replace(entry, points=0, source=low, target=high)


def _signed(entry: Entry) -> int:
    """Points, less than nothing where they go against the alphabet of the buckets."""
    return entry.points if entry.source < entry.target else -entry.points


@dataclass(frozen=True, slots=True)
class _Fold:
    """What the facts known at a time come to: movements by name."""

    account: Account
    noted: dict[_Name, list[Noted]]
    journal: Journal


def journal_of(
    program: Program, facts: Iterable[Event], decisions: Iterable[Decision], until: datetime
) -> tuple[Account, Journal]:
    """An account folded from nothing by facts up to an instant and the verdicts given, with the working of every movement."""
    account = Account(program, blank(), {}, {}, complete=True)
    account.certain_until = NOTHING_CERTAIN
    account.decided.update({(each.source, each.id): each for each in decisions})
    account.journal = journal = Journal()
    fold(account, sorted((fact for fact in facts if fact.time <= until), key=moment_of), until)
    account.version = program.at(until)
    return account, journal


def _folded(program: Program, facts: Iterable[Event], decisions: Iterable[Decision], until: datetime) -> _Fold:
    account, journal = journal_of(program, facts, decisions, until)
    noted: dict[_Name, list[Noted]] = defaultdict(list)
    for each in journal.noted:
        noted[_name(each.moment, each.entry)].append(each)
    return _Fold(account, noted, journal)


def explain(
    program: Program, facts: Sequence[Known], decisions: Sequence[Decision], postings: Sequence[Posting], until: datetime
) -> Explanation:
    """Explain every posting with a business time up to an instant. Raises Defect where the facts cannot be folded."""
    ordered = sorted(postings, key=lambda each: (each.recorded_at, each.version, each.line))
    late_at = sorted({each.recorded_at for each in ordered if each.correction})
    folds: dict[int, _Fold] = {}
    sums: Counter[_Name] = Counter()
    events = {(each.event.source, each.event.id): each.event for each in facts}
    late_facts = _late_facts(facts, ordered)
    explained: list[Explained] = []
    for posting in ordered:
        turn = bisect_right(late_at, posting.recorded_at)
        if turn not in folds:
            known = [each.event for each in facts if turn == len(late_at) or each.recorded_at < late_at[turn]]
            folds = {turn: _folded(program, known, decisions, until)}  # those before it are not needed again
        name = _name(posting.moment, posting.entry)
        was = sums[name]
        sums[name] += _signed(posting.entry)
        if posting.moment.at <= until:
            late = late_facts.get(posting.recorded_at, ()) if posting.correction else ()
            explained.append(_explained(folds[turn], posting, events, was, sums[name], late))
    final = (
        folds[len(late_at)].account
        if len(late_at) in folds
        else _folded(program, (k.event for k in facts), decisions, until).account
    )
    explained.sort(key=lambda each: (each.posting.moment, each.posting.version, each.posting.line))
    return Explanation(final, events, tuple(explained))


def _explained(
    folded: _Fold, posting: Posting, events: Mapping[tuple[str, str], Event], was: int, now: int, late: tuple[Event, ...]
) -> Explained:
    rows = folded.noted.get(_name(posting.moment, posting.entry), [])
    row = next((each for each in rows if each.entry == posting.entry), rows[0] if rows else None)
    if row is not None and len(rows) > 1 and not posting.correction:
        rows.remove(row)  # of movements that look alike each explains one posting
    order_id = posting.entry.order_id
    order = folded.account.items.get(("order", order_id)) if order_id is not None else None
    returning = posting.moment.rank == 0 and posting.entry.source == "spent"
    forward = 1 if posting.entry.source < posting.entry.target else -1
    return Explained(
        posting=posting,
        cause=events.get((posting.moment.source, posting.moment.id)) if posting.moment.rank else None,
        lot=row.lot if row is not None else None,
        working=row.working if row is not None else None,
        order=order if isinstance(order, Order) else None,
        since=folded.journal.later.get((order_id, posting.moment.at)) if order_id is not None and returning else None,
        change=Change(was * forward, now * forward, late) if posting.correction else None,
    )


def _late_facts(facts: Sequence[Known], postings: Sequence[Posting]) -> dict[datetime, tuple[Event, ...]]:
    """By time of recording: the facts that came after something later in business order had been folded."""
    found: dict[datetime, list[Event]] = defaultdict(list)
    last: Moment | None = None
    by_time: dict[datetime, list[Moment]] = defaultdict(list)
    for known in facts:
        by_time[known.recorded_at].append(moment_of(known.event))
    for posting in postings:
        by_time[posting.recorded_at].append(posting.moment)
    told = {moment_of(known.event): known for known in facts}
    for recorded_at in sorted(by_time):
        for moment in sorted(set(by_time[recorded_at])):
            if last is not None and moment < last and moment in told and told[moment].recorded_at == recorded_at:
                found[recorded_at].append(told[moment].event)
        last = max([*by_time[recorded_at], *([last] if last is not None else [])])
    return {at: tuple(events) for at, events in found.items()}
