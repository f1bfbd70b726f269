"""Keeping an order after a change: what it earns is settled, what it counts for renewed, its next instant noted."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from worker.decide import crediting, deliveries, expiry, maturity, rewards, tallies, tiers, vouchers
from worker.decide.account import Account
from worker.decide.order_records import Order


def keep(account: Account, order: Order) -> None:
    """Settle an order after a change, count it toward the tiers, and keep it with the instant at which it is next due."""
    order = expiry.keep_trace(account, crediting.settle(account, _counted_among(account, order)))
    order = vouchers.follow(account, tallies.count(account, tiers.count(account, order)))
    account.put_order(replace(order, due_at=_due_at(account, order)))
    if deliveries.followed(account.version.terms):
        rewards.follow(account, order)


def _counted_among(account: Account, order: Order) -> Order:
    """Count an order among those of the member that were not cancelled as a whole."""
    stands = order.earning.earns and not order.called_off
    if stands == order.counted.stands:
        return order
    account.head = replace(account.head, orders=account.head.orders + (1 if stands else -1))
    return replace(order, counted=replace(order.counted, stands=stands))


def _due_at(account: Account, order: Order) -> datetime | None:
    version = account.program.named(order.terms)
    terms = version.terms
    instants = [each.at for each in order.used.due_back]
    if order.counted.at is not None:
        instants.append(order.counted.at)
    # What is worth another number at maturity than before it must be looked at again then.
    at_maturity = terms.earning.tier_at == "maturity" or terms.earning.rate_date == "credit"
    if at_maturity or terms.maturity.shown == "never":
        days = {None, *version.later} if at_maturity else version.later
        dates = (maturity.date_of(version, each, later) for each in order.portions for later in days)
        instants.extend(at for at in dates if at is not None and at > account.at)
    setting = terms.redemption.subscription
    if order.used.to_take and setting is not None and setting.taken_at == "cut_off":
        end = deliveries.cut_off(account, order, setting.deadline)
        if end is not None:
            instants.append(max(end, account.at))
    return min(instants, default=None)
