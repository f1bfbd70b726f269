"""What the published terms of three programs say, once more: plain lists, one pass over all days, nothing kept between questions.

Written from the terms alone. Shares no code with `worker.decide`: it reads the JSON of the events and does its own arithmetic.
Points set aside are in `holding.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import date, datetime, timedelta
from typing import Any

from tests.oracle.holding import Holding
from tests.oracle.records import NEVER, Grant, Purchase, Reservation, Told, day_of, line_of, months_later, start_of


def _not_withdrawn(events: list[Told]) -> list[Told]:
    """Events without returns that are withdrawn later, and without what withdraws them."""
    withdrawn = {event.data["return_id"] for event in events if event.type == "return.withdrawn"}
    return [event for event in events if event.data.get("return_id") not in withdrawn]


class Rules(Holding, ABC):
    """One member of one program, walked through day by day."""

    lowest = ""
    back_after_days = 0
    minimum, maximum = 1, 10**9
    not_payable: tuple[str, ...] = ()
    excluded_store = "none"
    kind = "regular"
    adjusted_kind = "regular"
    signed_in_only = False

    def __init__(self) -> None:
        super().__init__()
        self.today = date(1, 1, 1)
        self.registered: datetime | None = None
        self.enrolled: datetime | None = None
        self.country: str | None = None
        self.tier = self.lowest
        self.grants: list[Grant] = []
        self.orders: dict[str, Purchase] = {}
        self.debt = 0
        self.lapsed = 0
        self.lost = 0
        self.revoked = 0
        self.prolonged: dict[str, date] = {}
        """When the balance was last prolonged, by the order that brought it ("": no order)."""
        self.done: set[str] = set()
        self.event = ""

    # -- the walk

    def walk(self, events: list[Told], until: datetime) -> None:
        """Everything up to an instant, in business order; before what happens at an instant comes what the day brings."""
        self.today = day_of(min((event.at for event in events), default=until)) - timedelta(days=1)
        for event in _not_withdrawn(sorted((event for event in events if event.at <= until), key=lambda event: event.key)):
            self.days_until(event.at)
            self.take(event)
        self.days_until(until)

    def days_until(self, at: datetime) -> None:
        while self.today < day_of(at):
            self.end_reservations(start_of(self.today + timedelta(days=1)))
            self.today += timedelta(days=1)
            self.morning()
        self.end_reservations(at)

    def morning(self) -> None:
        """00:00 in Tokyo: what is over lapses, what is due becomes usable, what is on its way back arrives."""
        for grant in self.grants:
            if not grant.pending and grant.points and (last := self.last_day(grant)) is not None and last < self.today:
                self.lapsed += grant.points
                grant.lapsed += grant.points
                grant.points = 0
        for grant in self.grants:
            if grant.pending and grant.usable_on is not None and grant.usable_on <= self.today:
                grant.pending = False
                if grant.last_day is None and not grant.follows_pool:
                    grant.last_day = self.lasts_until(grant.usable_on)
                self.set_off(grant)
        for order in self.orders.values():
            arriving = [each for each in order.on_the_way if each[0] <= self.today]
            order.on_the_way = [each for each in order.on_the_way if each[0] > self.today]
            for _, points in arriving:
                self.put_back(order, points)
        self.review_tier()

    def last_day(self, grant: Grant) -> date | None:
        return self.pool_last_day() if grant.follows_pool else grant.last_day

    def pool_last_day(self) -> date | None:
        """Until when the whole balance lasts; an order of which every piece was cancelled has not prolonged it."""
        days = [day for order_id, day in self.prolonged.items() if not order_id or not self.called_off(self.orders[order_id])]
        return months_later(max(days), 12) if days else None

    def called_off(self, order: Purchase) -> bool:
        return all(line.cancelled == line.quantity for line in order.lines)

    # -- points

    def available(self) -> int:
        return sum(grant.points for grant in self.grants if not grant.pending) - self.debt

    def grant(self, points: int, kind: str, order: Purchase | None, part: str, usable_on: date | None, last: date | None) -> None:
        """New points: pending until a day (None: a day not known yet), or usable now (today)."""
        pending = usable_on is None or usable_on > self.today
        pooled = last is None and self.pools()
        if last is None and not pooled and not pending:
            last = self.lasts_until(self.today)
        order_id = order.order_id if order is not None else None
        shipment = order.shipments if order is not None else 0
        new = Grant(len(self.grants), kind, self.today, points, usable_on, last, order_id, part, pending, pooled, shipment)
        new.cause = "" if order is not None else self.event
        self.grants.append(new)
        if self.pools():
            self.prolonged[order_id or ""] = self.today
        if not pending:
            self.set_off(new)

    def set_off(self, grant: Grant) -> None:
        """What is owed is paid first."""
        part = min(self.debt, grant.points)
        self.debt -= part
        grant.points -= part

    def in_order_of_use(self) -> list[Grant]:
        usable = [grant for grant in self.grants if not grant.pending and grant.points]
        return sorted(
            usable, key=lambda grant: (self.last_day(grant) or NEVER, grant.usable_on or grant.granted_on, grant.number)
        )

    def take_from(self, grants: list[Grant], points: int) -> list[tuple[Grant, int]]:
        taken = []
        for grant in grants:
            part = min(points, grant.points)
            if part:
                grant.points -= part
                points -= part
                taken.append((grant, part))
        self.debt += points
        return taken

    def put_back(self, order: Purchase, points: int) -> None:
        """Used points return to the grants that they came from, the first taken first; those that are over lapse."""
        order.given_back += points
        for index, (grant, part) in enumerate(order.taken):
            some = min(points, part)
            points -= some
            order.taken[index] = (grant, part - some)
            self.return_to(grant, some)

    def return_to(self, grant: Grant, points: int) -> None:
        """Points that had been taken are in their grant again, unless that is over; what is owed is paid first."""
        last = self.last_day(grant)
        if last is not None and last < self.today:
            self.lapsed += points
        else:
            paid = min(self.debt, points)
            self.debt -= paid
            grant.points += points - paid

    # -- events

    def take(self, event: Told) -> None:
        data = event.data
        self.event = event.id
        match event.type:
            case "member.registered":
                first = self.registered is None
                self.registered = self.registered or event.at
                self.country = data.get("country") or self.country
                if first:
                    self.welcome()
            case "member.enrolled":
                self.enrolled = self.enrolled or event.at
                self.country = data.get("country") or self.country
            case "survey.won":
                self.survey(data)
            case "review.posted":
                self.review(data)
            case "points.adjusted":
                self.adjust(data)
            case "points.voided":
                self.void(data["event"]["id"], data.get("points", 10**12))
            case "points.held":
                self.hold(data["points"])
            case "points.released":
                self.release(data["points"])
            case "redemption.requested":
                self.reserve(event.at, data)
            case "redemption.released":
                self.give_up(data["redemption_id"])
            case "order.placed":
                self.place(event.at, data)
            case _:
                order = self.orders[data["order_id"]]
                if order.verdict != "rejected":
                    self.follow(order, event.type, data)

    @abstractmethod
    def welcome(self) -> None:
        """Points for registering, if there are any."""

    @abstractmethod
    def survey(self, data: dict[str, Any]) -> None:
        """Points won in a survey, if they count."""

    @abstractmethod
    def review(self, data: dict[str, Any]) -> None:
        """Points for a review, if there are any."""

    def adjust(self, data: dict[str, Any]) -> None:
        points, last = data["points"], data.get("expires_on")
        if points == "all":
            self.revoke_all()
        elif points > 0:
            self.grant(
                points, data.get("kind") or self.adjusted_kind, None, "", self.today, date.fromisoformat(last) if last else None
            )
        else:
            self.take_from(self.in_order_of_use(), -points)

    def void(self, event: str, points: int) -> None:
        """What an event granted is taken back: from there, else from what lasts longest, but for what has lapsed of it."""
        for grant in [each for each in self.grants if each.cause == event]:
            gone = min(points, grant.kept - grant.voided)
            points -= gone
            grant.voided += gone
            lapsed = min(max(gone - grant.points, 0), grant.lapsed)
            grant.lapsed -= lapsed
            self.revoked += gone - lapsed
            rest = [each for each in self.in_order_of_use() if each is not grant]
            rest.sort(key=lambda each: self.last_day(each) or NEVER, reverse=True)
            self.take_from([grant, *rest], gone - lapsed)

    def place(self, at: datetime, data: dict[str, Any]) -> None:
        lines = [line_of(each) for each in data["lines"]]
        order = Purchase(data["order_id"], at, lines, data.get("shipping_fee", 0), False, self.tier)
        self.orders[order.order_id] = order
        member = self.is_member(at)
        if data.get("points_used") or data.get("use_all_points") or "redemption_id" in data:
            points, order.reason = self.asked(order, data) if member else (0, "not_a_member")
            order.verdict = "rejected" if order.reason else "accepted"
            if order.reason:
                return
            self.use(order, points, self.reservations.get(data.get("redemption_id", "")))
        order.earns = member and data["store"] != self.excluded_store
        if self.signed_in_only and not data.get("signed_in", True):
            order.earns = False
        self.settle(order)

    @abstractmethod
    def is_member(self, at: datetime) -> bool:
        """Whether orders placed now earn and may be paid with points."""

    def asked(self, order: Purchase, data: dict[str, Any]) -> tuple[int, str | None]:
        """How many points an order wants to use, and why it may not."""
        points, covered = data.get("points_used", 0), self.available()
        total = sum(line.goods + line.tax for line in order.lines) + order.fees
        payable = [line for line in order.lines if line.category not in self.not_payable]
        most = total if len(payable) == len(order.lines) else sum(line.goods + line.tax for line in payable)
        if data["store"] == self.excluded_store:
            return points, "store_not_eligible"
        if "redemption_id" in data:
            reserved = self.reservations[data["redemption_id"]]
            if reserved.status != "held":
                return points, "redemption_ended"
            points = covered = points or reserved.points
            if points != reserved.points or data["store"] != reserved.store:
                return points, "redemption_mismatch"
        elif data.get("use_all_points"):
            points = max(min(covered, most, self.maximum), 0)
            if not points and self.minimum == 1:
                return 0, None
        if points < self.minimum:
            return points, "below_minimum"
        if points > self.maximum:
            return points, "above_maximum"
        if points > most and most < total:
            return points, "line_not_redeemable"
        if points > total:
            return points, "exceeds_payable"
        return points, self.refusal_of_payment(points, total, data) or ("insufficient_points" if points > covered else None)

    def refusal_of_payment(self, points: int, total: int, data: dict[str, Any]) -> str | None:
        return None

    def use(self, order: Purchase, points: int, reserved: Reservation | None) -> None:
        if not points:
            return
        order.used = points
        order.taken = reserved.taken if reserved else self.take_from(self.in_order_of_use(), points)
        if reserved:
            reserved.status = "used"
        payable = [line for line in order.lines if line.category not in self.not_payable]
        prices = [line.goods + line.tax for line in payable]
        on_goods = min(points, sum(prices))
        for line, price in zip(payable, prices, strict=True):
            line.used = on_goods * price // sum(prices)
        payable[-1].used += on_goods - sum(line.used for line in payable)

    def follow(self, order: Purchase, type_: str, data: dict[str, Any]) -> None:
        order.shipments += type_ in ("shipment.dispatched", "exchange.shipped")
        order.touched = set()
        if type_ == "refund.issued":
            for each in data["lines"]:
                next(line for line in order.lines if line.name == each["line_id"]).refund(each["amount"])
            self.settle(order)
            return
        if type_ == "exchange.shipped":
            for each in data["lines"]:
                new = line_of(each, f"{data['exchange_id']}:")
                new.replacement = True
                new.send(self.today, order.shipments, new.quantity)
                order.lines.append(new)
            self.settle(order)
            return
        names = None if data["lines"] == "all" else {each["line_id"]: each["quantity"] for each in data["lines"]}
        for line in order.lines:
            left = line.left_to_send if type_ == "shipment.dispatched" else line.quantity - line.gone
            count = left if names is None else min(left, names.get(line.name, 0))
            if not count:
                continue
            order.touched |= {number for _, number, _ in line.sent}
            if type_ == "shipment.dispatched":
                line.send(self.today, order.shipments, count)
            elif type_ == "order.cancelled":
                line.cancel(count)
            else:
                line.take_back(count)
        if type_ != "shipment.dispatched":
            self.reverse(order, forfeits=type_ == "order.cancelled" and data["reason"] in self.forfeiting())
        self.settle(order)

    def forfeiting(self) -> tuple[str, ...]:
        """Reasons of a cancel for which used points are lost."""
        return ()

    def reverse(self, order: Purchase, *, forfeits: bool) -> None:
        """Used points on what is gone come back (or are lost)."""
        gone = order.used if order.all_gone else sum(line.used * line.gone // line.quantity for line in order.lines)
        points = gone - order.given_back - order.forfeited - sum(each for _, each in order.on_the_way)
        if points <= 0:
            return
        if forfeits:
            order.forfeited += points
            self.lost += points
            for index, (grant, part) in enumerate(order.taken):
                some = min(points, part)
                points -= some
                order.taken[index] = (grant, part - some)
        elif self.back_after_days:
            order.on_the_way.append((self.today + timedelta(days=self.back_after_days), points))
        else:
            self.put_back(order, points)

    # -- earning

    def settle(self, order: Purchase) -> None:
        """What the order should hold, less what it holds, is granted or taken away."""
        due = self.entitled(order) if order.earns else {}
        for part in sorted({*due, *order.holds}):
            points, usable_on, kind = due.get(part, (0, None, self.kind))
            held = order.holds.get(part, 0)
            for grant in self.grants:
                if grant.pending and (grant.order_id, grant.part) == (order.order_id, part):
                    grant.usable_on = usable_on if part in due else grant.usable_on
            if points > held:
                self.grant(points - held, kind, order, part, usable_on, None)
            else:
                self.take_away(order, part, held - points)
            order.holds[part] = points

    def take_away(self, order: Purchase, part: str, points: int) -> None:
        """From the order's own grants, then its others, then those of other orders, then below zero."""
        own = [grant for grant in self.grants if (grant.order_id, grant.part) == (order.order_id, part)]
        for grants, some in self.too_much(order, part, own, points):
            self.take_away_from(grants, order, some)

    def too_much(self, order: Purchase, part: str, own: list[Grant], points: int) -> list[tuple[list[Grant], int]]:
        """Which grants lose how much: first what the shipment of what is gone had brought, then the latest (they got what the sum
        had left)."""
        return [(sorted(own, key=lambda grant: (grant.shipment not in order.touched, -grant.number)), points)]

    def take_away_from(self, own: list[Grant], order: Purchase, points: int) -> None:
        for grant in own:
            if grant.pending:
                some = min(points, grant.points)
                grant.points -= some
                points -= some
                self.revoked += some
        usable = [grant for grant in own if not grant.pending]
        for grant in usable:  # what lapsed of these very points is not taken a second time
            some = min(points, grant.lapsed)
            grant.lapsed -= some
            points -= some
        self.revoked += points
        rest = [grant for grant in self.in_order_of_use() if grant not in usable]
        rest.sort(key=lambda grant: grant.order_id != order.order_id)
        self.take_from([*usable, *rest], points)

    @abstractmethod
    def entitled(self, order: Purchase) -> dict[str, tuple[int, date | None, str]]:
        """By part: points, the day from which they are usable (None: not known yet), and their kind."""

    @abstractmethod
    def lasts_until(self, day: date) -> date:
        """The last day of points that became usable on a day."""

    def pools(self) -> bool:
        """Whether the whole balance lasts together."""
        return False

    @abstractmethod
    def review_tier(self) -> None:
        """What a day does to the tier."""
