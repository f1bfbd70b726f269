"""Points that support staff set aside by hand: some of the balance, or what an order brings, as a whole where it was split."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from contracts.events import PointsHeld, PointsReleased
from worker.decide import early, ledger, order_update, orders, parts
from worker.decide.account import Account
from worker.decide.order_records import Order, Spent
from worker.decide.state import Earmark

_BY_HAND: Final = "manual"
MANUAL: Final = f"hold:{_BY_HAND}"
"""The name under which points are kept that are held without an order."""


def name_of(data: PointsHeld | PointsReleased) -> str:
    """The name of the hold that a fact is about: that of its order, or of points alone."""
    return _named(data.order_id or _BY_HAND)


def _named(name: str) -> str:
    return f"hold:{name}"


def _earmark_of(data: PointsHeld | PointsReleased, order: Order | None) -> str:
    """The name under which points are kept that are held: those of an order that was split under its first id."""
    return name_of(data) if order is None else _named(order.order_id)


def is_held(account: Account, data: PointsHeld | PointsReleased) -> bool:
    """Whether there is something to release."""
    order = parts.found(account, data.order_id) if data.order_id is not None else None
    return (order is not None and order.earning.held) or account.earmark(_earmark_of(data, order)) is not None


def held(account: Account, data: PointsHeld) -> None:
    """Points, or an order's, are set aside by hand (SCO-13, LEN-22). More than there is: what there is, and a finding."""
    rules = account.version.terms.adjustment
    if data.order_id is not None:
        order = orders.live(account, data.order_id)
        if order is not None:
            account.put_order(replace(order, earning=replace(order.earning, held=True)))
            mine = [lot for lot in account.open_lots() if lot.order_id == order.order_id]
            # In an order of its own, not as the lots were loaded: a part that is released goes to the first of them.
            for lot in ledger.in_spend_order(account, account.version, mine):
                taken = ledger.take(account, account.version, lot.available, "hold", "held", rules.rule, order.order_id, [lot])
                _add_hold(account, taken, rules.rule, order.order_id)
        return
    account.need_all_open()
    points = min(data.points or 0, max(account.head.available, 0))
    if points < (data.points or 0):
        account.note_finding("held_more_than_available", None, str((data.points or 0) - points))
    if points:
        _add_hold(account, ledger.hold(account, account.version, points, "hold", rules.rule), rules.rule, _BY_HAND)


def _add_hold(account: Account, spent: tuple[Spent, ...], rule: str, name: str) -> None:
    hold = account.earmark(_named(name)) or Earmark(name=_named(name))
    hold = replace(
        hold,
        points=hold.points + sum(each.points for each in spent),
        spent=(*hold.spent, *spent),
        rules=(*hold.rules, *(rule for _ in spent)),
    )
    account.put("earmark", hold.name, hold)


def released(account: Account, data: PointsReleased) -> None:
    """Held points can be used again, by the rule that held them, if they have not lapsed meanwhile."""
    name, order_id = name_of(data), data.order_id
    if data.order_id is not None:
        order = orders.live(account, data.order_id)
        if order is None:
            return
        name, order_id = _earmark_of(data, order), order.order_id
        if order.earning.held:
            order_update.keep(account, replace(order, earning=replace(order.earning, held=False)))
        elif not is_held(account, data):
            early.keep(account, name_of(data), "released_without_hold", data.order_id)
            return
    elif data.points and not is_held(account, data):
        early.keep(account, name_of(data), "released_more_than_held", detail=str(data.points))
        return
    hold = account.earmark(name)
    points = data.points if data.points is not None else (hold.points if hold else 0)
    left = min(points, hold.points if hold else 0)
    if left < points:
        account.note_finding("released_more_than_held", data.order_id, str(points - left))
    if hold is None or not left:
        return
    still, kept = hold.points - left, []
    ledger.need_lots(account, account.version, hold.spent, "release")
    for each, rule in zip(hold.spent, hold.rules, strict=True):
        n = min(left, each.points - each.back)
        if n:
            ledger.give_back(account, account.version, each, n, "held", "release", rule, order_id)
            left -= n
        if each.points > each.back + n:
            kept.append((replace(each, back=each.back + n), rule))
    hold = replace(hold, points=still, spent=tuple(each for each, _ in kept), rules=tuple(rule for _, rule in kept))
    account.put("earmark", hold.name, hold if still else None)
