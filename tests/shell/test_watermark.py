"""How far news has been read: never backwards, never stalled, never ahead of a partition that is being caught up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from worker.consume.watermark import PartitionRow, Watermark, advance, slowest

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
WAIT = timedelta(minutes=15)


def row(
    partition: int, oldest: datetime | None = None, at_end: bool = False, reported: datetime = NOW, topic: str = "t"
) -> PartitionRow:
    return PartitionRow(topic, partition, reported, at_end, oldest)


def test_it_is_the_oldest_record_time_still_to_be_read_past() -> None:
    early, late = NOW - timedelta(minutes=9), NOW - timedelta(minutes=2)
    rows = [row(0, early), row(1, late), row(2, at_end=True)]
    assert advance(rows, NOW, WAIT, Watermark()).time == early


def test_where_all_are_read_to_the_end_it_is_now() -> None:
    assert advance([row(0, at_end=True), row(1, at_end=True)], NOW, WAIT, Watermark()).time == NOW


def test_it_never_goes_back() -> None:
    previous = Watermark(NOW - timedelta(minutes=1))
    assert advance([row(0, NOW - timedelta(minutes=5))], NOW, WAIT, previous).time == previous.time


def test_without_rows_it_stays() -> None:
    assert advance([], NOW, WAIT, Watermark(NOW)).time == NOW
    assert advance([], NOW, WAIT, Watermark()).time is None


def test_a_partition_that_was_never_read_holds_it() -> None:
    rows = [row(0, at_end=True), row(1)]
    assert advance(rows, NOW, WAIT, Watermark()).time is None
    assert advance(rows, NOW, WAIT, Watermark(NOW - WAIT / 2)).time == NOW - WAIT / 2


def watched(time: datetime | None = None) -> Watermark:
    """What a holder knows that has computed all the time."""
    return Watermark(time, watching_since=NOW - WAIT * 9, computed_at=NOW)


def test_a_partition_that_nobody_reports_on_counts_no_more_after_the_longest_wait() -> None:
    gone = row(1, NOW - WAIT * 2, reported=NOW - WAIT - timedelta(seconds=1))
    assert advance([row(0, at_end=True), gone], NOW, WAIT, watched()).time == NOW


def test_after_a_common_rest_a_partition_that_is_not_reported_yet_is_waited_for() -> None:
    rested, mark = NOW - timedelta(days=30), Watermark()
    for minute in range(17):
        now = NOW + timedelta(minutes=minute)
        mark = advance([row(0, at_end=True, reported=now), row(1, at_end=True, reported=rested)], now, WAIT, mark)
        assert mark.time == (rested if minute < 15 else now)


def test_a_holder_that_was_away_itself_watches_anew() -> None:
    rested = NOW - timedelta(days=30)
    rows = [row(0, at_end=True), row(1, at_end=True, reported=rested)]
    old = Watermark(rested, watching_since=rested - WAIT * 9, computed_at=rested)
    assert advance(rows, NOW, WAIT, old).time == rested


def test_a_partition_that_is_expected_and_has_no_row_is_waited_for() -> None:
    rows = [row(0, at_end=True)]
    assert advance(rows, NOW, WAIT, Watermark(), expected=[("t", 0), ("t", 1)]).time is None
    assert advance(rows, NOW, WAIT, Watermark(), expected=[("t", 0)]).time == NOW


def test_a_backlog_of_a_year_that_is_being_read_is_waited_for() -> None:
    mark = Watermark()
    oldest = NOW - timedelta(days=365)
    for minute in range(300):
        now = NOW + timedelta(minutes=minute)
        oldest += timedelta(days=1)
        rows = [row(0, at_end=True, reported=now), row(1, oldest, reported=now)]
        mark = advance(rows, now, WAIT, mark)
        assert mark.time == oldest


def test_a_partition_that_stands_still_holds_it_for_the_longest_wait_only() -> None:
    stuck, mark = NOW - timedelta(hours=2), Watermark()
    for minute in range(16):
        now = NOW + timedelta(minutes=minute)
        mark = advance([row(0, at_end=True, reported=now), row(1, stuck, reported=now)], now, WAIT, mark)
        assert mark.time == (stuck if minute < 15 else now - WAIT)


def test_records_of_1970_clamp_out_after_the_longest_wait_even_if_they_count_up() -> None:
    epoch, mark = datetime(1970, 1, 1, tzinfo=UTC), Watermark()
    now = NOW
    for second in range(0, 1_000, 10):
        now = NOW + timedelta(seconds=second)
        counting = epoch + timedelta(milliseconds=second)
        mark = advance([row(0, at_end=True, reported=now), row(1, counting, reported=now)], now, WAIT, mark)
    assert mark.time == now - WAIT


def test_times_in_the_future_do_not_push_it_past_now() -> None:
    assert advance([row(0, datetime.max.replace(tzinfo=UTC))], NOW, WAIT, Watermark()).time == NOW


def test_a_steady_lag_shorter_than_the_longest_wait_is_respected_for_ever() -> None:
    mark = Watermark()
    for minute in range(120):
        now = NOW + timedelta(minutes=minute)
        mark = advance([row(0, now - timedelta(minutes=10), reported=now)], now, WAIT, mark)
        assert mark.time == now - timedelta(minutes=10)


def test_the_slowest_is_told_of_partitions_that_are_behind_and_read() -> None:
    rows = [
        row(0, at_end=True),
        row(1, NOW - timedelta(hours=1)),
        row(2, NOW - timedelta(days=9), reported=NOW - WAIT * 2),
        row(3),
    ]
    assert slowest(rows, NOW, WAIT) == NOW - timedelta(hours=1)
    assert slowest([row(0, at_end=True)], NOW, WAIT) is None


def test_several_partitions_that_were_never_read_are_waited_out_together() -> None:
    mark = Watermark()
    for minute in range(16):
        now = NOW + timedelta(minutes=minute)
        rows = [row(0, reported=now), row(1, reported=now), row(2, datetime(1970, 1, 1, tzinfo=UTC), reported=now)]
        mark = advance(rows, now, WAIT, mark)
        assert mark.time == (None if minute < 15 else now - WAIT)


instants = st.integers(0, 1_800_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
steps = st.lists(
    st.tuples(
        st.integers(1, 3_600),
        st.lists(st.tuples(st.integers(0, 3), st.none() | instants, st.booleans(), st.integers(0, 3_600)), max_size=4),
    ),
    min_size=1,
    max_size=20,
)


@given(steps)
def test_whatever_is_reported_it_never_goes_back_and_never_passes_now(
    history: list[tuple[int, list[tuple[int, datetime | None, bool, int]]]],
) -> None:
    mark, now = Watermark(), NOW
    for seconds, reports in history:
        now += timedelta(seconds=seconds)
        rows = [row(n, oldest, at_end, now - timedelta(seconds=age)) for n, oldest, at_end, age in reports]
        following = advance(rows, now, WAIT, mark)
        if mark.time is not None:
            assert following.time is not None
            assert following.time >= mark.time
        assert following.time is None or following.time <= now
        mark = following


@given(st.lists(st.tuples(st.none() | instants, st.booleans(), st.booleans()), min_size=1, max_size=6))
def test_whatever_stands_still_it_is_at_most_the_longest_wait_behind_in_the_end(
    parts: list[tuple[datetime | None, bool, bool]],
) -> None:
    mark, now = Watermark(), NOW
    for minute in range(0, 91, 5):
        now = NOW + timedelta(minutes=minute)
        rows = [row(n, oldest, at_end, now if owned else NOW - WAIT * 2) for n, (oldest, at_end, owned) in enumerate(parts)]
        mark = advance(rows, now, WAIT, mark)
    if any(owned for _, _, owned in parts):
        assert mark.time is not None
        assert mark.time >= now - WAIT
