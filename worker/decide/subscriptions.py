"""Points set in advance for a subscription's delivery (ANS-18): within a deadline, replacing an earlier amount.

A setting for a delivery that is known sits on its order; one that comes before it, or too late for it, is kept under the
subscription's name and used on the next order, as far as that can take it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec.structs import replace

from contracts.events import SubscriptionPointsSet
from contracts.terms import Subscription
from worker.decide import deliveries, expiry, ledger, limits, order_update, parts, redemption, requests
from worker.decide.account import Account
from worker.decide.conditions import of_order
from worker.decide.order_records import Order
from worker.decide.state import Earmark, Request

_NAME: Final = "points:"


class _Target(NamedTuple):
    """What a setting is for: an order, or (None) the next one under the subscription's name; or why it is refused."""

    order: Order | None = None
    name: str = ""
    against: str | None = None


def setting_name(subscription_id: str | None) -> str:
    """Under which name the setting of a subscription is kept; one name for all orders that name no subscription."""
    return f"{_NAME}{subscription_id or ''}"


def points_set(account: Account, data: SubscriptionPointsSet) -> None:
    """A member sets how many points the next delivery uses; 0 withdraws an earlier setting."""
    if requests.made_before(account, "subscription", data.request_id, data.order_id):
        return
    target = _target(account, data)
    earlier = _earlier(account, target)
    found = redemption.Finding(data.points, target.against)
    if found.reason is None and data.points:
        found = _check(account, target, data.points, earlier)
    verdict = requests.decide(account, found)
    request = Request(
        request_id=data.request_id,
        type="subscription",
        made_at=account.at,
        points=found.points,
        order_id=target.order.order_id if target.order else data.order_id,
        subscription_id=data.subscription_id,
    )
    rules = account.version.terms.redemption.subscription
    named = {"order_id": data.order_id, "request_id": data.request_id}
    if not requests.stands(account, request, verdict, offered=rules is not None, **named) or rules is None or verdict is None:
        return
    request = replace(request, points=verdict.points, status="accepted")
    if earlier is not None:
        account.put_request(replace(earlier, status="released", spent=()))
    if target.order is not None:
        account.put_request(request)
        order = replace(target.order, used=replace(target.order.used, setting=data.request_id))
        _set_on(account, rules, order, verdict.points)
    else:
        _keep_for_next(account, rules, target.name, request, earlier)


def _target(account: Account, data: SubscriptionPointsSet) -> _Target:
    rules = account.version.terms.redemption.subscription
    if not redemption.is_member(account):
        return _Target(against="not_a_member")
    if rules is None:
        return _Target(against="channel_not_eligible")
    following = deliveries.following(account, rules.deadline)
    if data.order_id is not None:
        order = parts.found(account, data.order_id)
        if order is None or order.status != "open":
            return _Target(against="unknown_order")
        if not redemption.takes_points(account.program.named(order.terms), order.content.store):
            return _Target(against="store_not_eligible")
        if not by_subscription(order):
            return _Target(against="channel_not_eligible")
        name = setting_name(order.content.subscription_id)
        others = [each for each in following if by_subscription(each) and setting_name(each.content.subscription_id) == name]
        chosen = [order, *(each for each in others if each.order_id != order.order_id)]
    else:
        name = setting_name(data.subscription_id)
        chosen = [each for each in following if by_subscription(each) and setting_name(each.content.subscription_id) == name]
    if rules.late == "refused":
        chosen = chosen[:1]
    for order in chosen:
        if order.order_id in account.head.deliveries and deliveries.in_time(account, order, rules.deadline, account.at):
            return _Target(order, name)
    if chosen and rules.late == "refused":
        return _Target(chosen[0], name, "deadline_passed")
    return _Target(None, name)


def by_subscription(order: Order) -> bool:
    """Whether an order is a delivery of a subscription."""
    return order.content.course == "subscription" or order.content.subscription_id is not None


def _earlier(account: Account, target: _Target) -> Request | None:
    """The setting that a new one replaces."""
    if target.against is not None:
        return None
    if target.order is not None:
        return account.request("subscription", target.order.used.setting) if target.order.used.setting else None
    kept = account.earmark(target.name)
    return account.request("subscription", kept.values[0]) if kept else None


def _check(account: Account, target: _Target, points: int, earlier: Request | None) -> redemption.Finding:
    if target.order is not None:
        version = account.program.named(target.order.terms)
        covered = redemption.usable(account, version, of_order(target.order)) + target.order.used.standing
        return redemption.check_amount(version, target.order, points, covered)
    available = redemption.usable(account, account.version, limits.without_order(account, account.version))
    rules = account.version.terms.redemption
    if points < rules.minimum:
        return redemption.Finding(points, "below_minimum")
    if rules.maximum is not None and points > rules.maximum:
        return redemption.Finding(points, "above_maximum")
    if points % rules.unit:
        return redemption.Finding(points, "not_a_multiple")
    held = set_aside(account, earlier)
    return redemption.Finding(points, "insufficient_points" if points > available + held else None)


# -- on an order


def _set_on(account: Account, rules: Subscription, order: Order, points: int) -> None:
    if rules.taken_at == "setting":
        order = redemption.change(account, order, points, rules.rule)
    else:
        order = replace(order, used=replace(order.used, to_take=points))
        if points < order.used.standing:
            order = redemption.change(account, order, points, rules.rule)
    order_update.keep(account, order)


def take_set(account: Account, order: Order) -> Order:
    """Take what was set for a delivery, when it ships or at its deadline: as much as is there and the order can take."""
    version = account.program.named(order.terms)
    rules = version.terms.redemption.subscription
    if rules is None or not order.used.to_take:
        return order
    account.need_all_open()
    covered = limits.paying(account, version, of_order(order))
    most = min(order.used.to_take, order.used.standing + max(covered, 0))
    points = redemption.at_most(version, order, most)
    _tell_cut(account, order, order.used.to_take - points)
    order = redemption.change(account, order, points, rules.rule)
    return replace(order, used=replace(order.used, to_take=0))


def _tell_cut(account: Account, order: Order, points: int) -> None:
    """Keep as a finding that an order could not use all that was set for it."""
    if points > 0:
        account.note_finding("setting_cut", order.order_id, str(points))


def at_cut_off(account: Account, order: Order) -> Order:
    """The clock's part: an order whose deadline has come takes what was set for it."""
    rules = account.program.named(order.terms).terms.redemption.subscription
    if rules is None or rules.taken_at != "cut_off" or deliveries.in_time(account, order, rules.deadline, account.at):
        return order
    return take_set(account, order)


# -- kept for the next order


def _keep_for_next(account: Account, rules: Subscription, name: str, request: Request, earlier: Request | None) -> None:
    """Set points aside under the subscription's name, in place of what was set aside before."""
    spent = earlier.spent if earlier else ()
    change = (request.points if rules.taken_at == "setting" else 0) - set_aside(account, earlier)
    if change > 0:
        first = limits.paying_lots(account, account.version, limits.without_order(account, account.version))
        spent = (*spent, *ledger.hold(account, account.version, change, "reserve", rules.rule, None, first))
    elif change < 0:
        account.need_all_open()
        spent = redemption.take_off(account, account.version, spent, -change, "held", rules.rule, None)
    account.put_request(replace(request, spent=spent))
    earmark = Earmark(name=name, values=(request.request_id,), points=request.points) if request.points else None
    account.put("earmark", name, earmark)


def kept_for(account: Account, order: Order) -> Request | None:
    """The setting that waits for an order like this one and was made within its deadline."""
    rules = account.version.terms.redemption.subscription
    if rules is None or not by_subscription(order):
        return None
    kept = account.earmark(setting_name(order.content.subscription_id))
    request = account.request("subscription", kept.values[0]) if kept else None
    if request is None or not deliveries.in_time(account, order, rules.deadline, request.made_at):
        return None
    return request


def set_aside(account: Account, request: Request | None) -> int:
    """Points that a setting holds while it waits for its order: all of it, where the terms took it then, though a verdict that
    stands may have found fewer in lots."""
    if request is None:
        return 0
    rules = account.program.at(request.made_at).terms.redemption.subscription
    return request.points if rules is not None and rules.taken_at == "setting" else 0


def all_set_aside(account: Account) -> int:
    """Points that all settings hold which wait for their orders, of a complete account."""
    waiting = [each for each in account.earmarks() if each.name.startswith(_NAME)]
    return sum(set_aside(account, account.request("subscription", each.values[0])) for each in waiting)


def free(account: Account, request: Request, order: Order) -> None:
    """An order that names its own points takes the place of the setting: what was set aside can be used on it."""
    version = account.program.named(order.terms)
    rules = version.terms.redemption
    account.need_all_open()
    redemption.take_off(account, version, request.spent, set_aside(account, request), "held", rules.rule, None)
    account.put_request(replace(request, status="released", spent=(), order_id=order.order_id))
    account.put("earmark", setting_name(order.content.subscription_id), None)


def use_kept(account: Account, request: Request, order: Order) -> Order:
    """The next order came: the setting becomes its own, as far as it can take it; the rest comes back."""
    version = account.program.named(order.terms)
    rules = version.terms.redemption.subscription
    assert rules is not None
    account.put("earmark", setting_name(order.content.subscription_id), None)
    points = redemption.at_most(version, order, request.points)
    _tell_cut(account, order, request.points - points)
    held = set_aside(account, request)
    if not held:
        account.put_request(replace(request, order_id=order.order_id))
        return replace(order, used=replace(order.used, setting=request.request_id, to_take=points))
    account.need_all_open()
    spent = redemption.take_off(account, version, request.spent, held - points, "held", rules.rule, None)
    account.put_request(replace(request, status="captured", spent=(), order_id=order.order_id))
    if points:
        ledger.capture(account, points, rules.rule, order.order_id)
        expiry.prolong(account, version, "use", order.order_id)
    order = redemption.put_on_lines(version, order, points)
    return replace(order, used=replace(order.used, spent=spent, setting=request.request_id))
