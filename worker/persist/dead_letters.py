"""Records that broke the contract: how they are told apart, kept, and sent to the dead-letter topics.

They are kept in the transaction of their batch, however many there are, and queued in lanes by reason and source. What goes from
the lanes to the outbox is bounded: whoever floods the ledger slows down the publication of that alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
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
from worker.decode.record import BATCH_HEADER, BATCH_TOO_LARGE
from worker.persist.accounts import columns
from worker.persist.encoding import Row, decode_headers, encode
from worker.persist.identity import partition_account
from worker.persist.link import Link, names_of
from worker.persist.rows import DeadLetter, Headers, OutboxRow, Waiting

LetterName = tuple[str, int, int, bytes]
"""Topic, partition, offset and digest: a topic that was made again may hold another record at the same offset."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RECORD_AT_MAX: Final = datetime(9999, 1, 1, tzinfo=UTC)
_OUTBOX: Final = names_of("account_id version ordinal topic key value epoch headers created_at")
_QUEUE: Final = names_of("lane dead_letter_id bytes")
_NO_EPOCH: Final = 0
LANES: Final = 256
LETTERS_AT_ONCE_MAX: Final = 1_000
BYTES_AT_ONCE_MAX: Final = 16 * 2**20
"""Handed over at once of all lanes together, so that a flood in every lane leaves room for other messages; the first letter goes
however large it is."""
COUNTED_MAX: Final = 10_000
"""How far what waits in a lane is counted."""


def lane_of(letter: DeadLetter) -> int:
    """The lane of a letter's reason and source, or of its reason and topic if it tells no source.

    A fixed number of lanes, found by a digest: a flood of made-up sources needs no room, and a letter waits for those alone that
    came into its lane before it.
    """
    sender = letter.source or letter.record.topic
    return blake2b(f"{letter.reason}\0{sender}".encode("utf-8", "surrogatepass"), digest_size=1).digest()[0]


def by_name(letters: Sequence[DeadLetter]) -> dict[LetterName, DeadLetter]:
    """Each record once, by its name."""
    return {(d.record.topic, d.record.partition, d.record.offset, content_digest(d.record)): d for d in letters}


async def keep(link: Link, letters: Sequence[DeadLetter]) -> int:
    """Keeps the records and queues them in their lanes, each once; returns how many are new."""
    if not letters:
        return 0
    named = by_name(letters)
    rows = [
        (
            *name,
            _record_at(d.record.timestamp_ms),
            *(d.reason, d.detail, d.path),
            *(d.record.key, d.record.value, encode(d.record.headers)),
        )
        for name, d in sorted(named.items(), key=lambda item: item[0])
    ]
    queued = []
    for row in await link.fetch("dead_letters", *columns(rows)):
        letter = named[_name_of(row)]
        queued.append((lane_of(letter), row["dead_letter_id"], bytes_of(letter.record)))
    if queued:
        await link.append("dead_letter_queue", _QUEUE, queued)
    return len(queued)


async def hand_over(link: Link, per_lane: int, bytes_max: int) -> int:
    """Moves up to `per_lane` letters of each lane to the outbox, oldest first, within a transaction; returns how many."""
    messages = []
    for row in await link.fetch("take_dead_letters", LANES, per_lane, LETTERS_AT_ONCE_MAX, BYTES_AT_ONCE_MAX):
        name = _name_of(row)
        record = Record(*name[:3], 0, row["key"], row["value"], decode_headers(row["headers"]))
        m = message(name, DeadLetter(record, row["reason"], row["detail"], row["path"]), row["now"], bytes_max)
        messages.append((m.account_id, m.version, m.ordinal, m.topic, m.key, m.value, _NO_EPOCH, encode(m.headers), m.created_at))
    if messages:
        await link.append("outbox", _OUTBOX, messages)
    return len(messages)


async def waiting(link: Link) -> list[Waiting]:
    """What stands in the lanes, by reason."""
    return [Waiting(**dict(row)) for row in await link.fetch("waiting_dead_letters", LANES, COUNTED_MAX)]


def _name_of(row: Row) -> LetterName:
    return row["topic"], row["partition"], row["record_offset"], row["digest"]


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
    if bytes_of(record) > bytes_max:
        key, value, headers = None, b"", (*headers, (HEADER_POINTER, "/".join(place).encode()))
    else:
        headers = (*_sent(letter), *headers)
    ordinal = int.from_bytes(digest[:4], "big") >> 1  # 31 bits: what the column holds
    return OutboxRow(partition_account(topic, partition), offset, ordinal, topic + DLQ_SUFFIX, key, value, headers, created_at)


def _sent(letter: DeadLetter) -> Headers:
    """The record's headers; those that a sender called as ours are get another name. `BATCH_HEADER` is our own note."""
    own = BATCH_HEADER if letter.detail == BATCH_TOO_LARGE else None
    return tuple(
        (name if name == own or not name.lower().startswith(PREFIX) else SENT + name, value)
        for name, value in letter.record.headers
    )


def bytes_of(record: Record) -> int:
    """What a record's key, value and headers come to."""
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.value or b"") + len(record.key or b"") + headers


def _record_at(timestamp_ms: int) -> datetime | None:
    """The record's time as far as a datetime can hold it: producers may send any 64 bits."""
    try:
        at = _EPOCH + timedelta(milliseconds=timestamp_ms)
    except OverflowError:
        return None
    return at if at < _RECORD_AT_MAX else None
