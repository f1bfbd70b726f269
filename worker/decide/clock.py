"""What the passing of time alone brings about at one instant, in a fixed order: lapse, mature, hand back, review tiers, end
holds, grant for the day, settle periods, convert, pay out, give notice."""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from worker.decide import (
    conversions,
    expiry,
    ledger,
    limits,
    members,
    occasions,
    order_update,
    payout,
    prospects,
    requests,
    reversal,
    subscriptions,
    tallies,
    tier_reviews,
    vouchers,
)
from worker.decide.account import Account
from worker.decide.order_records import Order
from worker.decide.state import Earmark, Request
from worker.decide.step import Notice, TierNotice


def tick(account: Account) -> None:
    """Everything that is due at or before the instant of the open step."""
    _lapse(account)
    vouchers.lapse_due(account)
    _mature(account)
    _orders(account)
    earmarks = account.due(Earmark, account.at)
    account.need(origins=filter(None, map(members.promised, earmarks)))
    for earmark in earmarks:
        members.keep_promise(account, earmark)
    tier_reviews.review_due(account)
    for request in account.due(Request, account.at):
        requests.end_due(account, request, account.at)
    occasions.grant_due(account)
    tallies.settle_due(account)
    conversions.convert_due(account)
    payout.pay(account)
    _notify(account)


def look(account: Account) -> None:
    """What the end of every step brings: what a level brings that it has reached, points that turn into something else at once,
    what is too much for the member lost, and when the clock is to come again."""
    occasions.grant_for_level(account)
    conversions.look(account)
    limits.lose_excess(account)
    occasions.look(account)
    payout.look(account)


def _lapse(account: Account) -> None:
    """Lots and the pool whose last day is over (COM-C3)."""
    at, version = account.at, account.version
    over = [lot for lot in ledger.in_spend_order(account, version) if lot.lapses_at is not None and lot.lapses_at <= at]
    ledger.lapse(account, version, over)
    pool_lapses_at = account.head.pool_lapses_at
    if pool_lapses_at is not None and pool_lapses_at <= at:
        pooled = [lot for lot in ledger.in_spend_order(account, version) if lot.pooled]
        ledger.lapse(account, version, pooled, expiry.of_pool(version, sum(lot.available for lot in pooled)))
        expiry.run_pool_again(account, version)


def _mature(account: Account) -> None:
    """Pending lots whose date has come; those of an order that is held wait for its release."""
    at = account.at
    due = [lot for lot in account.open_lots() if lot.pending and lot.matures_at is not None and lot.matures_at <= at]
    account.need(items=[("order", lot.order_id) for lot in due if lot.order_id is not None])
    for lot in sorted(due, key=lambda lot: (lot.matures_at or at, lot.ref)):
        version, rule = account.version, lot.rule
        if lot.order_id is not None:
            order = account.order(lot.order_id)
            if order is not None and order.earning.held:
                account.put_lot(replace(lot, matures_at=None))
                continue
            if order is not None:
                version = account.program.named(order.terms)
                rule = version.terms.maturity.rule
        ledger.mature(account, version, lot, rule)


def _orders(account: Account) -> None:
    """Orders with something due: used points on their way back, points credited on their date, purchases to be judged."""
    for order in account.due(Order, account.at):
        order_update.keep(account, reversal.return_due(account, subscriptions.at_cut_off(account, order), account.at))


def _notify(account: Account) -> None:
    """Tell of points that lapse, and of a level that is lost, in as many days as the terms name; of points one notice for each
    last day."""
    at, version = account.at, account.version
    by_day: dict[date, int] = {}
    for lot in account.open_lots():
        if lot.available and lot.notice_at is not None and lot.notice_at <= at:
            if lot.expires_on is not None:
                by_day[lot.expires_on] = by_day.get(lot.expires_on, 0) + lot.available
            account.put_lot(replace(lot, notice_at=expiry.notice_at(version, lot.expires_on, at)))
    head = account.head
    if head.pool_notice_at is not None and head.pool_notice_at <= at:
        last = expiry.pool_expires_on(account, version)
        pooled = expiry.of_pool(version, sum(lot.available for lot in account.open_lots() if lot.pooled))
        # Without points there is nothing to tell, and whoever was not asked to look at this instant must come to the same: the
        # first points that come move the notice on.
        if last is not None and pooled:
            by_day[last] = by_day.get(last, 0) + pooled
            account.head = replace(account.head, pool_notice_at=expiry.notice_at(version, last, at))
    today = version.days.date_of(at)
    for last, points in sorted(by_day.items()):
        account.notices.append(Notice(points=points, expires_on=last, days_left=(last - today).days))
    lost = prospects.due_notice(version, head=account.head, at=at)
    if lost is not None and lost.until is not None:
        missing = tuple([(each.measure, each.amount) for each in lost.missing])
        left = (lost.until - today).days
        account.notices.append(TierNotice(lost.tier, lost.until, left, missing, any_of=lost.any_of))
