"""What the fold keeps of one order: its lines, the pieces that mature together, the points used on it and what became of them;
and of what orders come to together.

Units as in `state.py`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import field

from worker.decide.part_records import Part
from worker.decide.record import Kept, Record
from worker.decide.tally_records import Contribution

Ending = Literal["cancelled", "returned"]
"""How nothing of an order came to be kept: every piece was cancelled, or some came back."""


class OrderLine(Record, frozen=True):
    """One line of an order (or of a replacement): what was bought, and what has become of the pieces.

    Amounts are of the whole line: `goods` ex tax after discount, `tax`. `used`: the points of the order's redemption that sit
    on this line. Pieces: `unshipped` and not removed, `cancelled` (of which `refused` had left), `returned` (or exchanged),
    `delivered` and not removed; `awaiting`: taken out at the request of a return and not yet received; `gone`: already out
    when points were put on the line.
    """

    line_id: str
    sku: str
    quantity: int
    goods: int
    tax: int
    unshipped: int = 0
    category: str | None = None
    tags: tuple[str, ...] = ()
    measures: dict[str, int] = field(default_factory=dict)
    point_rate: str | None = None
    earns: bool = True
    used: int = 0
    cancelled: int = 0
    refused: int = 0
    returned: int = 0
    delivered: int = 0
    awaiting: int = 0
    gone: int = 0
    exchange_id: str | None = None  # of the exchange in which it was sent: no points were used on it
    sent_as: str | None = None  # what the shop calls it, in an exchange
    refunded: int = 0  # money with tax that went back without its goods, spread over all of its pieces
    settled: int = 0  # money with tax that went back for pieces that are out

    @property
    def price(self) -> int:
        """What the line costs with tax."""
        return self.goods + self.tax

    @property
    def net_goods(self) -> int:
        """Its amount ex tax, less what was refunded of it; rounded so that fewer points go."""
        return self.goods - (self.refunded * self.goods // self.price if self.refunded else 0)

    @property
    def net_tax(self) -> int:
        """Its tax, less what was refunded of it."""
        return self.tax - (self.refunded * self.tax // self.price if self.refunded else 0)

    @property
    def replacement(self) -> bool:
        """Whether it was sent in exchange for something."""
        return self.exchange_id is not None

    @property
    def detached(self) -> int:
        """Used points that sat on pieces which have been cancelled or returned since (COM-Q4)."""
        pieces = self.quantity - self.gone
        return self.used * (pieces - self.kept) // pieces if pieces else 0

    @property
    def kept(self) -> int:
        """Pieces that were neither cancelled nor returned."""
        return self.quantity - self.cancelled - self.returned

    @property
    def shipped(self) -> int:
        """Pieces that have shipped and stay with the member."""
        return self.kept - self.unshipped


class Portion(Record, frozen=True):
    """Pieces of an order that mature together, with the points that the order holds for them by earning component.

    `triggered_at` is None for pieces that still wait (to be shipped, paid, ...); `matures_at` for a date not yet known.
    The key is that of its pieces (a line, or all), for a replacement with its exchange; `parted_from` is the key of the portion
    that it left, which is then part of its own key.
    """

    key: str
    pieces: dict[str, int]
    triggered_at: datetime | None = None
    matures_at: datetime | None = None
    tier: str | None = None
    points: dict[str, int] = field(default_factory=dict)
    parted_from: str | None = None

    @property
    def root(self) -> str:
        """The key of the portion that this one was parted from, or its own."""
        return self.parted_from or self.key


class Shipment(Record, frozen=True):
    """Pieces by line that left together under an id of the shop's, and which of them have not arrived."""

    shipment_id: str
    pieces: dict[str, int]


class Spent(Record, frozen=True):
    """Points that a redemption took from one lot, with what is needed to put them back there."""

    origin: str
    part: str
    kind: str
    granted_at: datetime
    lot_points: int
    rule: str
    points: int
    back: int = 0
    order_id: str | None = None
    expires_on: date | None = None
    lapses_at: datetime | None = None
    pooled: bool = False
    fixed: bool = False
    lapse_rule: str | None = None


class Bonus(Record, frozen=True):
    """Points that a product brings besides its rate, as the order said."""

    line_id: str
    points: int
    kind: str
    expires_on: date | None = None


class HandBack(Record, frozen=True):
    """Used points on their way back: `points` reach their lots at `at`. `cancel`: for a cancel, which may be taken back."""

    at: datetime
    points: int
    rule: str
    cancel: bool = False


class CalledOff(Record, frozen=True):
    """What became of used points because of cancels: lost by a rule, or lapsed because they came back late."""

    forfeited: int = 0
    lapsed: int = 0


class Content(Record, frozen=True):
    """What an order said of itself besides its lines and its price.

    `digest`: of all that it said, to tell a repeat of it from another order under the same id. `points_used`: the points that it
    asked to use (amended since, so many in all), or `use_all_points`, or those of a reservation (`redemption_id`).
    """

    digest: str = ""
    store: str = ""
    channel: str = "web"
    course: str = "one_off"
    subscription_id: str | None = None
    signed_in: bool = True
    points_used: int = 0
    use_all_points: bool = False
    redemption_id: str | None = None
    coupons: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether it asked to use points."""
        return bool(self.points_used or self.use_all_points or self.redemption_id is not None)


class Payment(Record, frozen=True):
    """What an order costs besides its lines, and how it is paid, in its currency.

    `fees`: for shipping and others, `other_fees` of them for others; `fees_back`: of the fees, what was refunded. `discount`: on
    the whole order, ex tax; its lines are kept with their shares taken off.
    """

    currency: str = "JPY"
    fees: int = 0
    other_fees: int = 0
    fees_back: int = 0
    discount: int = 0
    method: str = ""
    card_brand: str | None = None
    paid_at: datetime | None = None

    @property
    def net_fees(self) -> int:
        """The fees less what was refunded of them."""
        return self.fees - self.fees_back


class PointsUsed(Record, frozen=True):
    """The points that pay for an order, and what has become of them.

    `points`: what was taken (0 until accepted); `back`, `forfeited` and what is due back never exceed it. `on_fees`: of them,
    what pays shipping and fees, because no goods were left for it. `reserved`: set aside for the order and not yet spent.
    `detached`: what came off the order before the lines' own was put there. `setting`: the request that set points in advance,
    `to_take`: those of them that are taken later.
    """

    points: int = 0
    on_fees: int = 0
    reserved: int = 0
    detached: int = 0
    back: int = 0
    forfeited: int = 0
    spent: tuple[Spent, ...] = ()
    due_back: tuple[HandBack, ...] = ()
    called_off: CalledOff = CalledOff()
    setting: str | None = None
    to_take: int = 0

    @property
    def standing(self) -> int:
        """Points that neither went back, nor are on their way, nor are lost."""
        return self.points - self.back - self.forfeited - sum(each.points for each in self.due_back)


class Buyer(Record, frozen=True):
    """What was known of the member when an order was placed, of what the terms ask for: where the member lives, month and day of
    birth, when the member joined, attributes, and activities done. `nth`: which of the member's orders it is, from 1."""

    nth: int = 0
    country: str | None = None
    birth: str | None = None
    joined_at: datetime | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    entered: tuple[str, ...] = ()


class Earning(Record, frozen=True):
    """What an order earns by, and what it has earned; the points themselves are in its portions.

    `buyer`: the member as of the order. `held`: its points do not mature until they are released.
    `allowed`: by portion and source the most points that it may hold, where a cap cut it; `capped`: by cap and period the points
    of this order that use it up. `written_off`: points that should have been revoked and could not, so they stay `credited`.
    `prolonged_at`: of an order that was called off, when it had last prolonged the pool.
    """

    earns: bool = True
    tier: str | None = None
    buyer: Buyer = Buyer()
    bonus: tuple[Bonus, ...] = ()
    held: bool = False
    allowed: dict[str, int] = field(default_factory=dict)
    capped: dict[str, int] = field(default_factory=dict)
    credited: int = 0
    written_off: int = 0
    prolonged_at: datetime | None = None


class Voucher(Kept, frozen=True):
    """What was issued once, and what has become of it `since`.

    `points`: of which it was made, `spent`: the lots that they came from; `withdraws`: it goes where they are taken back.
    `used_on`: the order that it was used on; `gives_back`: it comes back where that ends so. `due_at`: when it lapses.
    """

    voucher_id: str
    name: str
    rule: str
    since: datetime
    status: Literal["open", "used", "given_back", "lapsed", "voided", "withdrawn"] = "open"
    value: int | None = None
    item: str | None = None
    expires_on: date | None = None
    points: int = 0
    spent: tuple[Spent, ...] = ()
    withdraws: bool = False
    used_on: str | None = None
    gives_back: tuple[Ending, ...] = ()
    due_at: datetime | None = None

    @property
    def usable(self) -> bool:
        """Whether it can be used."""
        return self.status in ("open", "given_back")


class TierCount(Record, frozen=True):
    """What an order counts for toward the tiers: amounts by bucket of the window. `at`: when what it has come to will count.

    `judged`: whether it has counted as a purchase. `stands`: it is among the orders of the member that were not cancelled.
    `tallies`: what it contributes to challenges, by the name of the tally.
    """

    amounts: dict[str, int] = field(default_factory=dict)
    judged: bool = False
    stands: bool = False
    tallies: dict[str, Contribution] = field(default_factory=dict)
    at: datetime | None = None


class Delivery(Record, frozen=True):
    """How far the goods of an order are on their way.

    `shipped_at`: of the latest shipment. `shipments`: those that were named and have not arrived as a whole. `ahead`: what has
    arrived and nobody has said yet that it left, by the id of its shipment ("" = none).
    """

    planned_ship_date: date | None = None
    planned_delivery_date: date | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    shipments: tuple[Shipment, ...] = ()
    ahead: tuple[Shipment, ...] = ()


class Order(Kept, frozen=True):
    """One order: what was bought, by line and as it matures, and beside it a record for each thing that happens to it.

    `parts`: under which ids it goes on, where it was split; `part_of`: the order, of an id that is a part's, under which nothing
    else is kept. `status`: `open`; `part`; `waiting` (its redemption is not decided yet); `rejected` (as sent, for a `reason`:
    nothing moves); `withheld` (somebody else was told to have placed it too: nothing moves but points whose use was announced).
    `told`: by what has an id of its own, a digest of what was said of it. `vouchers_back`: how it ended, whereupon
    vouchers that were used on it were given back.
    """

    order_id: str
    source: str
    id: str
    placed_at: datetime
    terms: str
    lines: tuple[OrderLine, ...]
    portions: tuple[Portion, ...] = ()
    status: Literal["open", "part", "waiting", "rejected", "withheld"] = "open"
    reason: str | None = None
    content: Content = Content()
    payment: Payment = Payment()
    used: PointsUsed = PointsUsed()
    earning: Earning = Earning()
    counted: TierCount = TierCount()
    delivery: Delivery = Delivery()
    told: dict[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    part_of: str | None = None
    vouchers_back: Ending | None = None
    due_at: datetime | None = None

    @property
    def called_off(self) -> bool:
        """Whether every piece was cancelled."""
        return all(line.cancelled == line.quantity for line in self.lines)
