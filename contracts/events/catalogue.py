"""Which event types there are, the topics that bring them, and their rank in business order."""

from __future__ import annotations

from typing import Final

from contracts.events.members import (
    ActivityCompleted,
    BalanceOpened,
    MemberEnrolled,
    MemberErased,
    MemberRegistered,
    PointsAdjusted,
    PointsHeld,
    PointsReleased,
    RedemptionReleased,
    RedemptionRequested,
    ReviewPosted,
    RewardRequested,
    SubscriptionPointsSet,
    SurveyWon,
)
from contracts.events.orders import (
    ExchangeReceived,
    ExchangeRequested,
    ExchangeShipped,
    OrderCancelled,
    OrderPaid,
    OrderPlaced,
    OrderRescheduled,
    ReturnReceived,
    ReturnRequested,
    ShipmentDelivered,
    ShipmentDispatched,
)

EventData = (
    OrderPlaced
    | OrderPaid
    | OrderRescheduled
    | ShipmentDispatched
    | ShipmentDelivered
    | OrderCancelled
    | ReturnRequested
    | ReturnReceived
    | ExchangeRequested
    | ExchangeReceived
    | ExchangeShipped
    | MemberRegistered
    | MemberEnrolled
    | MemberErased
    | ReviewPosted
    | SurveyWon
    | ActivityCompleted
    | BalanceOpened
    | PointsAdjusted
    | PointsHeld
    | PointsReleased
    | RewardRequested
    | SubscriptionPointsSet
    | RedemptionRequested
    | RedemptionReleased
)

TOPICS_IN: Final[dict[str, dict[str, type[EventData]]]] = {
    "commerce.order": {
        "order.placed": OrderPlaced,
        "order.paid": OrderPaid,
        "order.rescheduled": OrderRescheduled,
    },
    "commerce.shipment": {
        "shipment.dispatched": ShipmentDispatched,
        "shipment.delivered": ShipmentDelivered,
    },
    "commerce.cancel": {"order.cancelled": OrderCancelled},
    "commerce.return": {
        "return.requested": ReturnRequested,
        "return.received": ReturnReceived,
        "exchange.requested": ExchangeRequested,
        "exchange.received": ExchangeReceived,
        "exchange.shipped": ExchangeShipped,
    },
    "commerce.member": {
        "member.registered": MemberRegistered,
        "member.enrolled": MemberEnrolled,
        "member.erased": MemberErased,
    },
    "commerce.activity": {
        "review.posted": ReviewPosted,
        "survey.won": SurveyWon,
        "activity.completed": ActivityCompleted,
    },
    "loyalty.command": {
        "balance.opened": BalanceOpened,
        "points.adjusted": PointsAdjusted,
        "points.held": PointsHeld,
        "points.released": PointsReleased,
        "reward.requested": RewardRequested,
        "subscription.points-set": SubscriptionPointsSet,
        "redemption.requested": RedemptionRequested,
        "redemption.released": RedemptionReleased,
    },
}
"""Topic → event type → model of its data."""

EVENT_TYPES: Final[dict[str, type[EventData]]] = {name: model for types in TOPICS_IN.values() for name, model in types.items()}

RANK: Final[dict[str, int]] = {
    "member.registered": 10,
    "member.enrolled": 10,
    "member.erased": 10,
    "balance.opened": 10,
    "review.posted": 20,
    "survey.won": 20,
    "activity.completed": 20,
    "reward.requested": 30,
    "subscription.points-set": 30,
    "redemption.requested": 30,
    "redemption.released": 30,
    "order.placed": 40,
    "order.paid": 50,
    "order.rescheduled": 60,
    "shipment.dispatched": 70,
    "shipment.delivered": 80,
    "order.cancelled": 90,
    "return.requested": 100,
    "return.received": 100,
    "exchange.requested": 110,
    "exchange.received": 110,
    "exchange.shipped": 110,
    "points.adjusted": 120,
    "points.held": 120,
    "points.released": 120,
}
"""Place of a type among events of one instant: what an event may depend on comes before it."""
