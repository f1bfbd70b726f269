"""aiokafka's producer as the relay needs it: idempotent, acknowledged by all, and one that can be thrown away at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

STOP_SECONDS = 5.0
REQUEST_BYTES_MAX = 16 * 2**20


def make_producer(client: Mapping[str, Any], *, linger_ms: int = 0, batch_bytes_max: int = 65_536) -> AIOKafkaProducer:
    """A producer over aiokafka's connection options (`bootstrap_servers`, security); to be started.

    The size of a message is bounded by the broker alone, whose answer is the same for every worker.
    """
    return AIOKafkaProducer(
        **client,
        acks="all",
        enable_idempotence=True,
        linger_ms=linger_ms,
        max_batch_size=batch_bytes_max,
        max_request_size=REQUEST_BYTES_MAX,
    )


async def stop_producer(producer: AIOKafkaProducer) -> None:
    """Send what it still holds, then close it."""
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()
            return
    await abandon_producer(producer)


async def abandon_producer(producer: AIOKafkaProducer) -> None:
    """Throw a producer away so that nothing it still holds goes out: after a failure that would come out of order.

    Its own `stop` would first send the rest, and waits for ever for a broker that is away.
    """
    sender = producer._sender
    task = None if sender is None else sender.sender_task
    producer._closed = True
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=STOP_SECONDS)
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await producer.client.close()
