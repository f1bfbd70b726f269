"""What records say, as a table to read and as markdown; and the places that are written from them.

`python -m tests.bench.report results/X.json` prints the markdown; with `--write` it puts it into the README beside this file, and
the costs into `worker/cli/capacity.py`. More records, of steps at a size of their own, may follow the one that gives the costs.
Nothing of either is typed by hand; tests hold them equal to the records.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from worker.cli.capacity import Costs

README = Path(__file__).with_name("README.md")
PLAN = Path(__file__).parents[2] / "worker" / "cli" / "capacity.py"
BEGIN, END = "<!-- from a record, see report.py -->", "<!-- to here -->"
PLANNED = re.compile(r"^MEASURED: Final = Costs\(\n.*?^\)$", re.MULTILINE | re.DOTALL)
ABSOLUTES = (
    ("events_per_second", "events/s"),
    ("cpu_us_per_event", "CPU µs"),
    ("cpu_us_per_event_workers", "worker"),
    ("cpu_us_per_event_postgres", "Postgres"),
    ("cpu_us_per_event_kafka", "Kafka"),
    ("wal_bytes_per_event", "WAL bytes"),
    ("statements_per_event", "statements"),
    ("commits_per_event", "commits"),
)

PROGRAMS = ("python", "aiokafka", "asyncpg", "faststream", "pydantic", "msgspec")

Document = Mapping[str, Any]


def number(value: float) -> str:
    """With three digits that count."""
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def rows(document: Document) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Figure with its unit, goal, median, spread, runs, verdict."""
    for step in document["steps"].values():
        for row in step["rows"]:
            what = row["figure"] if row["unit"] in ("ratio", "each") else f"{row['figure']} [{row['unit']}]"
            verdict = {None: "", True: "met", False: "**missed**"}[row.get("reached")]
            spread = f"{number(row['low'])} to {number(row['high'])}"
            yield what, row.get("goal", "-"), number(row["median"]), spread, str(row["runs"]), verdict


def absolutes(document: Document) -> Iterator[tuple[str, ...]]:
    """Medians of each contestant: its name and what it did, in the order of `ABSOLUTES`."""
    for name in ("against", "variants"):
        for contestant, found in document["steps"].get(name, {}).get("figures", {}).items():
            yield contestant, *(number(found[key]["median"]) if key in found else "" for key, _ in ABSOLUTES)


def about(document: Document) -> str:
    """When, on what, and under which load."""
    machine, sizes, steps = document["machine"], document["sizes"], document["steps"].values()
    load = [step["load_before"] for step in steps]
    fsyncs = [step["fsyncs_per_second"] for step in steps]
    minutes = sum(step["seconds"] for step in steps) / 60
    versions = ", ".join(f"{name} {machine[name]}" for name in PROGRAMS)
    if "fold" in machine:  # records before there was a choice do not say it
        versions += f", fold {machine['fold']}"
    code = ", ".join(sorted({step["code"] for step in steps}))
    measured = (
        f"; code {code}; load {min(load):g} to {max(load):g} and {min(fsyncs):,} to {max(fsyncs):,} fsyncs/s" if load else ""
    )
    return (
        f"{document['at']}, {sizes['events']:,} events, {minutes:.0f} minutes: "
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']} GiB, "
        f"{machine['postgres']}, {machine['kafka']}, {versions}{measured} as the steps began."
    )


def failures(document: Document) -> str:
    """Steps without figures, a line each."""
    return "".join(f"\n- {step} did not come to an end: {why}" for step, why in document["failed"].items())


def text(document: Document) -> str:
    """The tables for a terminal."""
    lines = [f"{'figure':92}{'goal':>18}{'median':>13}{'low to high':>28}{'runs':>6}"]
    lines += [
        f"{what:92}{goal:>18}{median:>13}{spread:>28}{runs:>6}  {verdict}"
        for what, goal, median, spread, runs, verdict in rows(document)
    ]
    lines += ["", f"{'medians, of each event':24}" + "".join(f"{head:>12}" for _, head in ABSOLUTES)]
    lines += [f"{name:24}" + "".join(f"{cell:>12}" for cell in cells) for name, *cells in absolutes(document)]
    return "\n".join([*lines, "", about(document)]) + failures(document)


def markdown(document: Document, name: str) -> str:
    """The tables for a README. `name`: of the record's file."""
    lines = [
        f"From `results/{name}`. {about(document)}",
        "",
        "| figure | goal | median | low to high | runs | |",
        "|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows(document)]
    if contestants := [f"| {' | '.join(cells)} |" for cells in absolutes(document)]:
        heads = " | ".join(head for _, head in ABSOLUTES)
        lines += ["", f"| medians, of each event | {heads} |", "|---" * (len(ABSOLUTES) + 1) + "|", *contestants]
    return "\n".join(lines) + failures(document)


def shown(paths: Iterable[Path]) -> str:
    """All records for the README, one after the other."""
    return "\n\n".join(markdown(read(path), path.name) for path in paths)


def costs_of(document: Document, name: str) -> Costs:
    """What `loyalty plan` goes by. Raises KeyError if the steps `against` and `storage` are not on record."""
    worker = document["steps"]["against"]["figures"]["worker"]
    stored = document["steps"]["storage"]["figures"]["storage"]
    machine = document["machine"]
    return Costs(
        worker_cpu_us=round(worker["cpu_us_per_event_workers"]["median"]),
        postgres_cpu_us=round(worker["cpu_us_per_event_postgres"]["median"]),
        kafka_cpu_us=round(worker["cpu_us_per_event_kafka"]["median"]),
        stored_bytes=round(stored["stored_bytes_per_event"]["median"]),
        account_bytes=round(stored["stored_bytes_per_account"]["median"]),
        wal_bytes=round(worker["wal_bytes_per_event"]["median"]),
        source=f"tests/bench/results/{name}: {machine['cores']} cores, {machine['postgres']}, {machine['kafka']}",
    )


def planned(costs: Costs) -> str:
    """The costs as they stand in `worker/cli/capacity.py`."""
    names = ("worker_cpu_us", "postgres_cpu_us", "kafka_cpu_us", "stored_bytes", "account_bytes", "wal_bytes")
    figures = "".join(f"    {name}={getattr(costs, name):_},\n" for name in names)
    return f'MEASURED: Final = Costs(\n{figures}    source="{costs.source}",\n)'


def read(path: Path) -> dict[str, Any]:
    """A record."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def between(readme: str) -> str:
    """What a README has from a record."""
    return readme.partition(BEGIN)[2].partition(END)[0].strip()


def write(paths: Sequence[Path]) -> None:
    """Bring the README to what records say, and the costs to what the first of them does."""
    head, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    README.write_text(f"{head}{BEGIN}\n{shown(paths)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    costs = costs_of(read(paths[0]), paths[0].name)
    PLAN.write_text(PLANNED.sub(lambda _: planned(costs), PLAN.read_text(encoding="utf-8"), count=1), encoding="utf-8")


def main() -> None:
    """Print, or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="+", metavar="RECORD")
    parser.add_argument("--write", action="store_true", help="into README.md and worker/cli/capacity.py")
    given = parser.parse_args()
    if given.write:
        write(given.records)
    sys.stdout.write(shown(given.records) + "\n")


if __name__ == "__main__":
    main()
