"""A member's statement, read off an account that has been folded up to an instant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import TypedDict

from contracts.statement import (
    FindingOut,
    KeepsTierOut,
    LotOrderOut,
    LotOut,
    MissingOut,
    NextTierOut,
    OrderOut,
    PendingLotOut,
    RedemptionOut,
    RequestOut,
    Statement,
    VoucherOut,
)
from worker.decide import contesting, expiry, ledger, parts, prospects, subscriptions
from worker.decide.account import Account
from worker.decide.order_records import Order, Voucher
from worker.decide.program import Version
from worker.decide.state import Finding, Request

_LAST = date.max


class _Tiers(TypedDict):
    tier_until: date | None
    next_tier: NextTierOut | None
    keeps_tier: KeepsTierOut | None


def statement(account: Account, member_id: str, version: int, at: datetime, asked: str) -> Statement:
    """The statement of a complete account that was folded up to an instant, by the terms in force then. `asked`: the instant as
    it was asked for."""
    terms = account.program.at(at)
    head = account.head
    items = list(account.items.values())
    # The id of a part is told with its order.
    kept = [item for item in items if isinstance(item, Order) and item.part_of is None]
    orders = sorted(kept, key=lambda order: (order.placed_at, order.order_id))
    requests = sorted((item for item in items if isinstance(item, Request)), key=lambda each: (each.made_at, each.request_id))
    findings = sorted(
        (item for item in items if isinstance(item, Finding)),
        key=lambda each: (each.at, each.code, each.order_id or "", each.detail),
    )
    reserved = sum(each.points for each in requests if each.type == "redemption" and each.status == "accepted")
    reserved += subscriptions.all_set_aside(account)
    reserved += sum(order.used.reserved for order in orders)
    return Statement(
        program=account.program.code,
        member_id=member_id,
        at=asked,
        version=version,
        available=head.available,
        pending=head.pending,
        on_hold=head.held - reserved,
        due_back=sum(each.points for order in orders for each in order.used.due_back),
        reserved=reserved,
        lapsed_total=head.lapsed,
        forfeited_total=head.forfeited,
        revoked_total=head.revoked,
        tier=head.tier.name if head.tier else terms.lowest_tier,
        lots=_lots(account, terms),
        orders=tuple(each for order in orders for each in _order(order)),
        requests=tuple(_requests(requests)),
        vouchers=_vouchers(item for item in items if isinstance(item, Voucher)),
        findings=tuple(
            FindingOut(code=each.code, at=each.at, order_id=each.order_id, detail=each.detail or None) for each in findings
        ),
        pending_lots=_pending(account, terms),
        **_tiers(account, terms, at),
    )


def _tiers(account: Account, terms: Version, at: datetime) -> _Tiers:
    """What is said of the level beside its name."""
    keeps, above = prospects.keeping(terms, account.head, at), prospects.next_level(terms, account.head, at)
    until = None if keeps is None else keeps.until
    return _Tiers(
        tier_until=until,
        next_tier=None if above is None else NextTierOut(tier=above.tier, missing=_missing(above), any_of=above.any_of),
        keeps_tier=None
        if keeps is None or until is None
        else KeepsTierOut(until=until, missing=_missing(keeps), any_of=keeps.any_of),
    )


def _missing(prospect: prospects.Prospect) -> tuple[MissingOut, ...]:
    return tuple([MissingOut(measure=each.measure, amount=each.amount) for each in prospect.missing])


def _pending(account: Account, terms: Version) -> tuple[PendingLotOut, ...]:
    """Pending points by the day on which they become usable, the soonest first, and by order."""
    found: dict[tuple[date, str], int] = {}
    for lot in account.lots.values():
        if lot.pending:
            key = (_LAST if lot.matures_at is None else terms.days.date_of(lot.matures_at), lot.order_id or "")
            found[key] = found.get(key, 0) + lot.pending
    return tuple(
        PendingLotOut(points=points, usable_from=None if day == _LAST else day, order_id=order_id or None)
        for (day, order_id), points in sorted(found.items())
    )


def _vouchers(found: Iterable[Voucher]) -> tuple[VoucherOut, ...]:
    """Vouchers, those with the earliest last day first."""
    ordered = sorted(found, key=lambda each: (each.expires_on or _LAST, each.voucher_id))
    return tuple(
        VoucherOut(
            voucher_id=each.voucher_id,
            name=each.name,
            status=each.status,
            expires_on=each.expires_on,
            value=each.value,
            item=each.item,
        )
        for each in ordered
    )


def _lots(account: Account, terms: Version) -> tuple[LotOut, ...]:
    by_day: dict[tuple[date, str], dict[str, int]] = {}
    pool, lots = expiry.pool_expires_on(account, terms), ledger.in_spend_order(account, terms, tuple(account.lots.values()))
    left = expiry.of_pool(terms, sum(lot.available for lot in lots if lot.pooled))
    for lot in lots:
        first = min(lot.available, left) if lot.pooled else lot.available
        left -= first if lot.pooled else 0
        for last, points in ((pool if lot.pooled else lot.expires_on, first), (None, lot.available - first)):
            if points:
                orders = by_day.setdefault((last or _LAST, lot.kind), {})
                orders[lot.order_id or ""] = orders.get(lot.order_id or "", 0) + points
    return tuple(
        LotOut(
            kind=kind,
            expires_on=None if day == _LAST else day,
            points=sum(orders.values()),
            order_id=next(iter(orders)) or None if len(orders) == 1 else None,
            orders=tuple(LotOrderOut(order_id=each or None, points=orders[each]) for each in sorted(orders))
            if len(orders) > 1
            else (),
        )
        for (day, kind), orders in sorted(by_day.items())
    )


def _order(order: Order) -> Iterable[OrderOut]:
    """An order, or the parts into which it was split."""
    asked = order.content.asks or order.used.points
    redemption = None
    if asked:
        verdict = {"open": "accepted", "waiting": "waiting", "rejected": "rejected"}.get(order.status)
        if verdict is None:  # withheld: it waits for the command that says whose it is, unless its use of points was announced
            verdict = "accepted" if order.used.points else "waiting" if order.reason == contesting.CONTESTED else "rejected"
        redemption = RedemptionOut.model_validate({"decision": verdict, "reason": order.reason})
    used, id_ = order.used, order.order_id
    whole = parts.Share(used.points, used.back, used.forfeited, order.earning.credited)
    for order_id, share in parts.shares(order).items() if order.parts else ((id_, whole),):
        yield OrderOut(
            order_id=order_id,
            points_used=share.used,
            points_returned=share.back,
            points_forfeited=share.forfeited,
            points_credited=share.credited,
            redemption=redemption,
            split_from=None if order_id == id_ else id_,
        )


def _requests(requests: Iterable[Request]) -> Iterable[RequestOut]:
    for each in requests:
        decision = {"waiting": "waiting", "rejected": "rejected"}.get(each.status, "accepted")
        yield RequestOut.model_validate(
            {
                "request_id": each.request_id,
                "decision": decision,
                "points": each.points,
                "reason": each.reason,
                "ships_with": each.ships_with,
            }
        )
