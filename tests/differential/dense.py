"""Short lives in which much meets: few orders, of few prices, within weeks, and points that come, lapse and go between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Final

from contracts.events import Event
from tests.fold.histories import START
from worker.decide.program import Program

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_PRICES: Final = (500, 1_000, 3_000, 10_000)
_PAYING: Final = ("points_used", "use_all_points", "redemption_id")
_OF_ORDER: Final = ("cancel", "cancel", "return", "return", "ask", "exchange", "dispatch", "deliver", "pay", "hold", "free")
_POINTS: Final = (1, 50, 100, 300, 500, 1_000)


def life(program: Program, seed: int) -> Sequence[Event]:
    """A member's life, in the order in which it was thought of."""
    return _Maker(program, seed).make()


class _Maker:
    def __init__(self, program: Program, seed: int) -> None:
        self.rng = rng = Random(seed)
        self.terms = program.versions[0].terms
        self.zone = program.versions[0].days.zone
        self.days = rng.choice([5, 30, 90, 200])
        self.events: list[Event] = []
        self.orders: dict[str, tuple[dict[str, Any], datetime]] = {}
        self.reserved: list[str] = []
        stores = self.terms.membership.stores
        self.stores = [*stores.eligible] * 6 + [*stores.excluded]
        self.kinds = sorted({self.terms.adjustment.kind, *(each.kind for each in self.terms.earning.components)})

    def make(self) -> Sequence[Event]:
        rng = self.rng
        start = START.astimezone(self.zone)
        for type_ in ("member.registered", "member.enrolled"):
            if rng.random() < 0.9:
                self._add(type_, start if rng.random() < 0.8 else self._at(), country="JP")
        actions: list[Callable[[], None]] = [self._given] * 4 + [self._order] * 5 + [self._again] * 2 + [self._of_order] * 8
        actions += [self._taken, self._held, self._released, self._reserve, self._given_up, self._other, self._opened]
        for _ in range(rng.choice([2, 4, 6, 9, 13])):
            rng.choice(actions)()
        return self.events

    def _at(self, after: datetime = START) -> datetime:
        """An instant after another one; often a day's first, or one that was there."""
        rng, roll = self.rng, self.rng.random()
        if roll < 0.1 and self.events:
            return rng.choice(self.events).time
        at = (after + rng.randrange(self.days * 24) * _HOUR * rng.choice([1, 1, 0.1])).astimezone(self.zone)
        return max(after, at.replace(hour=0, minute=0, second=0, microsecond=0)) if roll < 0.35 else at

    def _add(self, type_: str, at: datetime, **data: Any) -> None:
        if "order_id" not in data or type_ in ("order.placed", "points.held", "points.released", "subscription.points-set"):
            data["member_id"] = "M"
        body = json.dumps({name: value for name, value in data.items() if value is not None}, sort_keys=True, default=str)
        id_ = f"{len(self.events)}"
        self.events.append(Event.from_stored("//shop", id_, type_, at, self.terms.program, None, body.encode()))

    def _points(self) -> int:
        return self.rng.choice([*_POINTS, self.rng.randrange(1, 1_500)])

    def _day(self, at: datetime) -> date | None:
        rng = self.rng
        return (at + rng.choice([0, 1, 7, 30, 100]) * _DAY).date() if rng.random() < 0.5 else None

    def _given(self) -> None:
        at = self._at()
        kind = self.rng.choice([None, None, *self.kinds])
        self._add("points.adjusted", at, points=self._points() * 2, expires_on=self._day(at), kind=kind, reason="goodwill")

    def _taken(self) -> None:
        points: Any = -self._points() if self.rng.random() < 0.9 else "all"
        self._add("points.adjusted", self._at(), points=points, reason="mistake")

    def _opened(self) -> None:
        rng, at = self.rng, self._at()
        lots = [
            {"points": self._points(), **({"expires_on": day} if (day := self._day(at)) else {})} for _ in range(rng.randrange(3))
        ]
        back = (at - rng.choice([0, 10, 40, 200, 500]) * _DAY).date()
        levels = [level.name for level in self.terms.tiers.levels] if self.terms.tiers else []
        self._add(
            "balance.opened",
            at,
            lots=lots,
            last_change_on=back if rng.random() < 0.6 else None,
            tier=rng.choice([None, *levels]),
            registered_on=back if rng.random() < 0.3 else None,
            enrolled_on=back if rng.random() < 0.3 else None,
            counted=[{"on": back, "amount": 30_000}] if rng.random() < 0.3 else [],
            announce=False if rng.random() < 0.2 else None,
        )

    # -- orders

    def _order(self) -> None:
        rng, at = self.rng, self._at()
        order_id = f"O{len(self.orders)}"
        lines = []
        for number in range(rng.choice([1, 1, 2])):
            price, quantity = rng.choice(_PRICES), rng.choice([1, 1, 2, 3])
            lines.append({"line_id": f"L{number}", "sku": "A", "quantity": quantity, "unit_price": price})
            lines[-1]["tax"] = price * quantity // 10
            if rng.random() < 0.2:
                lines[-1]["bonus_points"] = [{"points": self._points()}]
        order = {
            "order_id": order_id,
            "store": rng.choice(self.stores),
            "lines": lines,
            "payment_method": rng.choice(["credit_card", "bank_transfer", "cod"]),
            "course": rng.choice(["one_off", "one_off", "one_off", "subscription"]),
            "planned_delivery_date": (at + 5 * _DAY).date(),
            **self._paid_with(at),
        }
        self.orders[order_id] = (order, at)
        self._add("order.placed", at, **order)
        if rng.random() < 0.6:
            self._add("shipment.dispatched", self._at(at), order_id=order_id, lines="all")

    def _paid_with(self, at: datetime) -> dict[str, Any]:
        rng, roll = self.rng, self.rng.random()
        if roll < 0.5:
            return {"points_used": self._points()}
        if roll < 0.6:
            return {"use_all_points": True}
        if self.reserved and roll < 0.75:
            return {"redemption_id": rng.choice(self.reserved), "points_used": rng.choice([None, self._points()])}
        return {}

    def _again(self) -> None:
        """An order told a second time, with other points."""
        if self.orders:
            order, at = self.rng.choice(list(self.orders.values()))
            plain = {name: value for name, value in order.items() if name not in _PAYING}
            self._add("order.placed", self._at(at), **{**plain, **self._paid_with(at)})

    def _of_order(self) -> None:
        if not self.orders:
            return
        rng = self.rng
        order, at = rng.choice(list(self.orders.values()))
        at = self._at(at) if rng.random() < 0.9 else self._at()
        line = rng.choice(order["lines"])
        some = [{"line_id": line["line_id"], "quantity": rng.randrange(1, line["quantity"] + 1)}]
        lines: Any = "all" if rng.random() < 0.5 else some
        order_id, number = order["order_id"], len(self.events)
        what = rng.choice(_OF_ORDER)
        if what == "cancel":
            self._add("order.cancelled", at, order_id=order_id, reason="customer_request", lines=lines)
        elif what == "return":
            self._add("return.received", at, order_id=order_id, return_id=f"B{number}", lines=lines)
        elif what == "ask":
            self._add("return.requested", at, order_id=order_id, return_id=f"B{number}", lines=lines)
            if rng.random() < 0.6:
                self._add("return.received", self._at(at), order_id=order_id, return_id=f"B{number}", lines=lines)
        elif what == "exchange":
            self._add("exchange.received", at, order_id=order_id, exchange_id=f"X{number}", lines=lines)
            if rng.random() < 0.7:
                new = [{"line_id": "N", "sku": "B", "quantity": 1, "unit_price": rng.choice(_PRICES), "tax": 0}]
                self._add("exchange.shipped", self._at(at), order_id=order_id, exchange_id=f"X{number}", lines=new)
        elif what == "dispatch":
            self._add("shipment.dispatched", at, order_id=order_id, lines=lines)
        elif what == "deliver":
            self._add("shipment.delivered", at, order_id=order_id, lines=lines)
        elif what == "pay":
            self._add("order.paid", at, order_id=order_id)
        else:
            self._add("points.held" if what == "hold" else "points.released", at, order_id=order_id, reason="a look")

    # -- everything else

    def _held(self) -> None:
        self._add("points.held", self._at(), points=self._points(), reason="a look")

    def _released(self) -> None:
        self._add("points.released", self._at(), points=self._points(), reason="fine")

    def _reserve(self) -> None:
        rng = self.rng
        name = f"R{len(self.reserved)}"
        self.reserved.append(name)
        seconds = rng.choice([None, 600, 100_000])
        self._add(
            "redemption.requested",
            self._at(),
            redemption_id=name,
            points=self._points(),
            store=rng.choice(self.stores),
            expires_in_seconds=seconds,
        )

    def _given_up(self) -> None:
        if self.reserved:
            self._add("redemption.released", self._at(), redemption_id=self.rng.choice(self.reserved))

    def _other(self) -> None:
        rng, at, number = self.rng, self._at(), len(self.events)
        what = rng.choice(["survey", "review", "reward", "subscription", "erased"])
        if what == "survey":
            self._add("survey.won", at, survey_id=f"V{number}", points=self._points())
        elif what == "review":
            self._add("review.posted", at, review_id=f"W{number}", sku="A")
        elif what == "reward":
            items = [*self.terms.rewards.items] if self.terms.rewards is not None else ["X"]
            self._add("reward.requested", at, request_id=f"Q{number}", reward_sku=rng.choice(items), quantity=1)
        elif what == "subscription" and self.orders:
            order_id = rng.choice(list(self.orders))
            self._add("subscription.points-set", at, request_id=f"Q{number}", order_id=order_id, points=self._points())
        elif what == "erased" and rng.random() < 0.3:
            self._add("member.erased", at)
