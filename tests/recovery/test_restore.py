"""Postgres is restored to an earlier moment while Kafka has all that came since: the ledger becomes what it would have been."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from db.migrate import migrate
from tests.flows.comparison import NO_VERSION, StoredAccounts, same_as_simulated, sound
from tests.flows.shop import Sent
from tests.flows.system import ACCOUNT_KEY, System
from tests.parts.kafka import TopicNames
from tests.parts.missing import cannot_run
from tests.parts.postgres import DEFAULT_VERSION
from tests.parts.topics import TOPIC_OF_ALL
from tests.recovery.ledgers import traffic
from worker.consume.batch import Batch
from worker.decode import Record
from worker.local import LocalPostgres, find_binaries
from worker.local.sql import execute
from worker.persist import PostgresStore
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.reading import statements
from worker.upkeep import verify

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)
MEMBERS = 25
EVENTS = 500


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalPostgres]:
    """A Postgres whose data directory can be copied while it is stopped, as a backup is."""
    binaries = find_binaries(DEFAULT_VERSION)
    if binaries is None:
        cannot_run(
            "a Postgres with a data directory", "no server programs", f"install Debian's package postgresql-{DEFAULT_VERSION}"
        )
    with LocalPostgres(tmp_path / "postgres", binaries) as started:
        yield started
    started.remove_data()


@pytest.fixture
async def shop(server: LocalPostgres, bootstrap: str, topics: TopicNames, tmp_path: Path) -> Any:
    """The service on that server."""
    execute(server.dsn(), "CREATE DATABASE ledger")
    await asyncio.to_thread(migrate, server.dsn("ledger"))
    service = System(bootstrap, server.dsn("ledger"), topics.prefix, tmp_path)
    yield service
    service.stop_workers()


def copy(source: Path, target: Path) -> None:
    """A data directory with its owners and rights."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


async def work(system: System, name: str, events: list[Sent]) -> None:
    """A worker takes these events (each when the one before is done if they are few), and stops in good order."""
    await system.publish(events, key=lambda event: event.member)
    worker = system.start_worker(name)
    await system.drained(60)
    worker.stop()
    system.ended.append(worker)


def wants(order_id: str, hours: int, points: int) -> Sent:
    """An order of the member who has 1,000 points, that wants to pay with some."""
    line = {"line_id": "1", "sku": "S", "quantity": 1, "unit_price": 5000, "tax": 500}
    data = {"order_id": order_id, "member_id": "RIVAL", "store": "bellemaison", "lines": [line], "payment_method": "credit_card"}
    at = NOW - hours * HOUR
    return Sent("order.placed", f"placed-{order_id}", "/shop", at, None, {**data, "points_used": points}, "RIVAL")


async def test_announced_verdicts_stand_after_a_restore_and_the_ledger_is_what_it_would_have_been(
    shop: System, server: LocalPostgres, tmp_path: Path
) -> None:
    await shop.prepare()
    events = traffic(9, MEMBERS, EVENTS)
    early, late = events[: EVENTS // 2], events[EVENTS // 2 :]
    gift = {"member_id": "RIVAL", "points": 1000, "reason": "gift"}
    start = [
        Sent("member.enrolled", "join", "/shop", NOW - 30 * HOUR, "belle-maison", {"member_id": "RIVAL"}, "RIVAL"),
        Sent("points.adjusted", "gift", "/shop", NOW - 29 * HOUR, "belle-maison", gift, "RIVAL"),
    ]
    await work(shop, "w1", [*start, *early])
    server.stop()
    copy(server.data, tmp_path / "backup")
    server.start()

    # Two orders want the same points. The one that comes first gets them, though the other was made before it.
    first, second = wants("LATER", 2, 1000), wants("EARLIER", 3, 1000)
    await work(shop, "w2", [first])
    await work(shop, "w3", [second, *late])
    before, told = await sound(shop), await shop.published()
    verdicts = {key: each.verdict for key, each in before.verdicts.items() if key[1].startswith("placed-")}
    assert verdicts == {("/shop", "placed-LATER"): "accepted", ("/shop", "placed-EARLIER"): "rejected"}

    server.stop()
    shutil.rmtree(server.data)
    copy(tmp_path / "backup", server.data)
    server.start()
    assert await decided_otherwise(shop, server, [second, first])

    await shop.command("ledger", "restored")
    assert "epoch 2 begins" in shop.said
    await work(shop, "w4", [])
    await same_as_before(shop, before)
    everything = [*start, *events, first, second]
    same_as_simulated(await books_of(shop), sorted(everything, key=lambda event: event.time))
    await seen_by_a_subscriber(shop, {topic: len(messages) for topic, messages in told.messages.items()})

    # Restored once more from the same backup, the epoch is not one that was used before.
    await shop.command("ledger", "restored")
    assert "published was up to 2: epoch 3 begins" in shop.said


async def decided_otherwise(shop: System, server: LocalPostgres, rivals: list[Sent]) -> bool:
    """Whether the rivals' verdicts are others where nothing is read back: on a copy of what was restored."""
    execute(server.dsn(), "CREATE DATABASE control TEMPLATE ledger")
    async with await PostgresStore.open(server.dsn("control")) as store:
        pipeline = Pipeline(store, Catalogue(await registry.programs(store)), PipelineOptions(ACCOUNT_KEY.encode()), 1)
        records = tuple(
            Record(TOPIC_OF_ALL[event.type], 0, n, 0, None, event.value(), tuple(event.headers()))
            for n, event in enumerate(rivals)
        )
        await pipeline.process(Batch(records, ()))
        async for dossier in store.dossiers():
            if dossier.row is not None and dossier.row.member_id == "RIVAL":
                return {each.id: each.verdict for each in dossier.decisions} == {"placed-EARLIER": "accepted"}
    return False


async def books_of(shop: System, at: datetime | None = None) -> StoredAccounts:
    """The whole ledger, which verifies."""
    books = StoredAccounts(at or datetime.now(UTC))
    async with shop.store() as store:
        programs = {program.code: program for program in await registry.programs(store)}
        assert [violation async for violation in verify.check(store, programs)] == []
        async for dossier in store.dossiers():
            assert dossier.row is not None
            books.verdicts |= {(each.source, each.id): each for each in dossier.decisions}
            of_program = books.statements[dossier.row.program]
            of_program[dossier.row.member_id] = statements.read(dossier, programs[dossier.row.program], books.at, "now")
    return books


async def same_as_before(shop: System, before: StoredAccounts) -> None:
    """Every statement and every verdict is what it was."""
    after = await books_of(shop, before.at)
    assert after.verdicts == before.verdicts
    assert before.count("rejected") > 3
    for program, found in before.statements.items():
        without = {member: each.model_copy(update=NO_VERSION) for member, each in found.items()}
        assert {member: each.model_copy(update=NO_VERSION) for member, each in after.statements[program].items()} == without


async def seen_by_a_subscriber(shop: System, told: dict[str, int]) -> None:
    """Versions are gapless within each epoch; the second goes on from an earlier point; balances end as the heads say."""
    published = await shop.published()
    assert len(published.messages["loyalty.balance-changed"]) > told["loyalty.balance-changed"]
    versions: dict[tuple[str, int], list[int]] = defaultdict(list)
    last: dict[str, dict[str, Any]] = {}
    for key, data in published.messages["loyalty.balance-changed"]:
        epoch, version = data["epoch"], data["version"]
        assert isinstance(epoch, int)
        assert isinstance(version, int)
        if version not in versions[key, epoch]:
            versions[key, epoch].append(version)
        last[key] = data
    for (key, epoch), found in versions.items():
        assert found == list(range(found[0], found[0] + len(found))), (key, epoch)
        assert epoch == 2 or found[0] == 1
    assert {epoch for _, epoch in versions} == {1, 2}
    rows = await shop.sql("SELECT program || ':' || member_id AS key, available, pending, version, epoch FROM account")
    for row in rows:
        end = last[row["key"]]
        assert (end["available"], end["pending"], end["version"], end["epoch"]) == tuple(row)[1:]
