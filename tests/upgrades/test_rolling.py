"""A release rolls out and back under load: old and new workers side by side on one ledger, on real Kafka and real Postgres."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.flows.comparison import same_as_simulated, sound
from tests.flows.shop import Sent
from tests.flows.system import System, until
from tests.parts.kafka import TopicNames
from tests.upgrades.release import COLUMN, INDEX, NEXT_FORMAT, ROOT, environment, migrate, next_release, releases, restore
from tests.upgrades.traffic import afterwards, events
from worker.local.process import Process
from worker.persist import PostgresStore
from worker.programs import registry

IN_NEXT_FORM = f"""convert_from(head, 'UTF8')::jsonb ->> 'format' = '{NEXT_FORMAT}'"""


def _by_member(event: Sent) -> str:
    return event.member or event.order_id or ""


async def _in_next_form(system: System) -> int:
    (row,) = await system.sql(f"SELECT count(*) AS accounts FROM account WHERE {IN_NEXT_FORM}")
    return int(row["accounts"])


async def _read(system: System) -> int:
    async with system.store() as store:
        return sum(position.next_offset for position in (await store.positions()).values())


async def test_a_release_rolls_out_under_load_and_back_again(
    bootstrap: str, empty_database: str, topics: TopicNames, tmp_path: Path
) -> None:
    """The last release's dump is brought to this release; the next one is rolled out beside it, and back."""
    system = System(bootstrap, empty_database, topics.prefix, tmp_path)
    restore(releases()[-1], empty_database)
    await migrate(ROOT, empty_database)
    await system.prepare(partitions={}, programs=())
    coming = afterwards()
    parts = [coming[place::4] for place in range(4)]
    root = next_release(tmp_path)
    try:
        system.start_worker("this-1")
        await system.publish(parts[0], _by_member)
        await until(lambda: _moved(system, 20), 60, "this release reads")
        # The schema moves on while the workers of this release go on.
        _, before = await asyncio.gather(migrate(root, empty_database), system.publish(parts[1], _by_member))
        assert before
        async with await PostgresStore.open(empty_database) as store:
            assert await store.missing_migrations() == []
        assert {COLUMN, INDEX} <= {row["version"] for row in await system.sql("SELECT version FROM schema_migrations")}
        next_worker = system.start_worker("next-1", **environment(root))
        await until(lambda: _has_partitions(system, next_worker), 60, "the next release has partitions")
        await system.publish(parts[2], _by_member)
        await until(lambda: _has_next_form(system), 60, "the next release keeps accounts in its own form")
        await system.drained(90)
        # Back: what the next release wrote is read by this one, and taken over as it is touched.
        next_worker.ask_to_stop()
        next_worker.stop()
        system.ended.append(next_worker)
        left = await _in_next_form(system)
        await system.publish(parts[3], _by_member)
        await system.drained(90)
        assert await _in_next_form(system) < max(left, 1)
    finally:
        system.stop_workers()
    fenced = await system.sql("SELECT account_id, fenced FROM account WHERE fenced IS NOT NULL")
    assert fenced == []
    async with system.store() as store:
        programs = await registry.programs(store)
    same_as_simulated(await sound(system), [*events(), *coming], registered=programs)


async def _moved(system: System, records: int) -> bool:
    return await _read(system) >= records


async def _has_partitions(system: System, worker: Process) -> bool:
    system.check_alive()
    return any('"partitions_assigned"' in line and "commerce" in line for line in worker.output.splitlines())


async def _has_next_form(system: System) -> bool:
    system.check_alive()
    return await _in_next_form(system) > 0
