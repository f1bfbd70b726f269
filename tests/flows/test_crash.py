"""The promise in volume: two workers, one killed in the middle, topics keyed and divided unlike each other."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer

from tests.flows.comparison import same_as_simulated, sound
from tests.flows.shop import Sent, Shop
from tests.flows.system import TOPIC_OF, System, until

EVENTS = int(os.environ.get("CRASH_EVENTS", "20000"))
MEMBERS = EVENTS // 10
PARTITIONS = {"commerce.order": 6, "commerce.shipment": 4, "commerce.cancel": 2, "commerce.return": 3, "loyalty.command": 4}
TRANSACTION_RECORDS = 200
CORES = 2


def _key(event: Sent) -> str | None:
    """Orders by order id, shipments by member, cancels without any key; the rest by member."""
    if event.type in ("order.placed", "order.paid"):
        return event.order_id
    return None if event.type == "order.cancelled" else event.member


def _publish_in_transactions(system: System, events: Sequence[Sent]) -> None:
    """One producer that uses transactions; every third batch is first sent and aborted, so the log holds markers and waste."""
    producer = Producer({"bootstrap.servers": system.bootstrap, "transactional.id": f"{system.prefix}returns", "linger.ms": 5})
    producer.init_transactions()
    batches = [events[start : start + TRANSACTION_RECORDS] for start in range(0, len(events), TRANSACTION_RECORDS)]
    for number, batch in enumerate(batches):
        for abort in (True, False) if number % 3 == 0 else (False,):
            producer.begin_transaction()
            for event in batch:
                topic = system.prefix + TOPIC_OF[event.type]
                producer.produce(topic, event.value(), key=event.order_id, headers=[*event.headers()])
            if abort:
                producer.flush()
                producer.abort_transaction()
            else:
                producer.commit_transaction()


@pytest.mark.timeout(600)
async def test_thousands_of_events_with_a_worker_killed_end_where_the_simulation_ends(
    system: System, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    await system.prepare(PARTITIONS)
    start = datetime.now(UTC) - timedelta(days=60)
    events = Shop(seed=7, start=start, days=59).events(MEMBERS, EVENTS)
    returns = [event for event in events if event.type == "return.received"]
    others = [event for event in events if event.type != "return.received"]
    began = time.monotonic()
    first = system.start_worker("w1")
    system.start_worker("w2")
    await system.publish(others, _key)
    await asyncio.to_thread(_publish_in_transactions, system, returns)

    async def half_read() -> bool:
        system.check_alive()
        async with system.store() as store:
            return sum(position.next_offset for position in (await store.positions()).values()) > EVENTS // 2

    await until(half_read, 300, "half of the records read")
    first.kill()
    first.start()
    await system.drained(400)
    seconds = time.monotonic() - began
    record_property("events_per_second", round(EVENTS / seconds))
    rate = f"{EVENTS / seconds:,.0f} events/s"
    with capsys.disabled():
        sys.stdout.write(f"\n{EVENTS:,} events of {MEMBERS:,} members, two workers, one killed: {seconds:.1f} s, {rate}\n")

    system.stop_workers()
    books = await sound(system, CORES)
    assert sum(map(len, books.statements.values())) == MEMBERS
    assert books.count("rejected") > 100
    assert books.count("accepted") > 100
    same_as_simulated(books, events, CORES)
    checked = time.monotonic() - began - seconds
    with capsys.disabled():
        sys.stdout.write(f"checked in {checked:.1f} s\n")
