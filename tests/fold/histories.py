"""Random commerce histories for any program: members, orders and what becomes of them, over some fourteen months.

A history is a function of its seed. It is written to make trouble: facts of one instant, facts on midnight, returns of more
than is left, lines that nobody ordered, shipments before their order, orders sent twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from contracts.events import CONTESTED_SOURCE, Event
from contracts.terms import Conversion
from worker.decide.program import Program

START = datetime(2024, 8, 1, tzinfo=UTC)
DAYS = 425
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_SOURCES = ("//shop", "//wms", "//crm")
_SKUS = ("A", "B", "C", "D")


@dataclass(frozen=True)
class History:
    """Events in business order, the member of each order, and the last instant to look at."""

    seed: int
    events: tuple[Event, ...]
    homes: Mapping[str, str]
    end: datetime


def history(
    program: Program,
    seed: int,
    *,
    members: int = 2,
    orders: int = 5,
    span_days: int = DAYS,
    later: bool = True,
    contested: bool = False,
    split: bool = False,
) -> History:
    """A random history of a program. `later`: with facts about its facts, which change nothing of the rest; `contested`: with
    what a worker notes where somebody else was told to have placed an order too; `split`: with orders that go on as several."""
    return _Maker(program, seed, span_days).make(members, orders, later=later, contested=contested, split=split)


class _Maker:
    def __init__(self, program: Program, seed: int, span_days: int) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.program = program
        self.terms = program.versions[0].terms
        self.zone = program.versions[0].days.zone
        self.end = START + span_days * _DAY
        self.span = span_days
        self.events: list[Event] = []
        self.homes: dict[str, str] = {}
        self.rich = self.rng.random() < 0.2
        categories = [name for rule in self.terms.earning.excluded for name in rule.categories]
        rule = self.terms.redemption.not_redeemable
        self.categories = [*categories, *(rule.categories if rule else ())]
        stores = self.terms.membership.stores
        self.stores = [*stores.eligible] * 9 + [*stores.excluded]
        self.methods = sorted(
            {
                "credit_card",
                "cod",
                "bank_transfer",
                *(self.terms.redemption.full.payment_methods if self.terms.redemption.full else ()),
                *(name for row in self.terms.redemption.minimum_left for name in row.payment_methods),
            }
        )
        self.reasons = sorted({"customer_request", *(name for row in self.terms.reversal.used_points for name in row.reasons)})
        self.kinds = sorted(
            {
                self.terms.adjustment.kind,
                *(component.kind for component in self.terms.earning.components),
                *(name for term in self.terms.expiry.terms for name in term.kinds),
            }
        )

    # -- time

    def instant(self) -> datetime:
        """Any instant; often midnight of the program's zone, often one that something happened at already."""
        roll = self.rng.random()
        if roll < 0.2 and self.events:
            return self.rng.choice(self.events).time
        at = START + timedelta(minutes=self.rng.randrange(self.span * 24 * 60))
        return self.midnight(at) if roll < 0.4 else at

    def midnight(self, at: datetime) -> datetime:
        """The start of an instant's day; one time in three, of its month."""
        day = at.astimezone(self.zone).date()
        return self.program.versions[0].days.start(day.replace(day=1) if self.rng.random() < 0.33 else day)

    def after(self, at: datetime, days: float) -> datetime:
        """An instant up to so many days later; at times the same one, the midnight that follows, or (rarely) earlier."""
        roll = self.rng.random()
        if roll < 0.15:
            return at
        if roll < 0.18:
            return at - self.rng.randrange(1, 4000) * _MINUTE
        later = at + self.rng.randrange(1, max(2, int(days * 24 * 60))) * _MINUTE
        return max(at, self.midnight(later)) if roll < 0.4 else later

    # -- events

    def add(self, type_: str, at: datetime, **data: Any) -> None:
        """Append an event of the time that is told."""
        if at >= self.end:
            return
        body = json.dumps({name: value for name, value in data.items() if value is not None}, sort_keys=True, default=str)
        self.events.append(
            Event.from_stored(
                source=self.rng.choice(_SOURCES),
                id=f"{self.rng.getrandbits(24):06x}-{len(self.events)}",
                type=type_,
                time=at,
                program=self.terms.program,
                traceparent=None,
                body=body.encode(),
            )
        )

    def make(self, members: int, orders: int, *, later: bool, contested: bool, split: bool) -> History:
        for number in range(members):
            self.member(f"M{number + 1}", orders)
        if later:
            # By numbers of its own, so that a history says what it did before there was any of it.
            self.rng = Random(f"later {self.seed}")
            self.tell_more()
            self.rng = Random(f"amended {self.seed}")
            self.amend()
            self.rng = Random(f"updated {self.seed}")
            self.update(members)
        if split:
            self.rng = Random(f"split {self.seed}")
            self.split()
        if contested:
            self.rng = Random(f"contested {self.seed}")
            self.contest()
        ordered = tuple(sorted(self.events, key=lambda event: event.key))
        return History(self.seed, ordered, self.homes, self.end)

    def member(self, member: str, orders: int) -> None:
        """One member's life."""
        rng = self.rng
        joined = START + rng.randrange(60 * 24 * 60) * _MINUTE if rng.random() < 0.8 else self.instant()
        country = rng.choice(["JP", "JP", "US", None])
        for type_, chance in (("member.registered", 0.9), ("member.enrolled", 0.9)):
            for _ in range(2 if rng.random() < 0.15 else 1):
                if rng.random() < chance:
                    channel = rng.choice([*self.terms.membership.registration_channels, "web", None])
                    self.add(type_, self.after(joined, 2), member_id=member, channel=channel, country=country)
        for _ in range(rng.randrange(1, orders * 2)):
            self.order(member)
        for _ in range(rng.randrange(8)):
            self.activity(member)
        for _ in range(rng.randrange(8)):
            self.command(member)
        if rng.random() < 0.05:
            self.add("member.erased", self.instant(), member_id=member)

    def update(self, members: int) -> None:
        """What is told of members: a plan, a day of birth."""
        rng = self.rng
        for number in range(1, members + 1):
            for _ in range(rng.choice([0, 1, 1, 2, 4])):
                plan = rng.choice([{}, {"plan": "gold"}, {"plan": "base"}, {"plan": None}])
                birth = rng.choice([None, {"month": rng.randrange(1, 13), "day": rng.randrange(1, 29)}, {"month": 2, "day": 29}])
                self.add("member.updated", self.instant(), member_id=f"M{number}", attributes=plan, birth=birth)

    # -- orders

    def points(self) -> int:
        """A number of points that may or may not be there."""
        return self.rng.choice([1, 7, 50, 100, 300, 500, self.rng.randrange(1, 400), self.rng.randrange(1, 4000)])

    def line(self, index: int) -> dict[str, Any]:
        rng = self.rng
        price = rng.choice([99, 200, 999, 1000, 3333, 12_345, 60_000, rng.randrange(1, 50_000)])
        if self.rich:
            price *= rng.choice([1, 100, 1000])
        quantity = rng.choice([1, 1, 1, 2, 3, 5])
        line: dict[str, Any] = {"sku": rng.choice(_SKUS), "quantity": quantity, "unit_price": price}
        line["tax"] = price * quantity // 10
        if rng.random() < 0.7:
            line["line_id"] = f"L{index + 1}"
        if rng.random() < 0.2:
            line["discount"] = rng.randrange(price * quantity + 1)
        if self.categories and rng.random() < 0.15:
            line["category"] = rng.choice(self.categories)
        if rng.random() < 0.1:
            line["point_rate"] = rng.choice(["0.02", "0.1"])
        if rng.random() < 0.2:
            day = (START + rng.randrange(self.span + 100) * _DAY).date() if rng.random() < 0.5 else None
            line["bonus_points"] = [{"points": rng.randrange(1, 300), "expires_on": day, "kind": rng.choice([None, *self.kinds])}]
            line["bonus_points"][0] = {name: value for name, value in line["bonus_points"][0].items() if value is not None}
        return line

    def order(self, member: str) -> None:
        """An order and what becomes of it."""
        rng, at = self.rng, self.instant()
        order_id = f"O{len(self.homes) + 1}"
        lines = [self.line(index) for index in range(rng.choice([1, 1, 2, 3, 4]))]
        self.homes[order_id] = member
        order: dict[str, Any] = {
            "order_id": order_id,
            "member_id": member,
            "store": rng.choice(self.stores),
            "channel": rng.choice(["web", "web", "phone"]),
            "course": rng.choice(["one_off", "one_off", "subscription"]),
            "lines": lines,
            "shipping_fee": rng.choice([0, 0, 550]),
            "payment_method": rng.choice(self.methods),
            "planned_ship_date": (at + 3 * _DAY).date(),
            "planned_delivery_date": (at + 5 * _DAY).date(),
        }
        if rng.random() < 0.1:
            order["signed_in"] = False
        roll = rng.random()
        if roll < 0.4:
            order["points_used"] = self.points()
        elif roll < 0.5:
            order["use_all_points"] = True
        elif roll < 0.6:
            self.reservation(member, order, at)
        self.add("order.placed", at, **order)
        if rng.random() < 0.08:
            self.add("order.placed", self.after(at, 3), **{**order, "points_used": self.points(), "use_all_points": False})
        self.fulfil(order_id, lines, at)

    def reservation(self, member: str, order: dict[str, Any], at: datetime) -> None:
        """Points set aside first, which the order then names (or not), given up or left to end."""
        rng = self.rng
        redemption_id, points = f"R{len(self.events)}", self.points()
        made = at - rng.randrange(0, 60) * _MINUTE
        seconds = rng.choice([None, 600, 7200])
        fields = {"member_id": member, "redemption_id": redemption_id}
        self.add("redemption.requested", made, **fields, points=points, store=order["store"], expires_in_seconds=seconds)
        if rng.random() < 0.8:
            order["redemption_id"] = redemption_id
            order["points_used"] = rng.choice([0, points, points, points + 1])
        if rng.random() < 0.3:
            self.add("redemption.released", self.after(made, 0.1), **fields)

    def refs(self, lines: Sequence[Mapping[str, Any]]) -> Any:
        """Everything, or some pieces of some lines; at times more than there are, or a line that nobody ordered."""
        rng = self.rng
        if rng.random() < 0.35:
            return "all"
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for line in rng.sample(list(lines), rng.randrange(1, len(lines) + 1)):
            name = ("line_id", line["line_id"]) if "line_id" in line else ("sku", line["sku"])
            quantity = rng.randrange(1, line["quantity"] + 1) + (rng.randrange(3) if rng.random() < 0.1 else 0)
            found[name] = {name[0]: name[1], "quantity": quantity}
        if rng.random() < 0.05:
            found["line_id", "X"] = {"line_id": "X", "quantity": 1}
        return list(found.values())

    def fulfil(self, order_id: str, lines: Sequence[Mapping[str, Any]], at: datetime) -> None:
        """Payment, shipments, deliveries, cancels, returns, exchanges."""
        rng = self.rng
        if rng.random() < 0.7:
            for _ in range(2 if rng.random() < 0.05 else 1):
                self.add("order.paid", self.after(at, 4), order_id=order_id)
        if rng.random() < 0.15:
            day = (at + rng.randrange(20) * _DAY).date()
            self.add("order.rescheduled", self.after(at, 4), order_id=order_id, planned_ship_date=day, planned_delivery_date=day)
        if rng.random() < 0.15:
            self.add(
                "order.cancelled", self.after(at, 5), order_id=order_id, reason=rng.choice(self.reasons), lines=self.refs(lines)
            )
        last = at
        for part in range(rng.choice([0, 1, 1, 1, 2, 3])):
            last = self.after(last, 6)
            self.add("shipment.dispatched", last, order_id=order_id, shipment_id=f"S{part}", lines=self.refs(lines))
            if rng.random() < 0.6:
                refs = self.refs(lines) if rng.random() < 0.5 else "all"
                self.add("shipment.delivered", self.after(last, 5), order_id=order_id, lines=refs)
        for part in range(rng.choice([0, 0, 1, 1, 2, 3])):
            self.back(order_id, lines, self.after(last, rng.choice([3, 40, 120])), part)

    def back(self, order_id: str, lines: Sequence[Mapping[str, Any]], at: datetime, part: int) -> None:
        """A late cancel, a return, or an exchange with (at times) its replacement."""
        rng, refs, roll = self.rng, self.refs(lines), self.rng.random()
        if roll < 0.2:
            self.add("order.cancelled", at, order_id=order_id, reason=rng.choice(self.reasons), lines=refs)
            return
        kind = "return" if roll < 0.75 else "exchange"
        fields: dict[str, Any] = {"order_id": order_id, f"{kind}_id": f"B{part}"}
        if rng.random() < 0.6:
            self.add(f"{kind}.requested", at, **fields, lines=refs)
            at = self.after(at, 10)
        if rng.random() < 0.9:
            self.add(f"{kind}.received", at, **fields, lines=refs)
        if kind == "exchange" and rng.random() < 0.8:
            self.add("exchange.shipped", self.after(at, 5), **fields, lines=[self.line(0)])

    # -- what is told of other facts

    def tell_more(self) -> None:
        """Facts that are about other facts: told a moment before them, or twice under an id of their own."""
        for event in tuple(self.events):
            if self.rng.random() < 0.25:
                of = getattr(self, f"of_{event.type.replace('.', '_')}", None)
                if of is not None:
                    of(json.loads(event.body), event.time)

    def about(self, at: datetime) -> datetime:
        """An instant around another: seconds before it or after it, or days after it."""
        rng = self.rng
        return at + rng.choice([timedelta(seconds=rng.randrange(-90, 90)), timedelta(0), rng.randrange(20) * _DAY])

    def of_shipment_dispatched(self, data: dict[str, Any], at: datetime) -> None:
        refs = self.rng.choice(["all", data["lines"]])
        fields = {"order_id": data["order_id"], "shipment_id": data["shipment_id"]}
        self.add("shipment.delivered", self.about(at), **fields, lines=refs)
        if self.rng.random() < 0.3:
            self.add("shipment.dispatched", self.about(at), **fields, lines=refs)

    def of_exchange_shipped(self, data: dict[str, Any], at: datetime) -> None:
        lines = data["lines"] if self.rng.random() < 0.3 else [self.line(0), self.line(1)]
        shipment = self.rng.choice([None, "P1", "P2"])
        self.add("exchange.shipped", self.about(at), **{**data, "lines": lines, "shipment_id": shipment})

    def of_points_held(self, data: dict[str, Any], at: datetime) -> None:
        self.add("points.released", self.about(at), **data)

    def of_redemption_requested(self, data: dict[str, Any], at: datetime) -> None:
        fields = {name: data[name] for name in ("member_id", "redemption_id")}
        self.add("redemption.released", at - timedelta(seconds=self.rng.randrange(90)), **fields)

    def of_order_cancelled(self, data: dict[str, Any], at: datetime) -> None:
        lines = self.rng.choice(["all", data["lines"]])
        for _ in range(2 if self.rng.random() < 0.2 else 1):
            self.add("order.reinstated", self.about(at), order_id=data["order_id"], lines=lines)
        if self.rng.random() < 0.3:
            self.add("shipment.dispatched", self.about(at), order_id=data["order_id"], lines="all")
        if self.rng.random() < 0.3:
            self.add("order.cancelled", self.about(at), **data)

    def of_shipment_delivered(self, data: dict[str, Any], at: datetime) -> None:
        rng, order_id = self.rng, data["order_id"]
        if rng.random() < 0.4:
            what = {"lines": data["lines"]} if rng.random() < 0.5 else {"amount": rng.choice([None, self.points() * 10])}
            self.add("payment.charged_back", self.about(at), order_id=order_id, **what)
            return
        amount = rng.choice([1, 550, self.points() * 10])
        if data["lines"] == "all" or rng.random() < 0.3:
            what = {"amount": amount, "of": rng.choice(["goods", "goods", "shipping"])}
        else:
            named = [{name: value for name, value in each.items() if name != "quantity"} for each in data["lines"]]
            what = {"lines": [{**each, "amount": amount} for each in named]}
        for _ in range(2 if rng.random() < 0.2 else 1):
            self.add("refund.issued", self.about(at), order_id=order_id, refund_id=f"F{rng.randrange(3)}", **what)

    def of_return_received(self, data: dict[str, Any], at: datetime) -> None:
        fields = {"order_id": data["order_id"], "return_id": data["return_id"]}
        if self.rng.random() < 0.8:
            self.add("return.withdrawn", self.about(at), **fields)
        if self.rng.random() < 0.4:
            self.add("return.received", self.about(at), **{**data, "lines": self.rng.choice(["all", data["lines"]])})

    of_return_requested = of_return_received

    def of_exchange_received(self, data: dict[str, Any], at: datetime) -> None:
        self.add("exchange.withdrawn", self.about(at), order_id=data["order_id"], exchange_id=data["exchange_id"])

    of_exchange_requested = of_exchange_received

    def of_order_paid(self, data: dict[str, Any], at: datetime) -> None:
        self.add("payment.failed", self.about(at), order_id=data["order_id"], amount=self.rng.choice([None, self.points()]))
        if self.rng.random() < 0.5:
            self.add("order.paid", self.about(at), order_id=data["order_id"])

    def of_points_adjusted(self, data: dict[str, Any], at: datetime) -> None:
        self.voided(data["member_id"], at, event=self.last_of(at))

    of_survey_won = of_review_posted = of_activity_completed = of_member_registered = of_points_adjusted

    def of_order_placed(self, data: dict[str, Any], at: datetime) -> None:
        if data.get("member_id") is not None and self.rng.random() < 0.5:
            self.voided(data["member_id"], at + self.rng.randrange(60) * _DAY, order_id=data["order_id"])
        if data.get("member_id") is not None and self.rng.random() < 0.2:
            names = [rule.activity for rule in self.terms.activities if rule.event == "activity.completed"]
            about = {"order_id": data["order_id"], "store": self.rng.choice([None, *self.stores])}
            name, reference = self.rng.choice([*filter(None, names), "registration"]), f"G{len(self.events)}"
            told = {"member_id": data["member_id"], "activity": name, "reference": reference, "points": self.points(), **about}
            self.add("activity.completed", self.about(at + self.rng.randrange(60) * _DAY), **told)

    def amend(self) -> None:
        """Orders that are changed around the time of what happens to them."""
        orders = {}
        for event in tuple(self.events):
            data = json.loads(event.body)
            if event.type == "order.placed":
                orders[data["order_id"]] = data
            order = orders.get(data.get("order_id"))
            if order is not None and self.rng.random() < 0.12:
                self.amended(order, self.about(event.time), f"A{self.rng.randrange(4)}")

    def split(self) -> None:
        """Orders that go on as several, and what is told of the parts: at times of the order still, or before they are split."""
        for placed in [event for event in self.events if event.type == "order.placed"]:
            data = json.loads(placed.body)
            if self.rng.random() > 0.25:
                continue
            order_id, at = data["order_id"], self.about(placed.time)
            names = [f"{order_id}-{number}" for number in range(1, self.rng.choice([3, 3, 4]))]
            if self.rng.random() < 0.3:
                names[0] = order_id
            self.add("order.split", at, order_id=order_id, into=self.parts(names, data["lines"]))
            if self.rng.random() < 0.2:
                again = [f"{names[-1]}-{number}" for number in (1, 2)]
                self.add("order.split", self.about(at), order_id=names[-1], into=self.parts(again, data["lines"]))
                names += again
            for place, event in enumerate(self.events):
                told = json.loads(event.body)
                about = told.get("order_id") == order_id and "member_id" not in told and event.type != "order.split"
                if about and event.time >= at and self.rng.random() < 0.7:
                    body = json.dumps({**told, "order_id": self.rng.choice(names)}, sort_keys=True).encode()
                    kept = (event.source, event.id, event.type, event.time, event.program, None, body)
                    self.events[place] = Event.from_stored(*kept)

    def parts(self, names: Sequence[str], lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The pieces of lines dealt to parts; at times one is left out."""
        dealt: dict[str, dict[tuple[str, str], int]] = {name: {} for name in names}
        for index, line in enumerate(lines):
            for _ in range(line["quantity"]):
                if self.rng.random() < 0.99:
                    own, key = dealt[self.rng.choice(names)], ("line_id", line.get("line_id", str(index + 1)))
                    own[key] = own.get(key, 0) + 1
        for own in dealt.values():
            own.update({("line_id", "1"): 1} if not own else {})
        return [
            {"order_id": name, "lines": [{by: line, "quantity": n} for (by, line), n in own.items()]}
            for name, own in dealt.items()
        ]

    def contest(self) -> None:
        """Orders that somebody else was told to have placed too, and commands that say whose they are, before them or after."""
        first: dict[str, Event] = {}
        for event in sorted(self.events, key=lambda each: each.key):
            if event.type == "order.placed":
                first.setdefault(json.loads(event.body)["order_id"], event)
        for event in first.values():
            data = json.loads(event.body)
            if self.rng.random() > 0.3:
                continue
            self.events.append(self.noted(event, {"order_id": data["order_id"]}))
            for _ in range(self.rng.randrange(3)):
                self.add("order.claimed", self.about(event.time), order_id=data["order_id"], member_id=data["member_id"])
                if self.rng.random() < 0.4:
                    lost = self.events.pop()
                    self.events.append(self.noted(lost, {"order_id": data["order_id"], "lost": True}))

    def noted(self, of: Event, data: dict[str, Any]) -> Event:
        """That an order is contested, as the worker notes it: beside its first telling, or as somebody else's command."""
        source, id_ = (of.source, of.id) if "lost" in data else (CONTESTED_SOURCE, data["order_id"])
        program, body = self.terms.program, json.dumps(data, sort_keys=True).encode()
        return Event.from_stored(source, id_, "order.contested", of.time, program, None, body)

    def amended(self, data: Mapping[str, Any], at: datetime, name: str) -> None:
        """Lines removed, added, in other quantities, at other prices; other points, fees; at times told twice."""
        rng = self.rng
        lines = [{**each} for each in data["lines"] if rng.random() < 0.8]
        for each in lines:
            each["quantity"] = rng.choice([each["quantity"], rng.randrange(1, 5)])
            each["discount"] = 0
            if rng.random() < 0.3:
                each["unit_price"] = rng.choice([0, 1, each["unit_price"] // 2, each["unit_price"] * 3])
            if rng.random() < 0.1:
                each.pop("line_id", None)
        if not lines or rng.random() < 0.3:
            lines.append({**self.line(0), "line_id": rng.choice(["L0", "L1", "L7"])})
        lines = list({each.get("line_id", f"{number} {each['sku']}"): each for number, each in enumerate(lines)}.values())
        points = rng.choice([None, None, 0, data.get("points_used") or 0, self.points(), self.points() * 4])
        fee = rng.choice([None, 0, 550])
        fields = {"order_id": data["order_id"], "amendment_id": name, "points_used": points, "shipping_fee": fee}
        for _ in range(2 if rng.random() < 0.2 else 1):
            self.add("order.amended", self.about(at), lines=lines, **fields)

    def last_of(self, at: datetime) -> dict[str, str]:
        """Some event of an instant, as another one names it."""
        event = self.rng.choice([each for each in self.events if each.time == at])
        return {"source": event.source, "id": event.id}

    def voided(self, member: str, at: datetime, **what: Any) -> None:
        points = self.rng.choice([None, None, self.points()])
        for _ in range(2 if self.rng.random() < 0.2 else 1):
            self.add("points.voided", self.about(at), member_id=member, points=points, reason="mistake", **what)

    # -- everything else

    def activity(self, member: str) -> None:
        rng, at = self.rng, self.instant()
        number = rng.randrange(4)
        kind = rng.choice(["survey", "review", "activity"])
        if kind == "survey":
            self.add("survey.won", at, member_id=member, survey_id=f"V{number}", points=self.points())
        elif kind == "review":
            self.add("review.posted", at, member_id=member, review_id=f"W{number}", sku=rng.choice(_SKUS))
        else:
            names = [rule.activity for rule in self.terms.activities if rule.event == "activity.completed" and rule.activity]
            name = rng.choice([*names, "visit"])
            self.add(
                "activity.completed", at, member_id=member, activity=name, reference=f"T{number}", points=rng.choice([None, 80])
            )

    def command(self, member: str) -> None:
        rng, at = self.rng, self.instant()
        roll = rng.random()
        mine = [order_id for order_id, home in self.homes.items() if home == member]
        if roll < 0.45:
            last: date | None = (at + rng.randrange(-20, 200) * _DAY).date() if rng.random() < 0.3 else None
            kind = rng.choice([None, *self.kinds])
            self.add(
                "points.adjusted", at, member_id=member, points=self.points() * 3, kind=kind, expires_on=last, reason="goodwill"
            )
        elif roll < 0.6:
            self.add("points.adjusted", at, member_id=member, points=-self.points(), reason="mistake")
        elif roll < 0.65:
            self.add("points.adjusted", at, member_id=member, points="all", reason="fraud")
        else:
            what: dict[str, Any] = {"order_id": rng.choice(mine)} if mine and rng.random() < 0.5 else {"points": self.points()}
            self.add("points.held", at, member_id=member, **what, reason="look")
            if rng.random() < 0.8:
                self.add("points.released", self.after(at, 90), member_id=member, **what, reason="fine")
        if roll > 0.9:
            self.later_commands(member, mine, at)

    def later_commands(self, member: str, mine: Sequence[str], at: datetime) -> None:
        """Rewards, conversions and a subscription's points, for programs whose fold knows them."""
        rng = self.rng
        if self.terms.rewards is not None:
            sku = rng.choice([*self.terms.rewards.items, "NOT_OFFERED"])
            self.add(
                "reward.requested",
                at,
                member_id=member,
                request_id=f"Q{len(self.events)}",
                reward_sku=sku,
                quantity=rng.choice([1, 2]),
            )
        for conversion in self.terms.conversions:
            self.of_conversion(member, conversion, mine, at)
        if self.terms.redemption.subscription is not None and mine:
            self.add(
                "subscription.points-set",
                at,
                member_id=member,
                request_id=f"Q{len(self.events)}",
                order_id=rng.choice(mine),
                points=self.points(),
            )

    def of_conversion(self, member: str, conversion: Conversion, mine: Sequence[str], at: datetime) -> None:
        """A conversion asked for, and what is told of its vouchers, whether they are there or not."""
        rng, id_ = self.rng, conversion.id
        asked = f"K{rng.randrange(3)}"
        if conversion.at == "request":
            points = rng.choice([None, conversion.points * rng.randrange(1, 4), self.points()])
            self.add("conversion.requested", at, member_id=member, request_id=asked, conversion=id_, points=points)
        days = [each.time.date().replace(day=10).isoformat() for each in self.events[-3:]]
        which = {"threshold": [str(rng.randrange(1, 6))], "calendar": [f"{day}:1" for day in days], "request": [f"{asked}:1"]}
        voucher_id = f"{id_}:{rng.choice(which[conversion.at])}"
        order_id = rng.choice([None, *mine])
        told = self.after(at, 60)
        self.add("voucher.used", told, member_id=member, voucher_id=voucher_id, order_id=order_id)
        if order_id is not None and rng.random() < 0.4:
            self.add("order.cancelled", self.after(told, 20), order_id=order_id, lines="all", reason="customer_request")
        if rng.random() < 0.2:
            self.add("voucher.voided", self.after(told, 30), member_id=member, voucher_id=voucher_id, reason="mistake")
