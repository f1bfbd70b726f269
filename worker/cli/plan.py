"""`loyalty plan`: what a rate of events takes, from what an event was measured to cost."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from worker.cli.output import Format, Output, show, tell

COLUMNS = (
    *("events_per_second", "at_peak", "workers", "partitions", "postgres", "postgres_cores", "kafka_cores"),
    *("wal_mb_per_second", "disk_tb_a_year"),
)


def plan(
    events_per_second: Annotated[
        list[int] | None, typer.Option(min=1, max=10_000_000, help="Mean events a second; may be given again.")
    ] = None,
    accounts: Annotated[int, typer.Option(min=0, help="New accounts a year.")] = 1_000_000,
    peak: Annotated[float, typer.Option(min=1, max=100, help="The highest rate over the mean rate.")] = 3.0,
    node_cores: Annotated[int, typer.Option(min=1, max=1_024, help="Cores of one Postgres node.")] = 16,
    output: Output = Format.TABLE,
) -> None:
    """Say what 1,000, 10,000 and 100,000 events a second (or others) take: workers, partitions, Postgres, disk."""
    from worker.cli.capacity import MEASURED, Room
    from worker.cli.capacity import plan as planned

    rows: list[dict[str, Any]] = []
    for rate in events_per_second or (1_000, 10_000, 100_000):
        found = planned(rate, accounts, MEASURED, Room(peak=peak, node_cores=node_cores))
        rows.append(
            {
                "events_per_second": rate,
                "at_peak": round(found.peak_per_second),
                "workers": found.workers,
                "partitions": found.partitions,
                "postgres": found.database,
                "postgres_cores": round(found.postgres_cores, 1),
                "kafka_cores": round(found.kafka_cores, 1),
                "wal_mb_per_second": round(found.wal_bytes_per_second / 1e6, 1),
                "disk_tb_a_year": round(found.disk_bytes_a_year / 1e12, 2),
            }
        )
    show(rows, output, "What a rate of events takes", COLUMNS)
    tell(f"measured: {MEASURED.source}")
