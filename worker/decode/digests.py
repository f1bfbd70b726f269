"""Digests that tell one record from another. Both are kept in the database, so what they cover never changes."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from worker.decode.record import Record

_DIGEST_BYTES: Final = 16
_NUMBER_BYTES: Final = 8
_LENGTH_BYTES_AT_A_POSITION: Final = 4
_LENGTH_BYTES_OF_A_LETTER: Final = 8


def position_digest(record: Record) -> bytes:
    """16 bytes over offset, key, value and headers: a record that was made anew elsewhere has another one."""
    offset = record.offset.to_bytes(_NUMBER_BYTES, "big")
    return _digest(offset, _parts(record), _LENGTH_BYTES_AT_A_POSITION)


def content_digest(record: Record) -> bytes:
    """16 bytes over all that a record holds and its time, wherever it stands."""
    time = record.timestamp_ms.to_bytes(_NUMBER_BYTES, "big", signed=True)
    return _digest(b"", _parts(record), _LENGTH_BYTES_OF_A_LETTER, time)


def _digest(start: bytes, parts: Iterable[bytes | None], length_bytes: int, end: bytes = b"") -> bytes:
    digest = blake2b(start, digest_size=_DIGEST_BYTES)
    for part in parts:
        # The length first (of nothing at all: another one), so that no two records run into the same bytes.
        digest.update((-1 if part is None else len(part)).to_bytes(length_bytes, "big", signed=True))
        digest.update(part or b"")
    digest.update(end)
    return digest.digest()


def _parts(record: Record) -> Iterable[bytes | None]:
    yield record.key
    yield record.value
    for name, value in record.headers:
        yield name.encode(errors="replace")
        yield value
