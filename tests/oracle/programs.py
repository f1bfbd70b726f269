"""The three programs: what their terms say beyond what all have in common. Names in brackets are rules of the terms."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from tests.oracle.records import Purchase, month_end, months_later
from tests.oracle.rules import Rules


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
        parts: dict[str, tuple[int, date | None, str]] = {}
        for number, line in enumerate(order.lines):
            usable = line.shipped_on + timedelta(days=30) if line.shipped_on else None  # LEN-18
            points = 0 if line.category in self.not_payable else line.goods_kept // 100  # LEN-Q1, by line
            parts[f"{number:02}"] = points, usable, self.kind
        if not order.at_most:
            room = self.CAP - self.surveys.get(order.ordered_on.year, 0)
            room -= sum(
                sum(each.holds.values()) for each in self.orders.values() if each.ordered_on.year == order.ordered_on.year
            )
            for part, (points, _, _) in sorted(parts.items()):
                order.at_most[part] = min(points, max(room, 0))  # LEN-Q6: cut, in the order of the lines
                room -= order.at_most[part]
        return parts

    def lasts_until(self, day: date) -> date:
        return month_end(day, 6)  # LEN-26

    def settle(self, order: Purchase) -> None:
        super().settle(order)
        self.review_tier()

    def review_tier(self) -> None:
        """LEN-31, LEN-Q13: goods that shipped this calendar year and stayed; a rank once reached stays."""
        bought = sum(
            line.goods_kept
            for order in self.orders.values()
            for line in order.lines
            if order.earns and line.shipped_on is not None and line.shipped_on.year == self.today.year
        )
        names = ["Pro", "Plus", "Elite"]
        reached = (bought >= 300_000) + (bought >= 2_000_000)
        self.tier = names[max(names.index(self.tier), reached)]


class Scolar(Rules):
    """ScoLar web store."""

    lowest = "Member"
    minimum, maximum = 500, 10_000  # SCO-20, SCO-21
    STAGES = (("Member", 0, 1), ("Silver", 50_000, 2), ("Gold", 150_000, 3), ("VIP", 300_000, 5))  # SCO-04

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
        bought = any(
            order.verdict != "rejected" and data["sku"] in {line.sku for line in order.lines} for order in self.orders.values()
        )
        if self.registered is not None and bought and data["sku"] not in self.done:  # SCO-Q16
            self.done.add(data["sku"])
            self.grant(10, self.kind, None, "", self.today, None)

    def entitled(self, order: Purchase) -> dict[str, tuple[int, date | None, str]]:
        if order.used:
            return {}  # SCO-24
        rate = next(percent for name, _, percent in self.STAGES if name == order.tier)
        goods = sum(line.goods_kept for line in order.lines if line.category != "points_excluded")
        return {"all": (goods * rate // 100, order.ordered_on + timedelta(days=10), self.kind)}  # SCO-11

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
        self.rise_by(self.today.year)

    def rise_by(self, year: int) -> None:
        """SCO-16, SCO-18, SCO-19: goods of a year's orders, shipped and kept, ten days after the order."""
        names = [name for name, _, _ in self.STAGES]
        bought = sum(
            each.goods_shipped_and_kept()
            for each in self.orders.values()
            if each.earns and each.ordered_on.year == year and each.ordered_on + timedelta(days=10) <= self.today
        )
        reached = max(number for number, (_, least, _) in enumerate(self.STAGES) if bought >= least)
        self.tier = names[max(names.index(self.tier), reached)]


class BelleMaison(Rules):
    """Belle Maison points."""

    lowest = "S0"
    kind = "basic"
    adjusted_kind = "special"
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
        counting = [line for line in order.lines if line.shipped_on is not None and line.category not in self.NOT_EARNING]
        units = sum(line.goods_kept for line in counting) // 200  # BEL-02, BEL-Q1
        each = ("S0", "S1", "S2").index(order.tier)  # BEL-Q3
        parts: dict[str, tuple[int, date | None, str]] = {
            "1 basic": (units, self.today, "basic"),
            "2 stage": (units * each, self.today, "stage"),
        }
        for number, line in enumerate(order.lines):
            if line.bonus and line in counting:
                kept = line.bonus * (line.quantity - line.gone) // line.quantity
                parts[f"3 special {number}"] = kept, self.today, "special"
        return parts

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
            if first <= each.ordered_on < self.today and each.verdict != "rejected"
        )
        self.tier = "S2" if ordered >= 60_000 else "S1" if ordered >= 30_000 else "S0"


PROGRAMS: dict[str, type[Rules]] = {"lenovo-pro": LenovoPro, "scolar": Scolar, "belle-maison": BelleMaison}
