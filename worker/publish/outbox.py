"""What the relay needs of the database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from contracts.events import dead_letter
from worker.decide import summing

Headers = Sequence[tuple[str, bytes | None]]
RowKey = tuple[UUID, int, int]

POINTER_KEY_BYTES_MAX = 1_024
_BALANCES = ("ce_type", b"loyalty.balance-changed")


class OutboxRow(Protocol):
    """One message that is committed and not yet published; named by account, version and ordinal."""

    @property
    def account_id(self) -> UUID: ...
    @property
    def version(self) -> int: ...
    @property
    def ordinal(self) -> int: ...
    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def created_at(self) -> datetime: ...


class OutboxStore(Protocol):
    """The outbox and the leases on its shards."""

    async def lease(self, name: str, holder: str, seconds: float) -> bool:
        """Take or prolong a lease by the database's clock; False: another has it."""
        ...

    async def release(self, name: str, holder: str) -> None:
        """Give a lease back, if `holder` has it."""
        ...

    async def read(self, shards: Collection[int], limit: int) -> Sequence[Any]:
        """Up to `limit` rows (`OutboxRow`) of these shards; those of an account from its oldest on, in order."""
        ...

    async def delete(self, rows: Sequence[Any]) -> None:
        """Remove rows that were published."""
        ...


def key_of(row: OutboxRow) -> RowKey:
    return row.account_id, row.version, row.ordinal


def is_dead_letter(row: OutboxRow) -> bool:
    """Is this a record on its way to a dead-letter topic?"""
    return any(name == dead_letter.HEADER_ERROR for name, _ in row.headers)


def smaller(row: OutboxRow) -> tuple[bytes | None, bytes, Headers] | None:
    """Key, value and headers of what goes out for a message that its topic does not take for its size; None if it has no smaller
    form. A dead letter becomes a pointer, a change of balances tells sums of its entries."""
    if is_dead_letter(row):
        return _pointer(row)
    if _BALANCES in row.headers and row.value is not None:
        return row.key, summing.in_short(row.value), row.headers
    return None


def _pointer(row: OutboxRow) -> tuple[bytes | None, bytes, Headers]:
    """What was wrong, where the record stood, and no bytes of it; those stay in the database."""
    ours = {
        dead_letter.HEADER_ERROR,
        dead_letter.HEADER_DETAIL,
        dead_letter.HEADER_PATH,
        dead_letter.HEADER_TOPIC,
        dead_letter.HEADER_PARTITION,
        dead_letter.HEADER_OFFSET,
        dead_letter.HEADER_POINTER,
    }
    headers = {name: value for name, value in row.headers if name in ours}
    place = (
        headers.get(name) or b"?" for name in (dead_letter.HEADER_TOPIC, dead_letter.HEADER_PARTITION, dead_letter.HEADER_OFFSET)
    )
    headers.setdefault(dead_letter.HEADER_POINTER, b"/".join(place))
    key = row.key if row.key is not None and len(row.key) <= POINTER_KEY_BYTES_MAX else None
    return key, b"", list(headers.items())
