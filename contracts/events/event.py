"""One accepted input event: its CloudEvents attributes, typed data, and the digest that tells a repeat from a conflict."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final, NamedTuple, Self

from msgspec import Struct
from msgspec.structs import replace

from contracts.events.base import Contract
from contracts.events.erasure import without_person
from contracts.events.orders import OrderPlaced, OrderSplit
from contracts.events.types import EVENT_TYPES, OURS, RANK, TOPIC_OF

DIGEST_BYTES: Final = 16
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# Looked up by type: asking a model for a field that it does not have is slow.
_NAMES_ORDER: Final = frozenset(name for name, model in EVENT_TYPES.items() if "order_id" in model.model_fields)
_NAMES_MEMBER: Final = frozenset(name for name, model in EVENT_TYPES.items() if "member_id" in model.model_fields)


def digest_of(type_: str, time: datetime, program: str | None, body: bytes) -> bytes:
    """16 bytes over what an event says: type, business time (UTC microseconds), program and canonical data.

    Two events with the same source and id are the same event exactly if their digests agree.
    """
    microseconds = (time - _EPOCH) // _MICROSECOND
    # The strings hold no NUL, so the parts cannot run into each other.
    head = f"{type_}\0{microseconds}\0{program or ''}\0".encode()
    return blake2b(head + body, digest_size=DIGEST_BYTES).digest()


def follows(type_: str) -> bool:
    """Whether events of a type are about an order and say by the order alone whose they are."""
    return type_ in _NAMES_ORDER and type_ not in _NAMES_MEMBER


def _apart(type_: str) -> str:
    return f"{OURS}{TOPIC_OF.get(type_, type_)}:"


class Origin(NamedTuple):
    """The record of Kafka that an event came in: the topic by its name on the cluster, the partition and the offset."""

    topic: str
    partition: int
    offset: int


class Event(Struct, frozen=True):
    """An input event that keeps the contract.

    `time` is business time in UTC; `recorded_time` is read by simulations only. `body` is the data as canonical JSON
    (keys sorted, no spaces, UTF-8) with every field that was sent, known or not. `origin` is None where an event came in no
    record: from the command line, or made by a test.
    """

    id: str
    source: str
    type: str
    time: datetime
    program: str | None
    subject: str | None
    recorded_time: datetime | None
    traceparent: str | None
    data: Contract
    body: bytes
    digest: bytes
    origin: Origin | None = None

    @classmethod
    def from_stored(
        cls,
        source: str,
        id: str,  # noqa: A002 - the names of CloudEvents
        type: str,  # noqa: A002 - the names of CloudEvents
        time: datetime,
        program: str | None,
        traceparent: str | None,
        body: bytes,
        origin: Origin | None = None,
    ) -> Self:
        """The event again from what was stored of it; `time` must have an offset.

        Raises KeyError for a type and pydantic.ValidationError for a body that was never accepted.
        """
        return cls(
            id=id,
            source=source,
            type=type,
            time=time.astimezone(UTC),
            program=program,
            subject=None,
            recorded_time=None,
            traceparent=traceparent,
            data=EVENT_TYPES[type].model_validate_json(body),
            body=body,
            digest=digest_of(type, time, program, body),
            origin=origin,
        )

    @property
    def sent_source(self) -> str:
        """`source` as it was sent, also where the event is kept apart from another one."""
        return self.source.removeprefix(_apart(self.type))

    def apart(self) -> Self:
        """The event as it is kept where its source and id were used on another topic, for what is another event."""
        return replace(self, source=_apart(self.type) + self.sent_source)

    def as_sent(self) -> Self:
        """The event under the source that it was sent with."""
        return self if self.source == self.sent_source else replace(self, source=self.sent_source)

    def without_person(self) -> Self:
        """The event as it is kept where the person it is about was forgotten."""
        body = without_person(self.type, self.body)
        return self.from_stored(self.source, self.id, self.type, self.time, self.program, None, body)

    @property
    def order_id(self) -> str | None:
        """The order that the event names, if any."""
        order_id: str | None = getattr(self.data, "order_id") if self.type in _NAMES_ORDER else None  # noqa: B009 - not of every type
        return order_id

    @property
    def member_id(self) -> str | None:
        """The member that the event names; None for a guest's order and for events that name the order alone."""
        member_id: str | None = getattr(self.data, "member_id") if self.type in _NAMES_MEMBER else None  # noqa: B009 - not of every type
        return member_id

    @property
    def follows(self) -> bool:
        """Whether the event is about an order and says by the order alone whose it is."""
        return follows(self.type)

    @property
    def brings(self) -> tuple[str, ...]:
        """Ids of orders that come with the event: of the order that is placed, of the parts of one that is split."""
        if isinstance(self.data, OrderPlaced):
            return (self.data.order_id,)
        if not isinstance(self.data, OrderSplit):
            return ()
        of = self.data.order_id
        return tuple(part.order_id for part in self.data.into if part.order_id != of)

    @property
    def rank(self) -> int:
        """Place among the events of the same instant."""
        return RANK[self.type]

    @property
    def key(self) -> tuple[datetime, int, str, str]:
        """Business order: time, rank, source, id."""
        return (self.time, RANK[self.type], self.source, self.id)
