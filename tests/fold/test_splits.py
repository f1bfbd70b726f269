"""An order that was split is the order that it was: whatever is told of its parts posts, entry by entry, what the same pieces of
the order would have posted, had they been named of the order itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given
from msgspec.structs import replace

from contracts.events import Event
from tests.fold.examples import programs, seeds, tried
from tests.fold.histories import START
from tests.fold.stored import StoredAccounts
from tests.fold.test_returns import told
from tests.fold.variants import as_shipped, variant
from worker.decide import parts
from worker.decide.order_records import Order
from worker.decide.program import Program

_LATER = START + timedelta(days=300)
_GOES: Mapping[str, tuple[str, str]] = {
    "shipment.dispatched": ("waiting", "out"),
    "shipment.delivered": ("out", "there"),
    "order.cancelled": ("waiting", "cancelled"),
    "return.received": ("there", "back"),
    "order.reinstated": ("cancelled", "waiting"),
}
"""What a fact does to pieces: of which it may be, and what they are then."""
Pieces = dict[tuple[str, str], int]
"""How many pieces of a line are in a state."""


class _Shop:
    """An order, its parts, and facts about them, each told of a part and of the same pieces of the order."""

    def __init__(self, program: Program, rng: Random) -> None:
        self.program, self.rng = program, rng
        terms = program.versions[0].terms
        self.lines: list[dict[str, Any]] = []
        for index in range(rng.randrange(1, 4)):
            price, n = rng.randrange(1, 30_000), rng.randrange(2, 6)
            line: dict[str, Any] = {"line_id": f"L{index}", "sku": f"S{index}", "quantity": n, "unit_price": price}
            line["tax"] = price * n // 10
            self.lines.append(line)
        self.names = ["O1", "B"] if rng.random() < 0.3 else ["A", "B", "C"][: rng.randrange(2, 4)]
        self.parts: dict[str, Pieces] = {name: {} for name in self.names}
        for line in self.lines:
            for _ in range(line["quantity"]):
                own, key = self.parts[rng.choice(self.names)], (line["line_id"], "waiting")
                own[key] = own.get(key, 0) + 1
        for name in [name for name, own in self.parts.items() if not own]:
            self.names.remove(name)
            del self.parts[name]
        joined = {"member_id": "M1", "channel": (terms.membership.registration_channels or ("web",))[0]}
        order = {
            "order_id": "O1",
            "member_id": "M1",
            "store": terms.membership.stores.eligible[0],
            "lines": self.lines,
            "payment_method": "credit_card",
            "shipping_fee": rng.choice([0, 550]),
            "points_used": rng.choice([0, rng.randrange(1, 900)]),
        }
        self.at = START + timedelta(days=2)
        self.both = [
            told(program, "member.registered", START, "1", joined),
            told(program, "member.enrolled", START, "2", joined),
            told(program, "points.adjusted", START, "3", {"member_id": "M1", "points": 1000, "reason": "start"}),
            told(program, "order.placed", self.at, "4", order),
        ]
        if rng.random() < 0.5:
            self.both.append(told(program, "order.paid", self.at, "5", {"order_id": "O1"}))

    def split(self) -> Event:
        into = [
            {"order_id": name, "lines": [{"line_id": line, "quantity": n} for (line, _), n in own.items()]}
            for name, own in self.parts.items()
        ]
        return told(self.program, "order.split", self.at + timedelta(minutes=1), "6", {"order_id": "O1", "into": into})

    def facts(self, count: int) -> Iterator[tuple[Event, Event]]:
        """Facts as they are told of a part, and of the order."""
        at = self.at
        for number in range(count):
            at += timedelta(hours=self.rng.randrange(1, 60))
            name, type_ = self.rng.choice(self.names), self.rng.choice(list(_GOES))
            known = self.parts[name]
            was, then = _GOES[type_]
            there = {line: n for (line, state), n in known.items() if state == was and n}
            if type_ == "return.received":
                # An order does not know which of a line's pieces came back: of those that are on their way, or that arrived.
                there = {line: n for line, n in there.items() if not any(own.get((line, "out")) for own in self.parts.values())}
            if not there:
                continue
            every = self.rng.random() < 0.4 and not self._beside(known, type_)
            meant = there if every else {line: self.rng.randrange(1, n + 1) for line, n in there.items()}
            for line, n in meant.items():
                known[line, was] -= n
                known[line, then] = known.get((line, then), 0) + n
            lines = [{"line_id": line, "quantity": n} for line, n in meant.items()]
            more = {"reason": "out_of_stock"} if type_ == "order.cancelled" else {}
            yield (
                self._told(type_, at, number, {"order_id": name, "lines": "all" if every else lines, **more}),
                self._told(type_, at, number, {"order_id": "O1", "lines": lines, **more}),
            )

    def _beside(self, known: Pieces, type_: str) -> bool:
        """Whether "all" of a part would be of other pieces too."""
        left = {"order.cancelled": ("out", "there"), "return.received": ("waiting", "out")}.get(type_, ())
        return any(n for (_, state), n in known.items() if state in left)

    def _told(self, type_: str, at: datetime, number: int, data: Mapping[str, Any]) -> Event:
        return told(self.program, type_, at, f"f{number:03}", data)


def _posted(books: StoredAccounts) -> list[Any]:
    return [(each.moment, each.entry) for each in books.books["M1"].entries]


@programs
@tried
@given(seed=seeds)
def test_parts_post_what_the_same_pieces_of_the_order_would_have_posted(code: str, seed: int) -> None:
    program, rng = (variant(code, seed) if seed % 2 else as_shipped(code)), Random(seed)
    shop = _Shop(program, rng)
    if len(shop.names) < 2:
        return
    split = shop.split()
    of_parts, of_order = StoredAccounts(program, narrow=True), StoredAccounts(program, narrow=True)
    pairs = list(shop.facts(rng.randrange(1, 14)))
    told_of_parts = [*shop.both, split, *(one for one, _ in pairs)]
    for books, facts in ((of_parts, told_of_parts), (of_order, [*shop.both, *(other for _, other in pairs)])):
        for fact in facts:
            books.deliver([fact], fact.time)
        books.run_clock(_LATER)
    assert _posted(of_parts) == _posted(of_order)
    whole, same = of_parts.books["M1"].items["order", "O1"], of_order.books["M1"].items["order", "O1"]
    assert isinstance(whole, Order)
    assert isinstance(same, Order)
    assert whole.lines == same.lines
    _shares_add_up(whole)


def _shares_add_up(order: Order) -> None:
    """The parts have together what the order has, of pieces and of points."""
    if not order.parts:
        return
    for line in order.lines:
        of_parts = [part.pieces[line.line_id] for part in order.parts if line.line_id in part.pieces]
        for name in ("quantity", "unshipped", "cancelled", "refused", "returned", "awaiting"):
            assert sum(getattr(each, name) for each in of_parts) == getattr(line, name), name
        assert all(min(each.unshipped, each.shipped, each.kept, each.cancelled, each.returned) >= 0 for each in of_parts)
    shares, used = parts.shares(order).values(), order.used
    assert tuple(map(sum, zip(*shares, strict=True))) == (used.points, used.back, used.forfeited, order.earning.credited)


@programs
@tried
@given(seed=seeds)
def test_the_ledger_is_the_same_whenever_the_split_is_told(code: str, seed: int) -> None:
    program, rng = (variant(code, seed) if seed % 2 else as_shipped(code)), Random(seed)
    shop = _Shop(program, rng)
    if len(shop.names) < 2:
        return
    facts = [shop.split(), *(one for one, _ in shop.facts(8))]
    found: dict[str, Any] = {}
    for name in ("in order", "split last", "any"):
        late = {"in order": facts, "split last": [*facts[1:], facts[0]], "any": rng.sample(facts, len(facts))}[name]
        books = StoredAccounts(program, narrow=True)
        for fact in (*shop.both, *late):
            books.deliver([fact])
        books.run_clock(_LATER)
        book = books.books["M1"]
        order = book.items["order", "O1"]
        assert isinstance(order, Order)
        _shares_add_up(order)
        head = replace(book.head, clock_due_at=None, next_due_at=None)  # those of a narrow account may come too early
        found[name] = (head, dict(sorted(book.lots.items())), order)
    assert found["in order"] == found["split last"] == found["any"]
