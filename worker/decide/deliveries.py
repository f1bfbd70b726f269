"""Orders that still have goods to send: which one goes next, and whether something asked for can still travel with it."""

from __future__ import annotations

from datetime import date, datetime

from msgspec.structs import replace

from contracts.terms import Deadline, Terms
from worker.decide.account import Account
from worker.decide.order_records import Order


def followed(terms: Terms) -> bool:
    """Whether the terms let anything travel with a delivery, so that open ones must be known."""
    return terms.rewards is not None or terms.redemption.subscription is not None


def follow(account: Account, order: Order) -> None:
    """Keep in mind whether an order still has goods to send."""
    known = account.head.deliveries
    goes = order.status == "open" and any(line.unshipped for line in order.lines)
    if goes != (order.order_id in known):
        rest = tuple(order_id for order_id in known if order_id != order.order_id)
        account.head = replace(account.head, deliveries=(*rest, order.order_id) if goes else rest)


def planned(order: Order, deadline: Deadline) -> date | None:
    """The planned date that a deadline is counted from; None if the shop did not name it."""
    return order.delivery.planned_ship_date if deadline.before == "planned_ship_date" else order.delivery.planned_delivery_date


def cut_off(account: Account, order: Order, deadline: Deadline) -> datetime | None:
    """The instant after the deadline of an order; None if no date is planned, so that it stays open until the goods leave."""
    day = planned(order, deadline)
    return None if day is None else account.program.named(order.terms).days.deadline_end(day, deadline)


def in_time(account: Account, order: Order, deadline: Deadline, asked_at: datetime) -> bool:
    """Whether something asked for at an instant was within the deadline of an order."""
    end = cut_off(account, order, deadline)
    return end is None or asked_at < end


def following(account: Account, deadline: Deadline) -> list[Order]:
    """Orders that still have goods to send, the one planned soonest first."""
    found = [order for order in map(account.order, account.head.deliveries) if order is not None]
    return sorted(found, key=lambda order: (planned(order, deadline) or date.max, order.placed_at, order.order_id))
