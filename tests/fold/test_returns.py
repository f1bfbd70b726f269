"""Returns conserve points: many partial returns end where one full return ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given

from contracts.events import Event
from tests.fold.examples import programs, seeds, tried
from tests.fold.histories import START
from tests.fold.stored import StoredAccounts
from tests.fold.variants import as_shipped, variant
from worker.decide.order_records import Order
from worker.decide.program import Program

_LATER = START + timedelta(days=300)


def told(program: Program, type_: str, at: datetime, id_: str, data: Mapping[str, Any]) -> Event:
    """An event of a shop."""
    body = json.dumps(data, sort_keys=True).encode()
    return Event.from_stored("//shop", id_, type_, at, program.code, None, body)


def bought(program: Program, rng: Random, *, checked: bool = True) -> tuple[StoredAccounts, list[dict[str, Any]], datetime]:
    """A member with points, who pays a part of an order with them; some time after it shipped."""
    terms, at = program.versions[0].terms, START + timedelta(days=rng.randrange(60), minutes=rng.randrange(1440))
    lines = []
    for index in range(rng.randrange(1, 5)):
        price, quantity = rng.randrange(1, 30_000), rng.randrange(1, 6)
        lines.append(
            {"line_id": f"L{index}", "sku": "A", "quantity": quantity, "unit_price": price, "tax": price * quantity // 10}
        )
    order: dict[str, Any] = {"order_id": "O1", "member_id": "M1", "store": terms.membership.stores.eligible[0], "lines": lines}
    order |= {
        "payment_method": "credit_card",
        "shipping_fee": rng.choice([0, 550]),
        "points_used": rng.choice([0, rng.randrange(1, 900)]),
    }
    books = StoredAccounts(program, checked=checked)
    joined = {"member_id": "M1", "channel": (terms.membership.registration_channels or ("web",))[0]}
    facts = [
        told(program, "member.registered", START, "1", joined),
        told(program, "member.enrolled", START, "2", joined),
        told(program, "points.adjusted", START, "3", {"member_id": "M1", "points": 1000, "reason": "start"}),
        told(program, "order.placed", at, "4", order),
        told(program, "order.paid", at, "5", {"order_id": "O1"}),
        told(program, "shipment.dispatched", at + timedelta(days=1), "6", {"order_id": "O1", "lines": "all"}),
        told(program, "shipment.delivered", at + timedelta(days=2), "7", {"order_id": "O1", "lines": "all"}),
    ]
    for fact in facts:
        books.deliver([fact])
    return books, lines, at + timedelta(days=rng.randrange(2, 80))


def _outcome(books: StoredAccounts) -> tuple[int, ...]:
    """What the member ends with, when everything that was on its way has come."""
    books.run_clock(_LATER)
    book = books.books["M1"]
    order = book.items["order", "O1"]
    assert isinstance(order, Order)
    assert order.used.due_back == ()
    head = book.head
    used, credited = order.used, order.earning.credited
    return head.available, head.pending, head.held, head.lapsed, head.forfeited, used.back, used.forfeited, credited


@programs
@tried
@given(seed=seeds)
def test_returns_piece_by_piece_end_where_one_return_of_everything_ends(code: str, seed: int) -> None:
    program, rng = (variant(code, seed) if seed % 2 else as_shipped(code)), Random(seed)
    kind = rng.choice(["return.requested", "return.received"])
    whole, lines, at = bought(program, Random(seed))
    parts, _, _ = bought(program, Random(seed))
    data: dict[str, Any] = {"order_id": "O1", "lines": "all"}
    facts = [told(program, "return.requested", at, "R", data), told(program, "return.received", at, "S", data)]
    whole.deliver(facts if kind == "return.requested" else facts[1:])
    pieces = [line["line_id"] for line in lines for _ in range(line["quantity"])]
    rng.shuffle(pieces)
    for number, line_id in enumerate(pieces):
        data = {"order_id": "O1", "lines": [{"line_id": line_id, "quantity": 1}]}
        facts = [
            told(program, "return.requested", at, f"R{number}", data),
            told(program, "return.received", at, f"S{number}", data),
        ]
        parts.deliver(facts if kind == "return.requested" else facts[1:])
    assert _outcome(parts) == _outcome(whole)


@programs
@tried
@given(seed=seeds)
def test_an_order_returned_as_a_whole_leaves_nothing_earned_where_points_are_taken_back(code: str, seed: int) -> None:
    program = as_shipped(code)
    books, _, at = bought(program, Random(seed))
    books.deliver([told(program, "return.received", at, "R", {"order_id": "O1", "lines": "all"})])
    books.run_clock(_LATER)
    order = books.books["M1"].items["order", "O1"]
    assert isinstance(order, Order)
    assert order.used.back + order.used.forfeited == order.used.points
    rules = program.versions[0].terms.reversal.earned_points
    if (rules.pending, rules.available) == ("void", "revoke"):
        assert order.earning.credited == 0
