"""Results: one line a round, appended to a file of this machine and kept with the tests from there; what the lines sum up to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path("build/soak.ndjson")
FUZZED: Final = Path("build/fuzz.ndjson")
"""What `make fuzz` appends to."""
KEPT: Final = Path(__file__).parent / "kept.ndjson"
"""All rounds that the published table counts."""
README: Final = Path(__file__).parents[1] / "README.md"
BEGIN: Final = "<!-- figures: made by `python -m tests.soak --write`, not by hand -->"
END: Final = "<!-- end of figures -->"
KINDS: Final = ("lost", "doubled")
_TEXTS: Final = ("problems", "failures")
_PLACES: Final = ("seed", "first", "next")
"""Numbers of seeds, of which there is no sum."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: what is counted, what there should be at least, and the names of the counts that are its sum."""

    what: str
    wanted: int | None
    counts: tuple[str, ...]
    of_which: Mapping[str, str]


_KILLED: Final = {
    "sigkills_at_work": "while it had been given partitions",
    "sigkills_forked": "of workers forked from a Python that had imported them",
}
ROWS: Final = (
    Row("simulation: seeds", 10_000, ("seeds",), {}),
    Row("simulation: messages", 10_000_000, ("simulated_messages",), {}),
    Row("simulation on Postgres: seeds", None, ("postgres_seeds",), {}),
    Row("simulation on Postgres: messages", 1_000_000, ("postgres_messages",), {}),
    Row("lives of members, compared with the naive rules", 10_000, ("lives",), {}),
    Row("histories compared on Postgres", 20_000, ("compared_histories",), {}),
    Row("messages through real parts", None, ("messages",), {}),
    Row("SIGKILLs of a worker", 1_000, ("sigkills",), _KILLED),
    Row("accounts verified whole, after the last chapter", None, ("accounts_verified",), {}),
    Row("zombie pauses past the session timeout", 100, ("zombies",), {}),
    Row("lost answers to COMMIT", 1_000, ("answers_lost",), {}),
    Row("connections cut otherwise", None, ("connections_cut", "cut_before"), {"cut_before": "just before COMMIT"}),
    Row("locks held longer than workers wait", None, ("locks_held",), {}),
    Row("Postgres restarts", 100, ("postgres_restarts",), {"postgres_crashes": "crashes", "disks_full": "after a full disk"}),
    Row("broker restarts, leader moves", 100, ("broker_restarts", "leader_moves"), {"leader_moves": "leader moves"}),
    Row("rebalances", 1_000, ("rebalances",), {}),
    Row("times a worker's clock was set, up to 8 minutes away", None, ("clock_steps",), {}),
    Row("malformed or hostile records", 1_000_000, ("hostile_records",), {}),
)


def read(results: Path) -> list[dict[str, Any]]:
    """The lines so far; none if there is no file."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def fuzzed(results: Path = FUZZED) -> list[dict[str, Any]]:
    """What fuzzing came to, as lines like those of a soak. `next`: the first seed of its kind (`of`) that it did not play."""
    return [
        {
            "kind": "fuzz",
            "of": line["kind"],
            "seconds": line["seconds"],
            "first": line["first"],
            "next": line["first"] + line["outcomes"].get("seeds", 0),
            "hostile_records": line["cases"] if line["kind"] in ("record", "guided") else 0,
            "failures": line["failures"],
        }
        for line in read(results)
    ]


def to_fuzz(kind: str, results: Path, kept: Path = KEPT) -> int:
    """The first seed of a kind that was not played so far."""
    lines = [*(line for line in read(kept) if line["kind"] == "fuzz"), *fuzzed(results)]
    # Of the first rounds that were kept it is not known which seeds they had, but that there were not more than cases.
    unknown = sum(int(line["hostile_records"]) for line in lines if "next" not in line)
    return max((int(line["next"]) for line in lines if line.get("of") == kind), default=unknown)


def so_far(results: Path = RESULTS) -> list[dict[str, Any]]:
    """The rounds that are kept, and those of this machine since: where a soak goes on."""
    return [*read(KEPT), *read(results)]


def keep(results: Path = RESULTS, fuzz: Path = FUZZED, kept: Path = KEPT) -> None:
    """Move the rounds of this machine to those that are kept."""
    for line in (*read(results), *fuzzed(fuzz)):
        append(kept, line)
    results.unlink(missing_ok=True)
    fuzz.unlink(missing_ok=True)


def append(results: Path, line: Mapping[str, Any]) -> None:
    """One line more, whole even if another process appends at the same time."""
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a") as file:
        file.write(json.dumps(line) + "\n")


def totals(lines: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Sums of all counts; `lost`, `doubled` and `violations` by what the problems begin with."""
    sums: Counter[str] = Counter({"lost": 0, "doubled": 0, "violations": 0})
    for line in lines:
        for name, value in line.items():
            if name in _TEXTS:
                sums.update(kind if (kind := text.partition(":")[0]) in KINDS else "violations" for text in value)
            elif isinstance(value, int) and name not in _PLACES:
                sums[name] += value
    return sums


def table(lines: Sequence[Mapping[str, Any]]) -> str:
    """The totals as a table in Markdown."""
    sums = totals(lines)
    hours = {kind: sum(line["seconds"] for line in lines if line["kind"] == kind) / 3600 for kind in ("simulation", "faults")}
    rows = ["| what | to reach | so far |", "|---|---|---|"]
    for row in ROWS:
        parts = [f"{sums[name]:,} {words}" for name, words in row.of_which.items() if sums[name]]
        found = f"{sum(sums[name] for name in row.counts):,}" + (f" ({', '.join(parts)})" if parts else "")
        rows.append(f"| {row.what} | {f'≥ {row.wanted:,}' if row.wanted else ''} | {found} |")
    rows.append(f"| lost / doubled / violations | 0 / 0 / 0 | {sums['lost']} / {sums['doubled']} / {sums['violations']} |")
    rows.append(f"| chapters that could not be played | | {sums['not_played']} |")
    rows.append(f"| hours: simulation, real parts | | {hours['simulation']:.1f}, {hours['faults']:.1f} |")
    return "\n".join(rows)


def write(lines: Sequence[Mapping[str, Any]], readme: Path = README) -> None:
    """Put the table where the README has the last one."""
    text = readme.read_text()
    before, after = text.index(BEGIN) + len(BEGIN), text.index(END)
    readme.write_text(f"{text[:before]}\n{table(lines)}\n{text[after:]}")
