"""How records of the fold stand in rows: JSON by msgspec in `bytea`, which a DBA reads with `convert_from(doc, 'UTF8')`."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from contracts.events import Event, dead_letter
from worker.decide.change import StoredEntry
from worker.decide.state import Before, Decision, Entry, Head, Item, Lot, Moment
from worker.decode import Record
from worker.persist.rows import DeadLetter, OutboxRow

Headers = tuple[tuple[str, bytes | None], ...]


class Row(Protocol):
    """A row as the driver gives it: values by column, of the types that the schema says."""

    def __getitem__(self, column: str, /) -> Any: ...


encode: Final = msgspec.json.Encoder().encode
decode_head: Final = msgspec.json.Decoder(Head).decode
decode_lot: Final = msgspec.json.Decoder(Lot).decode
decode_before: Final = msgspec.json.Decoder(Before).decode
decode_item: Final = msgspec.json.Decoder(Item).decode
decode_headers: Final = msgspec.json.Decoder(Headers).decode

EVENT_SOURCE: Final = "loyalty"
"""CloudEvents `source` of all that is published."""


def event_of(row: Row) -> Event:
    """The input event of a row of `fact` or `parked`."""
    return Event.from_stored(
        row["source"], row["id"], row["type"], row["business_at"], row["program"], row["traceparent"], row["body"]
    )


def moment_of(row: Row) -> Moment:
    """The place in business order of a row of `step` or `entry`."""
    return Moment(row["business_at"], row["rank"], row["source"], row["id"])


def decision_of(row: Row) -> Decision:
    """The verdict of a row of `decision`."""
    return Decision(row["source"], row["id"], row["verdict"], row["points"], row["reason"])


def entry_of(row: Row) -> StoredEntry:
    """The movement of points of a row of `entry`."""
    entry = Entry(
        reason=row["reason"],
        points=row["points"],
        source=row["from_bucket"],
        target=row["to_bucket"],
        rule=row["rule"],
        kind=row["kind"],
        lot=row["lot"],
        expires_on=row["expires_on"],
        order_id=row["order_id"],
    )
    return StoredEntry(moment_of(row), entry)


def outbox_row_of(row: Row) -> OutboxRow:
    """A message as it goes to Kafka: CloudEvents in binary mode, or a dead letter with the headers kept for it."""
    headers = _cloudevents_headers(row) if row["headers"] is None else decode_headers(row["headers"])
    return OutboxRow(
        row["account_id"], row["version"], row["ordinal"], row["topic"], row["key"], row["value"], headers, row["created_at"]
    )


def _cloudevents_headers(row: Row) -> Headers:
    names = [
        ("ce_specversion", "1.0"),
        ("ce_id", event_id(row["account_id"], row["version"], row["ordinal"], row["epoch"])),
        ("ce_source", EVENT_SOURCE),
        ("ce_type", row["topic"]),
        ("ce_time", rfc3339(row["effective_at"])),
        ("ce_program", row["program"]),
        ("content-type", "application/json"),
    ]
    if row["traceparent"] is not None:
        names.append(("ce_traceparent", row["traceparent"]))
    return tuple((name, value.encode()) for name, value in names)


def event_id(account_id: UUID, version: int, ordinal: int, epoch: int) -> str:
    """CloudEvents `id` of a published event: the same for every repeat of it, and never given twice."""
    return f"{account_id}:{version}:{ordinal}:{epoch}"


def rfc3339(at: datetime) -> str:
    """An instant in UTC as CloudEvents writes it."""
    return at.isoformat().replace("+00:00", "Z")


def record_digest(record: Record) -> bytes:
    """16 bytes over all that a record holds, to tell a record from another at the same offset of a topic made again."""
    digest = blake2b(digest_size=16)
    headers = (part for name, value in record.headers for part in (name.encode(errors="replace"), value))
    for part in (record.key, record.value, *headers):
        # The length first (none at all: another length), so that no two records run into the same bytes.
        digest.update((-1 if part is None else len(part)).to_bytes(8, "big", signed=True))
        digest.update(part or b"")
    digest.update(record.timestamp_ms.to_bytes(8, "big", signed=True))
    return digest.digest()


def dead_letter_headers(letter: DeadLetter, *, pointer: bool) -> Headers:
    """The record's own headers, then what was wrong with it and where it stood; of a pointer only the latter."""
    record = letter.record
    place = (record.topic, str(record.partition), str(record.offset))
    ours: list[tuple[str, bytes | None]] = [
        (dead_letter.HEADER_ERROR, letter.reason.encode()),
        (dead_letter.HEADER_DETAIL, letter.detail.encode()),
        (dead_letter.HEADER_TOPIC, place[0].encode()),
        (dead_letter.HEADER_PARTITION, place[1].encode()),
        (dead_letter.HEADER_OFFSET, place[2].encode()),
    ]
    if pointer:
        return (*ours, (dead_letter.HEADER_POINTER, "/".join(place).encode()))
    return (*record.headers, *ours)
