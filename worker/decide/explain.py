"""Why points moved: every posting of an account beside the movement of the fold that it comes from, with the fold's working.

A posting was right by what was known when it was posted. So the facts are folded once for each time at which something late was
recorded, and a posting is explained by the fold of that time, under the terms registered then. What late news changed is told as
a difference: how much the same movement was before, how much it is since, and which facts or terms came late.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from contracts.events import Event
from worker.decide.account import Account
from worker.decide.errors import Defect
from worker.decide.fold import fold, moment_of
from worker.decide.order_records import Order
from worker.decide.program import Program
from worker.decide.state import Decision, Entry, Lot, Moment, blank
from worker.decide.trace import Noted, Reversing, Trace, Working


@dataclass(frozen=True, slots=True)
class Known:
    """A fact and when it was recorded; since when it does not count (None: it does)."""

    event: Event
    recorded_at: datetime
    withdrawn_at: datetime | None = None

    def counts(self, turn: datetime | None) -> bool:
        """Whether it counted before a turn (None: whether it counts now)."""
        if turn is None:
            return self.withdrawn_at is None
        return self.recorded_at < turn and (self.withdrawn_at is None or self.withdrawn_at >= turn)


@dataclass(frozen=True, slots=True)
class Posting:
    """One row of the ledger: named by `version` and `line`, recorded at a time, about a movement at a business moment.

    `correction`: of what was posted before. `refold`: by a refold, and which version of the fold gave it.
    """

    version: int
    line: int
    recorded_at: datetime
    moment: Moment
    entry: Entry
    correction: bool = False
    refold: int | None = None


@dataclass(frozen=True, slots=True)
class Era:
    """A program as it was registered until a time, at which a version was registered that had been in force `since` before."""

    program: Program
    until: datetime
    since: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What late news made of a movement: points before and since (negative: the other way), the facts that came late, and the
    eras that ended meanwhile because terms did."""

    was: int
    now: int
    late: tuple[Event, ...]
    eras: tuple[Era, ...] = ()


@dataclass(frozen=True, slots=True)
class Explained:
    """One posting. `cause` None: the clock. `order`: the one it is about, as it stands at the end. `since`: for used points that
    were on their way back, when that began and its working. `change`: for corrections. `program`: as it was registered then.
    `known`: whether its numbers are; where terms came late, they may follow from a state that cannot be worked out any more."""

    posting: Posting
    cause: Event | None
    lot: Lot | None
    working: Working | None
    order: Order | None
    since: tuple[Moment, Reversing] | None
    change: Change | None
    program: Program
    known: bool = True


@dataclass(frozen=True, slots=True)
class Explanation:
    """All postings of an account in business order, its facts by identity, and the account at the instant asked for.

    `settled`: whether what was posted is what the terms say that are registered now. If not, `account` is by those that it was
    posted by, and where no terms give all of it, `balances` (available, pending, held) are the sums of what was posted."""

    account: Account
    balances: tuple[int, int, int]
    settled: bool
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

    program: Program
    account: Account
    noted: dict[_Name, list[Noted]]
    sums: Counter[_Name]
    trace: Trace

    def gives(self, sums: Mapping[_Name, int], until: datetime) -> bool:
        """Whether it comes to all that was posted about moments up to an instant."""
        return all(self.sums[name] == points for name, points in sums.items() if name[0].at <= until)

    def gave(self, posting: Posting, points: int) -> bool:
        """Whether it is the one that was posted; `points`: what was posted of the movement by then."""
        name = _name(posting.moment, posting.entry)
        if posting.correction:
            return self.sums[name] == points
        return any(each.entry == posting.entry for each in self.noted.get(name, ()))

    def take(self, posting: Posting) -> Noted | None:
        """The movement that a posting is about. Of movements that look alike each explains one posting."""
        rows = self.noted.get(_name(posting.moment, posting.entry), [])
        row = next((each for each in rows if each.entry == posting.entry), rows[0] if rows else None)
        if row is not None and len(rows) > 1 and not posting.correction:
            rows.remove(row)
        return row


def trace_of(
    program: Program, facts: Iterable[Event], decisions: Iterable[Decision], until: datetime
) -> tuple[Account, Trace]:
    """An account folded from nothing by facts up to an instant and the verdicts given, with the working of every movement."""
    account = Account(program, blank(), {}, {}, complete=True)
    account.announced_only = True
    account.decided.update({(each.source, each.id): each for each in decisions})
    account.trace = trace = Trace()
    fold(account, sorted((fact for fact in facts if fact.time <= until), key=moment_of), until)
    return account, trace


def _folded(program: Program, facts: Iterable[Event], decisions: Iterable[Decision], until: datetime) -> _Fold:
    account, trace = trace_of(program, facts, decisions, until)
    noted: dict[_Name, list[Noted]] = defaultdict(list)
    sums: Counter[_Name] = Counter()
    for each in trace.noted:
        noted[_name(each.moment, each.entry)].append(each)
        sums[_name(each.moment, each.entry)] += _signed(each.entry)
    return _Fold(program, account, noted, sums, trace)


class _Folds:
    """What was known at a turn, folded under the terms of that time; under those before where it was not posted by them.

    A worker takes new terms up some seconds after they were registered, and what it had folded before stays so until it is folded
    anew: so a fold is taken for the one that was posted by if it gives what was posted.
    """

    def __init__(
        self, program: Program, eras: Sequence[Era], facts: Sequence[Known], decisions: Sequence[Decision], until: datetime
    ) -> None:
        began = min((each.recorded_at for each in facts), default=until)
        self.eras = [era for era in eras if era.until > began]
        self._programs = [*(era.program for era in self.eras), program]
        # What was withdrawn is left out from then on; until then it was folded.
        self._facts, self._decisions, self._until = facts, [each for each in decisions if not each.withdraws], until
        self._turn: datetime | None = None
        self._made: dict[int, _Fold | None] = {}

    def before(self, turn: datetime | None, recorded_at: datetime | None = None) -> Iterator[_Fold]:
        """The facts recorded before a turn (None: all) folded: under the terms of a time (None: now), then under those before."""
        if turn != self._turn:
            self._turn, self._made = turn, {}  # those of the turn before are not needed again
        newest = bisect_right([era.until for era in self.eras], recorded_at) if recorded_at is not None else len(self.eras)
        for place in range(newest, -1, -1):
            if place not in self._made:
                self._made[place] = self._fold(place)
            if (folded := self._made[place]) is not None:
                yield folded
        if not any(self._made.values()):
            raise Defect("no terms that were ever registered can fold the facts")

    def ended(self, times: Sequence[datetime], posting: Posting) -> tuple[Era, ...]:
        """Eras that ended between the last time that a posting's moment was folded and this time, as far as they matter to it.
        `times`: of everything recorded about the moment."""
        last = max((at for at in times if at < posting.recorded_at), default=posting.recorded_at)
        return tuple(each for each in self.eras if last < each.until <= posting.recorded_at and each.since <= posting.moment.at)

    def _fold(self, place: int) -> _Fold | None:
        known = [each.event for each in self._facts if each.counts(self._turn)]
        try:
            return _folded(self._programs[place], known, self._decisions, self._until)
        except Defect:
            if len(self._programs) == 1:
                raise
            return None  # terms that were never meant for these facts


def explain(
    program: Program,
    facts: Sequence[Known],
    decisions: Sequence[Decision],
    postings: Sequence[Posting],
    until: datetime,
    eras: Sequence[Era] = (),
) -> Explanation:
    """Explain every posting with a business time up to an instant. Raises Defect where the facts cannot be folded.

    `eras`: the program as it was registered before, oldest first, where terms were registered late.
    """
    ordered = sorted(postings, key=lambda each: (each.recorded_at, each.version, each.line))
    late_at = sorted({each.recorded_at for each in ordered if each.correction})
    folds = _Folds(program, eras, facts, decisions, until)
    sums: Counter[_Name] = Counter()
    times: dict[Moment, list[datetime]] = defaultdict(list)
    for each in facts:
        times[moment_of(each.event)].append(each.recorded_at)
    for posting in ordered:
        times[posting.moment].append(posting.recorded_at)
    events = {(each.event.source, each.event.id): each.event for each in facts}
    late_facts = _late_facts(facts, ordered)
    # How the release that posted them worked these out, no release after it knows.
    refolded = {_name(each.moment, each.entry) for each in ordered if each.refold is not None}
    explained: list[Explained] = []
    for posting in ordered:
        name = _name(posting.moment, posting.entry)
        was = sums[name]
        sums[name] += _signed(posting.entry)
        if posting.moment.at <= until:
            turn = bisect_right(late_at, posting.recorded_at)
            tried = folds.before(late_at[turn] if turn < len(late_at) else None, posting.recorded_at)
            change = None
            if posting.correction:
                forward = 1 if posting.entry.source < posting.entry.target else -1
                ended = folds.ended(times[posting.moment], posting)
                change = Change(was * forward, sums[name] * forward, late_facts.get(posting.recorded_at, ()), ended)
            strictly = bool(folds.eras) or name in refolded
            explained.append(_explained(tried, posting, sums[name], events, change, strictly=strictly))
    explained.sort(key=lambda each: (each.posting.moment, each.posting.version, each.posting.line))
    return _whole(folds, sums, until, events, tuple(explained))


def _explained(
    tried: Iterator[_Fold],
    posting: Posting,
    points: int,
    events: Mapping[tuple[str, str], Event],
    change: Change | None,
    *,
    strictly: bool,
) -> Explained:
    """By the first of the folds that gives what was posted. `strictly`: by none, if none does."""
    first = folded = next(tried)
    known = not strictly or first.gave(posting, points)
    if not known:
        folded = next((each for each in tried if each.gave(posting, points)), first)
        known = folded is not first
    row = folded.take(posting) if known else None
    order_id = posting.entry.order_id
    order = folded.account.items.get(("order", order_id)) if order_id is not None else None
    returning = known and posting.moment.rank == 0 and posting.entry.source == "spent"
    return Explained(
        posting=posting,
        cause=events.get((posting.moment.source, posting.moment.id)) if posting.moment.rank else None,
        lot=row.lot if row is not None else None,
        working=row.working if row is not None else None,
        order=order if isinstance(order, Order) else None,
        since=folded.trace.later.get((order_id, posting.moment.at)) if order_id is not None and returning else None,
        change=change,
        program=folded.program,
        known=known,
    )


def _whole(
    folds: _Folds,
    sums: Mapping[_Name, int],
    until: datetime,
    events: Mapping[tuple[str, str], Event],
    explained: tuple[Explained, ...],
) -> Explanation:
    """The account by all that is known, under the terms that it was posted by."""
    tried = list(folds.before(None))
    settled = not folds.eras or tried[0].gives(sums, until)
    found = tried[0] if settled else next((each for each in tried if each.gives(sums, until)), None)
    account = (found or tried[0]).account
    balances = (account.head.available, account.head.pending, account.head.held)
    if found is None:
        posted = Counter[str]()
        for each in explained:
            posted[each.posting.entry.source] -= each.posting.entry.points
            posted[each.posting.entry.target] += each.posting.entry.points
        balances = (posted["available"], posted["pending"], posted["held"])
    return Explanation(account, balances, settled, events, explained)


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
