"""All that Kafka still has of some partitions, read once more beside the workers, without a group and without a trace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition

from worker.consume.batch import PartitionKey
from worker.consume.consumer import StrictConsumer, to_record
from worker.consume.ends import Bounds
from worker.decode import Record

_BYTES_MAX: Final = 4 * 1_048_576
_WAIT_MS: Final = 500
RECORDS_MAX: Final = 2_000


class RecordsRemovedError(Exception):
    """Kafka removed records before they were read."""


@dataclass(frozen=True, slots=True)
class Replay:
    """`bounds`: by partition, the first offset that Kafka still has and the one up to which is read. `records`: what is readable
    between them, partition by partition as the broker gives it, in lists of some thousand."""

    bounds: Mapping[PartitionKey, Bounds]
    records: AsyncIterator[list[Record]]


@asynccontextmanager
async def replay(client: Mapping[str, Any], ends: Mapping[PartitionKey, int]) -> AsyncIterator[Replay]:
    """Read partitions from their beginning up to these offsets; those that are not there any more are left out.

    Raises:
        KafkaError: the cluster cannot be reached, or a topic may not be read.
        RecordsRemovedError: while `records` are read.
    """
    consumer = StrictConsumer(
        on_lost=_gone,
        on_doubt=lambda _partitions: None,
        poll_bytes_max=lambda: _BYTES_MAX,
        poll_wait_ms=_WAIT_MS,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        **client,
    )
    await consumer.start()
    try:
        metadata = await consumer._client.fetch_all_metadata()
        there = [TopicPartition(*key) for key in sorted(ends) if key[1] in (metadata.partitions_for_topic(key[0]) or ())]
        starts, log_ends = await consumer.beginning_offsets(there), await consumer.end_offsets(there)
        # A topic that was made anew may end before the position of the one before it.
        bounds = {tp: (starts[tp], min(ends[tp.topic, tp.partition], log_ends[tp])) for tp in there}
        yield Replay({(tp.topic, tp.partition): each for tp, each in bounds.items()}, _read(consumer, bounds))
    finally:
        await consumer.stop()


async def _read(consumer: StrictConsumer, bounds: Mapping[TopicPartition, Bounds]) -> AsyncIterator[list[Record]]:
    left = {tp: end for tp, (start, end) in bounds.items() if start < end}
    consumer.assign(list(left))
    for tp in left:
        consumer.seek(tp, bounds[tp][0])
    while left:
        polled = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=RECORDS_MAX)
        consumer.in_hand.clear()
        records = [to_record(raw) for tp, raws in polled.items() for raw in raws if raw.offset < bounds[tp][1]]
        if records:
            yield records
        for tp in [tp for tp, end in left.items() if (consumer.position_now(tp) or 0) >= end]:
            del left[tp]
            consumer.pause(tp)


def _gone(partitions: Collection[TopicPartition]) -> None:
    names = ", ".join(f"{each.topic}/{each.partition}" for each in sorted(partitions))
    raise RecordsRemovedError(f"records were removed, or the topic was made anew, while {names} was read: begin again")
