"""A release with a defect is let loose on a shop, and taken back: nothing is lost, and everyone it does not touch goes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import islice

from tests.flows.comparison import same_as_simulated, sound
from tests.flows.probes import Probes
from tests.flows.shop import Shop
from tests.flows.system import System, until
from tests.recovery.defective import cannot_be_folded
from worker.local.ports import free_ports

MEMBERS = 40
EVENTS = 700


async def test_a_defect_fences_only_whom_it_touches_and_one_command_frees_them_when_it_is_mended(system: System) -> None:
    await system.prepare()
    events = Shop(seed=5, start=datetime.now(UTC) - timedelta(days=60), days=59).events(MEMBERS, EVENTS)
    early, late = events[: EVENTS // 3], events[EVENTS // 3 :]
    await system.publish(early, key=lambda event: event.member)
    sound_one = system.start_worker("w1")
    await system.drained(60)
    sound_one.stop()
    system.ended.append(sound_one)

    (port,) = free_ports(1)
    probes, defective = Probes(port), system.start_worker("w2", module="tests.recovery.defective", LOYALTY_PROBE_PORT=str(port))
    await system.publish(late[: len(late) // 2], key=lambda event: event.member)
    await system.drained(60)
    guests = {event.order_id for event in events if event.type == "order.placed" and "member_id" not in event.data}
    sent = [event for event in late[: len(late) // 2] if event.type == "shipment.dispatched" and event.order_id not in guests]
    touched = {event.member for event in sent if cannot_be_folded(event.order_id or "")}
    rows = await system.sql("SELECT account_id, member_id, fenced FROM account")
    fenced = {str(row["account_id"]): row["fenced"] for row in rows if row["fenced"] is not None}
    assert {row["member_id"] for row in rows if row["fenced"] is not None} == touched
    assert 5 < len(fenced) < MEMBERS

    # The alert says which, and nothing of whose or what.
    assert await probes.metric("loyalty_accounts_fenced_total") == len(fenced)
    log = defective.output
    told = [line for line in map(json.loads, filter(None, log.splitlines())) if line["event"] == "account_fenced"]
    assert {(line["account"], line["why"]) for line in told} == set(fenced.items())
    assert all("ValueError in shipment.dispatched" in line["why"] for line in told)
    assert not any(f"{event.member}" in log or f'"{event.order_id}"' in log for event in islice(events, 200) if event.member)
    assert "may hold anything" not in log

    # What is fenced stays so under the mended release, and takes its facts, until somebody says that it may go on.
    defective.stop()
    system.ended.append(defective)
    system.start_worker("w3")
    await system.publish(late[len(late) // 2 :], key=lambda event: event.member)
    await system.drained(60)
    assert {row["account_id"] for row in await system.sql("SELECT account_id FROM account WHERE fenced IS NOT NULL")} == {
        row["account_id"] for row in rows if row["fenced"] is not None
    }
    shown = json.loads(await system.command("ledger", "rebuild", "--fenced", "--preview", "-o", "json"))
    done = json.loads(await system.command("ledger", "rebuild", "--fenced", "-o", "json"))
    assert {each["account_id"]: each["fenced"] for each in done} == fenced
    assert [each["version"] for each in done] == [each["version"] for each in shown]
    assert await system.sql("SELECT FROM account WHERE fenced IS NOT NULL") == []

    async def published() -> bool:
        async with system.store() as store:
            return (await store.backlog())[0] == 0

    await until(published, 30, "what the rebuilding told is published")
    assert await system.command("ledger", "rebuild", "--fenced", "-o", "ndjson") == ""
    await system.drained(60)
    system.stop_workers()
    same_as_simulated(await sound(system), events)
