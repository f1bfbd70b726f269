"""Facts timed before what they are about: the clocks of two systems differ, a payment provider stamps before the shop.

A fact keeps its own moment. Where what it is about (an order, a shipment, a reservation, a hold) does not stand then, its step
has no entries: the fact is kept, and takes effect within the step in which that comes to stand. So the ledger is the same in
whatever order all of it arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Final

from contracts.events import RANK, Event
from worker.decide import hindsight
from worker.decide.account import Account
from worker.decide.state import Early, EarlyFact, cause_of

KEPT_MAX: Final = 100
"""So many facts are kept for one thing; what is told before it beyond that stays a finding."""
CLOCKS_DIFFER: Final = timedelta(hours=1)
"""So much later a thing without an id, a hold or a cancel, may come to stand and still be what a fact of before it meant."""


def _before(thing: str) -> timedelta | None:
    """So much earlier what is about a thing may be told; None: however much, for it names the thing by an id."""
    return CLOCKS_DIFFER if thing.partition(":")[0] in ("hold", "cancel") else None


def keep(account: Account, thing: str, finding: str, order_id: str | None = None, detail: str = "") -> None:
    """Keep the open step's fact for a thing that does not stand, with a finding that goes when it takes effect."""
    account.note_finding(finding, order_id, detail)
    event = account.event
    assert event is not None
    kept = account.early(thing)
    if len(kept) < KEPT_MAX:
        told = event.without_person()
        fact = EarlyFact(event.time, event.source, event.id, event.type, told.program, told.body, finding, detail)
        account.put("early", thing, Early((*kept, fact)))


def apply(account: Account, thing: str, order_id: str | None, handle: Callable[[Account, Event], None]) -> None:
    """Let facts that were told before a thing take effect, now that it stands: by rank, then by their own time."""
    most = _before(thing)
    facts = [each for each in account.early(thing) if most is None or each.at >= account.at - most]
    if facts:
        _forget(account, thing, facts)
        told, events = account.event, list(_in_order(facts))
        hindsight.add(account, events)
        for event in events:
            account.event = event
            account.note_finding(f"timed_before_{thing.partition(':')[0]}", order_id, f"{event.type} {event.time.isoformat()}")
            handle(account, event)
        account.event = told


def forgo(account: Account, thing: str, order_id: str | None) -> None:
    """Facts that were told before a thing have had their effect on it: they are kept no more, and a finding tells both times."""
    facts, told = account.early(thing), account.event
    _forget(account, thing, facts)
    for event in _in_order(facts):
        account.event = event
        account.note_finding(f"timed_before_{thing.partition(':')[0]}", order_id, f"{event.type} {event.time.isoformat()}")
    account.event = told


def _forget(account: Account, thing: str, facts: Iterable[EarlyFact]) -> None:
    """Facts of a thing are kept no more, nor what was found about them."""
    findings = [f"{cause_of(each.source, each.id)}:{each.finding}:{each.detail}" for each in facts]
    account.need(items=[("finding", name) for name in findings])
    left = tuple(each for each in account.early(thing) if each not in facts)
    account.put("early", thing, Early(left) if left else None)
    for name in findings:
        account.put("finding", name, None)


def _in_order(kept: Iterable[EarlyFact]) -> Iterator[Event]:
    for each in sorted(kept, key=lambda fact: (RANK[fact.type], fact.at, fact.source, fact.id)):
        yield Event.from_stored(each.source, each.id, each.type, each.at, each.program, None, each.body)
