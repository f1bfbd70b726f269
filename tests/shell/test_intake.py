"""The intake by itself: batches, waits and what becomes of records whose partition went away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaConnectionError

from tests.shell.conftest import Positions, until
from worker.consume.batch import time_of
from worker.consume.consumer import to_record
from worker.consume.intake import Intake, IntakeOptions
from worker.consume.positions import Incident
from worker.decode.record import Record

NOW = datetime(2026, 4, 1, tzinfo=UTC)


class FakeReader:
    """A consumer whose positions a test moves by hand."""

    def __init__(self, *partitions: TopicPartition) -> None:
        self.in_hand: set[TopicPartition] = set()
        self.paused = set[TopicPartition]()
        self.positions = dict.fromkeys(partitions, 0)
        self.ends = dict.fromkeys(partitions, 0)
        self.committed: dict[TopicPartition, int] = {}
        self.fails = False

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused |= self._mine(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused -= self._mine(partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._mine([partition])
        self.positions[partition] = offset

    def position_now(self, partition: TopicPartition) -> int | None:
        return self.positions.get(partition)

    def readable_end(self, partition: TopicPartition) -> int | None:
        return self.ends.get(partition)

    def log_end(self, partition: TopicPartition) -> int | None:
        return self.ends.get(partition)

    def answered_ms(self, partition: TopicPartition) -> int | None:
        return int(time.time() * 1000)

    async def record_at(self, partition: TopicPartition, offset: int) -> Record | None:
        return to_record(raw(partition, offset)) if offset < self.ends[partition] else None

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        return {partition: self.ends[partition] for partition in partitions}

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if self.fails:
            raise KafkaConnectionError("away")
        self.committed.update(offsets)

    def give(self, intake: Intake, partition: TopicPartition, *offsets: int) -> None:
        """One poll that returns these offsets."""
        self.ends[partition] = max(self.ends[partition], offsets[-1] + 1)
        self.positions[partition] = offsets[-1] + 1
        self.in_hand.add(partition)
        intake.offer([raw(partition, offset) for offset in offsets])

    def _mine(self, partitions: Collection[TopicPartition]) -> set[TopicPartition]:
        if not set(partitions) <= set(self.positions):
            raise IllegalStateError("not assigned")
        return set(partitions)


def raw(partition: TopicPartition, offset: int) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord(partition.topic, partition.partition, offset, 1_000 + offset, 0, b"k", b"%d" % offset, None, 1, 1, ())


A, B = TopicPartition("a", 0), TopicPartition("b", 0)


async def opened(*partitions: TopicPartition, **options: object) -> tuple[Intake, FakeReader]:
    intake = Intake(Positions(), IntakeOptions(**options), [].append)  # type: ignore[arg-type]  # named by the test
    reader = FakeReader(*partitions)
    intake.attach(reader)
    intake.assigned(partitions)
    assert reader.paused == set(partitions)
    await until(lambda: not intake.problems() and not reader.paused)
    return intake, reader


async def test_a_full_batch_does_not_linger_and_a_small_one_only_as_long_as_said() -> None:
    intake, reader = await opened(A)
    reader.give(intake, A, 0, 1, 2)
    async with asyncio.timeout(5):
        full = await intake.next_batch(2, linger_seconds=3_600)
        assert full is not None
        rest = await intake.next_batch(2, linger_seconds=0.01)
    assert rest is not None
    assert [record.offset for record in full.records + rest.records] == [0, 1, 2]


async def test_what_came_while_a_batch_was_under_way_does_not_linger_again() -> None:
    intake, reader = await opened(A)
    reader.give(intake, A, 0)
    begun = time.monotonic()
    assert await intake.next_batch(10, linger_seconds=0.2) is not None
    assert time.monotonic() - begun >= 0.2
    reader.give(intake, A, 1)
    came = time.monotonic()
    while time.monotonic() - came < 0.2:
        await asyncio.sleep(0)  # the batch is at work
    async with asyncio.timeout(0.1):
        assert await intake.next_batch(10, linger_seconds=0.2) is not None


async def test_a_batch_with_all_the_bytes_that_it_may_have_does_not_linger() -> None:
    intake, reader = await opened(A, batch_bytes_max=450)
    reader.give(intake, A, 0, 1, 2)
    async with asyncio.timeout(5):
        full = await intake.next_batch(100, linger_seconds=3_600)
    assert full is not None
    assert [record.offset for record in full.records] == [0, 1]


async def test_with_many_partitions_each_may_have_less() -> None:
    intake, _ = await opened(A, B, buffer_bytes_max=1_000, total_bytes_max=1_200)
    assert intake.partition_bytes_max == 600
    intake.revoked([B])
    assert intake.partition_bytes_max == 1_000


async def test_what_arrives_while_lingering_comes_along() -> None:
    intake, reader = await opened(A, B)
    waiting = asyncio.create_task(intake.next_batch(2, linger_seconds=3_600))
    reader.give(intake, A, 0)
    await asyncio.sleep(0)
    reader.give(intake, B, 0)
    batch = await asyncio.wait_for(waiting, 5)
    assert batch is not None
    assert {record.topic for record in batch.records} == {"a", "b"}


async def test_others_wait_until_no_record_waits_to_be_taken_and_only_as_long_as_they_say() -> None:
    intake, reader = await opened(A)
    await intake.emptied(3_600)
    reader.give(intake, A, 0, 1)
    await intake.emptied(0.01)
    room = asyncio.create_task(intake.emptied(3_600))
    await intake.next_batch(1)
    await asyncio.sleep(0)
    assert not room.done()
    await intake.next_batch(1)
    await asyncio.wait_for(room, 5)


async def test_a_call_that_is_cancelled_takes_nothing() -> None:
    intake, reader = await opened(A)
    waiting = asyncio.create_task(intake.next_batch(10, linger_seconds=3_600))
    reader.give(intake, A, 0)
    await asyncio.sleep(0)
    waiting.cancel()
    batch = await intake.next_batch(10)
    assert batch is not None
    assert len(batch.records) == 1


async def test_records_of_a_partition_that_went_away_are_dropped_even_while_lingering() -> None:
    intake, reader = await opened(A, B)
    reader.give(intake, A, 0)
    waiting = asyncio.create_task(intake.next_batch(10, linger_seconds=0.2))
    await asyncio.sleep(0)
    intake.revoked([A])
    reader.give(intake, B, 0)
    batch = await waiting
    assert batch is not None
    assert {record.topic for record in batch.records} == {"b"}


async def test_partitions_share_the_bound_on_all_buffers() -> None:
    intake, reader = await opened(A, B, total_bytes_max=5_000)
    reader.give(intake, A, *range(20))
    assert reader.paused == {A}
    batch = await intake.next_batch(15)
    assert batch is not None
    await until(lambda: reader.paused == set())


@pytest.mark.parametrize("found", ["another record", "nothing", "no broker"])
async def test_a_paused_partition_that_is_not_what_was_read_begins_again(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    intake, reader = await opened(A, buffer_records_max=4)
    reader.give(intake, A, *range(6))
    assert reader.paused == {A}

    async def record_at(partition: TopicPartition, offset: int) -> Record | None:
        assert offset == 5
        if found == "no broker":
            raise KafkaConnectionError("away")
        return to_record(raw(partition, offset + 1)) if found == "another record" else None

    monkeypatch.setattr(reader, "record_at", record_at)
    batch = await intake.next_batch(4)
    assert batch is not None
    assert [record.offset for record in batch.records] == [0, 1, 2, 3]
    assert reader.paused == {A}
    await until(lambda: not reader.paused)
    assert reader.positions[A] == 0
    assert intake.waiting == 0


async def test_a_partition_in_doubt_is_read_on_where_it_was_with_all_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    intake, reader = await opened(A)
    reader.give(intake, A, 0, 1, 2)
    intake.doubted([A, B])
    assert reader.paused == {A}
    await until(lambda: not reader.paused)
    assert (reader.positions[A], intake.waiting) == (3, 3)


async def test_records_fetched_before_a_seek_are_not_taken() -> None:
    intake, reader = await opened(A)
    reader.ends[A] = 9
    reader.positions[A] = 0  # a seek came between
    intake.offer([raw(A, 7), raw(A, 8)])
    assert intake.progress()[0].oldest_time is None


async def test_records_below_what_was_read_make_the_partition_begin_again() -> None:
    intake, reader = await opened(A)
    reader.give(intake, A, 0, 1, 2)
    reader.give(intake, A, 1, 2, 3)
    assert reader.paused == {A}
    await until(lambda: not reader.paused)
    assert reader.positions[A] == 0


async def test_positions_do_not_run_ahead_of_records_that_are_on_their_way() -> None:
    intake, reader = await opened(A, idle_move_seconds=0.0)
    reader.in_hand.add(A)
    reader.positions[A] = reader.ends[A] = 5
    assert not intake.progress()[0].at_end
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(intake.next_batch(10), 0.05)


async def test_progress_counts_records_until_they_are_settled() -> None:
    intake, reader = await opened(A)
    reader.give(intake, A, 0, 1)
    batch = await intake.next_batch(10)
    assert batch is not None
    taken = intake.progress()[0]
    assert (taken.at_end, taken.position, taken.settled_offset) == (False, 2, None)
    assert taken.oldest_time == time_of(batch.records[0].timestamp_ms)
    intake.settled(batch.moves)
    settled = intake.progress()[0]
    assert (settled.at_end, settled.settled_offset, settled.oldest_time) == (True, 2, None)
    assert batch.moves[0].at_end


async def test_kafkas_own_offsets_follow_and_their_failure_does_not_matter() -> None:
    intake, reader = await opened(A)
    reader.give(intake, A, 0)
    batch = await intake.next_batch(10)
    assert batch is not None
    intake.settled(batch.moves)
    await intake.commit_advisory()
    assert reader.committed == {A: 1}
    reader.fails = True
    intake.settled(batch.moves)
    await intake.commit_advisory()


async def test_after_closing_no_batch_comes() -> None:
    intake, reader = await opened(A)
    reader.give(intake, A, 0)
    intake.close()
    assert await intake.next_batch(10) is None


async def test_without_partitions_it_says_so() -> None:
    incidents: list[Incident] = []
    assert Intake(Positions(), IntakeOptions(), incidents.append).problems() == ("no partition is assigned",)
