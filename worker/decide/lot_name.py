"""Names of lots, made of their origin and part so that no two lots can ever share one.

Both halves are bounded, whatever ids say and however often points are handed back: they stand in one row of an index, where
Postgres takes 2.7 KB at most. An origin is `order:ID` (at most 806 bytes) or the cause of its fact; a part is made of a portion
of its order, of what the terms name, and of at most one cause. Causes and portions are `bounded`.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

NAME_BYTES_MAX: Final = 300
"""Longest name that is made of ids: as they are while they fit, else their beginning and a digest."""
_BEGINNING: Final = 40
_DIGITS: Final = 64
_HAND_BACK: Final = "~"
_ORDER: Final = "order:"


def bounded(name: str) -> str:
    """The name as it is, or its beginning and a digest of it; no two names become one.

    What would read as a hand-back, or as such a digest, becomes a digest too.
    """
    if _HAND_BACK not in name and (
        len(name) <= _DIGITS or (name[-_DIGITS - 1] != "#" and len(name.encode()) <= NAME_BYTES_MAX)
    ):
        return name
    digest = blake2b(name.encode(), digest_size=_DIGITS // 2).hexdigest()
    return f"{name[:_BEGINNING].replace(_HAND_BACK, '-')}#{digest}"


def hand_back_part(part: str, cause: str) -> str:
    """The part of the lot into which a cause hands points of another one back: named by that cause alone, not by earlier ones."""
    return f"{part.partition(_HAND_BACK)[0]}{_HAND_BACK}{cause}"


def order_origin(order_id: str) -> str:
    """The origin of the lots of an order."""
    return f"{_ORDER}{order_id}"


def is_grant(origin: str, part: str) -> bool:
    """Whether a lot of that name is what a fact granted: not an order's, and not points that came back beside it."""
    return not origin.startswith(_ORDER) and _HAND_BACK not in part


def lot_name(origin: str, part: str) -> str:
    """The name of a lot; no two lots share one: the last slash parts its halves, whatever slashes ids of shops hold."""
    if "/" in part or "%" in part:
        part = part.replace("%", "%25").replace("/", "%2F")
    return f"{origin}/{part}"


def lot_place(name: str) -> tuple[str, str]:
    """Origin and part of a lot of that name."""
    origin, _, part = name.rpartition("/")
    return origin, part.replace("%2F", "/").replace("%25", "%")
