"""What a team writes first: a FastStream handler per message with one transaction each, and a publisher of the outbox.

It knows the earning rule only: an order earns 1 % ex tax as pending points, its shipment makes them available. No cancels, no
returns, no tiers, no expiry, no repair of late events: it does less. A message is acknowledged when its transaction is committed.
`python -m tests.bench.baseline BOOTSTRAP DSN PREFIX GROUP CONCURRENT` runs it; `Baseline` measures it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from pydantic import BaseModel

from contracts.events import TOPICS_IN
from tests.bench.measure import Run
from tests.bench.ours import drained
from tests.bench.stack import PARTITIONS, Stack
from worker.local.process import Process

OUT = "loyalty.balance-changed"
BUSY_TOPICS = ("commerce.order", "commerce.shipment")
PUBLISH_ROWS = 100
IDLE_SECONDS = 0.05


class Line(BaseModel):
    """A line of an order."""

    quantity: int
    unit_price: int


class Event(BaseModel):
    """What the handler needs of an event's data."""

    order_id: str | None = None
    member_id: str | None = None
    lines: list[Line] | Any = ()


class Changed(BaseModel):
    """What is told when a balance has changed."""

    member_id: str
    pending: int
    available: int
    version: int


async def handle(pool: asyncpg.Pool[asyncpg.Record], event_id: str, type_: str, event: Event) -> None:
    """One message, one transaction."""
    async with pool.acquire() as connection, connection.transaction():
        new = await connection.fetchval(
            "INSERT INTO event (id, type) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id", event_id, type_
        )
        if new is None:
            return
        if type_ == "order.placed" and event.member_id is not None:
            points = sum(line.unit_price * line.quantity for line in event.lines) // 100
            await connection.execute(
                "INSERT INTO lot (member_id, order_id, points, state) VALUES ($1, $2, $3, 'pending')",
                *(event.member_id, event.order_id, points),
            )
            await _move(connection, event.member_id, points, 0)
        elif type_ == "shipment.dispatched":
            lot = await connection.fetchrow(
                "UPDATE lot SET state = 'available' WHERE order_id = $1 AND state = 'pending' RETURNING member_id, points",
                event.order_id,
            )
            if lot is not None:
                await _move(connection, lot["member_id"], -lot["points"], lot["points"])


async def _move(connection: Any, member_id: str, pending: int, available: int) -> None:
    row = await connection.fetchrow(
        "INSERT INTO balance AS b VALUES ($1, $2, $3, 1) ON CONFLICT (member_id) DO UPDATE SET pending = b.pending + $2,"
        " available = b.available + $3, version = b.version + 1 RETURNING pending, available, version",
        *(member_id, pending, available),
    )
    changed = Changed(member_id=member_id, **dict(row))
    await connection.execute(
        "INSERT INTO outbox (topic, key, body) VALUES ($1, $2, $3)", OUT, member_id, changed.model_dump_json()
    )


async def publish_outbox(broker: KafkaBroker, pool: asyncpg.Pool[asyncpg.Record], prefix: str) -> None:
    """Publish what was committed, then delete it; for ever."""
    while True:
        rows = await pool.fetch("SELECT id, topic, key, body FROM outbox ORDER BY id LIMIT $1", PUBLISH_ROWS)
        for row in rows:
            await broker.publish(row["body"].encode(), prefix + row["topic"], key=row["key"].encode(), no_confirm=True)
        if rows:
            await pool.execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", [row["id"] for row in rows])
        else:
            await asyncio.sleep(IDLE_SECONDS)


def make_app(bootstrap: str, dsn: str, prefix: str, group: str, concurrent: int) -> FastStream:
    """The service: one subscriber over all topics, or one a topic with as many workers as partitions (FastStream's way)."""
    broker = KafkaBroker(bootstrap, acks="all", enable_idempotence=True)
    app = FastStream(broker, logger=None)
    state: dict[str, Any] = {}

    async def on_message(event: Event, message: KafkaMessage) -> None:
        await handle(state["pool"], message.headers["ce_id"], message.headers["ce_type"], event)

    subscriptions = [tuple(TOPICS_IN)] if concurrent == 1 else [(topic,) for topic in TOPICS_IN]
    for topics in subscriptions:
        busy = concurrent > 1 and topics[0] in BUSY_TOPICS
        broker.subscriber(
            *(prefix + topic for topic in topics),
            group_id=group if concurrent == 1 else f"{group}.{topics[0]}",
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.NACK_ON_ERROR,
            max_workers=PARTITIONS if busy else 1,
        )(on_message)

    @app.on_startup
    async def connect() -> None:
        state["pool"] = await asyncpg.create_pool(dsn, min_size=1, max_size=concurrent + 1)

    @app.after_startup
    async def start_publisher() -> None:
        state["publisher"] = asyncio.create_task(publish_outbox(broker, state["pool"], prefix))

    @app.on_shutdown
    async def stop_publisher() -> None:
        state["publisher"].cancel()

    return app


@dataclass(slots=True)
class Baseline:
    """Measured runs of it over the same topics as ours. `events`: of the topics, only so many are waited for."""

    stack: Stack
    directory: Path
    prefix: str
    events: int
    concurrent: int

    async def __call__(self) -> Run:
        """From the first tenth until `events` are committed and told."""
        dsn = self.stack.empty(f"baseline_{uuid.uuid4().hex[:8]}")
        await self.stack.sql(self.stack.postgres.dsn(), "CHECKPOINT")
        for statement in Path(__file__).with_name("baseline.sql").read_text(encoding="utf-8").split(";"):
            if statement.strip():
                await self.stack.sql(dsn, statement)
        arguments = (self.stack.kafka.bootstrap, dsn, self.prefix, f"baseline-{uuid.uuid4().hex}", str(self.concurrent))
        service = Process(
            "baseline",
            (sys.executable, "-m", "tests.bench.baseline", *arguments),
            self.directory / "baseline.log",
            environment={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        service.start()

        def check() -> None:
            assert service.alive, f"the baseline ended:\n{service.output[-4000:]}"

        try:
            pids = {
                "workers": (service.pid or 0,),
                "postgres": (self.stack.postgres.pid or 0,),
                "kafka": self.stack.kafka.pids,
            }
            return await drained(dsn, pids, self.events, "SELECT count(*) FROM event", "SELECT false", check)
        finally:
            service.kill()
            self.stack.drop(dsn)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    bootstrap, dsn, prefix, group, concurrent = sys.argv[1:]
    asyncio.run(make_app(bootstrap, dsn, prefix, group, int(concurrent)).run())
