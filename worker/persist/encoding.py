"""How records of the fold stand in rows: JSON by msgspec in `bytea`, which a DBA reads with `convert_from(doc, 'UTF8')`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import msgspec

from contracts.events import Event, Origin
from worker.decide.change import StoredEntry, StoredStep
from worker.decide.explain import Posting
from worker.decide.state import Decision, Entry, Item, ItemKey, Lot, Moment
from worker.decide.undo_records import Undo
from worker.persist.rows import Headers, OutboxRow


class Row(Protocol):
    """A row as the driver gives it: values by column, of the types that the schema says."""

    def __getitem__(self, column: str, /) -> Any: ...


encode: Final = msgspec.json.Encoder().encode
_decode_lot: Final = msgspec.json.Decoder(Lot).decode
_decode_before: Final = msgspec.json.Decoder(Undo).decode
_decode_item: Final = msgspec.json.Decoder(Item).decode
decode_headers: Final = msgspec.json.Decoder(Headers).decode

UNDECODABLE: Final = (msgspec.MsgspecError, ValueError, KeyError)
"""What decoding a row raises: of JSON, of a body that no event has, of a type of event that is not known."""
_T = TypeVar("_T")

EVENT_SOURCE: Final = "loyalty"
"""CloudEvents `source` of all that is published."""


class Unreadable(dict[UUID, str]):
    """By account the first row that could not be decoded: somebody wrote it by hand, a disk broke, or a later release knows it.

    Told by its kind and the error's, never by what it holds.
    """

    def decoded(self, rows: Iterable[Row], what: str, decode: Callable[[Row], _T]) -> Iterator[tuple[UUID, _T]]:
        """The rows decoded, each with its account; those that cannot be are noted and left out."""
        for row in rows:
            try:
                found = decode(row)
            except UNDECODABLE as error:
                self.setdefault(row["account_id"], f"{what} that cannot be read: {type(error).__name__}")
            else:
                yield row["account_id"], found


def event_of(row: Row) -> Event:
    """The input event of a row of `fact` or `parked`."""
    return Event.from_stored(
        row["source"], row["id"], row["type"], row["business_at"], row["program"], row["traceparent"], row["body"], origin_of(row)
    )


def origin_of(row: Row) -> Origin | None:
    """The record that a row of `fact` or `parked` came in; None: it came in none."""
    return None if row["topic"] is None else Origin(row["topic"], row["partition"], row["record_offset"])


def lot_of(row: Row) -> Lot:
    """The lot of a row of `lot`."""
    return _decode_lot(row["doc"])


def item_of(row: Row) -> tuple[ItemKey, Item]:
    """The name and the content of a row of `item`."""
    return (row["kind"], row["key"]), _decode_item(row["doc"])


def step_of(row: Row) -> StoredStep:
    """What is stored about a fact or clock instant, of a row of `step`."""
    return StoredStep(moment_of(row), row["version"], _decode_before(row["before"]))


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


def posting_of(row: Row) -> Posting:
    """An entry with its name, the time of its recording, and whether it corrects."""
    stored, how = entry_of(row), (row["correction"], row["refold"])
    return Posting(row["version"], row["line"], row["recorded_at"], stored.moment, stored.entry, *how)


def outbox_row_of(row: Row) -> OutboxRow:
    """A message as it goes to Kafka: CloudEvents in binary mode, or a dead letter with the headers kept for it."""
    name = (row["account_id"], row["version"], row["ordinal"])
    if row["headers"] is None:
        headers = cloudevents_headers(name, row["epoch"], row["topic"], row["program"], row["effective_at"], row["traceparent"])
    else:
        headers = decode_headers(row["headers"])
    return OutboxRow(*name, row["topic"], row["key"], row["value"], headers, row["created_at"])


def cloudevents_headers(
    name: tuple[UUID, int, int],
    epoch: int,
    topic: str,
    program: str,
    effective_at: datetime,
    traceparent: str | None,
) -> Headers:
    """Headers of a published event in binary mode; `name` is its account, version and ordinal."""
    attributes = [
        ("ce_specversion", "1.0"),
        ("ce_id", event_id(*name, epoch)),
        ("ce_source", EVENT_SOURCE),
        ("ce_type", topic),
        ("ce_time", rfc3339(effective_at)),
        ("ce_program", program),
        ("content-type", "application/json"),
    ]
    if traceparent is not None:
        attributes.append(("ce_traceparent", traceparent))
    return tuple((attribute, value.encode()) for attribute, value in attributes)


def event_id(account_id: UUID, version: int, ordinal: int, epoch: int) -> str:
    """CloudEvents `id` of a published event: the same for every repeat of it, and never given twice."""
    return f"{account_id}:{version}:{ordinal}:{epoch}"


def rfc3339(at: datetime) -> str:
    """An instant in UTC as CloudEvents writes it."""
    return at.isoformat().replace("+00:00", "Z")
