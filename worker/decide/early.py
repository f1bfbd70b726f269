"""Facts timed before what they are about: the clocks of two systems differ, a payment provider stamps before the shop.

A fact keeps its own moment. Where its order does not stand then, its step has no entries: the fact is kept beside the order, and
takes effect within the step in which the order comes to stand. So the ledger is the same in whatever order all of it arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from contracts.events import RANK, Event
from worker.decide.account import Account
from worker.decide.state import Early, EarlyFact, cause_of

KEPT_MAX: Final = 100
"""So many facts are kept for one order; what is told before it beyond that stays a finding."""


def keep(account: Account, order_id: str, finding: str) -> None:
    """Keep the open step's fact for an order that does not stand, with a finding that goes when it takes effect."""
    account.find(finding, order_id)
    event = account.event
    assert event is not None
    kept = account.early(order_id)
    if len(kept) < KEPT_MAX:
        told = event.without_person()
        fact = EarlyFact(event.time, event.source, event.id, event.type, told.program, told.body, finding)
        account.put("early", order_id, Early((*kept, fact)))


def apply(account: Account, order_id: str, handle: Callable[[Account, Event], None]) -> None:
    """Let facts that were told before an order take effect, if it stands now: by rank, then by their own time."""
    kept = account.early(order_id)
    if not kept:
        return
    order = account.order(order_id)
    if order is None or order.status != "open":
        return
    findings = [f"{cause_of(each.source, each.id)}:{each.finding}:" for each in kept]
    account.need(items=[("finding", name) for name in findings])
    account.put("early", order_id, None)
    for name in findings:
        account.put("finding", name, None)
    placed = account.event
    for event in _in_order(kept):
        account.event = event
        account.find("timed_before_order", order_id, f"{event.type} {event.time.isoformat()}")
        handle(account, event)
    account.event = placed


def _in_order(kept: tuple[EarlyFact, ...]) -> Iterator[Event]:
    for each in sorted(kept, key=lambda fact: (RANK[fact.type], fact.at, fact.source, fact.id)):
        yield Event.from_stored(each.source, each.id, each.type, each.at, each.program, None, each.body)
