"""The workload is what its figures say it is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from tests.bench.workload import HOT, LATE, UNIFORM, Mix, Workload, records
from worker.decode import Limits, decode

END = datetime(2025, 6, 1, tzinfo=UTC)
EVENTS = 20_000


def _kinds(mix: Mix = UNIFORM) -> Counter[str]:
    return Counter(each.event.type for each in Workload(1, 500, EVENTS, END, mix).traffic())


def test_one_seed_makes_one_workload() -> None:
    one, other = (records(Workload(3, 50, 1_000, END).traffic()) for _ in range(2))
    assert one == other


def test_the_kinds_of_events_have_their_shares() -> None:
    kinds = _kinds()
    assert kinds.total() == EVENTS
    assert kinds["order.placed"] / EVENTS == pytest.approx(0.45, abs=0.02)
    assert kinds["shipment.dispatched"] / EVENTS == pytest.approx(0.40, abs=0.02)
    assert (kinds["order.paid"] + kinds["shipment.delivered"]) / EVENTS == pytest.approx(0.06, abs=0.01)
    assert kinds["order.cancelled"] / EVENTS == pytest.approx(0.04, abs=0.01)
    assert kinds["return.received"] / EVENTS == pytest.approx(0.04, abs=0.01)


@pytest.mark.parametrize(("mix", "share"), [(UNIFORM, 0.01), (LATE, 0.10)], ids=["usual", "much"])
def test_so_many_events_come_late(mix: Mix, share: float) -> None:
    sent = list(Workload(1, 500, EVENTS, END, mix).traffic())
    late = sum((each.at - each.event.time).total_seconds() >= 1 for each in sent)
    assert late / EVENTS == pytest.approx(share, rel=0.2)


def test_hot_members_take_half_of_the_orders() -> None:
    sent = [each.event for each in Workload(1, 500, EVENTS, END, HOT).traffic() if each.event.type == "order.placed"]
    hot = sum(event.member is not None and event.member < f"M{HOT.hot_members:06d}" for event in sent)
    assert hot / len(sent) == pytest.approx(0.5, abs=0.03)


def test_repeats_are_the_same_event_again() -> None:
    ids = Counter(each.event.id for each in Workload(1, 500, EVENTS, END).traffic())
    assert sum(count - 1 for count in ids.values()) / EVENTS == pytest.approx(0.01, abs=0.003)


def test_every_event_keeps_the_contract() -> None:
    workload = Workload(2, 50, 500, END)
    sent = [*workload.past_orders(0, 20, days=30), *workload.joining(), *workload.traffic()]
    kinds = {type(decode(record, datetime.now(UTC), Limits())).__name__ for record in records(iter(sent))}
    assert kinds == {"Event"}
