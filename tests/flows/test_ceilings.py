"""A thief among those who may send commands: a worker holds what is too much, another person decides, a worker does it."""

from __future__ import annotations

from tests.flows.bad_records import gift
from tests.flows.comparison import sound
from tests.flows.system import System, until
from tests.parts.terms import dsn_of

SECONDS = 60


async def available(system: System, member: str) -> int:
    rows = await system.sql("SELECT available FROM account WHERE member_id = $1", member)
    return int(rows[0]["available"]) if rows else 0


async def test_a_held_command_is_applied_once_though_workers_are_killed_and_it_comes_again(system: System) -> None:
    await system.prepare({"loyalty.command": 3})
    system.settings |= {"LOYALTY_CEILINGS_COMMAND_POINTS": "1000", "LOYALTY_CEILINGS_PROGRAM_POINTS_PER_DAY": "2000"}
    thief = [gift(f"T{n}", 900, f"spread{n}") for n in range(5)] + [gift("T0", 500_000, "fortune")]
    system.start_worker("w1")
    system.start_worker("w2")
    system.send([*thief, *thief])
    await system.drained(SECONDS)
    assert sum([await available(system, f"T{n}") for n in range(5)]) == 1_800
    rows = await system.sql("SELECT id, points FROM held_command ORDER BY points")
    assert [row["points"] for row in rows] == [900, 900, 900, 500_000]
    assert (await system.command("ledger", "verify", "--against-kafka")).startswith("The ledger is what Kafka says:")

    names = [line.split()[0] for line in (await system.command("command", "list", "-o", "table")).splitlines() if "waits" in line]
    ben = {"LOYALTY_POSTGRES_DSN": dsn_of(system.dsn, "olga", "loyalty_approver")}
    for worker in system.workers:
        worker.kill()
    system.workers.clear()
    said = ("--operator", "Ben B.", "--reason", "asked the desk", "--apply")
    await system.command("command", "approve", *names, *said, code=0, **ben)
    system.send(thief)
    system.start_worker("w3")
    system.start_worker("w4")
    await system.drained(SECONDS)

    async def applied() -> bool:
        return await available(system, "T0") >= 500_000 and not await system.sql(
            "SELECT FROM command_verdict WHERE applied_at IS NULL"
        )

    await until(applied, SECONDS, "what was approved is applied")
    assert sum([await available(system, f"T{n}") for n in range(5)]) == 5 * 900 + 500_000
    assert (await system.command("ledger", "verify", "--against-kafka")).startswith("The ledger is what Kafka says:")
    await sound(system)
