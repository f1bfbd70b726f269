"""The three programs: what their terms say beyond what all have in common. Names in brackets are rules of the terms."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from tests.oracle.records import Grant, Purchase, month_end, months_later
from tests.oracle.rules import Rules


def in_turn(order: Purchase) -> list[tuple[str, int, int, date | None]]:
    """The parts of an order's lines as they went, what still waits last: name, number of the line, pieces that stayed, and the
    day on which they went. What goes last of a line bears the name of the line."""
    gone, waiting = [], []
    for number, line in enumerate(order.lines):
        name = f"{number:02}"
        for day, parcel, pieces in line.sent:
            last = parcel == line.last_parcel
            gone.append((parcel, not last, number, name if last else f"{name} shipped {parcel:03}", pieces, day))
        if line.last_parcel is None:
            waiting.append((name, number, line.left_to_send, None))
    return [*((name, number, pieces, day) for _, _, number, name, pieces, day in sorted(gone)), *waiting]


class LenovoPro(Rules):
    """Lenovo Pro rewards."""

    lowest = "Pro"
    back_after_days = 3  # LEN-Q10
    not_payable = ("managed_service", "software_subscription")  # LEN-09
    excluded_store = "lenovo_outlet"  # LEN-07
    signed_in_only = True  # LEN-06
    CAP = 500_000  # LEN-20

    def __init__(self) -> None:
        super().__init__()
        self.surveys: dict[int, int] = {}

    def is_member(self, at: datetime) -> bool:
        return self.enrolled is not None and at >= self.enrolled  # LEN-19

    def refusal_of_payment(self, points: int, total: int, data: dict[str, Any]) -> str | None:
        if points == total and data["payment_method"] != "credit_card":
            return "full_redemption_payment_method"  # LEN-24
        return None

    def welcome(self) -> None:
        """None."""

    def review(self, data: dict[str, Any]) -> None:
        """None."""

    def survey(self, data: dict[str, Any]) -> None:
        if self.enrolled is None or self.country != "JP" or data["survey_id"] in self.done:  # LEN-28, LEN-30
            return
        self.done.add(data["survey_id"])
        self.surveys[self.today.year] = self.surveys.get(self.today.year, 0) + data["points"]
        self.grant(data["points"], self.kind, None, "", self.today, None)

    def entitled(self, order: Purchase) -> dict[str, tuple[int, date | None, str]]:
        """LEN-12, LEN-18: the subtotal is rounded once. Each parcel of a line brings what the sum comes to with it, those that
        went first coming first, and is usable by its own date."""
        pieces = [0] * len(order.lines)
        due: dict[str, tuple[int, date | None, str]] = {}
        before, left = 0, dict(order.at_most)
        for name, number, count, day in in_turn(order):
            if order.lines[number].category not in self.not_payable:
                pieces[number] += count
            goods = sum(line.goods * some // line.quantity for line, some in zip(order.lines, pieces, strict=True))
            points, before = goods // 100 - before, goods // 100  # LEN-Q1
            key = f"{number:02}"
            if key in left:  # LEN-Q6: once cut, it stays so
                points = min(points, left[key])
                left[key] -= points
            due[name] = points, None if day is None else day + timedelta(days=30), self.kind
        return due

    def settle(self, order: Purchase) -> None:
        due = self.entitled(order) if order.earns else {}
        for name in due:
            order.holds.setdefault(name, 0)
        self.move_pending(order, due)
        for grant in self.grants:
            if grant.pending and grant.order_id == order.order_id:
                grant.usable_on = due[grant.part][1]
        over = {name: order.holds[name] - points for name, (points, _, _) in due.items()}
        turn = list(due)
        for name in sorted(over, key=lambda name: (-over[name], -turn.index(name))):
            gone = max(min(over[name], sum(over.values())), 0)
            self.take_away(order, name, gone)
            order.holds[name] -= gone
            over[name] -= gone
        # What some hold too much makes up for the first that hold too little.
        spare = sum(max(each, 0) for each in over.values())
        for name in turn:
            made_up = min(max(-over[name], 0), spare)
            spare -= made_up
            self.grant_within_limit(order, name, max(-over[name], 0) - made_up, due[name][1])
        self.review_tier()

    def move_pending(self, order: Purchase, due: dict[str, tuple[int, date | None, str]]) -> None:
        """Pieces that go before the rest of their line take their pending points along; those of pieces that are gone go where
        points are missing."""
        pieces = {name: count for name, _, count, _ in in_turn(order)}
        for to in order.holds:
            for giver in order.holds:
                parted = " shipped" in to and giver[:2] == to[:2]
                own = [grant for grant in self.grants if (grant.order_id, grant.part) == (order.order_id, giver)]
                pending = [grant for grant in own if grant.pending]
                short, spare = due[to][0] - order.holds[to], order.holds[giver] - due[giver][0]
                moved = min(short, spare, sum(grant.points for grant in pending))
                if moved <= 0 or not (parted or not pieces[giver]):
                    continue
                order.holds[giver] -= moved
                order.holds[to] += moved
                for grant in pending:
                    some = min(moved, grant.points)
                    grant.points, moved = grant.points - some, moved - some
                    self.add_waiting(order, to, some, due[to][1])

    def add_waiting(self, order: Purchase, part: str, points: int, usable_on: date | None) -> None:
        """Points that become usable on a day; if that is over, at once."""
        grant = Grant(len(self.grants), self.kind, self.today, points, usable_on, None, order.order_id, part, True)
        self.grants.append(grant)
        if usable_on is not None and usable_on <= self.today:
            grant.pending, grant.last_day = False, self.lasts_until(usable_on)
            self.set_off(grant)

    def grant_within_limit(self, order: Purchase, part: str, points: int, usable_on: date | None) -> None:
        """LEN-20: no more than the limit of the year leaves room for; a line that is cut stays so."""
        allowed = min(points, self.room(order))
        if allowed < points:
            same = sum(held for name, held in order.holds.items() if name[:2] == part[:2])
            order.at_most[part[:2]] = same + allowed
        if allowed:
            self.grant(allowed, self.kind, order, part, usable_on, None)
            order.holds[part] += allowed

    def room(self, order: Purchase) -> int:
        """LEN-20: what the year's limit still lets an order earn."""
        year = order.ordered_on.year
        used = sum(sum(each.holds.values()) for each in self.orders.values() if each.ordered_on.year == year)
        return max(self.CAP - self.surveys.get(year, 0) - used, 0)

    def lasts_until(self, day: date) -> date:
        return month_end(day, 6)  # LEN-26

    def review_tier(self) -> None:
        """LEN-31, LEN-Q13: goods ordered in a calendar year that shipped and stayed; a rank once reached stays."""
        years: dict[int, int] = {}
        for order in self.orders.values():
            if order.earns:
                years[order.ordered_on.year] = years.get(order.ordered_on.year, 0) + order.goods_shipped_and_kept()
        bought = max(years.values(), default=0)
        names = ["Pro", "Plus", "Elite"]
        reached = (bought >= 300_000) + (bought >= 2_000_000)
        self.tier = names[max(names.index(self.tier), reached)]


class Scolar(Rules):
    """ScoLar web store."""

    lowest = "Member"
    minimum, maximum = 500, 10_000  # SCO-20, SCO-21
    excluded_store = "scolar_shop_counter"  # SCO-10
    STAGES = (("Member", 0, 1), ("Silver", 50_000, 2), ("Gold", 150_000, 3), ("VIP", 300_000, 5))  # SCO-04

    def __init__(self) -> None:
        super().__init__()
        self.reviews: dict[str, Grant] = {}
        self.lost_stages = 0
        self.looked_on: date | None = None

    def is_member(self, at: datetime) -> bool:
        return self.registered is not None

    def forfeiting(self) -> tuple[str, ...]:
        return ("bank_transfer_unpaid_auto_cancel", "cod_refused")  # SCO-14

    def pools(self) -> bool:
        return True  # SCO-25

    def welcome(self) -> None:
        self.grant(500, self.kind, None, "", self.today, None)  # SCO-01

    def survey(self, data: dict[str, Any]) -> None:
        """None."""

    def review(self, data: dict[str, Any]) -> None:
        sku = data["sku"]
        if self.registered is not None and self.bought(sku) and sku not in self.done:  # SCO-Q16
            self.done.add(sku)
            self.grant(10, self.kind, None, "", self.today, None)
            self.reviews[sku] = self.grants[-1]

    def bought(self, sku: str) -> bool:
        """Whether a piece of a product was ordered and not cancelled."""
        return any(
            order.verdict != "rejected"
            and any(line.sku == sku and line.quantity > line.cancelled for line in order.lines if not line.replacement)
            for order in self.orders.values()
        )

    def follow(self, order: Purchase, type_: str, data: dict[str, Any]) -> None:
        """SCO-Q16: what a review brought goes with the last order of its product that is cancelled."""
        super().follow(order, type_, data)
        for sku in [sku for sku in self.reviews if not self.bought(sku)]:
            grant = self.reviews.pop(sku)
            gone = min(10 - min(grant.points, 10), grant.lapsed + grant.voided)
            lapsed = min(gone, grant.lapsed)
            grant.lapsed -= lapsed
            self.revoked += 10 - gone
            self.take_from([grant, *(each for each in self.in_order_of_use() if each is not grant)], 10 - gone)

    def entitled(self, order: Purchase) -> dict[str, tuple[int, date | None, str]]:
        if order.used:
            return {}  # SCO-24
        stage = next(percent for name, _, percent in self.STAGES if name == order.tier)
        goods: dict[int, int] = {}
        for line in order.lines:
            if line.category != "points_excluded":
                rate = stage if line.percent is None else line.percent  # SCO-09: a rate of its own takes the place of the stage's
                goods[rate] = goods.get(rate, 0) + line.goods_kept
        points = sum(amount * rate // 100 for rate, amount in goods.items())  # COM-Q1: rounded once a rate
        return {"all": (points, order.ordered_on + timedelta(days=10), self.kind)}  # SCO-11

    def lasts_until(self, day: date) -> date:
        return months_later(day, 12)

    def settle(self, order: Purchase) -> None:
        super().settle(order)
        self.review_tier()

    def morning(self) -> None:
        super().morning()
        if (self.today.month, self.today.day) == (1, 10):
            self.rise_by(self.today.year - 1)  # SCO-17: the last look at the old year

    def review_tier(self) -> None:
        self.stay_away()
        self.come_back()
        self.rise_by(self.today.year)

    def stay_away(self) -> None:
        """SCO-06, SCO-Q5: every twelve months without a purchase cost one stage. One that was called off was none."""
        names = [name for name, _, _ in self.STAGES]
        bought = [each.ordered_on for each in self.orders.values() if each.earns and (each.counted or not each.all_gone)]
        counted = [each.ordered_on for each in self.orders.values() if each.counted]
        if not bought or not counted or self.tier == names[0] or self.looked_on == self.today:
            return
        self.looked_on = self.today
        if any(months_later(max(bought), 12 * years) == self.today for years in range(1, 9)):
            self.lost_stages += 1
            self.tier = names[names.index(self.tier) - 1]

    def come_back(self) -> None:
        """SCO-07, SCO-Q6: a purchase that counts brings one stage back that was lost so."""
        names = [name for name, _, _ in self.STAGES]
        for each in self.orders.values():
            if not each.counted and self.is_judged(each) and each.goods_shipped_and_kept():
                each.counted = True
                if self.lost_stages:
                    self.lost_stages -= 1
                    self.tier = names[names.index(self.tier) + 1]

    def is_judged(self, order: Purchase) -> bool:
        return order.earns and order.ordered_on + timedelta(days=10) <= self.today  # SCO-19

    def rise_by(self, year: int) -> None:
        """SCO-16, SCO-18: goods of a year's orders, shipped and kept."""
        names = [name for name, _, _ in self.STAGES]
        bought = sum(
            each.goods_shipped_and_kept()
            for each in self.orders.values()
            if each.ordered_on.year == year and self.is_judged(each)
        )
        reached = max(number for number, (_, least, _) in enumerate(self.STAGES) if bought >= least)
        higher = reached - names.index(self.tier)
        if higher > 0:
            self.tier = names[reached]
            self.lost_stages = max(self.lost_stages - higher, 0)


class BelleMaison(Rules):
    """Belle Maison points."""

    lowest = "S0"
    kind = "basic"
    adjusted_kind = "special"
    excluded_store = "external_mall"  # BEL-05
    not_payable = ("voucher",)  # BEL-12
    NOT_EARNING = ("sale", "outlet", "cashback", "voucher", "donation", "subscription_group")  # BEL-05

    def welcome(self) -> None:
        """None."""

    def survey(self, data: dict[str, Any]) -> None:
        """None."""

    def review(self, data: dict[str, Any]) -> None:
        """None."""

    def is_member(self, at: datetime) -> bool:
        return True

    def entitled(self, order: Purchase) -> dict[str, tuple[int, date | None, str]]:
        kinds = {"1": "basic", "2": "stage", "3": "special"}
        return {part: (points, self.today, kinds[part[0]]) for part, points in self.earned(order, order.shipments).items()}

    def earned(self, order: Purchase, parcels: int) -> dict[str, int]:
        """By part: what the goods earn that went in the first so many parcels and were kept."""
        counting = {
            number: line for number, line in enumerate(order.lines) if line.sent and line.category not in self.NOT_EARNING
        }
        goods = sum(line.goods * line.stayed(parcels) // line.quantity for line in counting.values())
        units = goods // 200  # BEL-02, BEL-Q1
        each = ("S0", "S1", "S2").index(order.tier)  # BEL-Q3
        parts = {"1 basic": units, "2 stage": units * each}
        for number, line in counting.items():
            if line.bonus:
                parts[f"3 special {number}"] = line.bonus * line.stayed(parcels) // line.quantity
        return parts

    def too_much(self, order: Purchase, part: str, own: list[Grant], points: int) -> list[tuple[list[Grant], int]]:
        """BEL-07, BEL-09, BEL-10: each parcel has points of its own, and keeps those of every 200 yen of its goods that are kept,
        added up with the parcels before it. What is above that goes, where there is most of it first, and of two the later."""
        over = {
            grant.number: grant.kept
            - self.earned(order, grant.shipment).get(part, 0)
            + self.earned(order, grant.shipment - 1).get(part, 0)
            for grant in own
        }
        gone = []
        for grant in sorted(own, key=lambda grant: (-over[grant.number], -grant.number)):
            some = max(min(over[grant.number], points), 0)
            grant.kept -= some
            points -= some
            gone.append(([grant], some))
        return gone

    def lasts_until(self, day: date) -> date:
        return month_end(day, 12)  # BEL-18

    def review_tier(self) -> None:
        """BEL-03: on the first of a month, the goods ordered in the six months before."""
        if self.today.day != 1:
            return
        first = months_later(self.today, -6)
        ordered = sum(
            sum(line.goods_kept for line in each.lines)
            for each in self.orders.values()
            if first <= each.ordered_on < self.today and each.earns
        )
        self.tier = "S2" if ordered >= 60_000 else "S1" if ordered >= 30_000 else "S0"


PROGRAMS: dict[str, type[Rules]] = {"lenovo-pro": LenovoPro, "scolar": Scolar, "belle-maison": BelleMaison}
