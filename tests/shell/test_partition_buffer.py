"""The order of records over partitions, waits of reading in step, and how positions move."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.consume.batch import digest_of, digested_offset, size_of, time_of
from worker.consume.partition_buffer import PartitionBuffer, Step, take_in_step
from worker.consume.positions import GapFound, LogState, ReadFrom, Stop, StoredPosition, TopicReplaced, judge, offset_to_check
from worker.decode.digests import content_digest, position_digest
from worker.decode.record import Record

MINUTE = 60_000


def record(offset: int, time_ms: int = 0, partition: int = 0, value: bytes | None = b"v") -> Record:
    return Record("t", partition, offset, time_ms, b"k", value, (("h", b"x"),))


def lane_of(times: Sequence[int], partition: int = 0, end: int | None = None) -> PartitionBuffer:
    buffer = PartitionBuffer(("t", partition), state="open")
    buffer.put((record(offset, time, partition) for offset, time in enumerate(times)), len(times))
    buffer.fetch_end = len(times) if end is None else end
    return buffer


def step() -> Step:
    return Step(tolerance_ms=MINUTE, wait_ms=30_000)


@given(st.lists(st.lists(st.integers(0, 1_000), max_size=30), min_size=1, max_size=5), st.integers(1, 40))
def test_partitions_are_merged_by_time_and_each_keeps_its_order(times: list[list[int]], records_max: int) -> None:
    buffers = [lane_of(part, number) for number, part in enumerate(times)]
    taken: list[Record] = []
    while True:
        heads = {buffer.key: buffer.records[0].timestamp_ms for buffer in buffers if buffer.records}
        records, runs = take_in_step(buffers, step(), records_max, 0)
        assert sum(len(run) for _, run in runs) == len(records) <= records_max
        if not records:
            break
        assert records[0].timestamp_ms == min(heads.values())
        taken += records
    for number, part in enumerate(times):
        mine = [one for one in taken if one.partition == number]
        assert [one.offset for one in mine] == list(range(len(part)))
    if all(part == sorted(part) for part in times):
        assert [one.timestamp_ms for one in taken] == sorted(one.timestamp_ms for one in taken)


def test_a_partition_that_is_behind_and_empty_is_waited_for_but_not_for_ever() -> None:
    full, behind, gate = lane_of([10, 20], 0), lane_of([], 1, end=5), step()
    assert take_in_step([full, behind], gate, 10, 0)[0] == []
    assert take_in_step([full, behind], gate, 10, 29_999)[0] == []
    assert len(take_in_step([full, behind], gate, 10, 30_000)[0]) == 2


def test_records_older_than_what_a_starving_partition_last_gave_pass() -> None:
    full, behind, gate = lane_of([10, 20, 30], 0), lane_of([20], 1, end=5), step()
    records, _ = take_in_step([full, behind], gate, 10, 0)
    assert [one.timestamp_ms for one in records] == [10, 20, 20, 30]
    full.put([record(3, 15), record(4, 40)], 5)
    assert [one.timestamp_ms for one in take_in_step([full, behind], gate, 10, 1)[0]] == [15]


def test_a_partition_that_caught_up_never_blocks() -> None:
    assert len(take_in_step([lane_of([10], 0), lane_of([], 1)], step(), 10, 0)[0]) == 1


def test_a_partition_far_ahead_of_the_slowest_of_the_group_is_held_back() -> None:
    buffer, gate = lane_of([0, MINUTE, MINUTE + 1, 9 * MINUTE]), step()
    gate.set_slowest(0, 0)
    assert [one.timestamp_ms for one in take_in_step([buffer], gate, 10, 0)[0]] == [0, MINUTE]
    assert take_in_step([buffer], gate, 10, 1)[0] == []
    gate.set_slowest(8 * MINUTE, 2)
    assert len(take_in_step([buffer], gate, 10, 2)[0]) == 2


def test_a_slowest_that_stands_still_holds_back_for_the_wait_only() -> None:
    buffer, gate = lane_of([9 * MINUTE] * 3), step()
    gate.set_slowest(0, 0)
    assert take_in_step([buffer], gate, 10, 29_999)[0] == []
    assert len(take_in_step([buffer], gate, 10, 30_000)[0]) == 3


def test_while_the_slowest_moves_one_record_held_for_the_wait_passes_alone() -> None:
    buffer, gate = lane_of([2**50, MINUTE, 2**50]), step()
    for second in range(40):
        gate.set_slowest(second, second * 1_000)
        taken = take_in_step([buffer], gate, 10, second * 1_000)[0]
        assert [one.offset for one in taken] == ([0, 1] if second == 30 else [])


def test_a_time_far_in_the_future_is_not_passed_over_for_ever() -> None:
    odd, gate = lane_of([2**50, 1], 1), step()
    for second in range(40):
        busy = lane_of([second * 1_000] * 10, 0)
        taken = take_in_step([busy, odd], gate, 10, second * 1_000)[0]
        if any(one.partition == 1 for one in taken):
            assert second == 30
            return
    pytest.fail("it was passed over")


def test_moves_form_a_chain_and_end_at_the_consumers_position() -> None:
    buffer = lane_of([5, 6, 7])
    buffer.fetched = 9  # a marker and a gap behind the last record
    buffer.stored = buffer.settled = None
    first = buffer.move(take_in_step([buffer], step(), 2, 0)[1][0][1], at_end=True)
    second = buffer.move(take_in_step([buffer], step(), 2, 0)[1][0][1], at_end=True)
    assert (first.from_offset, first.next_offset, first.at_end) == (None, 2, False)
    assert (second.from_offset, second.next_offset, second.at_end) == (2, 9, True)
    assert second.record_time == time_of(7)
    assert digested_offset(second.digest) == 2
    assert buffer.oldest_ms == 5
    settled: list[tuple[int | None, int | None]] = []
    for offset in (1, 2, 9):
        buffer.settle(offset)
        settled.append((buffer.settled, buffer.oldest_ms))
    assert settled == [(None, 5), (2, 7), (9, None)]


def test_a_position_that_moved_without_records_keeps_the_digest() -> None:
    buffer = lane_of([5])
    digest = buffer.move(take_in_step([buffer], step(), 1, 0)[1][0][1], at_end=False).digest
    assert not buffer.moved_alone
    buffer.fetched = 4
    assert buffer.moved_alone
    move = buffer.move((), at_end=True)
    assert (move.from_offset, move.next_offset, move.digest, move.record_time) == (1, 4, digest, None)


def test_the_digest_tells_records_apart_by_every_part_of_them() -> None:
    base = record(1)
    others = [
        record(2),
        record(1, value=None),
        record(1, value=b""),
        Record("t", 0, 1, 0, None, b"v", base.headers),
        Record("t", 0, 1, 0, b"k", b"v", (("h", None),)),
        Record("t", 0, 1, 0, b"k", b"v", (("\udce9", b"x"),)),
        Record("t", 0, 1, 0, b"kv", b"", base.headers),
    ]
    assert len({position_digest(one) for one in [base, *others]}) == len(others) + 1
    assert position_digest(base) == position_digest(record(1, time_ms=99, partition=7))


def test_digests_that_are_kept_in_databases_stay_what_they_were() -> None:
    one = Record("t", 3, 7, -5, b"k", b"v", (("h", b"x"), ("é", None)))
    bare = Record("t", 3, 2**40, 1_234_567_890_123, None, None, ())
    assert [position_digest(each).hex() for each in (one, bare)] == [
        "2b76cb3602ae429ad6cf58f1c20b7b5b",
        "c7b5d5c0babbcde2d628a2f575a2ccfe",
    ]
    assert [content_digest(each).hex() for each in (one, bare)] == [
        "9f40a83dc912e4e0fa8287a48386d78d",
        "f6bfce517c073b462760b5daae126d12",
    ]


def large(buffer: PartitionBuffer, *sizes: int) -> PartitionBuffer:
    """The buffer with records of about these sizes put in."""
    buffer.put((record(offset, offset, buffer.key[1], bytes(size)) for offset, size in enumerate(sizes)), len(sizes))
    return buffer


def test_a_batch_is_bounded_in_bytes_over_all_partitions_and_a_larger_record_goes_alone() -> None:
    buffers = [large(lane_of([], number), 4_000, 4_000, 20_000, 100) for number in range(2)]
    taken: list[list[tuple[int, int]]] = []
    while any(buffer.records for buffer in buffers):
        records, runs = take_in_step(buffers, step(), 10, 0, bytes_max=10_000)
        assert sum(len(run) for _, run in runs) == len(records) > 0
        taken.append([(one.partition, one.offset) for one in records])
    assert taken == [[(0, 0), (1, 0)], [(0, 1), (1, 1)], [(0, 2)], [(1, 2)], [(0, 3), (1, 3)]]
    assert [buffer.buffered_bytes for buffer in buffers] == [0, 0]


def test_headers_count_in_the_bytes_of_a_record() -> None:
    assert size_of(b"k", None, (("name", bytes(5_000)),)) > 5_000


DIGEST = digest_of(record(4))
OTHER = digest_of(record(4, value=b"other"))


@pytest.mark.parametrize(
    ("stored", "log", "verdict"),
    [
        (None, LogState(3, 9, None), ReadFrom(3, None, b"")),
        (StoredPosition(5, DIGEST), LogState(0, 9, DIGEST), ReadFrom(5, 5, DIGEST)),
        (StoredPosition(5, DIGEST), LogState(0, 9, None), ReadFrom(5, 5, DIGEST)),
        (StoredPosition(5, DIGEST), LogState(5, 9, None), ReadFrom(5, 5, DIGEST)),
        (StoredPosition(5, b""), LogState(0, 9, OTHER), ReadFrom(5, 5, b"")),
        (StoredPosition(5, DIGEST), LogState(0, 9, OTHER), ReadFrom(0, 5, b"", TopicReplaced("t", 0, 5, 9))),
        (StoredPosition(5, DIGEST), LogState(0, 4, None), ReadFrom(0, 5, b"", TopicReplaced("t", 0, 5, 4))),
        (StoredPosition(5, DIGEST), LogState(7, 9, None), Stop(GapFound("t", 0, 5, 7))),
    ],
)
def test_where_to_read_on(stored: StoredPosition | None, log: LogState, verdict: ReadFrom | Stop) -> None:
    assert judge(("t", 0), stored, log, "stop") == verdict


def test_a_gap_is_passed_only_when_the_operator_said_so() -> None:
    verdict = judge(("t", 0), StoredPosition(5, DIGEST), LogState(7, 9, None), "continue")
    assert verdict == ReadFrom(7, 5, DIGEST, GapFound("t", 0, 5, 7))
    assert GapFound("t", 0, 5, 7).lost == 2


@pytest.mark.parametrize(("start", "end", "offset"), [(0, 9, 4), (4, 5, 4), (5, 9, None), (0, 4, None)])
def test_the_last_record_is_looked_for_where_it_can_be(start: int, end: int, offset: int | None) -> None:
    assert offset_to_check(StoredPosition(7, DIGEST), start, end) == offset
    assert offset_to_check(StoredPosition(7, b""), start, end) is None
