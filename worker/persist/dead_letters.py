"""Records that broke the contract: how they are told apart, kept, and sent to the dead-letter topics."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from contracts.events import DLQ_SUFFIX
from contracts.events.dead_letter import (
    HEADER_DETAIL,
    HEADER_ERROR,
    HEADER_OFFSET,
    HEADER_PARTITION,
    HEADER_PATH,
    HEADER_POINTER,
    HEADER_TOPIC,
    PREFIX,
    SENT,
)
from worker.decode import Record
from worker.decode.digests import content_digest
from worker.decode.record import BATCH_HEADER
from worker.persist.accounts import columns
from worker.persist.encoding import encode
from worker.persist.identity import partition_account
from worker.persist.link import Link, names_of
from worker.persist.rows import DeadLetter, Headers, OutboxRow

LetterName = tuple[str, int, int, bytes]
"""Topic, partition, offset and digest: a topic that was made again may hold another record at the same offset."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RECORD_AT_MAX: Final = datetime(9999, 1, 1, tzinfo=UTC)
_OUTBOX: Final = names_of("account_id version ordinal topic key value epoch headers created_at")
_NO_EPOCH: Final = 0


def by_name(letters: Sequence[DeadLetter]) -> dict[LetterName, DeadLetter]:
    """Each record once, by its name."""
    return {(d.record.topic, d.record.partition, d.record.offset, content_digest(d.record)): d for d in letters}


async def keep(link: Link, letters: Sequence[DeadLetter], bytes_max: int) -> int:
    """Keeps the records and queues them for their dead-letter topic, each once; returns how many are new."""
    if not letters:
        return 0
    named = by_name(letters)
    rows = [
        (*name, _record_at(d.record.timestamp_ms), d.reason, d.detail, d.record.key, d.record.value, encode(d.record.headers))
        for name, d in sorted(named.items(), key=lambda item: item[0])
    ]
    messages = []
    for row in await link.fetch("dead_letters", *columns(rows)):
        name = (row["topic"], row["partition"], row["record_offset"], row["digest"])
        m = message(name, named[name], row["recorded_at"], bytes_max)
        messages.append((m.account_id, m.version, m.ordinal, m.topic, m.key, m.value, _NO_EPOCH, encode(m.headers), m.created_at))
    if messages:
        await link.append("outbox", _OUTBOX, messages)
    return len(messages)


def message(name: LetterName, letter: DeadLetter, created_at: datetime, bytes_max: int) -> OutboxRow:
    """The record as it goes to its dead-letter topic: byte for byte, or a pointer if it is larger than `bytes_max`."""
    topic, partition, offset, digest = name
    record = letter.record
    place = (topic, str(partition), str(offset))
    headers: Headers = (
        (HEADER_ERROR, letter.reason.encode()),
        (HEADER_DETAIL, letter.detail.encode()),
        *(() if letter.path is None else ((HEADER_PATH, letter.path.encode()),)),
        *zip((HEADER_TOPIC, HEADER_PARTITION, HEADER_OFFSET), (part.encode() for part in place), strict=True),
    )
    key, value = record.key, record.value
    if _size(record) > bytes_max:
        key, value, headers = None, b"", (*headers, (HEADER_POINTER, "/".join(place).encode()))
    else:
        headers = (*_sent(letter), *headers)
    ordinal = int.from_bytes(digest[:4], "big") >> 1  # 31 bits: what the column holds
    return OutboxRow(partition_account(topic, partition), offset, ordinal, topic + DLQ_SUFFIX, key, value, headers, created_at)


def _sent(letter: DeadLetter) -> Headers:
    """The record's headers; those that a sender called as ours are get another name. `BATCH_HEADER` is our own note."""
    own = BATCH_HEADER if letter.reason == "too_large" else None
    return tuple(
        (name if name == own or not name.lower().startswith(PREFIX) else SENT + name, value)
        for name, value in letter.record.headers
    )


def _size(record: Record) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.value or b"") + len(record.key or b"") + headers


def _record_at(timestamp_ms: int) -> datetime | None:
    """The record's time as far as a datetime can hold it: producers may send any 64 bits."""
    try:
        at = _EPOCH + timedelta(milliseconds=timestamp_ms)
    except OverflowError:
        return None
    return at if at < _RECORD_AT_MAX else None
