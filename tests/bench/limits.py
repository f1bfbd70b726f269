"""What this machine could do at best: our own SQL without Python or Kafka, COPY of as many bytes, Kafka read by nobody's code.

The SQL is recorded as bytes on the wire, between the driver and the server, and sent again as bytes: no statement is built, no
row decoded, and nothing is folded.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import asyncpg
from aiokafka import AIOKafkaConsumer

from contracts.events import TOPICS_IN
from tests.bench.connecting import connected
from tests.bench.measure import Run, between, cpu_of, read
from tests.bench.stack import Stack, batches, pipeline
from tests.bench.workload import Delivery, records
from tests.parts.wire import Wire
from worker.persist.postgres import PostgresStore, StoreOptions

REPLAYED = "replayed"
"""Name of the database that a recording is made on and replayed on: it stands in the first bytes of a connection."""
SHARDS = range(64)
OUTBOX_ROWS = 2_000
COPIED_ROW_BYTES = 1_000
READ_RECORDS = 1_000
_HEADER = struct.Struct("!cI")
_READY = b"Z"
_TERMINATE = _HEADER.pack(b"X", 4)
"""The whole message: what is read may also begin with the letter in the middle of a COPY."""


@dataclass(slots=True)
class Exchange:
    """Bytes sent until the server was ready for more, and the batch at which they were sent."""

    batch: int
    sent: bytearray = field(default_factory=bytearray)


class Recorder(Wire):
    """A line to Postgres that keeps what clients send, by connection, in the portions that the server answers."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.connections: list[list[Exchange]] = []
        self.batch = 0

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        server, to_server = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        exchanges = [Exchange(self.batch)]
        self.connections.append(exchanges)
        back = asyncio.create_task(self._answer(server, to_client, exchanges))
        try:
            while data := await client.read(2**20):
                if data == _TERMINATE:
                    break
                exchanges[-1].sent += data
                exchanges[-1].batch = self.batch
                to_server.write(data)
        finally:
            back.cancel()
            to_client.close()
            to_server.close()
            self._lines.discard(task)

    async def _answer(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter, exchanges: list[Exchange]) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                header = await server.readexactly(_HEADER.size)
                kind, length = _HEADER.unpack(header)
                body = await server.readexactly(length - 4)
                if kind == _READY:
                    # Before the client hears it: what it sends next belongs to the next exchange.
                    exchanges.append(Exchange(self.batch))
                to_client.write(header + body)


@dataclass(frozen=True, slots=True)
class Recording:
    """The SQL of a workload: exchanges by connection. `events`: how many were applied by it."""

    template: str
    events: int
    connections: Sequence[Sequence[Exchange]]

    @property
    def bytes(self) -> int:
        """All that was sent."""
        return sum(len(exchange.sent) for connection in self.connections for exchange in connection)


async def record(stack: Stack, template: str, deliveries: Sequence[Delivery]) -> Recording:
    """Apply a workload in batches, with the relay's reading and deleting after each, and keep the bytes of the SQL."""
    dsn = stack.database(template, REPLAYED)
    one = StoreOptions(connections_max=1)
    async with (
        Recorder(dsn) as recorder,
        await PostgresStore.open(recorder.dsn, one) as store,
        pipeline(store) as run,
        await PostgresStore.open(recorder.dsn, one) as relay,
    ):
        found = batches(records(iter(deliveries)))
        for number, batch in enumerate(found, 1):
            recorder.batch = number
            await run.process(batch)
            while rows := await relay.read(SHARDS, OUTBOX_ROWS):
                await relay.delete(rows)
        # The last, empty exchange of each is what nobody sent.
        return Recording(template, len(deliveries), [[each for each in made if each.sent] for made in recorder.connections])


@dataclass(slots=True)
class Replay:
    """Runs a recording again, over as many connections as it was made with."""

    stack: Stack
    recording: Recording

    async def __call__(self) -> Run:
        """All of it on a database that begins as the recording's did; the relay's part follows the batch that it was after."""
        dsn = self.stack.database(self.recording.template, REPLAYED)
        parts = urlsplit(dsn)
        done = [0] * len(self.recording.connections)
        moved = asyncio.Condition()

        async def send(number: int, exchanges: Sequence[Exchange]) -> None:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            for exchange in exchanges:
                if number:
                    async with moved:
                        await moved.wait_for(lambda batch=exchange.batch: done[0] >= batch)  # type: ignore[misc]  # the batch of now
                elif exchange.batch > done[0] + 1:
                    async with moved:
                        done[0] = exchange.batch - 1
                        moved.notify_all()
                writer.write(exchange.sent)
                await _until_ready(reader)
            if not number:
                async with moved:
                    done[0] = exchanges[-1].batch
                    moved.notify_all()
            writer.close()

        try:
            return await _measured(
                self.stack,
                dsn,
                self.recording.events,
                asyncio.gather(*(send(number, each) for number, each in enumerate(self.recording.connections))),
            )
        finally:
            self.stack.drop(dsn)


async def _until_ready(reader: asyncio.StreamReader) -> None:
    """Pass over answers up to the one that says the server is ready; an error is a mistake of the bench."""
    while True:
        kind, length = _HEADER.unpack(await reader.readexactly(_HEADER.size))
        body = await reader.readexactly(length - 4)
        assert kind != b"E", body
        if kind == _READY:
            return


@dataclass(slots=True)
class CopyOnly:
    """COPY of as many bytes as a recording holds into one plain table, with a commit a batch."""

    stack: Stack
    recording: Recording

    async def __call__(self) -> Run:
        """All of it over one connection."""
        dsn = self.stack.empty("copied")
        await self.stack.sql(dsn, "CREATE TABLE copied (document bytea)")
        await self.stack.sql(dsn, "CHECKPOINT")
        count = max(exchange.batch for each in self.recording.connections for exchange in each)
        rows = self.recording.bytes // count // COPIED_ROW_BYTES
        document = bytes(range(250)) * (COPIED_ROW_BYTES // 250)
        batch = [(document,)] * rows

        async def copy() -> None:
            connection = await asyncpg.connect(dsn)
            for _ in range(count):
                await connection.copy_records_to_table("copied", records=batch)
            await connection.close()

        try:
            return await _measured(self.stack, dsn, self.recording.events, copy())
        finally:
            self.stack.drop(dsn)


async def _measured(stack: Stack, dsn: str, events: int, work: Awaitable[object]) -> Run:
    pids = {"postgres": (stack.postgres.pid or 0,)}
    async with connected(dsn) as connection:
        first = await read(connection, time.monotonic(), pids)
        await work
        last = await read(connection, time.monotonic(), pids)
    return between(first, last, events)


@dataclass(slots=True)
class ConsumeOnly:
    """aiokafka alone reads the topics of a workload, in this process, and does nothing with what it reads."""

    stack: Stack
    prefix: str
    events: int

    async def __call__(self) -> Run:
        """From the first records, when it has joined, to the last."""
        consumer = AIOKafkaConsumer(
            *(self.prefix + topic for topic in TOPICS_IN),
            bootstrap_servers=self.stack.kafka.bootstrap,
            group_id=f"limit-{time.monotonic_ns()}",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        kafka = self.stack.kafka.pids
        await consumer.start()
        try:
            begun = 0
            while not begun:
                begun = await _read(consumer)
            cpu, kafka_cpu, started = time.process_time(), sum(map(cpu_of, kafka)), time.monotonic()
            found = begun
            while found < self.events:
                found += await _read(consumer)
            used = {"workers": time.process_time() - cpu, "kafka": sum(map(cpu_of, kafka)) - kafka_cpu}
            return Run(found - begun, time.monotonic() - started, used)
        finally:
            await consumer.stop()


async def _read(consumer: AIOKafkaConsumer) -> int:
    return sum(map(len, (await consumer.getmany(timeout_ms=1_000, max_records=READ_RECORDS)).values()))
