"""Health: what a worker says of itself while a part is away, that it waits and goes on, and when it refuses to start."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contracts.events import TOPICS_IN
from db.migrate import migrate
from tests.flows.comparison import same_as_simulated, sound
from tests.flows.probes import Probes
from tests.flows.shop import Shop
from tests.flows.system import System, until
from tests.parts.kafka import TopicNames
from worker.local import Postgres, RealKafka
from worker.local.ports import free_ports
from worker.local.process import Process

STOP_SECONDS = 25
WAIT_SECONDS = 30


async def _end(system: System, worker: Process, seconds: float = STOP_SECONDS) -> int | None:
    """The exit code of a worker that ends by itself."""
    system.ended.append(worker)

    async def ended() -> bool:
        return not worker.alive

    await until(ended, seconds, f"{worker.name} has ended:\n{worker.output[-2000:]}")
    return worker.stop()


def _lines(worker: Process) -> list[str]:
    return [line for line in worker.output.splitlines() if line.startswith("loyalty: ")]


async def _refused(system: System, exit_code: int, **settings: str) -> list[str]:
    """What a worker says that does not start."""
    worker = system.start_worker("refused", **settings)
    assert await _end(system, worker) == exit_code
    assert "Traceback" not in worker.output
    return _lines(worker)


async def test_wrong_settings_stop_the_start_with_one_line_for_each_mistake(system: System) -> None:
    wrong = {"LOYALTY_BATCH_RECORDS_MAX": "0", "LOYALTY_KAFKA_BOOTSTRAP": "nowhere", "LOYALTY_KAFKA_GRUOP": "x"}
    lines = await _refused(system, 2, **wrong)
    assert len(lines) == 3
    for name in wrong:
        assert sum(name in line for line in lines) == 1
    assert any("1 to 20,000" in line for line in lines)


async def test_a_database_without_schema_or_terms_stops_the_start_with_one_line(system: System, empty_database: str) -> None:
    (line,) = await _refused(system, 2, LOYALTY_POSTGRES_DSN=empty_database)
    assert "lacks migration" in line
    assert "run `loyalty migrate`" in line
    (line,) = await _refused(system, 2)
    assert line == "loyalty: no terms are registered: run `loyalty migrate`, or `loyalty program apply FILE`"


async def test_a_database_that_is_away_at_the_start_is_said_in_one_line(system: System) -> None:
    (port,) = free_ports(1)
    (line,) = await _refused(system, 3, LOYALTY_POSTGRES_DSN=f"postgresql://postgres@127.0.0.1:{port}/loyalty")
    assert "Postgres is away" in line
    assert "LOYALTY_POSTGRES_DSN" in line


async def test_a_worker_waits_for_a_kafka_that_is_away_at_its_start_and_says_so(system: System) -> None:
    await system.prepare()
    kafka_port, port = free_ports(2)
    away = {"LOYALTY_KAFKA_BOOTSTRAP": f"127.0.0.1:{kafka_port}", "LOYALTY_PROBE_PORT": str(port)}
    worker, probes = system.start_worker("w1", **away), Probes(port)

    async def told() -> bool:
        return any(str(kafka_port) in reason for reason in (await probes.reasons()).get("kafka", ()))

    await until(told, WAIT_SECONDS, "/ready says that Kafka is away")
    assert (await probes.get("/ready"))[0] == 503
    assert (await probes.get("/live"))[0] == 200
    worker.stop_signal = signal.SIGINT
    worker.ask_to_stop()
    assert await _end(system, worker) == 0


async def test_a_worker_says_that_kafka_went_away_and_can_be_stopped_meanwhile(
    own_kafka: Callable[[], RealKafka], database: str, tmp_path: Path
) -> None:
    kafka = await asyncio.to_thread(own_kafka)
    system = System(kafka.bootstrap, database, "", tmp_path)
    try:
        await system.prepare(dict.fromkeys(TOPICS_IN, 1))
        (port,) = free_ports(1)
        worker, probes = system.start_worker("w1", LOYALTY_PROBE_PORT=str(port)), Probes(port)
        await until(probes.ready, WAIT_SECONDS, "/ready says yes")
        await asyncio.to_thread(kafka.kill)

        async def told() -> bool:
            return any("not answered" in reason for reason in (await probes.reasons()).get("kafka", ()))

        await until(told, WAIT_SECONDS, "/ready says that Kafka is away")
        assert (await probes.get("/live"))[0] == 200
        worker.ask_to_stop()
        assert await _end(system, worker) == 0
    finally:
        system.stop_workers()


async def test_topics_that_are_missing_are_named_and_read_once_they_are_there(system: System) -> None:
    (port,) = free_ports(1)
    await system.register("belle-maison")
    system.start_worker("w1", LOYALTY_PROBE_PORT=str(port))
    probes = Probes(port)

    async def told() -> bool:
        return any("commerce.order" in reason for reason in (await probes.reasons()).get("kafka", ()))

    await until(told, WAIT_SECONDS, "/ready names the missing topics")
    await system.prepare(dict.fromkeys(TOPICS_IN, 1), ("belle-maison",))
    await until(probes.ready, WAIT_SECONDS, "/ready says yes")


async def test_a_worker_waits_while_postgres_is_away_and_goes_on_when_it_is_back(
    bootstrap: str, topics: TopicNames, tmp_path: Path, own_postgres: Callable[..., Postgres]
) -> None:
    server = own_postgres(fsync="off")
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(migrate, server.dsn()).result()
    system = System(bootstrap, server.dsn(), topics.prefix, tmp_path)
    try:
        await _through_an_absence(system, server)
    finally:
        system.stop_workers()


async def _through_an_absence(system: System, server: Postgres) -> None:
    await system.prepare(dict.fromkeys(TOPICS_IN, 1))
    events = Shop(21, datetime.now(UTC) - timedelta(days=60), 59).events(300, 4000)
    (port,) = free_ports(1)
    buffer = 200
    small = {"LOYALTY_BATCH_RECORDS_MAX": "50", "LOYALTY_BATCH_BUFFER_RECORDS_MAX": str(buffer)}
    worker = system.start_worker("w1", **small, LOYALTY_PROBE_PORT=str(port))
    probes = Probes(port)
    await until(probes.ready, WAIT_SECONDS, "/ready says yes")
    await asyncio.to_thread(server.stop)

    async def told() -> bool:
        return "postgres" in await probes.reasons()

    await until(told, WAIT_SECONDS, "/ready of a worker without news says that Postgres is away")
    await system.publish(events, key=lambda event: event.order_id)

    async def full() -> bool:
        return await probes.metric("loyalty_records_buffered") > buffer

    await until(full, WAIT_SECONDS, "the buffer is full")
    assert (await probes.get("/live"))[0] == 200
    assert (await probes.get("/ready"))[0] == 503
    polled = 50 * 40  # what a poll may still bring before the partition is paused
    assert await probes.metric("loyalty_records_buffered") <= len(TOPICS_IN) * (buffer + polled)
    assert worker.alive
    await asyncio.to_thread(server.start)
    await until(probes.ready, WAIT_SECONDS, "/ready says yes again")
    await system.drained(60)
    same_as_simulated(await sound(system), events)
    await asyncio.to_thread(server.stop)
    began = time.monotonic()
    worker.ask_to_stop()
    assert await _end(system, worker) == 0
    assert time.monotonic() - began < STOP_SECONDS
