"""A kept event as a record again, for the case that a mistake in it shows only when its order, or another one, has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from contracts.events import TOPIC_OF, Event, Origin
from worker.decode import Record

NOWHERE: Final = -1
"""Partition and offset of what came in no record."""


def record_of_parked(event: Event, topic: Callable[[str], str]) -> Record:
    """A record in structured mode that says what an event said; `topic` gives a topic's name on this cluster."""
    attributes = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    attributes |= {"time": event.time.isoformat(), "datacontenttype": "application/json"}
    optional = {"program": event.program, "traceparent": event.traceparent}
    attributes |= {name: value for name, value in optional.items() if value is not None}
    value = msgspec.json.encode({**attributes, "data": msgspec.Raw(event.body)})
    origin = event.origin or Origin(topic(TOPIC_OF[event.type]), NOWHERE, NOWHERE)
    return Record(
        topic=origin.topic,
        partition=origin.partition,
        offset=origin.offset,
        timestamp_ms=int(event.time.timestamp() * 1000),
        key=(event.order_id or event.member_id or "").encode(),
        value=value,
        headers=(("content-type", b"application/cloudevents+json"),),
    )
