"""What a rate of events takes: the arithmetic from measured costs to workers, partitions, Postgres nodes and disk.

Every measured number stands in `MEASURED`, with where it comes from. The rest is multiplication, and rounding up.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

SECONDS_A_YEAR: Final = 365 * 24 * 3_600
MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Costs:
    """What one event costs. CPU in microseconds of one core; disk in bytes that stay, indexes included.

    `worker_cpu_us` is of the worker process, `postgres_cpu_us` of all server processes, `kafka_cpu_us` of the broker (reading in,
    and taking what is published). `stored_bytes` stays for ever; `account_bytes` once an account; `wal_bytes` is written and
    recycled, and is what a replica receives. `source` says how and where it was measured.
    """

    worker_cpu_us: float
    postgres_cpu_us: float
    kafka_cpu_us: float
    stored_bytes: float
    account_bytes: float
    wal_bytes: float
    source: str


@dataclass(frozen=True, slots=True)
class Room:
    """What a part may be loaded with.

    `busy_share_max`: of a core, so that peaks and catching up find room. `node_cores`: of one Postgres node.
    `node_wal_bytes_per_second_max`: what the disk and the replicas of a node take. `partitions_per_worker`: so that a group can
    grow before topics have to be made anew. `peak`: the highest rate over the mean rate; disk goes by the mean, the rest by the
    peak.
    """

    busy_share_max: float = 0.6
    node_cores: int = 16
    node_wal_bytes_per_second_max: float = 100e6
    partitions_per_worker: int = 4
    peak: float = 3.0


MEASURED: Final = Costs(
    worker_cpu_us=174,
    postgres_cpu_us=44,
    kafka_cpu_us=10,
    stored_bytes=2_389,
    account_bytes=676,
    wal_bytes=3_769,
    source="tests/bench/results/2026-11-22-2014.json: 2 cores, embedded Postgres 18, Apache Kafka 4.1.0 from its own jars",
)
"""The costs that `loyalty plan` goes by."""

MORE_NODES_CPU: Final = 1.75
"""Postgres CPU on Citus over one Postgres: 15,000 against 8,600 events/s on the same two cores, three nodes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rate takes. Cores are busy cores at the peak; disk is of one copy."""

    events_per_second: float
    peak_per_second: float
    worker_cores: float
    workers: int
    partitions: int
    postgres_cores: float
    postgres_nodes: int
    wal_bytes_per_second: float
    kafka_cores: float
    disk_bytes_a_year: float

    @property
    def database(self) -> str:
        """One Postgres, or Citus and how many nodes."""
        return "one Postgres" if self.postgres_nodes == 1 else f"Citus, {self.postgres_nodes} worker nodes and a coordinator"


def plan(events_per_second: float, accounts: int = 0, costs: Costs = MEASURED, room: Room | None = None) -> Plan:
    """What a mean rate of events takes. `accounts`: new ones a year. Raises ValueError if the rate is not above 0."""
    if events_per_second <= 0:
        raise ValueError("events_per_second should be above 0")
    room = room or Room()
    peak = events_per_second * room.peak
    worker_cores = peak * costs.worker_cpu_us / MICROSECONDS
    workers = max(1, ceil(worker_cores / room.busy_share_max))
    postgres_cores = peak * costs.postgres_cpu_us / MICROSECONDS
    wal = peak * costs.wal_bytes
    nodes = _nodes(postgres_cores, wal, room)
    if nodes > 1:
        postgres_cores *= MORE_NODES_CPU
        nodes = _nodes(postgres_cores, wal, room)
    return Plan(
        events_per_second=events_per_second,
        peak_per_second=peak,
        worker_cores=worker_cores,
        workers=workers,
        partitions=max(4, workers * room.partitions_per_worker),
        postgres_cores=postgres_cores,
        postgres_nodes=nodes,
        wal_bytes_per_second=wal,
        kafka_cores=peak * costs.kafka_cpu_us / MICROSECONDS,
        disk_bytes_a_year=events_per_second * SECONDS_A_YEAR * costs.stored_bytes + accounts * costs.account_bytes,
    )


def _nodes(cores: float, wal: float, room: Room) -> int:
    by_cpu = ceil(cores / (room.node_cores * room.busy_share_max))
    by_disk = ceil(wal / room.node_wal_bytes_per_second_max)
    return max(1, by_cpu, by_disk)
