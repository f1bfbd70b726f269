"""One account's share of a batch: in order, the state goes on by the new facts; late, it goes back, folds again, and posts the
difference.

The ledger is never rewritten: what a refold finds different is posted as correction entries that carry the business time they
belong to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Self, TypeVar
from uuid import UUID

from msgspec.structs import replace

from contracts.events import Event
from worker.decide import hindsight, messages, vouchers
from worker.decide.account import Account
from worker.decide.change import EVERYTHING, AccountChange, History, Loaded, Message, Needs, PostedEntry, StoredStep
from worker.decide.covering import fold_covered
from worker.decide.errors import Late
from worker.decide.fold import moment_of
from worker.decide.program import Program
from worker.decide.state import (
    Bucket,
    Certainty,
    Decision,
    Entry,
    Head,
    Item,
    ItemKey,
    Lot,
    Moment,
    Waiting,
    blank,
    withdrawal,
)
from worker.decide.step import Step
from worker.decide.undo import head_before, undo_of

_K = TypeVar("_K")
_V = TypeVar("_V")
_Announced = dict[tuple[str, str], Decision]


@dataclass(frozen=True, slots=True)
class Clock:
    """How far things are known: `until` = the clock's instants up to here are taken (the watermark less its grace); `certainty` =
    how far the topics have been read, so that a redemption that is not covered may be refused (None = all of everything);
    `paid_until` = what was paid out in money up to here is told in full (None = nothing is known of it).
    """

    until: datetime | None
    certainty: Certainty | None
    paid_until: datetime | None = None

    @classmethod
    def known(cls, watermark: datetime | None, now: datetime, grace: timedelta, certainty: Certainty) -> Self:
        """The clock of a worker: everything up to the watermark, less the grace; nothing while there is no watermark."""
        return cls(until=None if watermark is None else min(watermark, now) - grace, certainty=certainty)


@dataclass(frozen=True, slots=True)
class _Work:
    """What folding one account is given besides its facts."""

    program: Program
    loaded: Loaded
    clock: Clock
    announced: _Announced
    restored: Collection[tuple[str, str]]
    waiting: Sequence[Waiting]
    announced_only: bool

    def account(
        self, head: Head, lots: dict[str, Lot], items: dict[ItemKey, Item], known: frozenset[ItemKey] = frozenset()
    ) -> Account:
        """A working copy of the account from a state of it. `known`: rows that are not there if they are not among the items."""
        account = Account(
            self.program,
            head,
            lots,
            items,
            # Of an account that is not there yet, nothing is.
            self.loaded.needs.joined(Needs(items=known)) if self.loaded.row is not None else EVERYTHING,
        )
        account.certainty = self.clock.certainty
        account.began = dict(self.waiting)
        account.announced_only = self.announced_only
        account.paid_until = self.clock.paid_until
        account.decided.update(self.announced)
        return account


def compute_change(
    program: Program,
    account_id: UUID,
    member_id: str,
    loaded: Loaded,
    facts: Sequence[Event],
    clock: Clock,
    history: History | None = None,
    *,
    announced: Sequence[Decision] = (),
    after: Moment | None = None,
    waiting: Sequence[Waiting] | None = None,
    withdrawn: Sequence[Event] = (),
    epoch: int = 0,
) -> AccountChange | None:
    """What the new facts, and the clock, change in one account; None if nothing at all.

    `facts` are new ones only, in any order; `announced` are verdicts about them that were taken when fewer of them had come.
    `after`: how far was folded when the last of them came, if that is later than what is loaded. `waiting`: no verdict is taken,
    and what none was told of waits as here. `withdrawn`: facts that were folded and count no more. Raises Late (load the history
    from that moment and call again), NotLoaded (load more and call again), Defect (fence the account).
    """
    row = loaded.row
    head = row.head if row is not None else blank()
    ordered = sorted(facts, key=lambda fact: fact.key) if len(facts) > 1 else list(facts)
    since = going_back(head, ordered, clock, withdrawn)
    turned = hindsight.back_to(ordered, withdrawn, loaded.items)
    if turned is not None:
        since = turned if since is None else min(since, turned)
    if since is not None and (history is None or history.since > since):
        # Without a history, or with one that another worker's change has made too short meanwhile.
        raise Late(since)
    change = AccountChange(
        account_id=account_id,
        program=program.code,
        member_id=member_id,
        expected_revision=row.revision if row is not None else 0,
        version=row.version if row is not None else 0,
        epoch=max(row.epoch, epoch) if row is not None else epoch,
        head=head,
        facts=ordered,
    )
    stands = (*loaded.announced, *announced, *(withdrawal(fact.source, fact.id) for fact in withdrawn))
    work = _Work(
        program,
        loaded,
        clock,
        {(each.source, each.id): each for each in stands},
        {(each.source, each.id) for each in loaded.announced},
        head.waiting if waiting is None else waiting,
        waiting is not None,
    )
    folded = max((each for each in (head.last, after) if each is not None), default=None)
    if since is None or history is None:
        return _in_order(work, change, ordered, folded)
    return _late(work, change, ordered, history, folded)


def going_back(head: Head, facts: Sequence[Event], clock: Clock, withdrawn: Sequence[Event] = ()) -> Moment | None:
    """The earliest moment from which to fold again, given new facts in business order and facts that count no more; None if
    everything comes in order."""
    found = [moment_of(fact) for fact in withdrawn]
    if facts and head.last is not None and moment_of(facts[0]) < head.last:
        found.append(moment_of(facts[0]))
    certainty = clock.certainty
    news = bool(facts or withdrawn)
    if head.waiting and (news or certainty is None or any(certainty.may_refuse(each.snapshot) for each in head.waiting)):
        # News, or that all was read, may settle a redemption that waits: fold again from there.
        found.append(head.waiting[0].moment)
    return min(found) if found else None


# -- in order


def _in_order(work: _Work, change: AccountChange, facts: Sequence[Event], folded: Moment | None) -> AccountChange | None:
    account, steps = fold_covered(
        lambda: work.account(change.head, dict(work.loaded.lots), dict(work.loaded.items)),
        facts,
        work.clock.until,
        work.announced,
        folded,
    )
    if not steps and account.head == change.head:
        return None
    change.head = account.head
    _collect_rows(change, account, steps)
    change.new_lots = _not_there_before(step.before.lots for step in steps)
    change.new_items = _not_there_before(step.before.items for step in steps)
    for step in steps:
        version = change.version + 1  # of a step that posts nothing: see StoredStep
        if step.tells:
            # Only what nothing was told before may be left untold: subscribers know balances by differences.
            quiet = step.unannounced and change.version == 0
            change.version += 0 if quiet else 1
            version = change.version
            entries = [(step.moment, entry) for entry in step.entries]
            change.entries.extend(number(change.version, step.before.head, entries, correction=False))
            if not quiet:
                change.messages.extend(messages.of_step(change, step))
        change.steps.append(StoredStep(step.moment, version, undo_of(step.before, step.after)))
    change.decisions = _to_record(work, account, steps, ())
    return change


def _to_record(
    work: _Work, account: Account, steps: Sequence[Step], recorded: Collection[tuple[str, str]]
) -> list[Decision]:
    """The verdicts that were taken, wherever the facts stand that asked; of those told before a restore the ones whose facts are
    folded now."""
    folded = {step.moment.name for step in steps}
    return [
        each
        for name, each in account.decided.items()
        if name not in recorded and (name not in work.restored or name in folded or each.withdraws)
    ]


def number(
    version: int, before: Head, entries: Iterable[tuple[Moment, Entry]], *, correction: bool, refold: int | None = None
) -> list[PostedEntry]:
    """Entries as rows of the ledger: numbered, with the balances of both buckets after each."""
    balances: dict[Bucket, int] = {
        "pending": before.pending,
        "available": before.available,
        "held": before.held,
        "lapsed": before.lapsed,
        "forfeited": before.forfeited,
        "revoked": before.revoked,
    }
    rows: list[PostedEntry] = []
    for line, (moment, entry) in enumerate(entries):
        for bucket, change in ((entry.source, -entry.points), (entry.target, entry.points)):
            if bucket in balances:
                balances[bucket] += change
        rows.append(
            PostedEntry(
                version=version,
                line=line,
                moment=moment,
                entry=entry,
                source_after=balances.get(entry.source),
                target_after=balances.get(entry.target),
                correction=correction,
                refold=refold,
            )
        )
    return rows


def _collect_rows(change: AccountChange, account: Account, steps: Iterable[Step], undone: Iterable[StoredStep] = ()) -> None:
    """The rows that steps touched (or had touched, before they were undone), as they are now."""
    refs = chain(*(step.before.lots for step in steps), *(step.before.lots for step in undone))
    keys = chain(*(step.before.items for step in steps), (each.key for step in undone for each in step.before.items))
    change.lots.update((ref, account.lots.get(ref)) for ref in refs)
    change.items.update((key, account.items.get(key)) for key in keys)


def _not_there_before(images: Iterable[Mapping[_K, object]]) -> list[_K]:
    """Names of the rows that the first step which touched them did not find; images of steps in their order."""
    first: dict[_K, object] = {}
    for image in images:
        for name, row in image.items():
            first.setdefault(name, row)
    return [name for name, row in first.items() if row is None]


# -- late


def _late(
    work: _Work, change: AccountChange, facts: Sequence[Event], history: History, folded: Moment | None
) -> AccountChange:
    """Go back to just before the history, fold what was there and what is new, and post the difference."""
    now = change.head
    lots, items, head = dict(work.loaded.lots), dict(work.loaded.items), now
    for step in history.steps:
        head = head_before(head, step.before)
        for ref, lot in step.before.lots.items():
            _restore(lots, ref, lot)
        for each in step.before.items:
            _restore(items, each.key, each.was)
    # How every row was that a step replaced is told by the step: what was not there then is not asked for one by one.
    known = frozenset(each.key for step in history.steps for each in step.before.items)
    every = sorted((*history.facts, *facts), key=lambda fact: fact.key)
    recorded: _Announced = {(decision.source, decision.id): decision for decision in history.decisions}
    announced = {**work.announced, **recorded}
    until = max((at for at in (work.clock.until, folded.at if folded else None) if at is not None), default=None)

    def begin() -> Account:
        account = work.account(replace(head, waiting=()), dict(lots), dict(items), known)
        account.recorded_from = history.since
        return account

    account, steps = fold_covered(begin, every, until, announced, folded)
    change.head = account.head
    change.undone_from = history.since
    change.late = sum(now.last is not None and moment_of(fact) < now.last for fact in facts)
    change.decisions = _to_record(work, account, steps, recorded)
    _collect_rows(change, account, steps, history.steps)
    return _difference(work, change, now, steps, history)


def _restore(rows: dict[_K, _V], key: _K, row: _V | None) -> None:
    if row is None:
        rows.pop(key, None)
    else:
        rows[key] = row


# -- the difference

_EntryKey = tuple[Moment, Entry]


def net(entries: Iterable[tuple[Moment, Entry]]) -> Counter[_EntryKey]:
    """Points by what they were moved for, each movement and its reverse under one key: the entry with its buckets in
    alphabetical order and its points left out; points the other way count as less than nothing."""
    net: Counter[_EntryKey] = Counter()
    for moment, entry in entries:
        if entry.source > entry.target:
            net[moment, replace(entry, points=0, source=entry.target, target=entry.source)] -= entry.points
        else:
            net[moment, replace(entry, points=0)] += entry.points
    return net


def corrections(folded: Counter[_EntryKey], posted: Counter[_EntryKey]) -> list[_EntryKey]:
    """The entries that turn what was posted into what the fold says, in business order."""
    rows: list[_EntryKey] = []
    for moment, one in sorted({*folded, *posted}, key=_entry_order):
        points = folded[moment, one] - posted[moment, one]
        if points > 0:
            rows.append((moment, replace(one, points=points)))
        elif points < 0:
            rows.append((moment, replace(one, points=-points, source=one.target, target=one.source)))
    return rows


def _entry_order(key: _EntryKey) -> tuple[Moment, tuple[str, ...]]:
    """A place for every entry: no two that differ in anything share one, so that every worker posts in the same order."""
    moment, entry = key
    last_day = entry.expires_on.isoformat() if entry.expires_on is not None else ""
    named = (entry.lot, entry.reason, entry.source, entry.target, last_day, entry.rule, entry.kind, entry.order_id)
    return moment, tuple(name or "" for name in named)


def taken_over_quietly(change: AccountChange, posted: Collection[object], steps: Iterable[Step]) -> bool:
    """Whether all that is to be told is what was taken over without a word, so that it stays so: nothing was ever told or posted,
    whatever other facts came before it."""
    return change.version == 0 and not posted and all(step.unannounced for step in steps if step.tells)


def _difference(work: _Work, change: AccountChange, before: Head, steps: Sequence[Step], history: History) -> AccountChange:
    """Post what the new fold moved minus what was posted, all under one version, and tell what became different."""
    posted = net((stored.moment, stored.entry) for stored in history.entries)
    folded = net((step.moment, entry) for step in steps for entry in step.entries)
    rows = corrections(folded, posted)
    first = min((stored.version for stored in history.steps), default=change.version + 1)
    quiet = taken_over_quietly(change, history.entries, steps)
    told: list[Message] = []
    if not quiet:
        others = vouchers.otherwise(work.loaded, change, history.since.at)
        told = messages.of_refold(work.program, change, before, change.version + 1, steps, rows, vouchers=others)
    if told:
        change.version += 1
    change.entries.extend(number(change.version, before, rows, correction=not quiet))
    change.messages.extend(told)
    first = min(first, change.version if rows else change.version + 1)
    change.steps.extend(StoredStep(step.moment, first, undo_of(step.before, step.after)) for step in steps)
    return change
