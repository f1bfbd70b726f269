"""Bad input, end to end: each broken record is one dead letter, and everything around it is applied."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_args
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import ConsumerRecord

from contracts.events import DLQ_SUFFIX
from contracts.statement import Statement
from tests.flows.bad_records import BAD, DLQ_BYTES_MAX, HOUR, NOW, SHARED_STORE, Bad, gift, order, raw, shipped
from tests.flows.probes import Probes
from tests.flows.system import PROGRAMS, Place, Raw, System
from tests.parts.postgres import DEFAULT_VERSION, Servers
from worker.decode import Reason
from worker.local.ports import free_ports
from worker.persist.rows import Violation
from worker.programs import registry
from worker.reading import statements
from worker.upkeep import verify

DRAINED_SECONDS = 60
TOO_LARGE = {"2 MB", "larger than its DLQ topic takes"}


@dataclass(slots=True)
class Told:
    """What came of the records: where they stood, what the DLQ topics and the table say, the ledger, and the counts."""

    places: dict[str, Place] = field(default_factory=dict)
    published: dict[Place, list[ConsumerRecord]] = field(default_factory=dict)
    kept: dict[Place, list[asyncpg.Record]] = field(default_factory=dict)
    statements: dict[str, Statement] = field(default_factory=dict)
    outcomes: dict[str, float] = field(default_factory=dict)
    parked: list[str] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    compared: str = ""
    ready: bool = False
    said: str = ""


@pytest.fixture(scope="module")
def told(bootstrap: str, postgres_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """All of it played once through one worker."""
    database = postgres_servers.create_database(DEFAULT_VERSION, "bad_input")
    system = System(bootstrap, database, f"bad-{uuid4().hex[:10]}.", tmp_path_factory.mktemp("bad-input"))
    try:
        yield asyncio.run(_play(system))
    finally:
        system.stop_workers()


async def _play(system: System) -> Told:
    one_each = dict.fromkeys(("commerce.order", "commerce.activity", "commerce.shipment", "loyalty.command"), 1)
    sizes = {"commerce.order": 4 * 2**20, f"commerce.activity{DLQ_SUFFIX}": DLQ_BYTES_MAX}
    await system.prepare(one_each, PROGRAMS, sizes)
    for code in ("alpha", "beta"):
        stores = {"membership.stores.eligible": [SHARED_STORE], "membership.stores.excluded": []}
        await system.register("lenovo-pro", {"program": code, **stores})
    told = Told()
    # All of this is there before the worker begins: broken and good ones share a batch.
    system.send([gift("GOOD", 1, "good-0"), order("FIRST", "GOOD"), shipped("NEVER", "parked", shipment_id="1")])
    for number, (name, bad) in enumerate(BAD.items()):
        told.places[name], _ = system.send([bad.record, gift("GOOD", 1, f"good-{number + 1}", subject="GOOD")])
    system.send(_first_part())
    (port,) = free_ports(1)
    probes = Probes(port)
    system.start_worker("w1", LOYALTY_PROBE_PORT=str(port))
    await system.drained(DRAINED_SECONDS)
    for part in (_second_part(), _third_part()):
        told.places |= dict(zip(part, system.send(part.values()), strict=True))
        await system.drained(DRAINED_SECONDS)
    await _look(system, probes, told)
    told.compared = await system.command("ledger", "verify", "--against-kafka", code=None) + system.said
    return told


def _first_part() -> list[Raw]:
    return [
        gift("GOOD", 1, "null-key", subject="GOOD"),
        raw("points.expired", "unknown-type", {}),
        raw("points.adjusted", "odd", {"member_id": "GOOD", "points": 1, "reason": "gift"}, key=None, program="belle-maison",
            more=(("x-null", None), ("x-odd", b"\xff"), ("ce_extension", b"\xfe"))),  # what is not read may be broken
        # What follows orders that are nobody's, before them.
        shipped("GUEST", "ship-guest"),
        shipped("OUTSIDE", "ship-outside"),
        # What waits for a member's order, and the same id again with other data while it waits (in the next part).
        shipped("WAITED", "ship-waited", shipment_id="1"),
        order("DEAR", "GOOD", points_used=1_000_000),
    ]  # fmt: skip


def _second_part() -> dict[str, Raw]:
    return {
        "later: same id with other data": gift("GOOD", 98, "good-0"),
        "later: same id with other data, parked": shipped("NEVER", "parked", shipment_id="3"),
        "another order under its id": order("FIRST", "GOOD", "later-FIRST", NOW - HOUR / 2, shipping_fee=900),
        "with its order: same id with other data, parked": shipped("WAITED", "ship-waited", shipment_id="2"),
        "the order itself again": order("FIRST", "GOOD", "repeated-FIRST"),
        "an order that was waited for": order("WAITED", "GOOD"),
        "a guest's order": order("GUEST", None),
        "an order of a store outside every program": order("OUTSIDE", "GOOD", store="another_shop"),
        "a rejected order again": order("DEAR", "GOOD", "again-DEAR", NOW - HOUR / 2, points_used=5),
    }


def _third_part() -> dict[str, Raw]:
    return {
        "what follows a guest's order": shipped("GUEST", "ship-guest-again"),
        "what follows an order outside": raw("order.paid", "paid-outside", {"order_id": "OUTSIDE"}),
        "what follows an order outside, with a program": raw(
            "order.paid", "paid-outside-2", {"order_id": "OUTSIDE"}, program="belle-maison"
        ),
        "what follows the order sent again": shipped("DEAR", "ship-dear", time=NOW),
        "a shipment once more": shipped("WAITED", "ship-waited", shipment_id="1"),
    }


async def _look(system: System, probes: Probes, told: Told) -> None:
    cut = len(system.prefix)
    for record in await system.dead_letters():
        headers = dict(record.headers)
        place = (headers["loyalty_topic"].decode()[cut:], int(headers["loyalty_partition"]), int(headers["loyalty_offset"]))
        told.published.setdefault(place, []).append(record)
    for row in await system.sql("SELECT * FROM dead_letter"):
        told.kept.setdefault((row["topic"][cut:], row["partition"], row["record_offset"]), []).append(row)
    told.parked = [row["order_id"] for row in await system.sql("SELECT DISTINCT order_id FROM parked ORDER BY order_id")]
    async with system.store() as store:
        programs = {program.code: program for program in await registry.programs(store)}
        now = (await store.state()).now
        told.violations = [violation async for violation in verify.check(store, programs)]
        async for dossier in store.dossiers():
            assert dossier.row is not None
            told.statements[dossier.row.member_id] = statements.read(dossier, programs[dossier.row.program], now)
    for outcome in ("skipped", "dropped", "duplicate", "dead_letter"):
        told.outcomes[outcome] = await probes.metric("loyalty_events_total", outcome=outcome)
    told.ready = await probes.ready()
    told.said = "\n".join([system.workers[0].output, (await probes.get("/metrics"))[1], (await probes.get("/ready"))[1]])


@pytest.mark.parametrize("name", BAD)
def test_a_broken_record_is_one_dead_letter_with_a_reason_and_all_its_bytes(told: Told, name: str) -> None:
    _one_letter(told, name, BAD[name])


LATER = {
    "later: same id with other data": ("conflict", "other content before"),
    "later: same id with other data, parked": ("conflict", "other content before"),
    "with its order: same id with other data, parked": ("conflict", "other content before"),
}


@pytest.mark.parametrize("name", LATER)
def test_what_contradicts_an_earlier_batch_is_one_dead_letter(told: Told, name: str) -> None:
    _one_letter(told, name, Bad(_second_part()[name], *LATER[name]))


def _one_letter(told: Told, name: str, bad: Bad) -> None:
    place = told.places[name]
    (kept,) = told.kept[place]
    assert kept["reason"] == bad.reason
    assert bad.words in kept["detail"]
    assert (kept["key"], kept["value"]) == (bad.record.key, bad.record.value)
    (published,) = told.published[place]
    headers = dict(published.headers)
    assert headers["loyalty_error"].decode() == bad.reason
    assert bad.words in headers["loyalty_detail"].decode()
    if bad.reason not in get_args(Reason) or ": should" in kept["detail"]:
        assert headers["loyalty_path"].decode() == kept["detail"].partition(": ")[0]
    if name in TOO_LARGE:
        assert published.value == b""
        assert headers["loyalty_pointer"].decode().endswith("/".join(map(str, place)))
    else:
        assert published.key == bad.record.key
        assert published.value == bad.record.value or (published.key is None and published.value == b"" and not bad.record.value)
        assert published.headers[: len(bad.record.headers)] == tuple(bad.record.headers)


def test_nothing_else_is_a_dead_letter(told: Told) -> None:
    names = [*BAD, *LATER]
    assert set(told.kept) == {told.places[name] for name in names}
    assert set(told.published) == set(told.kept)
    assert told.outcomes["dead_letter"] == len(names)


def test_the_good_records_around_the_broken_ones_are_applied(told: Told) -> None:
    (statement,) = told.statements.values()
    assert statement.member_id == "GOOD"
    gifts = len(BAD) + 1 + 2
    credited = sum(each.points_credited for each in statement.orders)
    assert statement.available + statement.pending == gifts - 5 + credited  # the order sent again took five
    assert told.violations == []
    assert told.ready


def test_every_record_broken_or_not_came_to_something_and_every_fact_is_what_its_record_says(told: Told) -> None:
    assert told.compared.startswith("The ledger is what Kafka says"), told.compared


def test_neither_the_log_nor_the_probes_tell_what_was_sent(told: Told) -> None:
    assert "loyalty_events_total" in told.said
    assert '"event"' in told.said
    words = {
        "GOOD",
        "FIRST",
        "WAITED",
        "DEAR",
        "GUEST",
        "OUTSIDE",
        "NEVER",
        "credit_card",
        "good-",
        "placed-",
        "null-key",
        "oops",
    }
    assert {word for word in words if word in told.said} == set()


def test_unknown_types_are_skipped_and_counted(told: Told) -> None:
    assert told.outcomes["skipped"] == 1


def test_orders_of_nobody_are_dropped_and_what_follows_them_waits_for_a_programs_order_of_that_id(told: Told) -> None:
    assert told.parked == ["GUEST", "NEVER", "OUTSIDE"]
    assert told.outcomes["dropped"] == 2
    assert not {"GUEST", "OUTSIDE"} & {each.order_id for each in told.statements["GOOD"].orders}


def test_of_two_orders_under_one_id_the_first_stands_and_one_rejected_may_be_sent_again(told: Told) -> None:
    orders = {each.order_id: each for each in told.statements["GOOD"].orders}
    assert sorted(orders) == ["DEAR", "FIRST", "WAITED"]
    verdict = orders["DEAR"].redemption
    assert verdict is not None
    assert (verdict.decision, orders["DEAR"].points_used) == ("accepted", 5)
    assert told.outcomes["duplicate"] == 1  # a shipment
    assert sorted((each.code, each.order_id, each.detail) for each in told.statements["GOOD"].findings) == [
        ("order_twice", "FIRST", "other content"),
        ("order_twice", "FIRST", "same content"),
    ]
