"""What the naive rules write down: events as told, grants of points, orders and their lines. Plain, and changed in place."""

from __future__ import annotations

import json
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

TOKYO = timezone(timedelta(hours=9))
NEVER = date(9999, 12, 31)
RANKS = (
    ("member.registered", "member.enrolled"),
    ("review.posted", "survey.won"),
    ("redemption.requested", "redemption.released"),
    ("order.placed",),
    ("shipment.dispatched",),
    ("order.cancelled",),
    ("return.received",),
    ("return.withdrawn",),
    ("exchange.received", "exchange.shipped"),
    ("refund.issued",),
    ("points.adjusted", "points.held", "points.released"),
    ("points.voided",),
)


@dataclass
class Told:
    """An event: when, what, and its data."""

    at: datetime
    type: str
    source: str
    id: str
    data: dict[str, Any]

    @property
    def key(self) -> tuple[datetime, int, str, str]:
        rank = next(number for number, types in enumerate(RANKS) if self.type in types)
        return self.at, rank, self.source, self.id


def told(at: datetime, type_: str, source: str, id_: str, body: bytes) -> Told:
    """An event of its parts."""
    return Told(at.astimezone(UTC), type_, source, id_, json.loads(body))


def day_of(at: datetime) -> date:
    """The day in Tokyo."""
    return at.astimezone(TOKYO).date()


def start_of(day: date) -> datetime:
    """The instant at which a day begins in Tokyo."""
    return datetime(day.year, day.month, day.day, tzinfo=TOKYO)


def month_end(day: date, months: int) -> date:
    """The last day of the month so many months after a day's."""
    number = day.year * 12 + day.month - 1 + months
    year, month = number // 12, number % 12 + 1
    return date(year, month, monthrange(year, month)[1])


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month."""
    end = month_end(day, months)
    return end.replace(day=min(day.day, end.day))


@dataclass
class Grant:
    """Points of one grant. `usable_on`: pending until then. `last_day`: inclusive; None follows the whole balance. `kept`: what
    was granted less what was taken back with goods, whether it was used or not."""

    number: int
    kind: str
    granted_on: date
    points: int
    usable_on: date | None
    last_day: date | None
    order_id: str | None = None
    part: str = ""
    pending: bool = False
    follows_pool: bool = False
    shipment: int = 0
    lapsed: int = 0
    kept: int = 0
    cause: str = ""
    voided: int = 0

    def __post_init__(self) -> None:
        self.kept = self.points


@dataclass
class Line:
    """One line of an order. `sent`: day, number of the shipment, and pieces that stayed, of `shipped` in all. `called_off`: of
    those cancelled, what had not shipped. `last_parcel`: the one that took all that was left. `replacement`: came with an
    exchange."""

    name: str
    sku: str
    category: str
    quantity: int
    goods: int
    tax: int
    bonus: int
    percent: int | None = None
    replacement: bool = False
    sent: list[tuple[date, int, int]] = field(default_factory=list)
    shipped: int = 0
    last_parcel: int | None = None
    called_off: int = 0
    cancelled: int = 0
    returned: int = 0
    used: int = 0
    money_back: int = 0
    money_for_gone: int = 0

    def __post_init__(self) -> None:
        self.full = self.goods

    def refund(self, money: int) -> None:
        """Money with tax goes back: for pieces that are gone first, then off the price of every piece."""
        price, kept = self.full + self.tax, self.quantity - self.gone
        worth = (price - self.money_back) * kept // self.quantity
        for_gone = min(money, max(price - self.money_back - worth - self.money_for_gone, 0))
        self.money_for_gone += for_gone
        off = min(money - for_gone, worth)
        if off == worth:
            self.money_back = price
        elif off:
            self.money_back += off * self.quantity // kept
        self.goods = self.full - (self.money_back * self.full // price if price else 0)

    def send(self, day: date, parcel: int, pieces: int) -> None:
        """Pieces leave."""
        self.sent.append((day, parcel, pieces))
        self.shipped += pieces
        if not self.left_to_send:
            self.last_parcel = parcel

    def cancel(self, pieces: int) -> None:
        """Pieces are cancelled: those that have not shipped, then parcels that were sent for nothing."""
        some = min(pieces, self.left_to_send)
        self.called_off += some
        self.cancelled += pieces
        self._miss(pieces - some)

    def take_back(self, pieces: int) -> None:
        """Pieces come back."""
        self.returned += pieces
        self._miss(pieces)

    def _miss(self, pieces: int) -> None:
        """What went last does not stay."""
        for place, (day, parcel, there) in reversed(list(enumerate(self.sent))):
            some = min(pieces, there)
            self.sent[place] = day, parcel, there - some
            pieces -= some

    def stayed(self, parcel: int) -> int:
        """Pieces that went in the first so many parcels and stayed."""
        return sum(pieces for _, number, pieces in self.sent if number <= parcel)

    @property
    def left_to_send(self) -> int:
        return self.quantity - self.called_off - self.shipped

    @property
    def gone(self) -> int:
        return self.cancelled + self.returned

    @property
    def goods_kept(self) -> int:
        return self.goods * (self.quantity - self.gone) // self.quantity

    @property
    def goods_shipped_and_kept(self) -> int:
        return self.goods * sum(pieces for _, _, pieces in self.sent) // self.quantity


def line_of(told: dict[str, Any], prefix: str = "") -> Line:
    """A line as an order or an exchange tells it."""
    rate = told.get("point_rate")
    return Line(
        name=prefix + told["line_id"],
        sku=told["sku"],
        category=told.get("category", ""),
        quantity=told["quantity"],
        goods=told["unit_price"] * told["quantity"] - told.get("discount", 0),
        tax=told["tax"],
        bonus=sum(bonus["points"] for bonus in told.get("bonus_points", ())),
        percent=None if rate is None else int(Decimal(rate) * 100),
    )


@dataclass
class Reservation:
    """Points set aside until an order names them, they are given up, or their time is over."""

    points: int
    store: str
    ends_at: datetime
    taken: list[tuple[Grant, int]]
    status: str


@dataclass
class Purchase:
    """An order and what became of it."""

    order_id: str
    at: datetime
    lines: list[Line]
    fees: int
    earns: bool
    tier: str
    verdict: str | None = None
    reason: str | None = None
    used: int = 0
    taken: list[tuple[Grant, int]] = field(default_factory=list)
    given_back: int = 0
    forfeited: int = 0
    on_the_way: list[tuple[date, int]] = field(default_factory=list)
    shipments: int = 0
    touched: set[int] = field(default_factory=set)
    holds: dict[str, int] = field(default_factory=dict)
    at_most: dict[str, int] = field(default_factory=dict)
    counted: bool = False

    @property
    def ordered_on(self) -> date:
        return day_of(self.at)

    @property
    def all_gone(self) -> bool:
        return all(line.gone == line.quantity for line in self.lines if not line.replacement)

    def goods_shipped_and_kept(self) -> int:
        return sum(line.goods_shipped_and_kept for line in self.lines)
