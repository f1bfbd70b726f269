"""Whether a partition is still the log that was read: checked at an assignment, and before reading on after a pause."""

from __future__ import annotations

from collections.abc import Collection

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from worker.consume.batch import PartitionKey, digest_of, digested_offset
from worker.consume.positions import GapPolicy, LogState, PositionStore, ReadFrom, Stop, judge, offset_to_check
from worker.consume.reader import Reader

Verdict = tuple[ReadFrom | Stop, int]
"""Where to read one partition from, and up to where can be read."""


async def examine(
    reader: Reader, store: PositionStore, keys: Collection[PartitionKey], gap_policy: GapPolicy
) -> dict[PartitionKey, Verdict]:
    """A verdict for each partition, by its stored position and what Kafka has. Raises what the store and the broker raise."""
    partitions = [TopicPartition(*key) for key in keys]
    stored = await store.load(keys)
    starts = await reader.beginning_offsets(partitions)
    ends = await reader.end_offsets(partitions)
    verdicts: dict[PartitionKey, Verdict] = {}
    for partition in partitions:
        key = (partition.topic, partition.partition)
        start, end, known = starts[partition], ends[partition], stored.get(key)
        found = None
        if known is not None and (offset := offset_to_check(known, start, end)) is not None:
            record = await reader.record_at(partition, offset)
            found = None if record is None else digest_of(record)
        verdicts[key] = (judge(key, known, LogState(start, end, found), gap_policy), end)
    return verdicts


async def goes_on(reader: Reader, key: PartitionKey, newest: bytes) -> bool:
    """Whether the newest record that was read still lies where it was; False too where the broker does not say.

    `newest`: its digest (empty: none was read yet, so nothing can have been passed over).
    """
    if not newest:
        return True
    try:
        record = await reader.record_at(TopicPartition(*key), digested_offset(newest))
    except KafkaError:
        return False
    return record is not None and digest_of(record) == newest
