"""What somebody writes into the database, or takes out of it, is told: facts are held against the records that senders sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.flows.shop import Sent, Shop
from tests.flows.system import System

HOUR = timedelta(hours=1)
CONTENT = "The ledger is what Kafka says:"
FORGED = """
    INSERT INTO fact (account_id, source, id, type, business_at, rank, program, digest, body, topic, partition, record_offset)
    SELECT account_id, source, 'forged', type, business_at, rank, program, digest, body, $1, $2, $3
    FROM fact WHERE type = 'order.paid' ORDER BY account_id LIMIT 1
    RETURNING account_id, id, source
"""
FOREVER_OFF = "ALTER TABLE fact DISABLE TRIGGER USER"


async def _played(system: System) -> None:
    await system.prepare(dict.fromkeys(("commerce.order", "commerce.member", "commerce.activity", "loyalty.command"), 2))
    events = Shop(seed=3, start=datetime.now(UTC) - timedelta(days=40), days=39).events(members=8, events=90)
    await system.publish(events, key=lambda event: event.member)
    system.start_worker("w1")
    await system.drained(60)


async def _compared(system: System, code: int) -> list[str]:
    return (await system.command("ledger", "verify", "--against-kafka", code=code)).splitlines()


async def test_every_forged_changed_and_missing_fact_is_told_and_nothing_else(system: System) -> None:
    await _played(system)
    (line,) = await _compared(system, 0)
    assert line.startswith(CONTENT)
    assert "Kafka has the record no more" not in line

    (other,) = await system.sql("SELECT topic, partition, record_offset FROM fact WHERE type = 'order.placed' LIMIT 1")
    (forged,) = await system.sql(FORGED, None, None, None)
    (line,) = await _compared(system, 1)
    assert line.startswith(
        f"account {forged['account_id']}: facts_came_in_a_record: "
        f"order.paid 'forged' of {forged['source']!r} came in no record"
    )
    system.stop_workers()
    await system.sql(FOREVER_OFF)
    await system.sql("DELETE FROM fact WHERE id = 'forged'")
    # It names a record that says something else, one that was never read, and a partition that nobody knows.
    for topic, partition, offset, why in (
        (other["topic"], other["partition"], other["record_offset"], "does not say so"),
        (other["topic"], other["partition"], 10**9, "was never read"),
        ("elsewhere", 0, 0, "was never read"),
    ):
        await system.sql(FORGED, topic, partition, offset)
        (line,) = await _compared(system, 1)
        name = f"order.paid 'forged' of {forged['source']!r}"
        assert f"facts_are_as_sent: {name}: record {topic}/{partition}/{offset} {why}" in line
        await system.sql("DELETE FROM fact WHERE id = 'forged'")

    (row,) = await system.sql("SELECT id FROM fact WHERE type = 'shipment.dispatched' LIMIT 1")
    await system.sql("UPDATE fact SET digest = 'x' WHERE id = $1", row["id"])
    lines = await _compared(system, 1)
    assert len(lines) == 2
    assert all(f"shipment.dispatched {row['id']!r}" in line for line in lines)
    assert {line.split(": ")[1] for line in lines} == {"records_came_to_something", "facts_are_as_sent"}

    await system.sql("DELETE FROM fact WHERE id = $1", row["id"])
    (line,) = await _compared(system, 1)
    assert f"shipment.dispatched {row['id']!r}" in line
    assert "is no fact, waits for nothing and is no dead letter" in line


async def test_what_was_told_to_all_who_placed_an_order_is_found_in_its_records(system: System) -> None:
    await system.prepare(dict.fromkeys(("commerce.order", "commerce.shipment", "loyalty.command"), 2))
    at, line = datetime.now(UTC) - timedelta(days=2), {"sku": "S", "quantity": 1, "unit_price": 1000, "tax": 100}
    order = {"order_id": "O", "store": "bellemaison", "lines": [line], "payment_method": "credit_card"}
    sent = [Sent("order.placed", each, "/shop", at, None, {**order, "member_id": each}, each) for each in ("M", "N", "P")]
    sent.append(Sent("shipment.dispatched", "ship", "/wms", at + HOUR, None, {"order_id": "O", "lines": "all"}, "M"))
    claim = {"order_id": "O", "member_id": "N"}
    sent.append(Sent("order.claimed", "claim", "/support", at + 2 * HOUR, "belle-maison", claim, "N"))
    await system.publish(sent, key=lambda event: event.member)
    system.start_worker("w1")
    await system.drained(60)
    facts = await system.sql("SELECT type, count(*) FROM fact GROUP BY type ORDER BY type")
    assert [(row["type"], row["count"]) for row in facts] == [
        ("order.claimed", 1),
        ("order.contested", 5),
        ("order.placed", 3),
        ("shipment.dispatched", 3),
    ]
    (line_,) = await _compared(system, 0)
    assert line_.startswith(CONTENT)
    system.stop_workers()
    await system.sql(FOREVER_OFF)
    await system.sql("UPDATE fact SET record_offset = 10 ^ 9 WHERE type = 'order.contested' AND source <> '/support'")
    assert len(await _compared(system, 1)) == 3


@pytest.mark.parametrize("option", ["--since=2026-01-01", "--workers=2", "--account=scolar:M1", "--resume=x"])
async def test_it_looks_at_the_whole_ledger_in_one_go(system: System, option: str) -> None:
    await system.command("ledger", "verify", "--against-kafka", option, code=2)
    assert "--against-kafka: looks at the whole ledger" in system.said
