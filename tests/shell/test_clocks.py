"""The time that a worker goes by is the database's, whatever its own clock says and however slowly it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.events import Event
from worker.decode import Broken, Limits, Record, decode
from worker.runtime.clocks import Clocks, FarClock

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Room:
    """True time, a monotonic clock that began somewhere, and the worker's own clock, which is so far ahead."""

    passed: float = 0.0
    ahead: float = 0.0

    def monotonic(self) -> float:
        return 1_000.0 + self.passed

    def true(self) -> datetime:
        return NOON + timedelta(seconds=self.passed)

    def own(self) -> datetime:
        return self.true() + timedelta(seconds=self.ahead)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5), st.floats(0, 100)), min_size=1))
def test_a_far_clock_is_known_within_half_of_the_quickest_answer_so_far(answers: list[tuple[float, float, float]]) -> None:
    """Each: how long the question was under way, how long the answer, and the pause before."""
    room = Room()
    far, bound = FarClock(room.monotonic), float("inf")
    for there, back, pause in answers:
        room.passed += pause
        asked = room.monotonic()
        room.passed += there
        told = room.true()
        room.passed += back
        far.heard(asked, told)
        bound = min(bound, there + back)
        now = far.now()
        assert now is not None
        assert abs((now - room.true()).total_seconds()) <= bound + 1e-3


@pytest.mark.parametrize("ahead", [-600.0, 0.0, 172_800.0])
def test_now_is_the_databases_and_goes_on_whatever_becomes_of_the_own_clock(ahead: float) -> None:
    room = Room(ahead=ahead)
    clocks = Clocks(60, room.own, room.monotonic)
    assert clocks.now() == room.own()
    clocks.heard("database", room.monotonic(), room.true())
    room.passed, room.ahead = 30.0, ahead + 900
    assert clocks.now() == room.true()
    assert clocks.offset("database") == ahead + 900
    assert clocks.offset("broker") is None


def test_a_difference_beyond_the_bound_is_a_problem_until_it_is_gone() -> None:
    room = Room(ahead=-61)
    clocks = Clocks(60, room.own, room.monotonic)
    assert clocks.problems() == ()
    for other in ("database", "broker"):
        clocks.heard(other, room.monotonic(), room.true())
    assert [reason.partition(":")[0] for reason in clocks.problems()] == [
        "this worker's clock is 61.0 s behind the database's",
        "this worker's clock is 61.0 s behind the broker's",
    ]
    room.ahead = 59
    assert clocks.problems() == ()


def test_an_event_is_too_far_ahead_only_if_it_is_for_the_broker_too_that_noted_its_time() -> None:
    attributes = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "points.adjusted", "program": "belle-maison"}
    attributes["time"] = (NOON + timedelta(minutes=10)).isoformat()
    headers = tuple((f"ce_{name}", value.encode()) for name, value in attributes.items())
    value = b'{"member_id": "M1", "points": 1, "reason": "gift"}'
    record = Record("commerce.order", 0, 0, int((NOON + timedelta(minutes=10)).timestamp() * 1_000), None, value, headers)
    by_producer = decode(record, NOON, Limits())
    assert isinstance(by_producer, Broken)
    assert by_producer.reason == "time_too_far_ahead"
    assert isinstance(decode(replace(record, appended=True), NOON, Limits()), Event)
