"""Tales of one member each: what random lives hardly ever come to, told for any program.

Points that are used, set aside or reserved before their last day and come back after it; orders that want the same points; a
balance taken over; hundreds of orders before the member joins; ids as long as the contract allows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from contracts.events import Event
from tests.fold.histories import START
from worker.decide.program import Program

DAY = timedelta(days=1)
LONG = 185
"""Characters of a long id; a world may put a prefix before it, and 200 are allowed."""
ORDERS = (60, 150, 150, 400)
"""Orders of a member who has many."""
ORDERS_RARELY = 1_500


@dataclass(frozen=True, slots=True)
class Line:
    """An event of a tale. `delay`: how long after it is published, None: as the world likes."""

    event: Event
    delay: timedelta | None


@dataclass(slots=True)
class Teller:
    """Tells what one member does. `orders`: the ids of the member's orders."""

    program: Program
    rng: Random
    member: str
    lines: list[Line] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    long: bool = False

    def say(self, type_: str, at: datetime, delay: timedelta | None = None, **data: Any) -> None:
        """One event."""
        number = len(self.lines)
        body = json.dumps({name: value for name, value in data.items() if value is not None}, sort_keys=True, default=str)
        event = Event.from_stored(
            source="//tale" if not self.long else self.named("//tale"),
            id=self.named(f"{self.member}-{number}"),
            type=type_,
            time=at,
            program=self.program.code,
            traceparent=None,
            body=body.encode(),
        )
        self.lines.append(Line(event, delay))

    def named(self, name: str) -> str:
        """An id: of four-byte characters, and as long as it may be, where the tale has long ones."""
        return name + "\U0001f600" * (LONG - len(name)) if self.long else name

    # -- time

    def instant(self, days: float, within: float = 1.0) -> datetime:
        """So many days after the beginning, and a part of `within` days."""
        return START + days * DAY + within * self.rng.random() * DAY

    def last_day(self, at: datetime) -> date:
        """A last day some weeks or months after an instant."""
        return self.program.at(at).days.date_of(at + self.rng.choice([10, 20, 45, 100]) * DAY)

    def before(self, last: date) -> datetime:
        """Shortly before points of that last day lapse, at times to the second."""
        end = self.program.at(START).days.end(last)
        return end - self.rng.choice([timedelta(seconds=1), timedelta(hours=2), 3 * DAY, 5 * DAY])

    def after(self, last: date) -> datetime:
        """At the instant at which they lapse, shortly after, or months after."""
        end = self.program.at(START).days.end(last)
        return end + self.rng.choice(
            [timedelta(0), timedelta(seconds=1), timedelta(hours=9), 2 * DAY, 14 * DAY, 60 * DAY, 150 * DAY]
        )

    # -- what happens

    def join(self, at: datetime, delay: timedelta | None = None) -> None:
        """Whatever the program asks of a member who may use points."""
        self.say("member.registered", at, delay, member_id=self.member, channel="web")
        self.say("member.enrolled", at + timedelta(minutes=1), delay, member_id=self.member, channel="web")

    def grant(self, at: datetime, points: int, last: date | None, delay: timedelta | None = None) -> None:
        """Points by hand, with a last day or by the terms."""
        self.say("points.adjusted", at, delay, member_id=self.member, points=points, expires_on=last, reason="goodwill")

    def order(self, at: datetime, used: int = 0, *, delay: timedelta | None = None, order_id: str = "", **more: Any) -> str:
        """An order of three pieces, paid by card; its id."""
        if not order_id:
            order_id = self.named(f"{self.member}-O{len(self.orders)}")
            self.orders.append(order_id)
        price = self.rng.choice([2_000, 9_990, 30_000])
        lines = [
            {"line_id": self.named("1"), "sku": "A", "quantity": 2, "unit_price": price, "tax": price // 5},
            {"line_id": self.named("2"), "sku": "B", "quantity": 1, "unit_price": price, "tax": price // 10},
        ]
        self.say(
            "order.placed",
            at,
            delay,
            **{
                "order_id": order_id,
                "member_id": self.member,
                "store": self.program.versions[0].terms.membership.stores.eligible[0],
                "channel": "web",
                "course": "one_off",
                "lines": lines,
                "payment_method": "credit_card",
                "points_used": used or None,
                **more,
            },
        )
        return order_id

    def fulfil(self, order_id: str, at: datetime) -> None:
        """Paid, sent and delivered."""
        self.say("order.paid", at, order_id=order_id)
        self.say("shipment.dispatched", at + timedelta(hours=1), order_id=order_id, shipment_id=self.named("S"), lines="all")
        self.say("shipment.delivered", at + DAY, order_id=order_id, lines="all")

    def come_back(self, order_id: str, at: datetime) -> None:
        """All of an order comes back, or some of it now and the rest later, or it is cancelled."""
        some: list[Any] = [[{"line_id": self.named("1"), "quantity": 1}], [{"line_id": self.named("2"), "quantity": 1}], "all"]
        parts: list[Any] = self.rng.choice([["all"], ["all"], some[:1], some[1:]])
        kind = self.rng.choice(["return", "return", "cancel", "exchange"])
        for number, lines in enumerate(parts):
            if kind == "cancel":
                self.say("order.cancelled", at, order_id=order_id, lines=lines, reason="customer_request")
            else:
                fields: dict[str, Any] = {"order_id": order_id, f"{kind}_id": self.named(f"B{number}"), "lines": lines}
                if self.rng.random() < 0.3:
                    self.say(f"{kind}.requested", at - self.rng.choice([0, 1, 30]) * DAY, **fields)
                self.say(f"{kind}.received", at, **fields)
            at += self.rng.choice([timedelta(0), timedelta(minutes=5), 40 * DAY])


def _with_points(tell: Teller, least: int = 1) -> tuple[int, date]:
    """A member who gets points with one last day, in a few grants: how many, and the day."""
    rng = tell.rng
    at = tell.instant(rng.choice([1, 30, 90]), 20)
    tell.join(at - DAY)
    last, total = tell.last_day(at), 0
    for _ in range(rng.choice([1, 1, 2, 3])):
        points = max(least, rng.choice([59, 600, 1_000, 2_500, rng.randrange(1, 3_000)]))
        tell.grant(at + rng.random() * DAY, points, last if rng.random() < 0.8 else None)
        total += points
    if rng.random() < 0.4:
        tell.fulfil(tell.order(at + DAY), at + 2 * DAY)
    return total, last


def _share(tell: Teller, points: int, least: int = 1) -> int:
    """Some of the points, or all."""
    most = min(points, 4_000)
    return most if tell.rng.random() < 0.3 else tell.rng.randrange(min(least, most), most + 1)


def _least(tell: Teller) -> int:
    rules = tell.program.versions[0].terms.redemption
    return max(rules.minimum, rules.unit, 1)


def used_and_back(tell: Teller) -> None:
    """Points are used before their last day, what is left lapses, and the order comes back after it."""
    points, last = _with_points(tell, _least(tell))
    for _ in range(tell.rng.choice([1, 1, 2])):
        used = _share(tell, points, _least(tell))
        at = tell.before(last)
        order_id = tell.order(at, used)
        if tell.rng.random() < 0.7:
            tell.fulfil(order_id, at + timedelta(hours=1))
        # With days in which points are on their way, these end about the last day too.
        days = max((rule.days for rule in tell.program.versions[0].terms.reversal.used_points), default=0)
        early = tell.rng.random() < 0.4 and days
        back = tell.after(last) - (days * DAY if early else timedelta(0))
        tell.come_back(order_id, max(back, at + timedelta(minutes=1)))
        points = max(points - used, _least(tell))
    if tell.rng.random() < 0.4:
        tell.order(tell.after(last) + DAY, _least(tell))


def held_over(tell: Teller) -> None:
    """Points, or those of an order, are held before their last day and released after it."""
    points, last = _with_points(tell)
    what: dict[str, Any] = {"points": _share(tell, points)}
    if tell.orders and tell.rng.random() < 0.4:
        what = {"order_id": tell.orders[0]}
    tell.say("points.held", tell.before(last), member_id=tell.member, **what, reason="look")
    at = tell.after(last)
    if "points" in what and tell.rng.random() < 0.4:
        part = tell.rng.randrange(1, what["points"] + 1)
        tell.say("points.released", at, member_id=tell.member, points=part, reason="fine")
        what = {"points": max(what["points"] - part, 1)}
        at += tell.rng.choice([timedelta(0), 30 * DAY])
    tell.say("points.released", at, member_id=tell.member, **what, reason="fine")


def reserved_over(tell: Teller) -> None:
    """A reservation runs over the last day of its points: it ends by itself, is given up, or an order takes it."""
    rng = tell.rng
    points, last = _with_points(tell, _least(tell))
    points = _share(tell, points, _least(tell))
    terms = tell.program.versions[0].terms
    at, redemption_id = tell.before(last), tell.named(f"{tell.member}-R")
    tell.say(
        "redemption.requested",
        at,
        member_id=tell.member,
        redemption_id=redemption_id,
        points=points,
        store=terms.membership.stores.eligible[0],
        expires_in_seconds=rng.choice([None, 3, 7_200, 86_400, 30 * 86_400]),
    )
    roll = rng.random()
    if roll < 0.4:
        later = max(at, rng.choice([at + timedelta(minutes=20), tell.after(last)]))
        order_id = tell.order(later, points, redemption_id=redemption_id)
        if rng.random() < 0.7:
            tell.come_back(order_id, later + rng.choice([0, 1, 90]) * DAY)
    elif roll < 0.7:
        tell.say("redemption.released", tell.after(last), member_id=tell.member, redemption_id=redemption_id)


def contested(tell: Teller) -> None:
    """More is asked for than is there, is told twice with other amounts, and what covers it (or takes it away) comes late."""
    rng, least = tell.rng, _least(tell)
    at = tell.instant(rng.choice([1, 60]), 10)
    tell.join(at, rng.choice([None, None, 5 * DAY]))
    points = least + rng.choice([100, 700])
    tell.grant(at + DAY, points, None)
    late = rng.choice([timedelta(seconds=30), DAY, 9 * DAY])
    for number in range(rng.choice([2, 2, 3])):
        at_order = at + (2 + rng.choice([0, number])) * DAY + timedelta(minutes=number)
        asked = rng.choice([points, points, points * 2, least])
        order_id = tell.order(at_order, asked, delay=rng.choice([None, late]))
        if rng.random() < 0.5:
            again = rng.choice([points, least, points + 1])
            tell.order(at_order + rng.choice([timedelta(minutes=1), DAY]), again, order_id=order_id)
        if rng.random() < 0.3:
            tell.come_back(order_id, at_order + rng.choice([2, 30]) * DAY)
    if rng.random() < 0.5:
        change = rng.choice([points, -50, -points])
        moment = at + rng.choice([1.5, 2.5, 5]) * DAY
        tell.say("points.adjusted", moment, rng.choice([None, late]), member_id=tell.member, points=change, reason="mistake")


def in_parts(tell: Teller) -> None:
    """An order goes on as two, or as itself and another; the split is told when it happens, or long after what is told of the
    parts, which are sent and come back each for itself."""
    rng, points = tell.rng, _least(tell)
    at = tell.instant(rng.choice([1, 60]), 10)
    tell.join(at)
    tell.grant(at + timedelta(hours=1), points, None)
    order_id = tell.order(at + DAY, points if rng.random() < 0.5 else 0, delay=rng.choice([None, 5 * DAY]))
    first = rng.choice([order_id, f"{order_id}a"])
    ids = [first, f"{order_id}b"]
    one, other = ({"line_id": tell.named(name), "quantity": 1} for name in ("1", "2"))
    into = [{"order_id": ids[0], "lines": [one]}, {"order_id": ids[1], "lines": [one, other]}]
    tell.say("order.split", at + 1.5 * DAY, rng.choice([None, timedelta(0), 9 * DAY]), order_id=order_id, into=into)
    for part in ids:
        if part not in tell.orders:
            tell.orders.append(part)
        tell.fulfil(part, at + 2 * DAY)
        if rng.random() < 0.5:
            tell.come_back(part, at + rng.choice([3, 30]) * DAY)


def at_once(tell: Teller) -> None:
    """Who just joined, or was just given points, uses all of them within seconds, again and again; each is published at once."""
    rng, points = tell.rng, _least(tell) + tell.rng.choice([0, 700])
    at = tell.instant(rng.choice([1, 60]), 10)
    at_once = timedelta(0)
    tell.join(at - timedelta(minutes=2), at_once)
    for _ in range(rng.choice([4, 8, 16])):
        tell.grant(at, points, None, at_once)
        tell.order(at + rng.choice([timedelta(seconds=0.5), timedelta(seconds=2)]), points, delay=at_once)
        at += rng.choice([0.01, 1, 10]) * DAY


def taken_over(tell: Teller) -> None:
    """A balance from another ledger, with last days and changes that may be long past, and what follows it (or came before)."""
    rng = tell.rng
    at = tell.instant(rng.choice([5, 100, 300]), 10)
    days = tell.program.at(at).days
    lots = [
        {
            "points": rng.choice([1, 500, 1_000]),
            "expires_on": days.date_of(at + rng.choice([-3, 0, 20, 100]) * DAY) if rng.random() < 0.4 else None,
            "granted_on": days.date_of(at - rng.choice([0, 30, 200, 500]) * DAY) if rng.random() < 0.6 else None,
        }
        for _ in range(rng.choice([1, 2, 5]))
    ]
    opening: dict[str, Any] = {
        "member_id": tell.member,
        "lots": [{name: value for name, value in lot.items() if value is not None} for lot in lots],
        "registered_on": days.date_of(at - 400 * DAY),
        "last_change_on": days.date_of(at - rng.choice([0, 20, 90, 400]) * DAY) if rng.random() < 0.6 else None,
        "counted": [{"on": days.date_of(at - 30 * DAY), "amount": 30_000}] if rng.random() < 0.4 else [],
    }
    if rng.random() < 0.5:
        tell.join(at - rng.choice([1, 60]) * DAY)
    for _ in range(2 if rng.random() < 0.1 else 1):
        tell.say("balance.opened", at, **opening)
    if rng.random() < 0.3:
        tell.order(at - 2 * DAY)
    for _ in range(rng.choice([0, 1, 2])):
        later = at + rng.choice([0, 3, 50]) * DAY + timedelta(hours=1)
        tell.come_back(tell.order(later, _least(tell)), later + rng.choice([1, 60]) * DAY)


def many_orders(tell: Teller) -> None:
    """Hundreds of orders, and only then it becomes known that the member had joined before all of them."""
    rng = tell.rng
    count = ORDERS_RARELY if rng.random() < 0.04 else rng.choice(ORDERS)
    # What is told of all of them at once is as large as their ids make it.
    tell.long = rng.random() < 0.7
    joined, span = tell.instant(1), 380 * DAY
    for number in range(count):
        at = joined + DAY + span * (number / count)
        order_id = tell.order(at)
        if rng.random() < 0.9:
            tell.say("shipment.dispatched", at + timedelta(hours=1), order_id=order_id, shipment_id="S", lines="all")
        if rng.random() < 0.1:
            tell.come_back(order_id, at + 3 * DAY)
    tell.join(joined, span + 20 * DAY)


def long_names(tell: Teller) -> None:
    """Points go back and forth between orders, each id as long as it may be."""
    tell.long = True
    points, last = _with_points(tell, _least(tell))
    at = max(tell.before(last) - 5 * DAY, tell.instant(0))
    for _ in range(tell.rng.choice([2, 5, 40])):
        order_id = tell.order(at, max(min(points, 1_000), _least(tell)))
        tell.say("order.cancelled", at + timedelta(hours=1), order_id=order_id, lines="all", reason="customer_request")
        at += timedelta(hours=2)


def joins_again(tell: Teller) -> None:
    """Who is to be forgotten joins again soon after, while goods of the life before still come back; perhaps once more."""
    rng = tell.rng
    at, word = tell.instant(rng.choice([1, 60]), 20), [None, None, timedelta(hours=30), 20 * DAY]
    for _ in range(rng.choice([2, 2, 3])):
        before = list(tell.orders)
        tell.join(at, rng.choice([None, None, timedelta(0)]))
        tell.grant(at + timedelta(hours=2), _least(tell) + rng.choice([300, 2_000]), None)
        order_id = tell.order(at + timedelta(hours=5), rng.choice([0, _least(tell), _least(tell)]))
        if rng.random() < 0.7:
            tell.fulfil(order_id, at + timedelta(hours=rng.choice([4, 6])))
        if before and rng.random() < 0.7:
            tell.come_back(rng.choice(before), at + timedelta(hours=rng.choice([7, 100])))
        at += rng.choice([1, 1, 8]) * DAY
        tell.say("member.erased", at, rng.choice(word), member_id=tell.member)
        at += rng.choice([timedelta(seconds=2), timedelta(hours=3), 2 * DAY, 60 * DAY])
    if rng.random() < 0.7:
        tell.join(at)
        tell.grant(at + timedelta(hours=2), 500, None)


Tale = Callable[[Teller], None]
