"""One event that moves thousands of lots: every version is announced, by a message that a topic of Kafka's default size takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from contracts.events import MESSAGE_BYTES_MAX
from tests.flows.comparison import sound
from tests.flows.shop import Sent
from tests.flows.system import System

CHANGED: Final = "loyalty.balance-changed"
ORDERS: Final = 2_000
GIFTS: Final = 2_200
LONG: Final = 190
"""Characters of ids: with them, this many entries told one by one are more than the megabyte that Kafka takes."""
NOW: Final = datetime.now(UTC).replace(microsecond=0)
START: Final = NOW - timedelta(days=20)
PROGRAM: Final = "lenovo-pro"
LATE: Final = "a-member-who-joined-first-and-told-last"
RICH: Final = "a-member-with-a-gift-on-every-minute"


def _sent(type_: str, id_: str, at: datetime, member: str, **data: Any) -> Sent:
    return Sent(type_, id_, "/shop", at, PROGRAM, data, member)


def _placed(id_: str, at: datetime, member: str, price: int, **data: Any) -> Sent:
    lines = [{"line_id": "1", "sku": "S", "quantity": 1, "unit_price": price, "tax": price // 10}]
    told = {"member_id": member, "store": "lenovo_pro_jp", "payment_method": "credit_card", "lines": lines}
    return _sent("order.placed", f"placed-{id_}", at, member, order_id=id_, **told, **data)


def _before() -> list[Sent]:
    events = [_sent("member.registered", "late-registered", START - timedelta(days=2), LATE, member_id=LATE)]
    for number in range(ORDERS):
        at, order = START + timedelta(seconds=number), f"{number:0{LONG}}"
        events.append(_placed(order, at, LATE, 10_000))
        events.append(_sent("shipment.dispatched", f"sent-{number}", at, LATE, order_id=order, lines="all"))
    events.append(_sent("member.enrolled", "rich-joined", START, RICH, member_id=RICH))
    for number in range(GIFTS):
        at = START + timedelta(minutes=1 + number)
        events.append(_sent("points.adjusted", f"{number:0{LONG}}", at, RICH, member_id=RICH, points=10, reason="gift"))
    return sorted(events, key=lambda event: event.time)


@pytest.mark.timeout(400)
async def test_a_late_joining_and_thousands_of_lots_spent_at_once_are_announced_once_and_within_the_bound(system: System) -> None:
    await system.prepare(programs=[PROGRAM])
    system.start_worker("w1")
    await system.publish(_before(), lambda event: event.member)
    await system.drained(240)
    joined = _sent("member.enrolled", "late-joined", START - timedelta(days=1), LATE, member_id=LATE)
    spent = _placed("1" * LONG, NOW, RICH, 200_000, points_used=GIFTS * 10)
    await system.publish([joined, spent], lambda event: event.member)
    await system.drained(120)
    await sound(system)
    records = [(json.loads(record.value), len(record.value)) for record in (await system.messages([CHANGED]))[CHANGED]]
    assert max(size for _, size in records) <= MESSAGE_BYTES_MAX
    for member in (LATE, RICH):
        versions = [told["version"] for told, _ in records if told["member_id"] == member]
        assert versions == list(range(1, len(versions) + 1))
        assert versions
    summed = {told["member_id"]: told for told, _ in records if "summed" in told}
    assert summed.keys() == {LATE, RICH}
    assert summed[LATE]["summed"]["entries"] >= ORDERS
    assert summed[RICH]["summed"]["entries"] >= GIFTS
    redeemed = sum(entry["points"] for entry in summed[RICH]["entries"] if entry["reason"] == "redeem")
    assert (redeemed, summed[RICH]["change"]["available"]) == (GIFTS * 10, -GIFTS * 10)
