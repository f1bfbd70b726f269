"""How far a partition is read: what the table of all partitions is told, and what a move says of it."""

from __future__ import annotations

import time

from aiokafka import TopicPartition

from worker.consume.batch import PartitionProgress, time_of
from worker.consume.lane import Lane
from worker.consume.reader import Reader


def read_to_end(reader: Reader | None, lane: Lane, answer_age_seconds_max: float) -> bool:
    """Was everything up to the end of the log read, as far as the broker said lately?"""
    partition = TopicPartition(*lane.key)
    if reader is None or lane.state != "open" or lane.records or partition in reader.in_hand:
        return False
    position, end, answered = reader.position_now(partition), reader.log_end(partition), reader.answered_ms(partition)
    if position is None or end is None or answered is None:
        return False
    return position >= end and time.time() * 1000 - answered <= answer_age_seconds_max * 1000


def progress_of(reader: Reader | None, lane: Lane, answer_age_seconds_max: float) -> PartitionProgress:
    """How far one partition is read and settled."""
    at_end = not lane.unsettled and read_to_end(reader, lane, answer_age_seconds_max)
    oldest = lane.oldest_ms if lane.oldest_ms is not None else lane.last_ms
    position = None if reader is None else reader.position_now(TopicPartition(*lane.key))
    return PartitionProgress(
        topic=lane.key[0],
        partition=lane.key[1],
        position=position if lane.state == "open" else None,
        settled_offset=lane.settled,
        oldest_time=None if at_end or oldest is None else time_of(oldest),
        at_end=at_end,
    )
