"""A number and what it counts, as English says it."""

from __future__ import annotations


def counted(number: int, one: str, many: str | None = None) -> str:
    """ "1 account", "2 accounts", "1,000 entries" (`many` where it is not just an s more)."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
