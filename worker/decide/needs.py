"""What a fact needs loaded, told from the fact alone: a first guess that is right nearly always.

If it is not, the fold raises NotLoaded and says what else it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contracts.events import (
    BalanceOpened,
    Event,
    MemberEnrolled,
    MemberErased,
    MemberRegistered,
    OrderPaid,
    OrderPlaced,
    OrderRescheduled,
    PointsHeld,
    PointsReleased,
    RedemptionReleased,
    RedemptionRequested,
    ReviewPosted,
    RewardRequested,
    ShipmentDelivered,
    ShipmentDispatched,
    SubscriptionPointsSet,
)
from worker.decide import opening
from worker.decide.change import Needs
from worker.decide.members import MANUAL_HOLD
from worker.decide.program import Program
from worker.decide.state import ItemKey
from worker.decide.subscriptions import setting_name

_NARROW = (
    BalanceOpened,
    ReviewPosted,
    MemberRegistered,
    MemberEnrolled,
    MemberErased,
    OrderPaid,
    OrderRescheduled,
    ShipmentDispatched,
    ShipmentDelivered,
)

ROUNDS_MAX = 500
"""Every round loads what the one before found missing, nearly always all of it; more than this is a defect."""


def needs(facts: Iterable[Event], program: Program | None = None) -> Needs:
    """What folding these facts of one account needs loaded besides its head.

    `program`: whose they are, where it is known: some terms ask for more.
    """
    items: set[ItemKey] = set()
    origins: set[str] = set()
    all_open = False
    for fact in facts:
        order_id = fact.order_id
        if order_id is not None:
            items.add(("order", order_id))
            origins.add(f"order:{order_id}")
        items.update(_named(fact))
        if program is not None and isinstance(fact.data, OrderPlaced) and program.at(fact.time).remembers_bought:
            items.update(("mark", f"bought:{line.sku}") for line in fact.data.lines)
        all_open = all_open or _wide(fact)
    return Needs(frozenset(items), frozenset(origins), all_open)


def _named(fact: Event) -> Iterator[ItemKey]:
    """Items that a fact names, besides its order."""
    data = fact.data
    if isinstance(data, OrderPlaced):
        if data.redemption_id is not None:
            yield "request", f"redemption:{data.redemption_id}"
        if data.course == "subscription" or data.subscription_id is not None:
            yield "setting", setting_name(data.subscription_id)
    elif isinstance(data, RewardRequested):
        yield "request", f"reward:{data.request_id}"
    elif isinstance(data, SubscriptionPointsSet):
        yield "request", f"subscription:{data.request_id}"
        if data.subscription_id is not None:
            yield "setting", setting_name(data.subscription_id)
    elif isinstance(data, RedemptionRequested | RedemptionReleased):
        yield "request", f"redemption:{data.redemption_id}"
    elif isinstance(data, PointsHeld | PointsReleased):
        yield "setting", f"hold:{fact.order_id or MANUAL_HOLD}"
    elif isinstance(data, BalanceOpened):
        yield "mark", opening.MARK
    elif isinstance(data, ReviewPosted):
        yield "mark", f"bought:{data.sku}"


def _wide(fact: Event) -> bool:
    data = fact.data
    if isinstance(data, OrderPlaced):
        return bool(data.points_used or data.use_all_points or data.redemption_id)
    return not isinstance(data, _NARROW)
