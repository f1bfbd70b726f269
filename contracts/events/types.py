"""Which types of events there are: one row for each, with its topic, its rank in business order and the model of its data.

What the fold does with a type stands in `worker.decide.fact_types`, what it is called in words in `worker.reading.explain.words`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from contracts.events.base import Contract
from contracts.events.members import (
    ActivityCompleted,
    BalanceOpened,
    ConversionRequested,
    MemberEnrolled,
    MemberErased,
    MemberRegistered,
    MemberUpdated,
    PointsAdjusted,
    PointsHeld,
    PointsReleased,
    PointsVoided,
    RedemptionReleased,
    RedemptionRequested,
    ReviewPosted,
    RewardRequested,
    SubscriptionPointsSet,
    SurveyWon,
    VoucherUsed,
    VoucherVoided,
)
from contracts.events.orders import (
    ExchangeReceived,
    ExchangeRequested,
    ExchangeShipped,
    ExchangeWithdrawn,
    OrderAmended,
    OrderCancelled,
    OrderClaimed,
    OrderContested,
    OrderPaid,
    OrderPlaced,
    OrderReinstated,
    OrderRescheduled,
    OrderSplit,
    PaymentChargedBack,
    PaymentFailed,
    RefundIssued,
    ReturnReceived,
    ReturnRequested,
    ReturnWithdrawn,
    ShipmentDelivered,
    ShipmentDispatched,
)

OURS: Final = "loyalty:"
"""How the `source` of what the ledger says itself begins; no sender may use it."""
CONTESTED_SOURCE: Final = f"{OURS}contested"
"""`source` of `order.contested`; its `id` is the order's."""


class EventType(NamedTuple):
    """One type of event. `topic`: the only one on which it counts; None: it counts on none, and is written by the command line or
    the worker.
    `rank`: its place among events of one instant, where what an event may depend on comes before it."""

    topic: str | None
    name: str
    rank: int
    model: type[Contract]


TYPES: Final = (
    EventType("commerce.order", "order.placed", 40, OrderPlaced),
    EventType("commerce.order", "order.amended", 45, OrderAmended),
    EventType("commerce.order", "order.split", 47, OrderSplit),
    EventType("commerce.order", "order.paid", 50, OrderPaid),
    EventType("commerce.order", "payment.failed", 55, PaymentFailed),
    EventType("commerce.order", "payment.charged_back", 118, PaymentChargedBack),
    EventType("commerce.order", "order.rescheduled", 60, OrderRescheduled),
    EventType("commerce.order", "order.reinstated", 116, OrderReinstated),
    EventType("commerce.shipment", "shipment.dispatched", 70, ShipmentDispatched),
    EventType("commerce.shipment", "shipment.delivered", 80, ShipmentDelivered),
    EventType("commerce.cancel", "order.cancelled", 90, OrderCancelled),
    EventType("commerce.return", "return.requested", 100, ReturnRequested),
    EventType("commerce.return", "return.received", 100, ReturnReceived),
    EventType("commerce.return", "refund.issued", 117, RefundIssued),
    EventType("commerce.return", "return.withdrawn", 105, ReturnWithdrawn),
    EventType("commerce.return", "exchange.requested", 110, ExchangeRequested),
    EventType("commerce.return", "exchange.received", 110, ExchangeReceived),
    EventType("commerce.return", "exchange.shipped", 110, ExchangeShipped),
    EventType("commerce.return", "exchange.withdrawn", 115, ExchangeWithdrawn),
    EventType("commerce.member", "member.registered", 10, MemberRegistered),
    EventType("commerce.member", "member.enrolled", 10, MemberEnrolled),
    EventType("commerce.member", "member.updated", 12, MemberUpdated),
    EventType("commerce.member", "member.erased", 10, MemberErased),
    EventType("commerce.activity", "review.posted", 20, ReviewPosted),
    EventType("commerce.activity", "survey.won", 20, SurveyWon),
    EventType("commerce.activity", "activity.completed", 20, ActivityCompleted),
    EventType(None, "balance.opened", 10, BalanceOpened),
    # One rank: of two commands of one instant the same one decides in every account.
    EventType(None, "order.contested", 35, OrderContested),
    EventType("loyalty.command", "order.claimed", 35, OrderClaimed),
    EventType("loyalty.command", "points.adjusted", 120, PointsAdjusted),
    EventType("loyalty.command", "points.held", 120, PointsHeld),
    EventType("loyalty.command", "points.released", 120, PointsReleased),
    EventType("loyalty.command", "points.voided", 125, PointsVoided),
    EventType("loyalty.command", "reward.requested", 30, RewardRequested),
    EventType("loyalty.command", "conversion.requested", 30, ConversionRequested),
    # After the order on which it is used, and before what may be cancelled of it.
    EventType("loyalty.command", "voucher.used", 42, VoucherUsed),
    EventType("loyalty.command", "voucher.voided", 125, VoucherVoided),
    EventType("loyalty.command", "subscription.points-set", 30, SubscriptionPointsSet),
    EventType("loyalty.command", "redemption.requested", 30, RedemptionRequested),
    EventType("loyalty.command", "redemption.released", 30, RedemptionReleased),
)

EVENT_TYPES: Final[dict[str, type[Contract]]] = {each.name: each.model for each in TYPES}
"""Event type → model of its data."""
RANK: Final[dict[str, int]] = {each.name: each.rank for each in TYPES}
"""Event type → place among events of one instant."""
TOPIC_OF: Final[dict[str, str]] = {each.name: each.topic for each in TYPES if each.topic is not None}
"""Event type → the topic that brings it, for those that come by one."""
TOPICS_IN: Final[dict[str, dict[str, type[Contract]]]] = {
    topic: {each.name: each.model for each in TYPES if each.topic == topic} for topic in dict.fromkeys(TOPIC_OF.values())
}
"""Topic → event type → model of its data."""
