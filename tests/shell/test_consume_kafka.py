"""Reading from a real Kafka: what its behaviour decides is tested against it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.shell.conftest import Positions, TopicMaker, WorkerMaker, send, until
from worker.consume.consumer import UNASKED_SECONDS_MAX
from worker.consume.positions import GapFound, StoredPosition, TopicReplaced


def numbered(count: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def texts(values: list[bytes]) -> list[str]:
    return [value.decode() for value in values]


async def test_all_records_arrive_once_in_order_of_their_partition(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer
) -> None:
    topic = await make_topic(3)
    for partition in range(3):
        await send(producer, topic, numbered(1_000, f"{partition}:"), partition)
    worker = make_worker([topic], Positions(), buffer_records_max=300)
    worker.start()
    await until(lambda: len(worker.values) >= 3_000)
    for partition in range(3):
        mine = [value for value in texts(worker.values) if value.startswith(f"{partition}:")]
        assert mine == numbered(1_000, f"{partition}:")
    assert {key: stored.offset for key, stored in worker.positions.stored.items()} == {(topic, n): 1_000 for n in range(3)}


async def test_reading_goes_on_from_the_stored_position_and_not_from_kafkas_own(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer
) -> None:
    topic, group, positions = await make_topic(1), "g-" + uuid.uuid4().hex[:8], Positions()
    await send(producer, topic, numbered(10))
    first = make_worker([topic], positions, group)
    first.start()
    await until(lambda: len(first.values) == 10)
    early = next(batch for batch in first.batches if batch.moves)
    await first.stop()
    positions.stored[(topic, 0)] = StoredPosition(4, b"")
    second = make_worker([topic], positions, group)
    second.start()
    await until(lambda: len(second.values) == 6)
    assert early.moves[0].from_offset is None
    assert texts(second.values) == numbered(10)[4:]


async def test_positions_that_cannot_be_loaded_are_asked_for_again(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer
) -> None:
    topic = await make_topic(1)
    await send(producer, topic, ["a"])
    worker = make_worker([topic], Positions(failures=3))
    worker.start()
    await until(lambda: worker.intake.problems() and "loading" in worker.intake.problems()[0])
    assert worker.values == []
    await until(lambda: worker.values == [b"a"])
    assert worker.intake.problems() == ()


async def test_two_workers_share_the_partitions_and_nothing_is_committed_twice(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer
) -> None:
    topic, group, positions = await make_topic(4), "g-" + uuid.uuid4().hex[:8], Positions()
    one = make_worker([topic], positions, group)
    one.start()
    await until(lambda: len(one.intake.progress()) == 4)
    sent = 0
    for partition in range(4):
        await send(producer, topic, numbered(200, f"{partition}:a"), partition)
        sent += 200
    two = make_worker([topic], positions, group)
    two.start()
    for partition in range(4):
        await send(producer, topic, numbered(200, f"{partition}:b"), partition)
        sent += 200
    await until(lambda: len(one.intake.progress()) == 2 and len(two.intake.progress()) == 2)
    assert one.subscription.partitions() == {(topic, n) for n in range(4)}
    await until(lambda: len(one.values) + len(two.values) >= sent)
    await one.stop()
    await until(lambda: len(two.intake.progress()) == 4)
    await send(producer, topic, ["last"], 0)
    await until(lambda: b"last" in two.values)
    together = texts(one.values + two.values)
    assert len(together) == sent + 1
    assert len(set(together)) == sent + 1


async def test_a_lost_compare_and_set_rolls_back_to_the_stored_position(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer
) -> None:
    topic, positions = await make_topic(1), Positions()
    await send(producer, topic, numbered(5))
    worker = make_worker([topic], positions)
    worker.start()
    await until(lambda: len(worker.values) == 5)
    positions.stored[(topic, 0)] = StoredPosition(3, b"")  # another worker moved it
    await send(producer, topic, ["5"])
    await until(lambda: worker.lost_batches == 1)
    await until(lambda: len(worker.values) == 8)
    assert texts(worker.values)[5:] == ["3", "4", "5"]


async def test_markers_of_transactions_at_the_end_are_read_past(
    make_topic: TopicMaker, make_worker: WorkerMaker, bootstrap: str
) -> None:
    topic = await make_topic(1)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"tx-{topic}")
    await producer.start()
    try:
        async with producer.transaction():
            await send(producer, topic, ["a", "b"])
        worker = make_worker([topic], Positions(), idle_move_seconds=0.1)
        worker.start()
        await until(lambda: len(worker.values) == 2)
        await until(lambda: worker.intake.progress()[0].at_end)
        assert worker.intake.progress()[0].position == 3  # two records and the marker
        await producer.begin_transaction()
        await send(producer, topic, ["never"])
        await until(lambda: not worker.intake.progress()[0].at_end)  # the open transaction may still bring an old record
        await producer.abort_transaction()
        await until(lambda: worker.positions.stored[(topic, 0)].offset == 5)
        await until(lambda: worker.intake.progress()[0].at_end)
        assert worker.values == [b"a", b"b"]
        digest = worker.positions.stored[(topic, 0)].digest
    finally:
        await producer.stop()
    await worker.stop()
    again = make_worker([topic], worker.positions)
    again.start()
    await until(lambda: again.intake.progress() and again.intake.progress()[0].at_end)
    assert again.incidents == []
    assert again.values == []
    assert again.positions.stored[(topic, 0)].digest == digest


async def test_a_full_buffer_pauses_its_partition_alone_and_resumes(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer
) -> None:
    topic = await make_topic(2)
    await send(producer, topic, numbered(5_000, "0:"), 0)
    worker = make_worker([topic], Positions(), buffer_records_max=1_000)
    worker.start(drain=False)

    await until(lambda: worker.paused() == {TopicPartition(topic, 0)})
    await send(producer, topic, ["1:0"], 1)
    worker.tasks.append(asyncio.create_task(worker.drain()))
    await until(lambda: len(worker.values) == 5_001)
    assert texts([value for value in worker.values if value.startswith(b"0:")]) == numbered(5_000, "0:")
    assert worker.paused() == set()


async def test_a_topic_made_anew_that_grew_past_the_position_is_read_from_its_beginning(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer, admin: AIOKafkaAdminClient
) -> None:
    topic, positions = await make_topic(1), Positions()
    await send(producer, topic, numbered(5, "old"))
    worker = make_worker([topic], positions)
    worker.start()
    await until(lambda: len(worker.values) == 5)
    await worker.stop()
    await admin.delete_topics([topic])
    await make_topic(1, name=topic)
    await send(producer, topic, numbered(9, "new"))
    again = make_worker([topic], positions)
    again.start()
    await until(lambda: len(again.values) == 9)
    assert texts(again.values) == numbered(9, "new")
    assert again.incidents == [TopicReplaced(topic, 0, stored=5, end=9)]
    assert positions.stored[(topic, 0)].offset == 9


async def test_a_topic_made_anew_under_a_running_worker_is_read_from_its_beginning(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer, admin: AIOKafkaAdminClient
) -> None:
    topic = await make_topic(1)
    await send(producer, topic, numbered(5, "old"))
    worker = make_worker([topic], Positions())
    worker.start()
    await until(lambda: len(worker.values) == 5)
    await admin.delete_topics([topic])
    await make_topic(1, name=topic)
    await send(producer, topic, numbered(2, "new"))
    await until(lambda: len(worker.values) == 7)
    assert texts(worker.values)[5:] == numbered(2, "new")
    assert [type(incident) for incident in worker.incidents] == [TopicReplaced]


async def test_a_topic_made_anew_while_its_partition_is_paused_for_a_full_buffer_is_read_from_its_beginning(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer, admin: AIOKafkaAdminClient
) -> None:
    """Nothing is asked about a paused partition, so no broker says that it did not know it for a moment."""
    topic, positions = await make_topic(1), Positions()
    await send(producer, topic, numbered(3, "read"))
    worker = make_worker([topic], positions, buffer_records_max=10)
    worker.subscription._subscriber.max_records = 20
    worker.start()
    await until(lambda: len(worker.values) == 3)
    worker.tasks.pop().cancel()
    await send(producer, topic, numbered(60, "old"))
    await until(lambda: worker.paused() == {TopicPartition(topic, 0)})
    await admin.delete_topics([topic])
    await make_topic(1, name=topic)
    await send(producer, topic, numbered(100, "new"))
    assert worker.paused() == {TopicPartition(topic, 0)}
    worker.tasks.append(asyncio.create_task(worker.drain()))
    await until(lambda: worker.values[-1:] == [b"new99"])
    assert [value for value in texts(worker.values) if value.startswith("new")] == numbered(100, "new")
    assert [type(incident) for incident in worker.incidents] == [TopicReplaced]
    assert positions.stored[(topic, 0)].offset == 100


async def test_a_topic_made_anew_while_its_worker_was_frozen_is_read_from_its_beginning(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer, admin: AIOKafkaAdminClient
) -> None:
    topic, positions = await make_topic(1), Positions()
    await send(producer, topic, numbered(5, "old"))
    worker = make_worker([topic], positions)
    worker.start()
    await until(lambda: len(worker.values) == 5)
    consumer = worker.subscription._consumer
    assert consumer is not None
    gate = asyncio.Event()
    send_on = consumer._client.send

    async def frozen(*arguments: Any, **options: Any) -> Any:
        await gate.wait()
        return await send_on(*arguments, **options)

    consumer._client.send = frozen
    await admin.delete_topics([topic])
    await make_topic(1, name=topic)
    await send(producer, topic, numbered(9, "new"))
    began = time.monotonic()
    await until(lambda: time.monotonic() - began > UNASKED_SECONDS_MAX)
    gate.set()
    await until(lambda: len(worker.values) == 14)
    assert texts(worker.values)[5:] == numbered(9, "new")
    assert [type(incident) for incident in worker.incidents] == [TopicReplaced]


async def test_records_removed_before_they_were_read_stop_their_partition_loudly(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer, admin: AIOKafkaAdminClient
) -> None:
    topic, positions = await make_topic(2), Positions()
    await send(producer, topic, numbered(10), 0)
    await send(producer, topic, ["other"], 1)
    positions.stored[(topic, 0)] = StoredPosition(2, b"")
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(7)})
    stopped = make_worker([topic], positions)
    stopped.start()
    await until(lambda: stopped.values == [b"other"])
    assert stopped.incidents == [GapFound(topic, 0, stored=2, start=7)]
    assert "offsets 2 to 6 (5) were removed" in stopped.intake.problems()[0]
    await stopped.stop()
    going_on = make_worker([topic], positions, gap_policy="continue")
    going_on.start()
    await until(lambda: len(going_on.values) == 3)
    assert texts(going_on.values) == ["7", "8", "9"]
    assert going_on.incidents == [GapFound(topic, 0, stored=2, start=7)]


async def test_records_removed_under_a_running_worker_are_no_silent_jump(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer, admin: AIOKafkaAdminClient
) -> None:
    topic = await make_topic(1)
    await send(producer, topic, numbered(10))
    worker = make_worker([topic], Positions(), buffer_records_max=2)
    worker.subscription._subscriber.max_records = 2
    worker.start(drain=False)
    await until(lambda: sum(len(buffer.records) for buffer in worker.intake._buffers.values()) >= 2)
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(8)})
    worker.tasks.append(asyncio.create_task(worker.drain()))
    await until(lambda: worker.incidents)
    assert isinstance(worker.incidents[0], GapFound)
    assert worker.incidents[0].start == 8


BAD_HEADER = """
import asyncio, sys
from aiokafka import AIOKafkaProducer
class Latin1(str):
    def encode(self, *_): return b"caf\\xe9"
async def main():
    producer = AIOKafkaProducer(bootstrap_servers=sys.argv[1])
    await producer.start()
    for name in ("fine", Latin1("bad"), "fine"):
        await producer.send_and_wait(sys.argv[2], b"v-" + str(name).encode(), headers=[(name, b"x"), ("none", None)], partition=0)
    await producer.stop()
asyncio.run(main())
"""


async def test_a_header_name_that_is_not_utf8_does_not_stop_its_partition(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer, bootstrap: str
) -> None:
    topic = await make_topic(1)
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", BAD_HEADER, bootstrap, topic], env={"AIOKAFKA_NO_EXTENSIONS": "1"}, check=False
    )
    assert done.returncode == 0
    await send(producer, topic, ["after"])
    worker = make_worker([topic], Positions())
    worker.start()
    await until(lambda: len(worker.values) == 4)
    assert texts(worker.values) == ["v-fine", "v-bad", "v-fine", "after"]
    headers = [record.headers for batch in worker.batches for record in batch.records]
    assert headers[1] == (("caf\\xe9", b"x"), ("none", None))


async def test_a_consumer_that_stands_still_is_replaced(
    make_topic: TopicMaker, make_worker: WorkerMaker, producer: AIOKafkaProducer
) -> None:
    topic = await make_topic(1)
    worker = make_worker([topic], Positions(), stall_seconds=0.5)
    worker.start()
    await until(lambda: worker.intake.progress() and worker.intake.progress()[0].at_end)
    consumer = worker.subscription._consumer
    assert consumer is not None
    consumer._fetcher._fetch_task.cancel()  # what a broker restart was seen to do: it fetches no more
    await send(producer, topic, ["in flight"])
    await until(lambda: worker.values == [b"in flight"])
    await send(producer, topic, ["after"])
    await until(lambda: worker.values == [b"in flight", b"after"])
    assert worker.subscription._consumer is not consumer
