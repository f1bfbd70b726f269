"""The events that everything is measured with: members of the five shipped programs, and a shop's traffic in fixed shares.

One seed makes one workload, byte for byte. Business time runs at a fixed pace, as if the traffic were live, so that orders, what
follows them, and the clock stand to each other as on a working day.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, Literal

from tests.flows.shop import Sent
from tests.flows.system import TOPIC_OF
from worker.decode import Record

STORES = {
    "ansage": "ansage_online",
    "belle-maison": "bellemaison",
    "lenovo-pro": "lenovo_pro_jp",
    "puppy": "puppy_online",
    "scolar": "scolar_web",
}
PROGRAMS = tuple(STORES)
JOINING = {"lenovo-pro": "member.enrolled"}
"""How a member joins; `member.registered` where a program is not named."""
OPENING_POINTS = 20_000
SHIPPED_AFTER_ORDERS = 100
"""An order waits until so many later ones were placed before something follows it."""
REPEATED_AFTER_EVENTS = 300
PAST_SHIPPED_AFTER = timedelta(minutes=30)
"""Less than lies between two past orders, so that they stand in business order."""

LATE_SECONDS = (1.0, 10.0)
"""How far a late order is behind: at a thousand events a second, up to ten thousand others have overtaken it."""

Follow = Literal["shipment", "payment", "cancel", "return"]


@dataclass(frozen=True, slots=True)
class Mix:
    """What the traffic is made of. Shares are of all events; the rest is "others" (commands and activities)."""

    orders: float = 0.45
    shipments: float = 0.40
    paid_or_delivered: float = 0.06
    cancels: float = 0.04
    returns: float = 0.04
    late: float = 0.01
    duplicates: float = 0.01
    uses_points: float = 0.10
    hot_members: int = 0
    """So many members take half of all; 0: all members alike."""


UNIFORM = Mix()
HOT = Mix(hot_members=10)
HOT_IN_ORDER = Mix(hot_members=10, late=0)
LATE = Mix(late=0.10)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event and when the producer sent it, which is the time of its record."""

    event: Sent
    at: datetime


BEFORE: Final = 1_000
"""The partition of a history that stands before what is measured, whose offsets begin anew."""

PER_SECOND: Final = 1_000.0
"""The pace of business time, if nothing else is said."""


def member_name(number: int) -> str:
    """The id of a member."""
    return f"M{number:06d}"


class Workload:
    """Members and traffic. `end`: when the last event is sent; `events_per_second`: the pace of business time before it.

    `series` begins the ids of events and orders, for one ledger that takes several workloads. Members take turns in `programs`.
    """

    def __init__(
        self,
        seed: int,
        members: int,
        events: int,
        end: datetime,
        mix: Mix = UNIFORM,
        events_per_second: float = PER_SECOND,
        *,
        series: str = "",
        programs: Sequence[str] = PROGRAMS,
    ) -> None:
        self._rng = Random(seed)
        self._members = [(member_name(number), programs[number % len(programs)]) for number in range(members)]
        self._series = series
        self._events = events
        self._mix = mix
        self._pace = timedelta(seconds=1 / events_per_second)
        self.start = end - events * self._pace
        self._placed: deque[_Order] = deque()
        self._shipped: list[_Order] = []
        self._count = 0

    def joining(self) -> Iterator[Delivery]:
        """What happened before the traffic: every member joins and has points to use. All within the hour before."""
        at = self.start - timedelta(hours=1)
        for number, (member, program) in enumerate(self._members):
            joined = at + timedelta(milliseconds=number)
            type_ = JOINING.get(program, "member.registered")
            yield Delivery(self._sent(type_, joined, program, member, member_id=member), joined)
            opened = joined + timedelta(minutes=1)
            about = {"member_id": member, "points": OPENING_POINTS, "reason": "opening"}
            yield Delivery(self._sent("points.adjusted", opened, program, member, **about), opened)

    def past_orders(self, number: int, orders: int, days: int) -> Iterator[Delivery]:
        """Orders of one member and their shipments, spread over the days before everyone joins (it joins before them)."""
        member, program = self._members[number]
        first = self.start - timedelta(days=days, hours=2)
        type_ = JOINING.get(program, "member.registered")
        yield Delivery(self._sent(type_, first, program, member, member_id=member), first)
        for place in range(orders):
            at = first + (place + 1) * timedelta(days=days) / (orders + 1)
            placed = self._order(member, program, at, share_with_points=0.0)
            self._placed.pop()
            yield Delivery(placed, at)
            shipped = at + PAST_SHIPPED_AFTER
            about = {"order_id": placed.order_id, "lines": "all"}
            yield Delivery(self._sent("shipment.dispatched", shipped, program, member, **about), shipped)

    def one_order(self, number: int, at: datetime) -> Delivery:
        """One more order of a member, at a business time of its own."""
        return Delivery(self._order(*self._members[number], at, share_with_points=0.0), at)

    def traffic(self) -> Iterator[Delivery]:
        """The events that are measured, in the order in which they are sent."""
        again: deque[tuple[int, Delivery]] = deque()
        self._placed.clear()
        for number in range(self._events):
            at = self.start + number * self._pace
            if again and again[0][0] <= number:
                yield Delivery(again.popleft()[1].event, at)
                continue
            delivery = Delivery(self._next(at), at)
            if self._rng.random() < self._mix.duplicates:
                again.append((number + REPEATED_AFTER_EVENTS, delivery))
            yield delivery

    def _next(self, at: datetime) -> Sent:
        mix, share = self._mix, self._rng.random()
        if share < mix.orders or len(self._placed) <= SHIPPED_AFTER_ORDERS:
            member, program = self._member()
            late = self._rng.random() < mix.late / mix.orders
            when = at - timedelta(seconds=self._rng.uniform(*LATE_SECONDS)) if late else at
            return self._order(member, program, when, mix.uses_points)
        share -= mix.orders
        if share < mix.shipments:
            return self._follow("shipment", at)
        share -= mix.shipments
        if share < mix.paid_or_delivered:
            return self._follow("payment", at)
        share -= mix.paid_or_delivered
        if share < mix.cancels:
            return self._follow("cancel", at)
        share -= mix.cancels
        return self._follow("return", at) if share < mix.returns and self._shipped else self._other(at)

    def _member(self) -> tuple[str, str]:
        hot = self._mix.hot_members
        if hot and self._rng.random() < 0.5:
            return self._members[self._rng.randrange(hot)]
        return self._rng.choice(self._members)

    def _sent(self, type_: str, at: datetime, program: str | None, member: str | None, **data: Any) -> Sent:
        self._count += 1
        return Sent(type_, f"{self._series}e{self._count}", "/shop", at, program, data, member)

    def _order(self, member: str, program: str, at: datetime, share_with_points: float) -> Sent:
        rng = self._rng
        order_id = f"{self._series}O{self._count}"
        quantities = [rng.choice((1, 1, 2)) for _ in range(rng.choice((2, 3)))]
        lines = []
        for number, quantity in enumerate(quantities, 1):
            price = rng.randrange(300, 20_000)
            line = {"line_id": str(number), "sku": f"SKU-{rng.randrange(500):04d}", "quantity": quantity, "unit_price": price}
            lines.append(line | {"tax": price * quantity // 10})
        data = {"order_id": order_id, "member_id": member, "store": STORES[program], "lines": lines, "shipping_fee": 500}
        data["payment_method"] = "credit_card"
        if rng.random() < share_with_points:
            data["points_used"] = rng.randrange(500, 600)
        self._placed.append(_Order(order_id, member, quantities))
        return self._sent("order.placed", at, program, member, **data)

    def _follow(self, what: Follow, at: datetime) -> Sent:
        rng = self._rng
        match what:
            case "shipment":
                order = self._placed.popleft()
                self._shipped.append(order)
                return self._sent("shipment.dispatched", at, None, order.member, order_id=order.order_id, lines="all")
            case "payment":
                delivered = bool(self._shipped) and rng.random() < 0.5
                order = rng.choice(self._shipped) if delivered else self._placed[rng.randrange(SHIPPED_AFTER_ORDERS)]
                type_ = "shipment.delivered" if delivered else "order.paid"
                return self._sent(type_, at, None, order.member, order_id=order.order_id)
            case "cancel":
                order = self._placed.popleft()
                data = {"order_id": order.order_id, "reason": "customer_request", "lines": self._some(order)}
                return self._sent("order.cancelled", at, None, order.member, **data)
            case "return":
                place = rng.randrange(len(self._shipped))
                self._shipped[place], self._shipped[-1] = self._shipped[-1], self._shipped[place]
                order = self._shipped.pop()
                data = {"order_id": order.order_id, "lines": self._some(order)}
                return self._sent("return.received", at, None, order.member, **data)

    def _other(self, at: datetime) -> Sent:
        member, program = self._member()
        about = {"member_id": member, "points": self._rng.randrange(10, 500), "reason": "goodwill"}
        return self._sent("points.adjusted", at, program, member, **about)

    def _some(self, order: _Order) -> Any:
        if self._rng.random() < 0.5:
            return "all"
        place = self._rng.randrange(len(order.quantities))
        return [{"line_id": str(place + 1), "quantity": self._rng.randrange(1, order.quantities[place] + 1)}]


@dataclass(frozen=True, slots=True)
class _Order:
    order_id: str
    member: str
    quantities: list[int]


def records(deliveries: Iterator[Delivery], partition: int = 0) -> list[Record]:
    """Deliveries as all records of one partition of each topic, for a pipeline without Kafka."""
    offsets: dict[str, int] = {}
    found: list[Record] = []
    for delivery in deliveries:
        topic = TOPIC_OF[delivery.event.type]
        offset = offsets.get(topic, 0)
        offsets[topic] = offset + 1
        headers = tuple(delivery.event.headers())
        found.append(Record(topic, partition, offset, int(delivery.at.timestamp() * 1000), None, delivery.event.value(), headers))
    return found
