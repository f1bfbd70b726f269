"""Points are conserved over any split: goods that leave an order piece by piece, by returns, cancels and exchanges in any order,
take and give back exactly what they do when they leave together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from hypothesis import assume, given, settings

from contracts.events import Event
from tests.fold.examples import CONSERVATION_EXAMPLES, programs, seeds, tried
from tests.fold.histories import START
from tests.fold.stored import StoredAccounts
from tests.fold.test_returns import bought, told
from tests.fold.variants import as_shipped, variant
from worker.decide.order_records import Order
from worker.decide.program import Program

KINDS: Final = ("return", "exchange", "cancel")
Piece = tuple[str, str]
"""A line's id, and how one piece of it leaves."""


def _facts(program: Program, at: datetime, groups: Sequence[tuple[str, Mapping[str, int]]], name: str) -> Iterator[Event]:
    """One cancel, return or exchange for each group of pieces, in their order."""
    for number, (kind, pieces) in enumerate(groups):
        lines = [{"line_id": line_id, "quantity": n} for line_id, n in pieces.items()]
        data: dict[str, Any] = {"order_id": "O1", "lines": lines}
        id_, when = f"{name}{number:03}", at + timedelta(microseconds=number)
        if kind == "cancel":
            yield told(program, "order.cancelled", when, id_, data | {"reason": "out_of_stock"})
            continue
        more = {"exchange_id": id_} if kind == "exchange" else {}
        yield told(program, f"{kind}.requested", when, f"{id_}q", data | more)
        yield told(program, f"{kind}.received", when, f"{id_}r", data | more)


def _together(pieces: Sequence[Piece]) -> list[tuple[str, dict[str, int]]]:
    """All pieces that leave in one way leave at once."""
    return [
        (kind, _count(line_id for line_id, how in pieces if how == kind)) for kind in KINDS if any(kind == k for _, k in pieces)
    ]


def _apart(pieces: Sequence[Piece], rng: Random) -> list[tuple[str, dict[str, int]]]:
    """The same pieces in random order, a few at a time."""
    left = list(pieces)
    rng.shuffle(left)
    groups = []
    while left:
        kind = left[0][1]
        some = [each for each in left if each[1] == kind][: rng.randrange(1, 4)]
        for each in some:
            left.remove(each)
        groups.append((kind, _count(line_id for line_id, _ in some)))
    return groups


def _count(line_ids: Iterator[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line_id in line_ids:
        found[line_id] = found.get(line_id, 0) + 1
    return found


def _conserved(books: StoredAccounts) -> tuple[int, ...]:
    """What an order still holds: used points that are off it, earned points, goods; and that nothing was made or lost."""
    book = books.books["M1"]
    order = book.items["order", "O1"]
    assert isinstance(order, Order)
    off = order.used.points - order.used.standing
    assert 0 <= off <= order.used.points
    assert order.earning.credited >= 0
    if not any(line.kept for line in order.lines):
        assert off == order.used.points, "goods are all gone, and points still sit on them"
    return off, order.earning.credited, *(line.kept for line in order.lines)


@programs
@settings(tried, max_examples=CONSERVATION_EXAMPLES)
@given(seed=seeds)
def test_any_split_takes_and_gives_back_what_leaving_together_does(code: str, seed: int) -> None:
    program, rng = (variant(code, seed % 1_000) if seed % 2 else as_shipped(code)), Random(seed)
    whole, lines, at = bought(program, Random(seed), checked=False)
    parts, _, _ = bought(program, Random(seed), checked=False)
    every = [line["line_id"] for line in lines for _ in range(line["quantity"])]
    gone = every if rng.random() < 0.5 else rng.sample(every, rng.randrange(1, len(every) + 1))
    # How a piece leaves decides what becomes of its points; which pieces leave how is the same in both.
    kind = {line["line_id"]: rng.choice(KINDS) for line in lines}
    pieces = [(line_id, kind[line_id]) for line_id in gone]
    whole.deliver(list(_facts(program, at, _together(pieces), "W")))
    for fact in _facts(program, at, _apart(pieces, rng), "P"):
        parts.deliver([fact])
    assert _conserved(parts) == _conserved(whole)


@programs
@settings(tried, max_examples=CONSERVATION_EXAMPLES)
@given(seed=seeds)
def test_what_is_cancelled_and_goes_on_holds_what_it_held(code: str, seed: int) -> None:
    program, rng = as_shipped(code), Random(seed)
    plain, lines, at = bought(program, Random(seed), checked=False)
    books, _, _ = bought(program, Random(seed), checked=False)
    every = [line["line_id"] for line in lines for _ in range(line["quantity"])]
    for number in range(rng.randrange(1, 4)):
        gone = _count(iter(rng.sample(every, rng.randrange(1, len(every) + 1))))
        refs = [{"line_id": line_id, "quantity": n} for line_id, n in gone.items()]
        when, data = at + timedelta(minutes=number), {"order_id": "O1", "lines": refs}
        books.deliver([told(program, "order.cancelled", when, f"C{number}", data | {"reason": "out_of_stock"})])
        back = data if rng.random() < 0.5 else {"order_id": "O1"}
        books.deliver([told(program, "order.reinstated", when + timedelta(seconds=1), f"G{number}", back)])
    for each in (books, plain):
        each.run_clock(at + timedelta(days=200))
    assert _conserved(books) == _conserved(plain)
    heads = books.books["M1"].head, plain.books["M1"].head
    one, other = ((head.available + head.pending, head.held, head.forfeited) for head in heads)
    assert one == other


def _lines(rng: Random) -> list[dict[str, Any]]:
    """Some lines of an order, at any price."""
    found = []
    for name in rng.sample(["L0", "L1", "L2", "L3"], rng.randrange(1, 4)):
        price, quantity = rng.randrange(1, 30_000), rng.randrange(1, 6)
        found.append({"line_id": name, "sku": name, "quantity": quantity, "unit_price": price, "tax": price * quantity // 10})
    return found


@programs
@settings(tried, max_examples=CONSERVATION_EXAMPLES)
@given(seed=seeds)
def test_an_order_that_is_amended_holds_what_it_holds_if_it_is_placed_so(code: str, seed: int) -> None:
    program, rng = as_shipped(code), Random(seed)
    terms, at = program.versions[0].terms, START + timedelta(days=rng.randrange(60))
    joined = {"member_id": "M1", "channel": (terms.membership.registration_channels or ("web",))[0]}
    order = {"order_id": "O1", "member_id": "M1", "store": terms.membership.stores.eligible[0], "payment_method": "credit_card"}
    told_as: list[dict[str, Any]] = [
        {"lines": _lines(rng), "points_used": rng.choice([0, rng.randrange(500, 900)])} for _ in range(rng.randrange(2, 5))
    ]
    amendments = []
    for number, each in enumerate(told_as[1:], 1):
        data = {"order_id": "O1", "amendment_id": str(number), **each}
        amendments.append(told(program, "order.amended", at + timedelta(minutes=number), f"A{number}", data))
    every = [line["line_id"] for line in told_as[-1]["lines"] for _ in range(line["quantity"])]
    pieces = [(line_id, rng.choice(KINDS)) for line_id in rng.sample(every, rng.randrange(len(every) + 1))]
    books = []
    for first, later in ((told_as[0], amendments), (told_as[-1], [])):
        book = StoredAccounts(program)
        start = [
            told(program, "member.registered", START, "1", joined),
            told(program, "member.enrolled", START, "2", joined),
            told(program, "points.adjusted", START, "3", {"member_id": "M1", "points": 1000, "reason": "start"}),
            told(program, "order.placed", at, "4", {**order, **first}),
        ]
        facts = [
            *later,
            told(program, "order.paid", at + timedelta(hours=1), "5", {"order_id": "O1"}),
            told(program, "shipment.dispatched", at + timedelta(days=1), "6", {"order_id": "O1", "lines": "all"}),
            *_facts(program, at + timedelta(days=2), _together(pieces), "W"),
        ]
        for fact in [*start, *facts]:
            book.deliver([fact])
        books.append(book)
    orders = [each.books["M1"].items["order", "O1"] for each in books]
    taken = [order.used.points for order in orders if isinstance(order, Order)]
    assume(all(isinstance(order, Order) and order.status == "open" for order in orders) and len(set(taken)) == 1)
    for book in books:
        book.run_clock(at + timedelta(days=100))
    assert _conserved(books[0]) == _conserved(books[1])
    heads = [each.books["M1"].head for each in books]
    one, other = ((head.available + head.pending, head.held, head.forfeited, head.tier) for head in heads)
    assert one == other
