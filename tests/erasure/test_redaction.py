"""Facts without the person in them fold to the same account."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from contracts.events import Event
from contracts.events.erasure import NOBODY, without_person
from tests.fold.histories import history
from worker.decide.account import Account
from worker.decide.fold import fold
from worker.decide.order_records import Order
from worker.decide.program import Program
from worker.decide.state import Item, blank
from worker.programs.terms_file import load, shipped

SEEDS = range(40)


def _nameless(event: Event) -> Event:
    body = without_person(event.type, event.body)
    return Event.from_stored(event.source, event.id, event.type, event.time, event.program, None, body)


def _folded(program: Program, events: list[Event]) -> tuple[object, ...]:
    account = Account(program, blank(), {}, {}, complete=True)
    steps = fold(account, events)
    items = {key: _without_digest(item) for key, item in account.items.items()}
    return account.head, account.lots, items, account.decided, [step.entries for step in steps]


def _without_digest(item: Item) -> Item:
    """An order said the person's name too, so the digest of what it said differs."""
    return replace(item, content=replace(item.content, digest="")) if isinstance(item, Order) else item


@pytest.mark.parametrize("code", shipped())
def test_facts_without_the_person_fold_to_the_same_account(code: str) -> None:
    program = load(shipped()[code])
    moved = 0
    for seed in SEEDS:
        made = history(program, seed, members=1)
        events = list(made.events)
        with_name = _folded(program, events)
        assert _folded(program, [_nameless(event) for event in events]) == with_name
        moved += sum(len(entries) for entries in with_name[-1])  # type: ignore[misc, attr-defined]  # the last part are the entries
        (member,) = {event.member_id for event in events if event.member_id is not None}
        for event in events:
            assert f'"{member}"'.encode() not in without_person(event.type, event.body)
    assert moved > 100


def test_what_is_personal_goes_and_what_the_terms_decide_by_stays() -> None:
    adjusted = {"member_id": "M1", "points": 5, "reason": "called about her divorce", "operator": "op-7", "reference": "case 12"}
    adjusted |= {"kind": "regular", "email": "a@example.com"}
    assert json.loads(without_person("points.adjusted", json.dumps(adjusted).encode())) == {
        "member_id": NOBODY,
        "points": 5,
        "reason": NOBODY,
        "kind": "regular",
    }
    line = {"sku": "S", "quantity": 1, "unit_price": 10, "tax": 1, "engraving": "For Anna", "point_rate": "0.015"}
    line["bonus_points"] = [{"points": 3, "why": "Anna's birthday"}]
    order = {"order_id": "A", "member_id": "M1", "store": "s", "payment_method": "cod", "lines": [line], "ship_to": {"name": "A"}}
    kept = json.loads(without_person("order.placed", json.dumps(order).encode()))
    assert kept == {
        "order_id": "A",
        "member_id": NOBODY,
        "store": "s",
        "payment_method": "cod",
        "lines": [
            {"sku": "S", "quantity": 1, "unit_price": 10, "tax": 1, "point_rate": "0.015", "bonus_points": [{"points": 3}]}
        ],
    }
    cancelled = {"order_id": "A", "reason": "customer_request", "lines": "all", "comment": "Anna rang"}
    assert json.loads(without_person("order.cancelled", json.dumps(cancelled).encode())) == {
        "order_id": "A",
        "reason": "customer_request",
        "lines": "all",
    }
    guest = {"order_id": "A", "member_id": None, "store": "s", "payment_method": "cod", "lines": [line]}
    assert json.loads(without_person("order.placed", json.dumps(guest).encode()))["member_id"] is None
