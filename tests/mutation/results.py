"""Results of mutants, kept with the tests, what is said of survivors, and what both come to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from tests.mutation.campaign import Result
from tests.mutation.mutants import Mutant

RESULTS: Final = Path("build/mutants.ndjson")
KEPT: Final = Path(__file__).with_name("kept.ndjson")
"""The last result of each mutant that the published table counts."""
SURVIVORS: Final = Path(__file__).with_name("survivors.yaml")
README: Final = Path(__file__).parents[1] / "README.md"
BEGIN: Final = "<!-- mutants: made by `python -m tests.mutation --write`, not by hand -->"
END: Final = "<!-- end of mutants -->"
KILLED: Final = ("killed", "timeout")

Fate = Literal["killed", "same", "told", "survived"]
"""What became of a mutant: a test failed; it lives and behaves the same; it lives, and why no test sees it is said; it lives."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a mutant lives. `same`: nothing that anybody could ever see differs, so that no test can fail."""

    why: str
    same: bool


def line_of(result: Result) -> dict[str, Any]:
    """A result as it is kept: without what the mutant's name and its function's digest tell anyway."""
    told = {name: value for name, value in asdict(result).items() if name != "mutant"}
    return {"mutant": result.mutant.name, **told, "digest": result.mutant.digest}


def read(*files: Path) -> dict[str, dict[str, Any]]:
    """The last result of each mutant, by its name."""
    lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
    return {line["mutant"]: line for line in map(json.loads, lines)}


def append(results: Path, result: Result) -> None:
    """One line more."""
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a") as file:
        file.write(json.dumps(line_of(result)) + "\n")


def explained(survivors: Path = SURVIVORS) -> dict[str, Explained]:
    """What is said of survivors, by the mutant's name."""
    rows = yaml.safe_load(survivors.read_text())
    return {name: Explained(row["why"], row.get("same", False)) for row in rows for name in row["mutants"]}


def current(result: Mapping[str, Any] | None, mutant: Mutant) -> bool:
    """Whether a result is one of the function as it stands."""
    return result is not None and result["digest"] == mutant.digest


def keep(mutants: Iterable[Mutant], results: Path = RESULTS, kept: Path = KEPT) -> None:
    """Keep the last result of each mutant with the tests, and forget those of functions that have changed since."""
    known = read(kept, results)
    found = [known[mutant.name] for mutant in mutants if current(known.get(mutant.name), mutant)]
    kept.write_text("".join(json.dumps(line) + "\n" for line in sorted(found, key=lambda line: str(line["mutant"]))))
    results.unlink(missing_ok=True)


def fate(line: Mapping[str, Any], why: Mapping[str, Explained]) -> Fate:
    """What became of a mutant."""
    if line["status"] in KILLED:
        return "killed"
    told = why.get(line["mutant"])
    return "survived" if told is None else "same" if told.same else "told"


def table(lines: Iterable[Mapping[str, Any]], why: Mapping[str, Explained]) -> str:
    """What results come to, as a table in Markdown."""
    by_module: dict[str, Counter[Fate]] = {}
    for line in lines:
        by_module.setdefault(line["mutant"].partition(".")[0], Counter())[fate(line, why)] += 1
    found = sum(by_module.values(), Counter[Fate]())
    tried = found.total()
    rows = [
        ("tried, of all modules by their size", "≥ 500", f"{tried:,} in {len(by_module)} modules"),
        ("noticed by a test, of all", "≥ 90 %", _share(found["killed"], tried)),
        ("noticed by a test, of those that can be noticed", "", _share(found["killed"], tried - found["same"])),
        ("alive, and the same to everybody", "", f"{found['same']}"),
        ("alive, and why no test sees it is said", "", f"{found['told']}"),
        ("alive, and nobody knows why", "0", f"{found['survived']}"),
    ]
    return "\n".join(["| mutants | to reach | so far |", "|---|---|---|", *(f"| {a} | {b} | {c} |" for a, b, c in rows)])


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({100 * part / max(whole, 1):.1f} %)"


def write(lines: Iterable[Mapping[str, Any]], why: Mapping[str, Explained], readme: Path = README) -> None:
    """Put the table where the README has the last one."""
    text = readme.read_text()
    before, after = text.index(BEGIN) + len(BEGIN), text.index(END)
    readme.write_text(f"{text[:before]}\n{table(lines, why)}\n{text[after:]}")
