"""Conditions of the terms (`when`): the one place that says whether one holds.

A *subject* says what is known where a condition is asked: of a line of an order everything, of an activity the member and the
instant. Which parts each place of a terms file may use stands in `contracts.terms` (`When`, `WHEN_OF_ACTIVITY`), and a
file that uses another is refused; so a part that is given here but not known does not hold.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from contracts.terms import Around, Basket, Nth, Since, When
from worker.decide import exchange
from worker.decide.account import Account
from worker.decide.amounts import in_unit, part
from worker.decide.calendar import in_year
from worker.decide.order_records import Buyer, Order, OrderLine
from worker.decide.program import Version

ALWAYS: Final = When()


class Subject(NamedTuple):
    """What a condition is asked of. `at`: the instant whose date counts. `tier`: the member's level then; `buyer`: what else is
    known of the member. `order` is None for an activity, whose `sku` is that of the product it is about, if it is about one, and
    where points are set aside before there is an order, for a `store` that may be known; `line` for an order as a whole."""

    at: datetime
    tier: str | None
    buyer: Buyer
    order: Order | None = None
    line: OrderLine | None = None
    sku: str | None = None
    store: str | None = None


def of_order(order: Order) -> Subject:
    """What is known of an order as a whole, as of its moment."""
    return Subject(order.placed_at, order.earning.tier, order.earning.buyer, order)


def joined_at(account: Account) -> datetime | None:
    """When the member joined, as the terms define it."""
    enrols = account.version.terms.membership.by == "enrolment"
    return account.head.enrolled_at if enrols else account.head.registered_at


def buyer_of(account: Account, nth: int = 0) -> Buyer:
    """What the conditions of the program ask of the member, as it is now. `nth`: the number of the order that is placed."""
    head, reads = account.head, account.program.reads
    if not any(reads):
        return NOBODY
    return Buyer(
        nth=nth if reads.orders else 0,
        country=head.country if reads.country else None,
        birth=head.birth if reads.birth else None,
        joined_at=joined_at(account) if reads.joined else None,
        attributes={name: value for name, value in head.attributes.items() if name in reads.attributes},
        entered=head.entered,
    )


NOBODY: Final = Buyer()


def holds(when: When, version: Version, subject: Subject) -> bool:
    """Whether a condition holds for a subject: every part that is given does."""
    return (
        _dated(when, version, subject.at)
        and (not when.tiers or subject.tier in when.tiers)
        and (not when.countries or subject.buyer.country in when.countries)
        and _bought(when, version, subject)
        and (not when.asks_more or _holds_more(when, version, subject))
    )


def _dated(when: When, version: Version, at: datetime) -> bool:
    if when.minutes is not None:
        first, last = when.minutes
        if not first <= version.days.minute_of(at) <= last:
            return False
    return not when.weekdays or version.days.weekday(at) in when.weekdays


def _bought(when: When, version: Version, subject: Subject) -> bool:
    """Parts about an order and its line; of an activity there is a product at most, of what is to be paid a store."""
    order, line = subject.order, subject.line
    if order is None:
        in_store = subject.store is not None and not version.stores.called(subject.store).isdisjoint(when.stores)
        return (not when.skus or subject.sku in when.skus) and (not when.stores or in_store)
    return (
        (not when.courses or order.content.course in when.courses)
        and (not when.stores or not version.stores.called(order.content.store).isdisjoint(when.stores))
        and (not when.channels or order.content.channel in when.channels)
        and (not when.payment_methods or order.payment.method in when.payment_methods)
        and (not when.card_brands or order.payment.card_brand in when.card_brands)
        and (not when.coupons or not set(when.coupons).isdisjoint(order.content.coupons))
        and (when.with_coupon is None or when.with_coupon == bool(order.content.coupons))
        and (
            line is None
            or (
                (not when.skus or line.sku in when.skus)
                and (not when.categories or line.category in when.categories)
                and (not when.tags or not set(when.tags).isdisjoint(line.tags))
            )
        )
    )


def _holds_more(when: When, version: Version, subject: Subject) -> bool:
    """Parts that few conditions have."""
    day = version.days.date_of(subject.at)
    return (
        (not when.months or day.month in when.months)
        and (not when.days or day.day in when.days or (-1 in when.days and day == version.days.month_last(day)))
        and (when.hours is None or _within(when.hours.first, when.hours.last, version.days.time_of(subject.at)))
        and _of_member(when, version, subject.buyer, day)
        and (when.orders is None or _is_nth(when.orders, subject.buyer.nth))
        and (when.basket is None or (subject.order is not None and _comes_to(when.basket, version, subject.order)))
        and (when.unless is None or not holds(when.unless, version, subject))
    )


def _within(first: str, last: str, time: str) -> bool:
    return first <= time <= last if first <= last else time >= first or time <= last


def _of_member(when: When, version: Version, buyer: Buyer, day: date) -> bool:
    joined = None if buyer.joined_at is None else version.days.date_of(buyer.joined_at)
    return (
        all(buyer.attributes.get(name) in values for name, values in when.attributes.items())
        and all(_is_around(near, _yearly(buyer.attributes.get(name, "")), day) for name, near in when.own_dates.items())
        and (when.birthday is None or _is_around(when.birthday, buyer.birth, day))
        and (when.anniversary is None or (joined is not None and _is_anniversary(when.anniversary, joined, day)))
        and (when.joined is None or (joined is not None and _is_since(when.joined, version, joined, day)))
        and all(name in buyer.entered for name in when.entered)
    )


def _is_since(since: Since, version: Version, joined: date, day: date) -> bool:
    """Whether a day lies so many days, or full months, after another."""
    passed = (day - joined).days
    if since.unit == "months":
        passed = (day.year - joined.year) * 12 + day.month - joined.month
        passed -= version.days.add_months(joined, passed) > day
    return passed >= since.first and (since.last is None or passed <= since.last)


def _yearly(value: str) -> str | None:
    """Month and day of a date that an attribute holds ("2019-12-03" or "12-03"); None if it holds none."""
    month_day = value[-5:]
    try:
        date.fromisoformat(f"2000-{month_day}")
    except ValueError:
        return None
    return month_day


def _is_anniversary(near: Around, joined: date, day: date) -> bool:
    """Not before a year is over."""
    first = day.year > joined.year
    return first and _is_around(near, f"{joined.month:02d}-{joined.day:02d}", day)


def _is_around(near: Around, month_day: str | None, day: date) -> bool:
    if month_day is None:
        return False
    if near.month:
        return int(month_day[:2]) == day.month
    before, after = timedelta(days=near.days_before), timedelta(days=near.days_after)
    return any(each - before <= day <= each + after for each in (in_year(month_day, day.year + n) for n in (-1, 0, 1)))


def _is_nth(which: Nth, nth: int) -> bool:
    return nth >= which.first and (which.last is None or nth <= which.last) and (nth - which.first) % which.every == 0


def _comes_to(basket: Basket, version: Version, order: Order) -> bool:
    """Whether what is kept of an order comes to what a condition asks."""
    lines = [line for line in order.lines if line.earns] if basket.of == "earning" else order.lines
    if basket.pieces is not None and sum(line.kept for line in lines) < basket.pieces:
        return False
    for unit, least in basket.measures.items():
        if sum([in_unit(line, line.kept, unit) for line in lines]) < least:
            return False
    amount = sum(part(line.net_goods, line.kept, line.quantity) for line in lines)
    if basket.tax == "inclusive":
        amount += sum(part(line.net_tax, line.kept, line.quantity) for line in lines)
    if basket.points_used == "net":
        amount -= exchange.worth(version, order, sum(line.used - line.detached for line in lines))
    amount = exchange.in_program_currency(version, order, max(amount, 0))
    return (basket.amount is None or amount >= basket.amount) and (basket.below is None or amount < basket.below)


def holds_for(version: Version, when: When, order: Order, line: OrderLine) -> bool:
    """Whether a condition holds for a line of an order, as this was placed."""
    asked = Subject(order.placed_at, order.earning.tier, order.earning.buyer, order, line)
    return when == ALWAYS or holds(when, version, asked)
