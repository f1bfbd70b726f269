"""Accounts, facts and records to write into a store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from contracts.events import Event
from worker.decide.change import AccountChange, AccountRow, Message, PostedEntry, StoredStep
from worker.decide.order_records import Order
from worker.decide.state import Before, Decision, Entry, Lot, Moment, blank
from worker.decide.undo import undo_of
from worker.decode import Record
from worker.persist import Arrival, account_id

KEY = b"a key for account ids of tests"
PROGRAM = "scolar"
T0 = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moved:
    """A move of a position, as the consumer makes it."""

    partition: int
    from_offset: int | None
    next_offset: int
    digest: bytes = b"digest"
    topic: str = "commerce.order"
    record_time: datetime | None = T0


@dataclass(frozen=True, slots=True)
class Told:
    """What a worker says of a partition."""

    partition: int
    settled_offset: int | None
    at_end: bool = False
    oldest_time: datetime | None = T0
    topic: str = "commerce.order"


def member(number: int) -> str:
    """Name of a member."""
    return f"M{number}"


def fact(number: int, order: str = "A", program: str | None = PROGRAM, more: str = "") -> Event:
    """A payment of an order, `number` minutes after the beginning."""
    body = f'{{"order_id":"{order}"{more}}}'.encode()
    return Event.from_stored("shop", f"e{number}", "order.paid", T0 + timedelta(minutes=number), program, None, body)


def moment(event: Event) -> Moment:
    """The place of a fact in business order."""
    return Moment(*event.key)


def arrival(order: str, member_id: str | None = "M1", program: str = PROGRAM) -> Arrival:
    """An order that has come, of a member, or of a guest (None)."""
    return Arrival(order, program, None if member_id is None else account_id(KEY, program, member_id))


def earned(member_id: str, number: int, row: AccountRow | None = None, points: int = 10) -> AccountChange:
    """A change in which fact `number` grants points in a lot of its own, with all that belongs to it."""
    event = fact(number, f"order-{member_id}-{number}")
    head = row.head if row is not None else blank()
    version = (row.version if row is not None else 0) + 1
    at = moment(event)
    order_id = event.order_id
    assert order_id is not None
    lot = Lot(f"order:{order_id}", "all", "regular", event.time, points, "SCO-07", available=points, order_id=order_id)
    order = Order(order_id, "shop", event.id, event.time, "v1", (), due_at=event.time + timedelta(days=14))
    due_at = min(filter(None, (head.next_due_at, order.due_at)), default=None)
    after = replace(blank(), last=at, available=head.available + points, next_due_at=due_at)
    entry = Entry("earn", points, "granted", "available", "SCO-07", kind="regular", lot=lot.ref, order_id=order_id)
    return AccountChange(
        account_id=account_id(KEY, PROGRAM, member_id),
        program=PROGRAM,
        member_id=member_id,
        expected_revision=row.revision if row is not None else 0,
        version=version,
        epoch=1,
        head=after,
        facts=[event],
        decisions=[Decision(event.source, event.id, "accepted", 0)],
        entries=[PostedEntry(version, 0, at, entry, None, after.available, correction=False)],
        lots={lot.ref: lot},
        items={("order", order_id): order},
        steps=[StoredStep(at, version, undo_of(Before(head, {lot.ref: None}, {("order", order_id): None}), after))],
        messages=[Message(version, 0, "loyalty.balance-changed", f"{PROGRAM}:{member_id}", b"{}", event.time, "00-trace-01")],
    )


def record(offset: int, value: bytes | None = b"\xff broken", topic: str = "commerce.order", partition: int = 0) -> Record:
    """A record that breaks the contract."""
    return Record(topic, partition, offset, 1_767_225_600_000, b"key", value, (("ce_id", b"1"), ("odd", None)))
