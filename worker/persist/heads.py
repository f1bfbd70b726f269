"""Heads as bytes: JSON, in which the amounts of many days are one array.

A member who bought on every day of a year has a head of 8 KB if days are names. Postgres compresses a value over 2 KB, and
stores it apart if it is still over that, with every event of such an account. As places in an array, days take a third.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

import msgspec
from msgspec.structs import asdict, replace

from worker.decide.state import FORMAT, Head, Moment
from worker.decide.tier_records import Tier
from worker.persist.encoding import Row, encode

DAYS_MIN: Final = 32
"""Fewer amounts stand under their names."""
SPARSE_MAX: Final = 3
"""So many days to an amount take no more room than names do."""


class Told(msgspec.Struct):
    """What every release reads of a head, whatever its form: how far it was folded, and what subscribers know."""

    format: int = 1
    last: Moment | None = None
    available: int = 0
    pending: int = 0
    held: int = 0
    tier: Tier | None = None


class _ByDay(Head, frozen=True, kw_only=True):
    """A head of which `windows` is empty: the amounts stand in `days`, of each day from the first on; 0: none."""

    days: tuple[str, list[int]]


_MARK: Final = b'"days":['  # in a text that a head holds there would be a backslash before the second quotation mark
_decode: Final = msgspec.json.Decoder(Head).decode
_decode_by_day: Final = msgspec.json.Decoder(_ByDay).decode
_decode_told: Final = msgspec.json.Decoder(Told).decode


def encode_head(head: Head) -> bytes:
    """A head as it stands in a row of `account`."""
    names = _days_of(head.windows) if len(head.windows) >= DAYS_MIN else None
    if names is None:
        return encode(head)
    amounts = [head.windows.get(name, 0) for name in names]
    return encode(_ByDay(**asdict(replace(head, windows={})), days=(names[0], amounts)))


def head_of(row: Row) -> Head:
    """The head of a row of `account`; of one that is kept in another form and cannot be read, what every release reads."""
    try:
        return _decoded(row["head"])
    except msgspec.ValidationError:
        told = _decode_told(row["head"])
        if told.format == FORMAT:
            raise
        return Head(**{field: getattr(told, field) for field in told.__struct_fields__})


def _decoded(body: bytes) -> Head:
    if _MARK not in body:
        return _decode(body)
    fields = asdict(_decode_by_day(body))
    first, amounts = fields.pop("days")
    names = _days(first, len(amounts))
    fields["windows"] = {name: amount for name, amount in zip(names, amounts, strict=True) if amount}
    return Head(**fields)


def _days_of(windows: dict[str, int]) -> list[str] | None:
    """The days from the first to the last; None if most of them have no amount, if one would be lost, or
    if there are several measures."""
    if any(":" in bucket for bucket in windows):
        return None
    first = min(windows)
    count = (date.fromisoformat(max(windows)) - date.fromisoformat(first)).days + 1
    if count > SPARSE_MAX * len(windows) or not all(windows.values()):
        return None
    return _days(first, count)


def _days(first: str, count: int) -> list[str]:
    """So many days from one on, in ISO 8601."""
    begin = date.fromisoformat(first)
    last = begin + timedelta(days=count - 1)
    names = [name for year in range(begin.year, last.year + 1) for name in _year(year)]
    from_ = begin.timetuple().tm_yday - 1
    return names[from_ : from_ + count]


@lru_cache(maxsize=64)
def _year(year: int) -> list[str]:
    """All days of a year."""
    begin = date(year, 1, 1)
    return [(begin + timedelta(days=n)).isoformat() for n in range((date(year, 12, 31) - begin).days + 1)]
