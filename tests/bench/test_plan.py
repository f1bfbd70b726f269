"""From a rate of events to machines: the arithmetic of `loyalty plan`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from worker.cli.capacity import MEASURED, MORE_NODES_CPU, Costs, Room, plan
from worker.cli.main import app

COSTS = Costs(
    worker_cpu_us=200,
    postgres_cpu_us=50,
    kafka_cpu_us=40,
    stored_bytes=1_000,
    account_bytes=500,
    wal_bytes=2_000,
    source="x",
)
ROOM = Room(busy_share_max=0.5, node_cores=4, node_wal_bytes_per_second_max=100e6, partitions_per_worker=4, peak=2.0)


def test_workers_carry_the_peak_at_a_share_of_a_core_each() -> None:
    found = plan(1_000, costs=COSTS, room=ROOM)
    assert found.peak_per_second == 2_000
    assert found.worker_cores == pytest.approx(0.4)  # 2,000 x 200 us
    assert found.workers == 1
    assert plan(10_000, costs=COSTS, room=ROOM).workers == 8  # 4 cores at half each


def test_partitions_leave_room_for_more_workers_and_are_at_least_four() -> None:
    assert plan(1, costs=COSTS, room=ROOM).partitions == 4
    assert plan(10_000, costs=COSTS, room=ROOM).partitions == 32


def test_one_postgres_is_enough_until_its_cores_are_busy() -> None:
    assert plan(20_000, costs=COSTS, room=ROOM).database == "one Postgres"  # 2 of 4 cores
    more = plan(20_001, costs=COSTS, room=ROOM)
    assert more.postgres_nodes == 2
    assert more.postgres_cores == pytest.approx(40_002 * 50e-6 * MORE_NODES_CPU)
    assert more.database.startswith("Citus, 2 worker nodes")


def test_one_postgres_is_enough_until_its_disk_is_busy() -> None:
    disk = Room(busy_share_max=0.5, node_cores=64, node_wal_bytes_per_second_max=1e6, peak=1.0)
    assert [plan(rate, costs=COSTS, room=disk).postgres_nodes for rate in (500, 501, 1_001)] == [1, 2, 3]


def test_disk_goes_by_the_mean_rate_and_by_the_accounts() -> None:
    assert plan(1, accounts=10, costs=COSTS, room=ROOM).disk_bytes_a_year == 365 * 86_400 * 1_000 + 10 * 500


def test_a_rate_above_nothing_is_asked_for() -> None:
    with pytest.raises(ValueError, match="above 0"):
        plan(0)


def test_the_command_answers_for_three_rates_or_for_those_asked() -> None:
    usual = CliRunner().invoke(app, ["plan", "-o", "json"])
    assert usual.exit_code == 0, usual.output
    assert [row["events_per_second"] for row in json.loads(usual.stdout)] == [1_000, 10_000, 100_000]
    asked = CliRunner().invoke(app, ["plan", "--events-per-second", "500", "-o", "json"])
    (row,) = json.loads(asked.stdout)
    assert row["workers"] == plan(500).workers
    assert MEASURED.source in asked.stderr
