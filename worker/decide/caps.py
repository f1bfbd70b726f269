"""Caps: the most points that can be acquired in a period, what used them up, and what they leave of more.

A cap counts in the account under its own name and that of the period; one for each order counts in the order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final, Literal

from msgspec.structs import replace

from contracts.terms import Cap
from worker.decide import periods
from worker.decide.account import Account
from worker.decide.amounts import fraction
from worker.decide.calendar import DAY
from worker.decide.conditions import joined_at
from worker.decide.order_records import Order
from worker.decide.program import Version

KEPT_DAYS: Final = 400
"""So long what days, weeks and the like have used up is kept: what is settled later for one of before is within its cap anew."""

Way = Literal["purchase", "activity"]


def of(version: Version, way: Way, name: str, kind: str) -> Iterable[tuple[str, Cap]]:
    """The caps that concern what is acquired in a way, by the name of its component or activity, in points of a kind; each with
    the name under which it is counted."""
    for counter, cap in zip(version.cap_names, version.terms.earning.caps, strict=True):
        names = cap.components if way == "purchase" else cap.activities
        others = cap.activities if way == "purchase" else cap.components
        concerned = name in names if names else not others
        if way in cap.consumed_by and concerned and (not cap.kinds or kind in cap.kinds):
            yield counter, cap


def period_of(account: Account, version: Version, counter: str, cap: Cap, day: date) -> str:
    """The name under which a cap is counted on a day."""
    if cap.period.order:
        return f"{counter}:order"
    at = joined_at(account) if cap.period.member_year else None
    joined = None if at is None else version.days.date_of(at)
    return f"{counter}:{periods.name_of(version.days, cap.period, day, joined)}"


def used(account: Account, cap: Cap, period: str, order: Order | None) -> int:
    """How much of a cap is used up in a period, by what was acquired until now."""
    if cap.period.order:
        return order.earning.capped.get(period, 0) if order is not None else 0
    if cap.period.rolling_days is None:
        return account.head.caps.get(period, 0)
    counter, _, last = period.rpartition(":")
    days = (date.fromisoformat(last) - n * DAY for n in range(cap.period.rolling_days))
    return sum(account.head.caps.get(f"{counter}:{day.isoformat()}", 0) for day in days)


def allowed(beyond: str | None, room: int, points: int) -> int:
    """How many of these points are credited where there is room for so many. `beyond`: the share of the others that is, too."""
    if points <= room or beyond is None:
        return min(points, room)
    numerator, denominator = fraction(beyond)
    return room + (points - room) * numerator // denominator


def use(account: Account, cap: Cap, period: str, points: int) -> None:
    """Use up a cap in a period (below zero: free it). What is long over is forgotten when another period begins."""
    if not cap.period.order and (points >= 0 or period in account.head.caps):
        add(account, period, points)


def add(account: Account, period: str, points: int) -> None:
    """Count points under the name of a period."""
    known = account.head.caps
    kept = known if period in known else {each: n for each, n in known.items() if not _is_over(account, each)}
    account.head = replace(account.head, caps={**kept, period: known.get(period, 0) + points})


def _is_over(account: Account, period: str) -> bool:
    return periods.is_over(period.rpartition(":")[2], account.at, KEPT_DAYS)
