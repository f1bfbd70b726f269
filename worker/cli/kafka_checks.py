"""The checks of `loyalty doctor` that look into topics: what was removed before it was read, and what their settings mean."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from contracts.counting import counted
from contracts.events import MESSAGE_BYTES_MAX, TOPICS_OUT
from worker.cli.checks import WAIT_SECONDS, Check, Result
from worker.consume.positions import GapFound, LogState, ReadFrom, Stop, StoredPosition, judge
from worker.settings import KafkaSettings, Settings

BYTES_MAX: Final = "max.message.bytes"
TIMESTAMPS: Final = "message.timestamp.type"
APPENDING: Final = "LogAppendTime"


async def out_settings(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> list[Check]:
    """What the settings of the topics out mean for what is published; nothing if this user may not see them."""
    wanted = [settings.topic(name) for name in TOPICS_OUT]
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, {BYTES_MAX: None, TIMESTAMPS: None}) for name in wanted]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for code, _, _, name, entries in answer.resources:
            if code == 0:
                found[name] = {entry[0]: entry[1] for entry in entries}
    return [*_sizes(found), *_timestamps(found)]


def _sizes(found: Mapping[str, Mapping[str, str]]) -> Iterator[Check]:
    sizes = {name: int(each[BYTES_MAX]) for name, each in found.items() if BYTES_MAX in each}
    if small := [f"{name} {size:,}" for name, size in sizes.items() if size < MESSAGE_BYTES_MAX]:
        to_do = f"fine, but large changes are told in shorter sums: set {BYTES_MAX} to {2 * MESSAGE_BYTES_MAX:,} or more"
        yield Check("message sizes", "warn", f"{BYTES_MAX} below {MESSAGE_BYTES_MAX:,}: {', '.join(small)}", to_do)
    elif sizes:
        yield Check("message sizes", "ok", f"topics out take {MESSAGE_BYTES_MAX:,} bytes, the most that is published")


def _timestamps(found: Mapping[str, Mapping[str, str]]) -> Iterator[Check]:
    kinds = {name: each[TIMESTAMPS] for name, each in found.items() if TIMESTAMPS in each}
    if any(kind == APPENDING for kind in kinds.values()):
        yield Check("broker's clock", "ok", "workers compare theirs with it whenever they publish")
    elif kinds:
        to_do = f"to have it compared, set {TIMESTAMPS}={APPENDING} on a topic out"
        yield Check("broker's clock", "ok", "not known: topics out keep the producer's time", to_do)


async def gaps(settings: Settings) -> list[Check]:
    """Partitions that are not read, or not wholly, because Kafka removed records first. Nothing if Kafka or Postgres is away."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            stored = await _stored(settings)
            found = await _found(settings.kafka, stored)
    except (KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError):
        return []  # other checks tell why
    if not found:
        read = counted(len(stored), "partition is", "partitions are")
        return [Check("gaps", "ok", f"none: {read} read on from where Kafka still has everything")]
    stops = settings.kafka.gap_policy == "stop"
    severity: Result = "fail" if stops else "warn"
    to_do = (
        "its partition stands still: have them sent again, then set LOYALTY_KAFKA_GAP_POLICY=continue for one start"
        if stops
        else "workers go on without them: have them sent again"
    )
    return [Check("gaps", severity, gap.told, to_do) for gap in found]


async def _stored(settings: Settings) -> dict[tuple[str, int], StoredPosition]:
    connection = await asyncpg.connect(settings.postgres.full_dsn(), timeout=WAIT_SECONDS)
    try:
        if settings.postgres.role is not None:
            await connection.execute(f'SET ROLE "{settings.postgres.role}"')
        rows = await connection.fetch("SELECT topic, partition, next_offset, digest FROM position ORDER BY topic, partition")
    finally:
        await connection.close()
    return {(row["topic"], row["partition"]): StoredPosition(row["next_offset"], row["digest"]) for row in rows}


async def _found(settings: KafkaSettings, stored: Mapping[tuple[str, int], StoredPosition]) -> list[GapFound]:
    consumer = AIOKafkaConsumer(**settings.client_options("loyalty-doctor"))
    try:
        await consumer.start()
        metadata = await consumer._client.fetch_all_metadata()
        there = [
            TopicPartition(*key) for key in stored if key[1] in (metadata.partitions_for_topic(key[0]) or ())
        ]
        starts, ends = await consumer.beginning_offsets(there), await consumer.end_offsets(there)
    finally:
        await consumer.stop()
    found: list[GapFound] = []
    for partition in there:
        log = LogState(starts[partition], ends[partition], None)
        verdict: ReadFrom | Stop = judge((partition.topic, partition.partition), stored[partition], log, settings.gap_policy)
        if isinstance(verdict.incident, GapFound):
            found.append(verdict.incident)
    return found
