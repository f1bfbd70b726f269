"""Names of lots, made of their origin and part so that no two lots can ever share one."""

from __future__ import annotations


def lot_name(origin: str, part: str) -> str:
    """The name of a lot; no two lots share one: the last slash parts its halves, whatever slashes ids of shops hold."""
    if "/" in part or "%" in part:
        part = part.replace("%", "%25").replace("/", "%2F")
    return f"{origin}/{part}"


def lot_place(name: str) -> tuple[str, str]:
    """Origin and part of a lot of that name."""
    origin, _, part = name.rpartition("/")
    return origin, part.replace("%2F", "/").replace("%25", "%")
