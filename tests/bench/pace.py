"""Sending at a steady pace, open loop: every event has its instant, and one that is held up does not move those after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import KafkaError, Message, Producer

from tests.bench.workload import Delivery
from tests.flows.system import TOPIC_OF

FLUSH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Sent:
    """How many events were sent, and how far the sender itself was behind their instants, in seconds."""

    events: int
    behind_p99: float
    behind_max: float


def send_on_time(bootstrap: str, prefix: str, deliveries: Iterable[Delivery], stop: threading.Event | None = None) -> Sent:
    """Send each event at its `at`, until there are no more or `stop` is set. Raises RuntimeError if Kafka does not take one.

    The client waits 5 ms for company, as clients do by default: a request for each event would cost the broker, and this sender,
    more than all else that is measured on the machine.
    """
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5})
    to_monotonic = time.monotonic() - time.time()
    behind: list[float] = []
    refused: list[KafkaError] = []

    def done(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            refused.append(error)

    for delivery in deliveries:
        event, due = delivery.event, delivery.at.timestamp() + to_monotonic
        producer.poll(0)
        # Not by `poll`, which counts whole milliseconds: below one it would not wait, and take a core from what is measured.
        while (wait := due - time.monotonic()) > 0:
            time.sleep(wait)
        if stop is not None and stop.is_set():
            break
        behind.append(-wait)
        headers: list[tuple[str, str | bytes | None]] = [*event.headers()]
        key = (event.member or "").encode()
        producer.produce(prefix + TOPIC_OF[event.type], event.value(), key, headers=headers, on_delivery=done)
    left = producer.flush(FLUSH_SECONDS)
    if refused or left:
        raise RuntimeError(f"Kafka did not take {len(refused) + left} events: {refused[:1]}")
    behind.sort()
    return Sent(len(behind), behind[len(behind) * 99 // 100] if behind else 0.0, behind[-1] if behind else 0.0)
