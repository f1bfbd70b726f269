"""The statement of one account: what a member may be told, the same from the database and from a simulation."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LotOrderOut(_Part):
    """What one order brought to a row of lots (null = something other than an order: an activity, an adjustment)."""

    order_id: str | None
    points: int


class LotOut(_Part):
    """Available points of one kind with one last usable day (inclusive; null = they never lapse). `order_id`: the order that they
    all came from; where there were several origins, `orders` says what each brought."""

    kind: str
    expires_on: date | None
    points: int
    order_id: str | None = None
    orders: tuple[LotOrderOut, ...] = ()


class RedemptionOut(_Part):
    """The verdict on the points that an order asked to use; `waiting` until it is taken."""

    decision: Literal["accepted", "rejected", "waiting"]
    reason: str | None = None


class OrderOut(_Part):
    """One order: points used on it, handed back, lost, and credited (granted minus voided or revoked, pending included). Of an
    order that was split each part has its share; `split_from`: the order under whose id its points are told elsewhere."""

    order_id: str
    points_used: int
    points_returned: int
    points_forfeited: int
    points_credited: int
    redemption: RedemptionOut | None = None
    split_from: str | None = None


class RequestOut(_Part):
    """A request that stands for itself, and what was decided about it."""

    request_id: str
    decision: Literal["accepted", "rejected", "waiting"]
    points: int
    reason: str | None = None
    ships_with: str | None = None


class VoucherOut(_Part):
    """A voucher: `value` in the minor unit of the program's currency, or the `item` that it is good for; its last usable day."""

    voucher_id: str
    name: str
    status: Literal["open", "used", "given_back", "lapsed", "voided", "withdrawn"]
    expires_on: date | None = None
    value: int | None = None
    item: str | None = None


class FindingOut(_Part):
    """Something that did not fit."""

    code: str
    at: AwareDatetime
    order_id: str | None = None
    detail: str | None = None


class MissingOut(_Part):
    """How much is missing of what is measured toward tiers."""

    measure: str
    amount: int


class NextTierOut(_Part):
    """The level above, and what is missing to it in the period that runs: `any_of` it, or all. Nothing is missing where what
    counts reaches it already and it is judged later."""

    tier: str
    missing: tuple[MissingOut, ...]
    any_of: bool = False


class KeepsTierOut(_Part):
    """What would have to count now for the level to be kept beyond its last day: `any_of` it, or all. Nothing is missing where no
    amount keeps it (a level that was given, one that inactivity costs)."""

    until: date
    missing: tuple[MissingOut, ...]
    any_of: bool = False


class PendingLotOut(_Part):
    """Pending points that become usable on one day (null = not known yet), and the order that brought them."""

    points: int
    usable_from: date | None
    order_id: str | None = None


class Statement(_Part):
    """Balances are points. `due_back`: used points on their way back. `reserved`: held by two-step redemptions. The totals
    count from the account's beginning. `available` may be negative. `tier_until`: the last day of the tier if nothing else
    happens (null = it stays)."""

    program: str
    member_id: str
    at: str
    version: int
    available: int
    pending: int
    on_hold: int
    due_back: int
    reserved: int
    lapsed_total: int
    forfeited_total: int
    revoked_total: int
    tier: str | None
    lots: tuple[LotOut, ...]
    orders: tuple[OrderOut, ...]
    requests: tuple[RequestOut, ...]
    vouchers: tuple[VoucherOut, ...] = ()
    findings: tuple[FindingOut, ...]
    tier_until: date | None = None
    next_tier: NextTierOut | None = None
    keeps_tier: KeepsTierOut | None = None
    pending_lots: tuple[PendingLotOut, ...] = ()
