"""Reward items: asked for with points, sent along with the next delivery whose deadline had not passed (ANS-13 to ANS-16)."""

from __future__ import annotations

from msgspec.structs import replace

from contracts.events import RewardRequested
from contracts.terms import Rewards
from worker.decide import deliveries, expiry, ledger, limits, redemption, requests
from worker.decide.account import Account
from worker.decide.order_records import Order
from worker.decide.program import Version
from worker.decide.state import Request


def requested(account: Account, data: RewardRequested) -> None:
    """An item is asked for: decided now, its points taken now or when it ships; then it waits for a delivery."""
    if requests.made_before(account, "reward", data.request_id):
        return
    version = account.version
    rules = version.terms.rewards
    price = rules.items.get(data.reward_sku) if rules is not None else None
    points = (price or 0) * data.quantity
    verdict = requests.decide(account, redemption.Finding(points, _against(account, price, points)))
    request = Request(
        request_id=data.request_id,
        type="reward",
        made_at=account.at,
        points=points,
        sku=data.reward_sku,
        quantity=data.quantity,
    )
    if not requests.stands(account, request, verdict, offered=rules is not None, request_id=data.request_id) or rules is None:
        return
    if rules.deducted_at == "request":
        request = _pay(account, version, rules, request)
    account.put_request(replace(request, status="accepted"))
    account.head = replace(account.head, riders=(*account.head.riders, data.request_id))
    assign(account)


def _against(account: Account, price: int | None, points: int) -> str | None:
    if not redemption.is_member(account):
        return "not_a_member"
    if price is None:
        return "reward_not_offered"
    promised = sum(request.points for request in _riders(account) if _pays_later(account, request))
    subject = limits.without_order(account, account.version)
    if points > redemption.usable(account, account.version, subject) - promised:
        return "insufficient_points"
    return None


def _riders(account: Account) -> list[Request]:
    """Items that wait for a delivery, in the order in which they were asked for."""
    account.need(items=[("request", f"reward:{each}") for each in account.head.riders])
    return [request for request in (account.request("reward", each) for each in account.head.riders) if request is not None]


def _pays_later(account: Account, request: Request) -> bool:
    rules = account.program.at(request.made_at).terms.rewards
    return rules is not None and rules.deducted_at == "shipment"


def _pay(account: Account, version: Version, rules: Rewards, request: Request) -> Request:
    if not request.points:
        return request
    first = limits.paying_lots(account, version, limits.without_order(account, version))
    spent = ledger.take(account, version, request.points, "redeem", "spent", rules.rule, None, first)
    expiry.prolong(account, version, "use")
    return replace(request, spent=spent)


def assign(account: Account) -> None:
    """Tell every waiting item the delivery that it will travel with, or that there is none yet."""
    rules = account.version.terms.rewards
    if rules is None or not account.head.riders:
        return
    orders = deliveries.following(account, rules.deadline)
    for request in _riders(account):
        carriers = (order.order_id for order in orders if deliveries.in_time(account, order, rules.deadline, request.made_at))
        carrier = next(carriers, None)
        if carrier != request.ships_with:
            account.put_request(replace(request, ships_with=carrier))


def follow(account: Account, order: Order) -> None:
    """After an order changed: what it carries goes back or looks for another delivery if it has nothing left to send."""
    deliveries.follow(account, order)
    if not account.head.riders:
        return
    if order.order_id not in account.head.deliveries:
        for request in _riders(account):
            if request.ships_with == order.order_id:
                _called_off(account, request, order)
    assign(account)


def ship(account: Account, order: Order) -> None:
    """Goods of an order leave, and the items that travel with it. One whose points are gone by now stays for the next one."""
    for request in _riders(account):
        if request.ships_with != order.order_id:
            continue
        sent = request
        if _pays_later(account, request):
            version = account.program.at(request.made_at)
            rules = version.terms.rewards
            if rules is None or request.points > account.head.available:
                account.note_finding("reward_not_covered", order.order_id, request.request_id)
                continue
            sent = _pay(account, version, rules, request)
        account.put_request(replace(sent, status="shipped"))
        _drop(account, request)


def _called_off(account: Account, request: Request, order: Order) -> None:
    """The delivery will not leave: the points come back, or (by default) stay spent and the item waits for the next one."""
    version = account.program.at(request.made_at)
    rules = version.terms.rewards
    if rules is None or rules.carrier_reversed == "kept":
        return
    if not _pays_later(account, request):
        account.need_all_open()
        rule = rules.carrier_rule or rules.rule
        ledger.need_lots(account, version, request.spent, "hand_back")
        for each in request.spent:
            ledger.give_back(account, version, each, each.points, "spent", "hand_back", rule, order.order_id)
        unnamed = request.points - sum(each.points for each in request.spent)
        if unnamed:
            ledger.give_back_unnamed(account, version, unnamed, "spent", rule, order.order_id)
    account.put_request(replace(request, status="released", ships_with=None, spent=()))
    _drop(account, request)


def _drop(account: Account, request: Request) -> None:
    account.head = replace(account.head, riders=tuple(each for each in account.head.riders if each != request.request_id))
