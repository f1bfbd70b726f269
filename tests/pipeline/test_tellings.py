"""An order that is told twice: the first telling by its time stands, in whatever order they come, and the other is a finding."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import permutations

import pytest

from tests.flows.bad_records import HOUR, NOW, gift, order, shipped
from tests.flows.system import Raw
from tests.pipeline.harness import Harness
from worker.decide.order_records import Order

EARLIER, LATER = NOW - 2 * HOUR, NOW - HOUR
DECIDED = "loyalty.redemption-decided"


async def _delivered(records: tuple[Raw, ...], size: int) -> Harness:
    harness = Harness()
    for start in range(0, len(records), size):
        await harness.take(*records[start : start + size])
        await harness.until(NOW)
    return harness


@pytest.mark.parametrize(("fee", "content"), [(0, "same content"), (700, "other content")])
@pytest.mark.parametrize("size", [1, 4], ids=["one by one", "in one batch"])
async def test_the_first_telling_by_its_time_stands_in_every_order_of_delivery(fee: int, content: str, size: int) -> None:
    records = (
        order("A", "M", "first", EARLIER, points_used=5),
        order("A", "M", "second", LATER, points_used=5, **({"shipping_fee": fee} if fee else {})),
        shipped("A", "parcel", time=LATER),
    )
    for sequence in permutations(records):
        harness = await _delivered((gift("M", 5, "gift", time=EARLIER - HOUR), *sequence), size)
        dossier = await harness.dossier("M")
        (placed,) = [item for item in dossier.items.values() if isinstance(item, Order)]
        assert (placed.id, placed.placed_at, placed.payment.fees) == ("first", EARLIER, 0)
        says = await harness.statement("M")
        assert [(each.order_id, each.points_used) for each in says.orders] == [("A", 5)]
        (finding,) = says.findings
        assert (finding.code, finding.at, finding.order_id, finding.detail) == ("order_twice", LATER, "A", content)
        assert harness.letters() == []


async def test_of_two_tellings_of_one_second_the_one_with_the_lower_id_stands() -> None:
    for sequence in permutations((order("A", "M", "a", EARLIER), order("A", "M", "b", EARLIER, shipping_fee=700))):
        says = await (await _delivered(sequence, 1)).statement("M")
        assert [(each.code, each.detail) for each in says.findings] == [("order_twice", "other content")]


async def test_the_same_event_again_is_no_finding() -> None:
    told = order("A", "M", "first", EARLIER)
    harness = await _delivered((told, told), 1)
    assert (await harness.statement("M")).findings == ()
    assert harness.letters() == []


async def test_a_promise_stands_where_a_telling_from_before_it_is_not_covered() -> None:
    promised = order("A", "M", "promised", LATER, points_used=5)
    before = order("A", "M", "before", EARLIER, points_used=5)
    harness = await _delivered((gift("M", 5, "gift", time=LATER - timedelta(minutes=5)), promised), 1)
    await harness.take(before)  # before anything else is read
    says = await harness.statement("M")
    assert (says.available, [each.points_used for each in says.orders]) == (0, [5])
    await harness.until(NOW)
    assert {(each.id, each.verdict) for each in (await harness.dossier("M")).decisions} == {
        ("promised", "accepted"),
        ("before", "rejected"),
    }
    # One wish, one verdict: the world is told of the one that stands alone.
    told = [json.loads(each.value or b"") for each in harness.store.tables.outbox.values() if each.topic == DECIDED]
    assert [(each["order_id"], each["decision"]) for each in told] == [("A", "accepted")]
