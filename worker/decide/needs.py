"""What a fact needs loaded, told from the fact alone: a first guess that is right nearly always.

If it is not, the fold raises NotLoaded and says what else it needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from contracts.events import (
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
    ShipmentDelivered,
    ShipmentDispatched,
)
from worker.decide.members import MANUAL_HOLD
from worker.decide.state import ItemKey

_NARROW = (MemberRegistered, MemberEnrolled, MemberErased, OrderPaid, OrderRescheduled, ShipmentDispatched, ShipmentDelivered)


@dataclass(slots=True)
class Needs:
    """Rows of one account: items by name, open lots by origin, or every open lot (`wide`)."""

    items: set[ItemKey] = field(default_factory=set)
    origins: set[str] = field(default_factory=set)
    wide: bool = False


def needs(facts: Iterable[Event]) -> Needs:
    """What folding these facts of one account needs loaded besides its head."""
    found = Needs()
    for fact in facts:
        data = fact.data
        order_id = fact.order_id
        if order_id is not None:
            found.items.add(("order", order_id))
            found.origins.add(f"order:{order_id}")
        if isinstance(data, OrderPlaced):
            if data.redemption_id is not None:
                found.items.add(("request", f"redemption:{data.redemption_id}"))
            found.wide = found.wide or bool(data.points_used or data.use_all_points or data.redemption_id)
        elif isinstance(data, RedemptionRequested | RedemptionReleased):
            found.items.add(("request", f"redemption:{data.redemption_id}"))
            found.wide = True
        elif isinstance(data, PointsHeld | PointsReleased):
            found.items.add(("setting", f"hold:{order_id or MANUAL_HOLD}"))
            found.wide = True
        elif isinstance(data, ReviewPosted):
            found.items.add(("mark", f"bought:{data.sku}"))
        elif not isinstance(data, _NARROW):
            found.wide = True
    return found
