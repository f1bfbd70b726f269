"""What a soak's lines sum up to."""

from __future__ import annotations

from pathlib import Path

from tests.soak import results


def test_counts_are_summed_over_all_rounds_and_problems_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "build" / "soak.ndjson"
    results.append(file, {"kind": "faults", "seed": 7, "seconds": 1800.0, "sigkills": 5, "sigkills_at_work": 2, "problems": []})
    problems = ["lost: an order", "doubled: a decision", "worker-1 ended by itself"]
    results.append(file, {"kind": "faults", "seed": 8, "seconds": 1800.0, "sigkills": 1200, "problems": problems})
    results.append(file, {"kind": "simulation", "first": 0, "seeds": 100, "seconds": 360.0, "failures": []})
    lines = results.read(file)
    assert results.totals(lines) == {
        "sigkills": 1205, "sigkills_at_work": 2, "seeds": 100, "lost": 1, "doubled": 1, "violations": 1
    }  # fmt: skip
    table = results.table(lines)
    assert "| SIGKILLs of a worker | ≥ 1,000 | 1,205 (2 while it had been given partitions) |" in table
    assert "| lost / doubled / violations | 0 / 0 / 0 | 1 / 1 / 1 |" in table
    assert "0.1, 1.0 |" in table


def test_the_table_goes_where_the_last_one_was(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n")
    results.write([], readme)
    text = readme.read_text()
    assert "old" not in text
    assert text.startswith(f"before\n{results.BEGIN}\n| what |")
    assert text.endswith(f"{results.END}\nafter\n")
    assert results.BEGIN in results.README.read_text()


def test_the_published_table_is_that_of_the_rounds_that_are_kept() -> None:
    assert results.table(results.read(results.KEPT)) in results.README.read_text()


def test_rounds_of_this_machine_are_kept_once_and_their_seeds_not_played_again(tmp_path: Path) -> None:
    soaked, fuzz, kept = tmp_path / "soak.ndjson", tmp_path / "fuzz.ndjson", tmp_path / "kept.ndjson"
    results.append(kept, {"kind": "fuzz", "seconds": 1.0, "hostile_records": 7, "failures": []})
    assert results.to_fuzz("record", fuzz, kept) == 7
    results.append(soaked, {"kind": "simulation", "first": 0, "seeds": 100, "seconds": 360.0, "failures": []})
    line = {"seconds": 1.0, "failures": [], "first": 10}
    results.append(fuzz, {"kind": "record", "cases": 50, "outcomes": {"seeds": 50, "event": 20}, **line})
    results.append(fuzz, {"kind": "life", "cases": 900, "outcomes": {"seeds": 3}, **line})
    for _ in range(2):
        assert results.to_fuzz("record", fuzz, kept) == 60
        assert results.to_fuzz("life", fuzz, kept) == 13
        results.keep(soaked, fuzz, kept)
    assert results.totals(results.read(kept)) == {"seeds": 100, "hostile_records": 57, "lost": 0, "doubled": 0, "violations": 0}
