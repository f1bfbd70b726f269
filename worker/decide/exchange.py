"""Money in another currency than the program's, and what points are worth in an order's currency (PUP-07, PUP-Q10, PUP-Q12)."""

from __future__ import annotations

from contracts.currencies import MINOR_DIGITS
from worker.decide.amounts import divide, fraction
from worker.decide.order_records import Order
from worker.decide.program import Version


def digits_of(version: Version, currency: str) -> int | None:
    """Digits of a currency's minor unit: as the terms say, else by ISO 4217. None: neither knows it."""
    exchange = version.terms.earning.exchange
    told = exchange.minor_units.get(currency) if exchange is not None else None
    return MINOR_DIGITS.get(currency) if told is None else told


def rate_of(version: Version, order: Order) -> tuple[int, int] | None:
    """Minor units of the program's currency for one minor unit of the order's, as a fraction: what is pinned for the latest date
    up to the order's. None: there is no rate, or nobody knows what a minor unit is."""
    if order.payment.currency == version.terms.currency:
        return 1, 1
    exchange = version.terms.earning.exchange
    if exchange is None:
        return None
    day = version.days.date_of(order.placed_at)
    known = [(since, rate) for since, rate in exchange.rates.get(order.payment.currency, {}).items() if since <= day]
    units, own = digits_of(version, order.payment.currency), digits_of(version, version.terms.currency)
    if not known or units is None or own is None:
        return None
    numerator, denominator = fraction(max(known)[1])
    return numerator * int(10**own), denominator * int(10**units)


def in_program_currency(version: Version, order: Order, amount: int) -> int:
    """An amount of the order's currency in the program's; 0 without a rate."""
    if order.payment.currency == version.terms.currency:
        return amount
    rate, exchange = rate_of(version, order), version.terms.earning.exchange
    if rate is None or exchange is None:
        return 0
    return divide(amount * rate[0], rate[1], "half_up" if exchange.rounding == "order_half_up" else "floor")


def by_line(version: Version, order: Order) -> bool:
    """Whether each line of the order is converted, and rounded, on its own."""
    exchange = version.terms.earning.exchange
    return exchange is not None and exchange.rounding == "line_floor" and order.payment.currency != version.terms.currency


def _point(version: Version, order: Order) -> tuple[int, int] | None:
    """What one point pays, in minor units of the order's currency, as a fraction. None: there is no rate."""
    rate = rate_of(version, order)
    if rate is None:
        return None
    numerator, denominator = _point_at_home(version)
    return numerator * rate[1], denominator * rate[0]


def _point_at_home(version: Version) -> tuple[int, int]:
    """What one point is worth, in minor units of the program's currency, as a fraction."""
    numerator, denominator = fraction(version.terms.point_value)
    return numerator * int(10 ** (digits_of(version, version.terms.currency) or 0)), denominator


def worth(version: Version, order: Order, points: int) -> int:
    """What points pay, in minor units of the order's currency; 0 without a rate."""
    point = _point(version, order)
    return 0 if point is None else points * point[0] // point[1]


def points_for(version: Version, order: Order, amount: int) -> int:
    """The most points that are worth no more than an amount of the order's currency; 0 without a rate."""
    point = _point(version, order)
    return 0 if point is None else amount * point[1] // point[0]


def more_than(version: Version, order: Order, points: int, amount: int) -> bool:
    """Whether points are worth more than an amount of the order's currency, to the last fraction of its minor unit."""
    point = _point(version, order)
    return point is not None and points * point[0] > amount * point[1]


def to_cover(version: Version, order: Order, amount: int) -> int:
    """The fewest points that are worth an amount of the order's currency; 0 without a rate."""
    point = _point(version, order)
    return 0 if point is None else divide(amount * point[1], point[0], "ceil")


def worth_at_home(version: Version, points: int) -> int:
    """What points are worth, in minor units of the program's currency."""
    numerator, denominator = _point_at_home(version)
    return points * numerator // denominator
