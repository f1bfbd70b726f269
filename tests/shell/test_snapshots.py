"""When all that was in the topics has been read: never before, and never never."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from worker.consume.batch import PartitionKey
from worker.consume.snapshots import (
    LOOK_SECONDS,
    OPEN_AT_ONCE,
    UNKNOWN_SECONDS,
    look_again_seconds,
    may_take,
    newest_passed,
    to_reach,
)

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
WAIT = timedelta(minutes=5)
A, B = ("orders", 0), ("members", 0)


@dataclass(frozen=True)
class Taken:
    number: int
    ends: Mapping[PartitionKey, int | None]
    taken_at: datetime = NOW


@dataclass(frozen=True)
class At:
    next_offset: int
    updated_at: datetime = NOW


def passed(*taken: Taken, now: datetime = NOW, **positions: At) -> int | None:
    """`positions`: by topic."""
    return newest_passed(taken, {(topic, 0): at for topic, at in positions.items()}, now, WAIT)


def test_a_snapshot_is_passed_when_every_partition_was_read_to_its_end() -> None:
    taken = Taken(7, {A: 5, B: 3})
    assert passed(taken, orders=At(5), members=At(2)) is None
    assert passed(taken, orders=At(4), members=At(9)) is None
    assert passed(taken, orders=At(5), members=At(3)) == 7


def test_the_newest_one_that_is_passed_is_told() -> None:
    taken = [Taken(1, {A: 1}), Taken(2, {A: 2}), Taken(3, {A: 3})]
    assert passed(*taken, orders=At(2)) == 2
    assert passed(*taken) is None


def test_a_partition_without_records_needs_no_position() -> None:
    assert passed(Taken(1, {A: 0}), now=NOW) == 1
    assert passed(Taken(1, {A: 1}), now=NOW) is None


def test_a_partition_that_does_not_move_is_waited_for_no_longer_than_the_longest_wait() -> None:
    taken = Taken(1, {A: 5})
    moved = NOW + timedelta(minutes=2)
    for positions, since in (({}, NOW), ({"orders": At(4, NOW - timedelta(days=1))}, NOW), ({"orders": At(4, moved)}, moved)):
        assert passed(taken, now=since + WAIT - timedelta(seconds=1), **positions) is None
        assert passed(taken, now=since + WAIT, **positions) == 1


def test_a_partition_that_catches_up_is_waited_for_however_long_it_takes() -> None:
    taken = Taken(1, {A: 1_000_000})
    for minutes in range(0, 24 * 60, 4):
        now = NOW + timedelta(minutes=minutes)
        assert passed(taken, now=now, orders=At(minutes, now)) is None


def test_an_end_that_kafka_did_not_say_passes_by_its_age_though_the_partition_moves() -> None:
    taken = Taken(1, {A: None, B: 3})
    later = NOW + WAIT
    assert passed(taken, now=later - timedelta(seconds=1), orders=At(9, later), members=At(3)) is None
    assert passed(taken, now=later, orders=At(9, later), members=At(3)) == 1


def test_one_with_all_ends_passes_before_an_earlier_one_that_lacks_some() -> None:
    assert passed(Taken(1, {A: None}), Taken(2, {A: 4}), orders=At(4)) == 2


def test_nothing_is_to_be_reached_where_there_is_nothing_to_read() -> None:
    assert to_reach({A: (50, 50), B: (0, 7)}, {B: At(3)}) == {A: 0, B: 7}


def test_a_position_behind_the_end_is_of_the_log_before_the_topic_was_made_anew() -> None:
    assert to_reach({A: (0, 5), B: None}, {A: At(1_000)}) == {A: None, B: None}
    assert to_reach({A: (0, 0)}, {A: At(1_000)}) == {A: 0}


def test_while_a_partition_catches_up_for_a_night_some_dozens_are_open() -> None:
    taken: list[Taken] = []
    for quarters in range(4 * 3600 * 12):
        now = NOW + timedelta(seconds=quarters / 4)
        if may_take(taken, now):
            taken.append(Taken(len(taken) + 1, {A: 10**9}, now))
    assert 40 < len(taken) < 120
    # Whoever begins to wait at any time waits but a little longer for the next one.
    for one, other in zip(taken[OPEN_AT_ONCE:], taken[OPEN_AT_ONCE + 1 :], strict=False):
        assert (other.taken_at - one.taken_at) <= (other.taken_at - NOW) / 8 + timedelta(seconds=1)


def test_one_that_was_taken_a_moment_ago_is_looked_at_again_at_once_and_old_ones_ever_less() -> None:
    assert look_again_seconds([], NOW) == LOOK_SECONDS
    taken = [Taken(1, {A: 1}), Taken(2, {A: 1}, NOW + timedelta(seconds=1))]
    assert look_again_seconds(taken, NOW + timedelta(milliseconds=200)) == LOOK_SECONDS
    assert look_again_seconds(taken, NOW + timedelta(minutes=4)) == 30


def test_one_that_lacks_ends_is_soon_followed_by_another() -> None:
    taken = [Taken(n, {A: 1}, NOW + timedelta(minutes=n)) for n in range(10)]
    listed = NOW + timedelta(minutes=10)
    taken.append(Taken(10, {A: None}, listed))
    assert not may_take(taken, listed + timedelta(seconds=UNKNOWN_SECONDS - 1))
    assert may_take(taken, listed + timedelta(seconds=UNKNOWN_SECONDS))
