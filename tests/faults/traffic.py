"""What a shop tells while things break: late, repeated, out of order and keyed badly, with broken records among it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from confluent_kafka import KafkaError, Message, Producer

from tests.flows.shop import Sent, Shop
from tests.flows.system import TOPIC_OF, Place, Raw, System

_EVENTS_A_MEMBER = 12
_REPEATED = 0.05
_LATE = 0.2
_LATE_PLACES_MAX = 300
_BROKEN = 0.004
_GARBAGE = (b"", b"\xff\xfe", b"[]", b'{"order_id":', b'{"order_id":"X","points":NaN}', b"[" * 5_000)
_STEP_SECONDS = 0.1
_ACKNOWLEDGED_SECONDS = 90.0


@dataclass(slots=True)
class Traffic:
    """One chapter of a shop's life: `events` in business order, and the records to send, in the order of sending.

    All ids begin with `name`. `letters`: where the broken records stand, known when they are sent.
    """

    name: str
    events: list[Sent]
    records: list[Raw]
    letters: set[Place] = field(default_factory=set)
    sent: int = 0

    @classmethod
    def of(cls, name: str, seed: int, count: int) -> Traffic:
        """About so many events of the last two months, none of them to come, told in some order."""
        start = datetime.now(UTC) - timedelta(days=70)
        events = Shop(seed, start, 59, name).events(max(1, count // _EVENTS_A_MEMBER), count)
        return cls(name, events, list(_records(events, Random(seed))))

    async def send(self, system: System, seconds: float) -> None:
        """Send all of it evenly over a time; returns when Kafka has everything, whatever happened to it meanwhile."""
        producer = Producer(
            {
                "bootstrap.servers": system.bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "delivery.timeout.ms": int(_ACKNOWLEDGED_SECONDS * 1000),
                "reconnect.backoff.max.ms": 500,
            }
        )
        began = time.monotonic()
        while self.sent < len(self.records):
            due = len(self.records) if seconds <= 0 else int(len(self.records) * (time.monotonic() - began) / seconds)
            for record in self.records[self.sent : due]:
                self._produce(producer, system.prefix, record)
            self.sent = max(self.sent, min(due, len(self.records)))
            producer.poll(0)
            await asyncio.sleep(_STEP_SECONDS)
        left = await asyncio.to_thread(producer.flush, _ACKNOWLEDGED_SECONDS)
        assert left == 0, f"{left} records were not taken by Kafka"

    def _produce(self, producer: Producer, prefix: str, record: Raw) -> None:
        def done(error: KafkaError | None, message: Message) -> None:
            assert error is None, error
            if not record.headers:
                self.letters.add((prefix + record.topic, message.partition() or 0, message.offset() or 0))

        headers: list[tuple[str, str | bytes | None]] = [*record.headers]
        producer.produce(prefix + record.topic, record.value, record.key, headers=headers, on_delivery=done)


def _records(events: Sequence[Sent], rng: Random) -> Iterator[Raw]:
    """Records in an order that nobody would wish for. Only broken ones have no headers."""
    places: list[tuple[float, int, Raw]] = []
    for place, event in enumerate(events):
        records = [_record(event, rng)]
        if rng.random() < _REPEATED:
            records.append(_record(event, rng))
        if rng.random() < _BROKEN:
            records.append(Raw(rng.choice(sorted(set(TOPIC_OF.values()))), rng.choice(_GARBAGE)))
        for record in records:
            late = rng.random() * _LATE_PLACES_MAX if rng.random() < _LATE else 0.0
            places.append((place + late, len(places), record))
    return (record for _, _, record in sorted(places, key=lambda each: each[:2]))


def _record(event: Sent, rng: Random) -> Raw:
    """Mostly keyed by order, as a shop's systems do; some by member, some not at all."""
    key = rng.choice((event.order_id, event.order_id, event.member, None))
    return Raw(TOPIC_OF[event.type], event.value(), event.headers(), None if key is None else key.encode())
