"""One grant taken back by support staff: what an event brought, what an order brought, or one lot.

It is taken from that grant first. What was spent of it comes from other lots, those that last longest first, then from below
zero; what has lapsed of it is gone already. Room under caps is free again; what counts once has counted.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from contracts.events import PointsVoided
from worker.decide import caps, crediting, early, ledger, members, opening, order_update, orders, parts, tiers
from worker.decide.account import Account
from worker.decide.lot_name import is_grant, lot_place, order_origin
from worker.decide.state import Lot, cause_of

_ALL = 10**18


def voided(account: Account, data: PointsVoided) -> None:
    """Take a grant back, in part or whole. More than it was, or what was taken back before, is a finding."""
    account.need_all_open()
    asked = data.points or _ALL
    if data.order_id is not None:
        gone = _of_order(account, data.order_id, asked, None)
    elif data.lot is not None:
        origin, part = lot_place(data.lot)
        order_id = origin.removeprefix(order_origin(""))
        grants = part.partition("~")[0]
        gone = _of_order(account, order_id, asked, grants) if order_id != origin else _of_fact(account, origin, asked, grants)
    else:
        assert data.event is not None
        gone = _of_fact(account, cause_of(data.event.source, data.event.id), asked, None)
    if gone is None:
        return
    if not gone or (data.points is not None and gone < data.points):
        account.note_finding("voided_more_than_granted", data.order_id, str(data.points - gone) if data.points else "")


def _of_order(account: Account, order_id: str, points: int, only: str | None) -> int | None:
    """What an order holds; None: it does not stand."""
    order = orders.live(account, order_id)
    if order is None:
        return None
    if order.order_id != order_id:
        points = min(points, parts.credited(order, order_id))
    order, gone = crediting.void(account, order, points, account.version.terms.adjustment.rule, only)
    if gone:
        order_update.keep(account, order)
    return gone


def _of_fact(account: Account, origin: str, points: int, only: str | None) -> int | None:
    """What a fact granted, or will when its hours have passed; None: no such fact is known, so that this one is kept for it."""
    account.need(origins=[origin], items=[("earmark", members.promise_of(origin))])
    beside = [lot for lot in account.open_lots() if lot.origin == origin]
    grants = [lot for lot in beside if is_grant(lot.origin, lot.part) and only in (None, lot.part)]
    promise = account.earmark(members.promise_of(origin))
    if not grants and promise is None:
        early.keep(account, name_of(origin), "unknown_grant", detail=origin)
        return None
    left = points
    if promise is not None:
        less = min(left, promise.points)
        left -= less
        account.put("earmark", promise.name, replace(promise, points=promise.points - less) if promise.points > less else None)
    for lot in sorted(grants, key=lambda each: each.ref):
        gone = min(left, lot.points - lot.voided)
        if gone > 0:
            _take(account, lot, gone)
            left -= gone
    return points - left


def name_of(origin: str) -> str:
    """What facts told before a grant are kept under."""
    return f"grant:{origin}"


def _take(account: Account, lot: Lot, points: int) -> None:
    rule = account.version.terms.adjustment.rule
    mine = [each for each in account.open_lots() if each.origin == lot.origin and each.ref != lot.ref]
    own = [lot, *ledger.longest_first(mine)]
    lapsed = min(max(points - sum(each.available for each in own), 0), lot.lapsed)
    lot = replace(lot, voided=lot.voided + points, lapsed=lot.lapsed - lapsed)
    account.put_lot(lot)
    known = {each.ref for each in own}
    others = [each for each in ledger.longest_first(account.open_lots()) if each.ref not in known]
    if points > lapsed:
        ledger.take(account, account.version, points - lapsed, "revoke", "revoked", rule, None, [lot, *own[1:], *others])
    _free_caps(account, lot, points)
    if not lot.part.startswith(opening.PART):
        origin: Literal["activity", "adjustment"] = "adjustment" if lot.part == members.ADJUSTMENT else "activity"
        tiers.count_points(account, -points, origin, lot.kind, lot.granted_at)


def _free_caps(account: Account, lot: Lot, points: int) -> None:
    """Points of an activity that were taken back use up no cap."""
    version = account.program.at(lot.granted_at)
    rule = next((rule for rule in version.terms.activities if rule.id == lot.part), None)
    if rule is None:
        return
    for name, cap in caps.of(version, "activity", rule.id, rule.kind):
        if cap.freed_by_reversal:
            period = caps.period_of(account, version, name, cap, version.days.date_of(lot.granted_at))
            caps.use(account, cap, period, -min(points, account.head.caps.get(period, 0)))
