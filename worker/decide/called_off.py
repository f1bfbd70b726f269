"""What orders leave that may be called off yet: of the latest it is remembered when they did, so that it can be forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, TypeVar

ORDERS_REMEMBERED: Final = 8
"""Orders of which it is kept how far they prolonged the pool, or ended inactivity: the latest. What an earlier one did stays,
whatever becomes of it: for it to matter, so many after it would have to be called off as well."""

_When = TypeVar("_When", date, datetime)


def remember(
    known: Mapping[str, _When], order_id: str, when: _When, for_good: _When | None, most: int = ORDERS_REMEMBERED
) -> tuple[dict[str, _When], _When | None]:
    """What is remembered, by order, with another one, and what stands for good: that of orders too early to be among so many."""
    found = {**known, order_id: max(when, known.get(order_id, when))}
    for name in sorted(found, key=lambda each: (found[each], each))[: max(len(found) - most, 0)]:
        gone = found.pop(name)
        for_good = gone if for_good is None else max(for_good, gone)
    return found, for_good
