"""What the fold does with each type of event: its handler, and the rows that it asks for beforehand.

One row for each type of `contracts.events.types`; `tests/fold/test_fact_types.py` says that none is missing. The rows of an
account that are named are a first guess, told from the fact alone, that is right nearly always: what turns out to be missing
beyond it is loaded, and the fact folded again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from contracts.events import (
    ActivityCompleted,
    BalanceOpened,
    ConversionRequested,
    ExchangeReceived,
    ExchangeRequested,
    ExchangeShipped,
    ExchangeWithdrawn,
    MemberEnrolled,
    MemberErased,
    MemberRegistered,
    MemberUpdated,
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
    PointsAdjusted,
    PointsHeld,
    PointsReleased,
    PointsVoided,
    RedemptionReleased,
    RedemptionRequested,
    RefundIssued,
    ReturnReceived,
    ReturnRequested,
    ReturnWithdrawn,
    ReviewPosted,
    RewardRequested,
    ShipmentDelivered,
    ShipmentDispatched,
    SubscriptionPointsSet,
    SurveyWon,
    VoucherUsed,
    VoucherVoided,
)
from worker.decide import (
    amending,
    contesting,
    conversions,
    hindsight,
    holding,
    members,
    opening,
    orders,
    parts,
    refunds,
    reinstating,
    requests,
    retelling,
    reversal,
    rewards,
    shipments,
    splitting,
    subscriptions,
    voiding,
    vouchers,
)
from worker.decide.account import Account
from worker.decide.program import Version
from worker.decide.state import ItemKey, cause_of


def _nothing(data: Any, version: Version | None) -> Iterable[ItemKey]:
    return ()


def _brings_nothing(account: Account, data: Any) -> Sequence[str]:
    return ()


def _always(data: Any) -> bool:
    return True


def _never(data: Any) -> bool:
    return False


class FactType(NamedTuple):
    """`handle`: what the event does to an account. `items`: what it names besides its order, under the terms of its time where
    they are known. `all_open`: whether it asks for every open lot. `brings`: what stands now, so that what was told before it
    takes effect. `grants`: whether it may grant points by itself, which can be taken back."""

    handle: Callable[[Account, Any], None]
    all_open: Callable[[Any], bool]
    items: Callable[[Any, Version | None], Iterable[ItemKey]] = _nothing
    brings: Callable[[Account, Any], Sequence[str]] = _brings_nothing
    grants: bool = False


def _of_order(data: OrderPlaced, version: Version | None) -> Iterable[ItemKey]:
    found: list[ItemKey] = [("early", orders.name_of(data.order_id)), ("contest", data.order_id)]
    if data.redemption_id is not None:
        found.append(("request", f"redemption:{data.redemption_id}"))
    if data.course == "subscription" or data.subscription_id is not None:
        found.append(("earmark", subscriptions.setting_name(data.subscription_id)))
    if version is not None and version.remembers_bought:
        found += [("mark", f"bought:{line.sku}") for line in data.lines]
    return found


def _of_contest(data: OrderClaimed | OrderContested, version: Version | None) -> Iterable[ItemKey]:
    return ("contest", data.order_id), ("early", orders.name_of(data.order_id))


def _of_amendment(data: OrderAmended, version: Version | None) -> Iterable[ItemKey]:
    found: list[ItemKey] = [("early", orders.name_of(data.order_id))]
    if version is not None and version.remembers_bought:
        found += [("mark", f"bought:{line.sku}") for line in data.lines]
    return found


def _of_subscription(data: SubscriptionPointsSet, version: Version | None) -> Iterable[ItemKey]:
    found: list[ItemKey] = [("request", f"subscription:{data.request_id}")]
    if data.subscription_id is not None:
        found.append(("earmark", subscriptions.setting_name(data.subscription_id)))
    return found


def _of_shipment(data: ShipmentDispatched, version: Version | None) -> Iterable[ItemKey]:
    return () if data.shipment_id is None else (("early", hindsight.shipment(data.order_id, data.shipment_id)),)


def _shipment_stands(account: Account, data: ShipmentDispatched) -> Sequence[str]:
    thing = shipments.stands(account, data)
    return () if thing is None else (thing,)


def _of_return(data: ReturnWithdrawn, version: Version | None) -> Iterable[ItemKey]:
    return (("early", hindsight.of_return(data.order_id, data.return_id)),)


def _of_exchange(data: ExchangeWithdrawn, version: Version | None) -> Iterable[ItemKey]:
    return (("early", hindsight.of_exchange(data.order_id, data.exchange_id)),)


def _of_cancel(data: OrderCancelled, version: Version | None) -> Iterable[ItemKey]:
    return (("early", reinstating.name_of(data.order_id)),)


def _cancel_stands(account: Account, data: OrderCancelled) -> Sequence[str]:
    order = parts.found(account, data.order_id)
    stands = order is not None and order.status == "open" and any(line.cancelled for line in order.lines)
    return (reinstating.name_of(data.order_id),) if stands else ()


def _of_redemption(data: RedemptionRequested | RedemptionReleased, version: Version | None) -> Iterable[ItemKey]:
    return ("request", f"redemption:{data.redemption_id}"), ("early", requests.name_of(data.redemption_id))


def _of_reward(data: RewardRequested, version: Version | None) -> Iterable[ItemKey]:
    return (("request", f"reward:{data.request_id}"),)


def _of_conversion(data: ConversionRequested, version: Version | None) -> Iterable[ItemKey]:
    return (("request", f"conversion:{data.request_id}"),)


def _of_voucher(data: VoucherUsed | VoucherVoided, version: Version | None) -> Iterable[ItemKey]:
    return (("voucher", data.voucher_id),)


def _of_hold(data: PointsHeld | PointsReleased, version: Version | None) -> Iterable[ItemKey]:
    name = holding.name_of(data)
    return ("earmark", name), ("early", name)


def _of_voided(data: PointsVoided, version: Version | None) -> Iterable[ItemKey]:
    if data.event is None:
        return ()
    origin = cause_of(data.event.source, data.event.id)
    return ("early", voiding.name_of(origin)), ("earmark", members.promise_of(origin))


def _of_opening(data: BalanceOpened, version: Version | None) -> Iterable[ItemKey]:
    return (("mark", opening.MARK),)


def _of_review(data: ReviewPosted, version: Version | None) -> Iterable[ItemKey]:
    return (("mark", f"bought:{data.sku}"),)


def _order_stands(account: Account, data: OrderPlaced | OrderAmended) -> Sequence[str]:
    order = account.order(data.order_id)
    return (orders.name_of(data.order_id),) if order is not None and order.status == "open" else ()


def _of_split(data: OrderSplit, version: Version | None) -> Iterable[ItemKey]:
    for each in data.into:
        yield from (("order", each.order_id), ("early", orders.name_of(each.order_id)), ("contest", each.order_id))


def _parts_stand(account: Account, data: OrderSplit) -> Sequence[str]:
    return [orders.name_of(each) for each in splitting.stand(account, data)]


def _reservation_stands(account: Account, data: RedemptionRequested) -> Sequence[str]:
    request = account.request("redemption", data.redemption_id)
    return (requests.name_of(data.redemption_id),) if request is not None and request.status == "accepted" else ()


def _hold_stands(account: Account, data: PointsHeld) -> Sequence[str]:
    return (holding.name_of(data),) if holding.is_held(account, data) else ()


def _uses_points(data: OrderPlaced) -> bool:
    return bool(data.points_used or data.use_all_points or data.redemption_id)


# The data's type is the key, so what its row calls is given data of it.
FACT_TYPES: Final[Mapping[type[Any], FactType]] = {
    OrderPlaced: FactType(retelling.placed, _uses_points, _of_order, _order_stands),
    OrderAmended: FactType(amending.amended, _always, _of_amendment, _order_stands),
    OrderSplit: FactType(splitting.split, _never, _of_split, _parts_stand),
    OrderContested: FactType(contesting.contested, _never, _of_contest),
    OrderClaimed: FactType(contesting.claimed, _never, _of_contest),
    OrderPaid: FactType(orders.paid, _never),
    PaymentFailed: FactType(orders.payment_failed, _never),
    PaymentChargedBack: FactType(refunds.charged_back, _always),
    OrderReinstated: FactType(reinstating.reinstated, _always),
    OrderRescheduled: FactType(orders.rescheduled, _never),
    ShipmentDispatched: FactType(shipments.dispatched, _never, _of_shipment, _shipment_stands),
    ShipmentDelivered: FactType(shipments.delivered, _never),
    OrderCancelled: FactType(reversal.cancelled, _always, _of_cancel, _cancel_stands),
    ReturnRequested: FactType(reversal.return_requested, _always),
    ReturnReceived: FactType(reversal.return_received, _always),
    RefundIssued: FactType(refunds.issued, _always),
    ReturnWithdrawn: FactType(reversal.return_withdrawn, _always, _of_return),
    ExchangeRequested: FactType(reversal.exchange_requested, _always),
    ExchangeReceived: FactType(reversal.exchange_received, _always),
    ExchangeShipped: FactType(reversal.exchange_shipped, _always),
    ExchangeWithdrawn: FactType(reversal.exchange_withdrawn, _always, _of_exchange),
    MemberRegistered: FactType(members.registered, _never, grants=True),
    MemberEnrolled: FactType(members.enrolled, _never, grants=True),
    MemberUpdated: FactType(members.updated, _never),
    MemberErased: FactType(members.erased, _never),
    BalanceOpened: FactType(opening.opened, _never, _of_opening, grants=True),
    ReviewPosted: FactType(members.review_posted, _never, _of_review, grants=True),
    SurveyWon: FactType(members.survey_won, _always, grants=True),
    ActivityCompleted: FactType(members.activity_completed, _always, grants=True),
    PointsAdjusted: FactType(members.adjusted, _always, grants=True),
    PointsHeld: FactType(holding.held, _always, _of_hold, _hold_stands),
    PointsReleased: FactType(holding.released, _always, _of_hold),
    PointsVoided: FactType(voiding.voided, _always, _of_voided),
    RedemptionRequested: FactType(requests.reservation_requested, _always, _of_redemption, _reservation_stands),
    RedemptionReleased: FactType(requests.reservation_released, _always, _of_redemption),
    RewardRequested: FactType(rewards.requested, _always, _of_reward),
    ConversionRequested: FactType(conversions.requested, _always, _of_conversion),
    VoucherUsed: FactType(vouchers.used, _never, _of_voucher),
    VoucherVoided: FactType(vouchers.voided, _never, _of_voucher),
    SubscriptionPointsSet: FactType(subscriptions.points_set, _always, _of_subscription),
}
