"""Random lives of a member that keep to what the naive rules know: returns, and exchanges, of goods that shipped."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from contracts.events import Event

KEPT = Path(__file__).with_name("kept.ndjson")
START = datetime(2024, 8, 1, tzinfo=UTC)
STORES = {
    "lenovo-pro": ("lenovo_pro_jp", "lenovo_outlet"),
    "scolar": ("scolar_web", "scolar_shop_counter"),
    "belle-maison": ("bellemaison", "external_mall"),
}
CATEGORIES = {
    "lenovo-pro": ("managed_service", "software_subscription"),
    "scolar": ("points_excluded",),
    "belle-maison": ("sale", "outlet", "voucher", "donation", "subscription_group"),
}
SKUS = ("A", "B", "C")
_REASONS = ("customer_request", "out_of_stock", "bank_transfer_unpaid_auto_cancel", "cod_refused")
_MINUTE = timedelta(minutes=1)


class Maker:
    """Makes one history of a program."""

    def __init__(self, code: str, seed: int, span_days: int) -> None:
        self.code = code
        self.rng = Random(f"{code} {seed}")
        self.span = span_days
        self.events: list[Event] = []
        self.rich = self.rng.random() < 0.25

    def make(self) -> list[Event]:
        """Events in business order."""
        rng = self.rng
        joined = START + rng.randrange(40 * 24 * 60) * _MINUTE
        country = rng.choice(["JP", "JP", "US"])
        self.add("member.registered", joined, member_id="M", country=country)
        if rng.random() < 0.9:
            self.add("member.enrolled", self.after(joined, 3), member_id="M", country=country)
        for number in range(rng.randrange(1, 12)):
            self.order(f"O{number}")
        for _ in range(rng.randrange(8)):
            self.extra()
        if rng.random() < 0.1:
            self.add(
                "points.adjusted", max(event.time for event in self.events) + _MINUTE, member_id="M", points="all", reason="fraud"
            )
        # By numbers of their own, so that a life is what it was before there were any of these.
        self.rng = Random(f"later {self.code} {rng.random()}")
        for event in tuple(self.events):
            self.more(event.type, event.id, json.loads(event.body), event.time)
        return sorted(self.events, key=lambda event: event.key)

    def more(self, type_: str, id_: str, data: dict[str, Any], at: datetime) -> None:
        """Now and then money goes back without goods, a grant is taken back, or a return is told by mistake."""
        rng, later = self.rng, self.after(at, 90)
        if type_ == "points.adjusted" and data["points"] != "all" and data["points"] > 0 and rng.random() < 0.3:
            points = rng.choice([None, None, rng.randrange(1, 2_000)])
            event = {"source": "//shop", "id": id_}
            self.add("points.voided", later, member_id="M", event=event, points=points, reason="mistake")
        elif type_ == "order.placed" and rng.random() < 0.15:
            line = rng.choice(data["lines"])
            refund = {"line_id": line["line_id"], "amount": rng.choice([1, 300, line["unit_price"], rng.randrange(1, 20_000)])}
            self.add("refund.issued", later, order_id=data["order_id"], refund_id=f"F{len(self.events)}", lines=[refund])
        elif type_ == "order.placed" and rng.random() < 0.1:
            told = {"order_id": data["order_id"], "return_id": f"B{len(self.events)}"}
            self.add("return.received", later, **told, lines="all")
            self.add("return.withdrawn", later + timedelta(seconds=1), **told)

    def instant(self) -> datetime:
        """Any instant, often midnight in Tokyo."""
        at = START + self.rng.randrange(self.span * 24 * 60) * _MINUTE
        return at.replace(hour=15, minute=0) if self.rng.random() < 0.2 else at

    def after(self, at: datetime, days: int) -> datetime:
        later = at + self.rng.randrange(1, days * 24 * 60) * _MINUTE
        return max(at + _MINUTE, later.replace(hour=15, minute=0)) if self.rng.random() < 0.2 else later

    def add(self, type_: str, at: datetime, **data: Any) -> None:
        body = json.dumps(
            {name: value for name, value in data.items() if value is not None}, sort_keys=True, default=str
        ).encode()
        name = f"{self.rng.getrandbits(24):06x}-{len(self.events)}"
        self.events.append(Event.from_stored("//shop", name, type_, at, self.code, None, body))

    def line(self, number: int) -> dict[str, Any]:
        rng = self.rng
        price = rng.choice([99, 200, 999, 1_000, 3_333, 12_345, rng.randrange(1, 50_000)]) * (500 if self.rich else 1)
        quantity = rng.choice([1, 1, 2, 3])
        line = {"line_id": f"L{number}", "sku": rng.choice(SKUS), "quantity": quantity, "unit_price": price}
        line["tax"] = price * quantity // 10
        if quantity == 1 and rng.random() < 0.2:
            line["discount"] = rng.randrange(price)
        if rng.random() < 0.15:
            line["category"] = rng.choice(CATEGORIES[self.code])
        if rng.random() < 0.15:
            line["point_rate"] = rng.choice(["0.02", "0.1"])
        if self.code == "belle-maison" and rng.random() < 0.2:
            line["bonus_points"] = [{"points": rng.randrange(1, 300), "kind": "special"}]
        return line

    def order(self, order_id: str) -> None:
        rng, at = self.rng, self.instant()
        lines = [self.line(number) for number in range(rng.choice([1, 1, 2, 3]))]
        store = STORES[self.code][rng.random() < 0.1]
        how = rng.random()
        self.add(
            "order.placed",
            at,
            order_id=order_id,
            member_id="M",
            store=store,
            signed_in=None if rng.random() < 0.9 else False,
            lines=lines,
            shipping_fee=rng.choice([0, 550]),
            payment_method=rng.choice(["credit_card", "bank_transfer"]),
            points_used=self.points() if how < 0.5 else None,
            use_all_points=True if 0.5 < how < 0.6 else None,
            redemption_id=self.reservation(at, store) if 0.6 < how < 0.75 else None,
        )
        left = {line["line_id"]: line["quantity"] for line in lines}
        if rng.random() < 0.2:
            at = self.after(at, 3)
            self.back("order.cancelled", at, order_id, left, reason=rng.choice(_REASONS))
        if rng.random() < 0.15:
            self.ship_in_parts(order_id, at, left)
            return
        shipped: list[dict[str, int]] = []
        while left and rng.random() < 0.8:
            at = self.after(at, 12)
            some = dict(rng.sample(sorted(left.items()), rng.randrange(1, len(left) + 1)))
            refs = [{"line_id": name, "quantity": count} for name, count in some.items()]
            whole = len(some) == len(left) and rng.random() < 0.5
            self.add("shipment.dispatched", at, order_id=order_id, lines="all" if whole else refs)
            shipped.append(some)
            left = {name: count for name, count in left.items() if name not in some}
        sent_at = at
        while shipped and rng.random() < 0.35:
            at, parcel = self.after(at, rng.choice([5, 60, 150])), rng.choice(shipped)
            if rng.random() < 0.3:
                self.exchange(at, sent_at, order_id, parcel)
            else:
                self.back_or_refused(at, order_id, parcel)
            shipped = [each for each in shipped if each]

    def ship_in_parts(self, order_id: str, at: datetime, left: dict[str, int]) -> None:
        """Pieces of a line go one after the other, and some may come back, or all."""
        rng = self.rng
        gone: dict[str, int] = {}
        while left and rng.random() < 0.9:
            at, before = self.after(at, 12), dict(left)
            self.back("shipment.dispatched", at, order_id, left)
            for name, count in before.items():
                gone[name] = gone.get(name, 0) + count - left.get(name, 0)
            gone = {name: count for name, count in gone.items() if count}
            if gone and rng.random() < 0.1:
                at = self.after(at, 12)
                self.back("return.received", at, order_id, gone)
        while gone and rng.random() < 0.4:
            at = self.after(at, 60)
            self.back_or_refused(at, order_id, gone)

    def back_or_refused(self, at: datetime, order_id: str, parcel: dict[str, int]) -> None:
        """Some pieces that were sent come back as a return, or were never taken: that is a cancel."""
        if self.rng.random() < 0.2:
            self.back("order.cancelled", at, order_id, parcel, reason=self.rng.choice(_REASONS))
        else:
            self.back("return.received", at, order_id, parcel)

    def exchange(self, at: datetime, sent_at: datetime, order_id: str, left: dict[str, int]) -> None:
        """Some pieces come back, and others go out for them, sooner or later."""
        rng = self.rng
        name = f"X{len(self.events)}"
        self.back("exchange.received", at, order_id, left, exchange_id=name)
        if rng.random() < 0.8:
            lines = [self.line(number) for number in range(rng.choice([1, 1, 2]))]
            at = max(at + rng.randrange(-2 * 24 * 60, 5 * 24 * 60) * _MINUTE, sent_at + _MINUTE)
            self.add("exchange.shipped", at, order_id=order_id, exchange_id=name, lines=lines)

    def points(self) -> int:
        return self.rng.choice([1, 50, 500, 700, self.rng.randrange(1, 3_000)])

    def reservation(self, ordered_at: datetime, store: str) -> str:
        """Points reserved some time before an order, mostly for long enough, for its store, and not given up."""
        rng = self.rng
        name, at = f"R{len(self.events)}", ordered_at - rng.choice([1, 29, 31, 600, 1_500]) * _MINUTE
        seconds = rng.choice([None, 60 * 60 + 7, 100_000])
        store = store if rng.random() < 0.9 else STORES[self.code][0]
        told = {"member_id": "M", "redemption_id": name}
        self.add("redemption.requested", at, **told, points=self.points(), store=store, expires_in_seconds=seconds)
        if rng.random() < 0.2:
            self.add("redemption.released", at + _MINUTE / 2, **told)
        return name

    def back(self, type_: str, at: datetime, order_id: str, left: dict[str, int], **data: Any) -> None:
        """Take some pieces of what is left out of it."""
        rng = self.rng
        some = {name: rng.randrange(1, left[name] + 1) for name in rng.sample(sorted(left), rng.randrange(1, len(left) + 1))}
        for name, count in some.items():
            left[name] -= count
            if not left[name]:
                del left[name]
        refs = [{"line_id": name, "quantity": count} for name, count in some.items()]
        self.add(type_, at, order_id=order_id, lines=refs, **data)

    def extra(self) -> None:
        rng, at = self.rng, self.instant()
        roll = rng.random()
        if roll < 0.3:
            last = (at + rng.randrange(1, 200) * timedelta(days=1)).date() if rng.random() < 0.3 else None
            self.add("points.adjusted", at, member_id="M", points=rng.randrange(1, 3_000), expires_on=last, reason="goodwill")
        elif roll < 0.4:
            self.add("points.held", at, member_id="M", points=self.points(), reason="a doubt")
        elif roll < 0.5:
            self.add("points.released", at, member_id="M", points=self.points(), reason="no doubt")
        elif roll < 0.6:
            self.add("points.adjusted", at, member_id="M", points=-rng.randrange(1, 500), reason="mistake")
        elif roll < 0.8:
            self.add("review.posted", at, member_id="M", review_id=f"V{len(self.events)}", sku=rng.choice(SKUS))
        else:
            self.add("survey.won", at, member_id="M", survey_id=f"S{len(self.events)}", points=rng.randrange(1, 500))


def kept() -> list[tuple[str, list[Event]]]:
    """Lives in which fold and naive rules once differed, whichever was wrong, and what about."""
    lives = [json.loads(line) for line in KEPT.read_text(encoding="utf-8").splitlines()]
    return [
        (
            told["why"],
            [
                Event.from_stored(
                    "//shop",
                    id_,
                    type_,
                    datetime.fromisoformat(at),
                    told["program"],
                    None,
                    json.dumps(data, sort_keys=True).encode(),
                )
                for at, type_, id_, data in told["events"]
            ],
        )
        for told in lives
    ]


def life(code: str, seed: int) -> list[Event]:
    """A member's life in a program; one in five goes on for years."""
    return Maker(code, seed, 300 if seed % 5 else 1_500).make()
