"""How far a partition is read: its row in the table of all partitions, and what a move says about it."""

from __future__ import annotations

import time

from aiokafka import TopicPartition

from worker.consume.batch import PartitionProgress, time_of
from worker.consume.partition_buffer import PartitionBuffer
from worker.consume.reader import Reader


def read_to_end(reader: Reader | None, buffer: PartitionBuffer, answer_age_seconds_max: float) -> bool:
    """Was everything up to the end of the log read, as far as the broker said lately?"""
    partition = TopicPartition(*buffer.key)
    if reader is None or buffer.state != "open" or buffer.records or partition in reader.in_hand:
        return False
    position, end, answered = reader.position_now(partition), reader.log_end(partition), reader.answered_ms(partition)
    if position is None or end is None or answered is None:
        return False
    return position >= end and time.time() * 1000 - answered <= answer_age_seconds_max * 1000


def progress_of(reader: Reader | None, buffer: PartitionBuffer, answer_age_seconds_max: float) -> PartitionProgress:
    """How far one partition is read and settled."""
    at_end = not buffer.unsettled and read_to_end(reader, buffer, answer_age_seconds_max)
    oldest = buffer.oldest_ms if buffer.oldest_ms is not None else buffer.last_ms
    position = None if reader is None else reader.position_now(TopicPartition(*buffer.key))
    return PartitionProgress(
        topic=buffer.key[0],
        partition=buffer.key[1],
        position=position if buffer.state == "open" else None,
        settled_offset=buffer.settled,
        oldest_time=None if at_end or oldest is None else time_of(oldest),
        at_end=at_end,
    )
