"""A shop's traffic in volume: one seed makes members, orders, shipments, reversals and contested redemptions of two programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

STORES = {"lenovo-pro": "lenovo_pro_jp", "belle-maison": "bellemaison"}
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Sent:
    """One event as a producer sends it: its type, ids for the key, CloudEvents attributes and data, in business order."""

    type: str
    id: str
    source: str
    time: datetime
    program: str | None
    data: dict[str, Any]
    member: str | None

    @property
    def order_id(self) -> str | None:
        order_id: str | None = self.data.get("order_id")
        return order_id

    def headers(self) -> list[tuple[str, bytes]]:
        """The attributes in binary mode."""
        return [(f"ce_{name}", value.encode()) for name, value in self._attributes().items()]

    def value(self) -> bytes:
        """The data as JSON."""
        return json.dumps(self.data, separators=(",", ":")).encode()

    def structured(self) -> bytes:
        """The whole event in structured mode."""
        return json.dumps({**self._attributes(), "data": self.data}, separators=(",", ":")).encode()

    def _attributes(self) -> dict[str, str]:
        at = self.time.isoformat()
        attributes = {"specversion": "1.0", "id": self.id, "source": self.source, "type": self.type, "time": at}
        return attributes if self.program is None else {**attributes, "program": self.program}


class Shop:
    """Makes events. `start`: the business time of the first; they end within `days` of it. `name` begins all ids."""

    def __init__(self, seed: int, start: datetime, days: int, name: str = "") -> None:
        self._rng = Random(seed)
        self._start = start
        self._days = days
        self._name = name
        self._count = 0

    def events(self, members: int, events: int) -> list[Sent]:
        """About so many events of so many members, and of guests, in business order."""
        found: list[Sent] = []
        people = [(f"{self._name}M{number:05d}", "lenovo-pro" if number % 2 else "belle-maison") for number in range(members)]
        for member, program in people:
            found.extend(self._join(member, program))
        while len(found) < events:
            member, program = self._rng.choice(people)
            found.extend(self._contest(member, program) if self._rng.random() < 0.03 else self._order(member, program))
        found.sort(key=lambda event: event.time)
        return found[:events]

    def _sent(self, type_: str, at: datetime, program: str | None, member: str | None, **data: Any) -> Sent:
        self._count += 1
        return Sent(type_, f"{self._name}e{self._count}", "/shop", at, program, data, member)

    def _at(self, share: float = 0.9) -> datetime:
        return self._start + timedelta(minutes=self._rng.randrange(int(self._days * share * 24 * 60)))

    def _join(self, member: str, program: str) -> Iterator[Sent]:
        at = self._start + timedelta(seconds=self._rng.randrange(3600))
        yield self._sent("member.enrolled", at, program, member, member_id=member)
        points = self._rng.randrange(200, 3000)
        yield self._sent("points.adjusted", at + MINUTE, program, member, member_id=member, points=points, reason="opening")

    def _lines(self) -> list[dict[str, Any]]:
        rng = self._rng
        lines = []
        for number in range(rng.choice((1, 2, 2, 3))):
            price, quantity = rng.randrange(300, 20_000), rng.choice((1, 1, 2, 3))
            lines.append(
                {"line_id": str(number + 1), "sku": f"S{rng.randrange(500)}", "quantity": quantity, "unit_price": price}
                | {"tax": price * quantity // 10}
            )
        return lines

    def _placed(self, order_id: str, member: str | None, program: str, at: datetime, lines: Any, points: int) -> Sent:
        data: dict[str, Any] = {"order_id": order_id, "store": STORES[program], "lines": lines, "shipping_fee": 500}
        data |= {"payment_method": "credit_card"}
        if member is not None:
            data["member_id"] = member
        if points:
            data["points_used"] = points
        return self._sent("order.placed", at, None if self._rng.random() < 0.5 else program, member, **data)

    def _contest(self, member: str, program: str) -> Iterator[Sent]:
        """Two orders at nearly one time that want more points than there are."""
        at, points = self._at(), self._rng.randrange(800, 2500)
        for number in range(2):
            order_id = f"{self._name}{program[:1].upper()}{self._count}c{number}"
            yield self._placed(order_id, member, program, at + number * timedelta(seconds=1), self._lines(), points)

    def _order(self, member: str, program: str) -> Iterator[Sent]:
        rng, at, lines = self._rng, self._at(), self._lines()
        order_id = f"{self._name}{program[:1].upper()}{self._count}"
        guest = rng.random() < 0.03
        points = rng.randrange(1, 600) if rng.random() < 0.1 else 0
        yield self._placed(order_id, None if guest else member, program, at, lines, 0 if guest else points)
        about = {"order_id": order_id}
        if rng.random() < 0.1:
            yield self._sent("order.paid", at + 10 * MINUTE, None, member, **about)
        if rng.random() < 0.08:
            when = at + rng.randrange(1, 600) * MINUTE
            yield self._sent("order.cancelled", when, None, member, **about, reason="customer_request", lines=self._some(lines))
            return
        at += rng.randrange(30, 3 * 24 * 60) * MINUTE
        yield self._sent("shipment.dispatched", at, None, member, **about, lines="all")
        if rng.random() < 0.1:
            yield self._sent("shipment.delivered", at + 600 * MINUTE, None, member, **about)
        if rng.random() < 0.09:
            at += rng.randrange(60, 5 * 24 * 60) * MINUTE
            yield self._sent("return.received", at, None, member, **about, lines=self._some(lines))

    def _some(self, lines: Sequence[dict[str, Any]]) -> Any:
        if self._rng.random() < 0.5:
            return "all"
        line = self._rng.choice(lines)
        return [{"line_id": line["line_id"], "quantity": self._rng.randrange(1, line["quantity"] + 1)}]
