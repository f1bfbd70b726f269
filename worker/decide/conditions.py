"""Conditions of the terms (`when`): the one place that says whether one holds.

A *subject* says what is known where a condition is asked: of a line of an order everything, of an activity the member and the
instant. Which parts each place of a terms file may use stands in `contracts.terms` (`When`, `WHEN_OF_ACTIVITY`), and a
file that uses another is refused; so a part that is given here but not known does not hold.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.terms import When
from worker.decide.order_records import Order, OrderLine
from worker.decide.program import Version

ALWAYS: Final = When()


class Subject(NamedTuple):
    """What a condition is asked of. `at`: the instant whose date counts. `tier`: the member's level then; `country`: where the
    member lives, as far as anybody said: an unknown country is in no list. `order` and `line` are None for an activity, whose
    `sku` is that of the product it is about, if it is about one."""

    at: datetime
    tier: str | None
    country: str | None
    order: Order | None = None
    line: OrderLine | None = None
    sku: str | None = None


def holds(when: When, version: Version, subject: Subject) -> bool:
    """Whether a condition holds for a subject: every part that is given does."""
    return (
        _dated(when, version, subject.at)
        and (not when.tiers or subject.tier in when.tiers)
        and (not when.countries or subject.country in when.countries)
        and _bought(when, subject.order, subject.line, subject.sku)
    )


def _dated(when: When, version: Version, at: datetime) -> bool:
    if when.since is not None or when.until is not None:
        day = version.days.date_of(at)
        if (when.since is not None and day < when.since) or (when.until is not None and day > when.until):
            return False
    return not when.weekdays or version.days.weekday(at) in when.weekdays


def _bought(when: When, order: Order | None, line: OrderLine | None, sku: str | None) -> bool:
    """Parts about an order and its line; of an activity there is a product at most."""
    if order is None or line is None:
        return not when.skus or sku in when.skus
    return (
        (not when.courses or order.content.course in when.courses)
        and (not when.stores or order.content.store in when.stores)
        and (not when.channels or order.content.channel in when.channels)
        and (not when.skus or line.sku in when.skus)
        and (not when.categories or line.category in when.categories)
        and (not when.tags or not set(when.tags).isdisjoint(line.tags))
        and (not when.payment_methods or order.payment.method in when.payment_methods)
        and (not when.card_brands or order.payment.card_brand in when.card_brands)
    )
