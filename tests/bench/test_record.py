"""The record of a bench: nothing is lost, nothing is typed by hand."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import cast

import pytest

from tests.bench import report, run
from tests.bench.backlog import Sample, growth, seconds_to
from tests.bench.context import Bench
from tests.bench.figures import Goal, Outcome, Record, Row
from tests.bench.measure import Spread
from tests.bench.sizes import FULL, QUICK, changed
from tests.bench.stack import Stack
from worker.cli.capacity import MEASURED

SHOWN = report.between(report.README.read_text(encoding="utf-8"))


def _shown() -> list[Path]:
    """The records that the README shows."""
    return [report.README.parent / name for name in re.findall(r"^From `(.+?)`", SHOWN, re.MULTILINE)]


def _record(path: Path) -> Record:
    return Record.begin(path, {"cores": 2}, {"rounds": 1}, "2026-11-01T00:00:00+00:00")


def test_the_readme_says_what_its_records_say() -> None:
    assert report.shown(_shown()) == SHOWN


def test_the_plan_goes_by_the_first_of_them() -> None:
    path = _shown()[0]
    assert report.costs_of(report.read(path), path.name) == MEASURED
    assert report.planned(MEASURED) in report.PLAN.read_text(encoding="utf-8")


def test_a_step_that_fails_loses_neither_those_before_nor_those_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def good(bench: Bench) -> Outcome:
        return Outcome([Row.of("x", "ratio", [3.0, 1.0, 2.0], Goal(at_least=2))])

    async def bad(bench: Bench) -> Outcome:
        raise RuntimeError("no more disk")

    monkeypatch.setattr(run, "STEPS", {"one": good, "two": bad, "three": good})
    record = _record(tmp_path / "record.json")
    stack = cast("Stack", type("Nowhere", (), {"directory": tmp_path}))
    asyncio.run(run.bench(record, stack, QUICK, ["one", "two", "three"]))
    kept = json.loads(record.path.read_text(encoding="utf-8"))
    assert list(kept["steps"]) == ["one", "three"]
    assert kept["failed"] == {"two": "RuntimeError: no more disk"}
    (row,) = kept["steps"]["one"]["rows"]
    assert row == {
        "figure": "x",
        "unit": "ratio",
        "runs": 3,
        "median": 2.0,
        "low": 1.0,
        "high": 3.0,
        "goal": ">= 2",
        "reached": True,
    }


def test_what_is_on_record_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    async def step(bench: Bench) -> Outcome:
        measured.append("again")
        return Outcome()

    record = _record(tmp_path / "record.json")
    record.keep("one", Outcome(), {})
    record.fail("two", "why")
    monkeypatch.setattr(run, "STEPS", {"one": step, "two": step})
    resumed = Record.resume(record.path, {"rounds": 1})
    stack = cast("Stack", type("Nowhere", (), {"directory": tmp_path}))
    asyncio.run(run.bench(resumed, stack, QUICK, ["one", "two"]))
    assert measured == ["again"]
    assert resumed.document["failed"] == {}


def test_a_record_of_other_sizes_is_not_gone_on_with(tmp_path: Path) -> None:
    record = _record(tmp_path / "record.json")
    record.keep("one", Outcome(), {})
    with pytest.raises(ValueError, match="other sizes"):
        Record.resume(record.path, {"rounds": 2})


def test_steps_are_named_and_keep_their_order() -> None:
    assert run.wanted("", "") == list(run.STEPS)
    assert run.wanted("growing,against", "") == ["against", "growing"]
    assert "backlog" not in run.wanted("", "backlog")
    with pytest.raises(ValueError, match="no step 'speed'"):
        run.wanted("speed", "")


def test_sizes_are_set_by_name() -> None:
    assert changed(FULL, ["rounds=7"]).rounds == 7
    for wrong in ("speed=1", "rounds=0", "rounds", "rounds=-1"):
        with pytest.raises(ValueError, match="NAME=NUMBER"):
            changed(FULL, [wrong])


def test_a_missed_goal_is_said() -> None:
    step = {"load_before": 1, "fsyncs_per_second": 1, "code": "c0ffee", "seconds": 1, "figures": {}}
    missed = Row.of("x", "ms", [1234.0], Goal(at_most=50)).plain()
    machine = dict.fromkeys(("cpu", "cores", "memory_gib", "postgres", "kafka", *report.PROGRAMS), "y")
    steps = {"one": {**step, "rows": [missed]}}
    document = {"at": "z", "machine": machine, "sizes": {"events": 5}, "steps": steps, "failed": {"two": "why"}}
    told = report.markdown(document, "z.json")
    assert "| x [ms] | <= 50 | 1,234 | 1,234 to 1,234 | 1 | **missed** |" in told
    assert "two did not come to an end: why" in told


@pytest.mark.parametrize(("bytes_at_end", "expected"), [(100, 0.0), (110, 0.10), (90, -0.10)], ids=["flat", "grows", "shrinks"])
def test_memory_is_judged_by_its_slope_over_the_last_half(bytes_at_end: int, expected: float) -> None:
    first = [Sample(events, 100 - (50 - events), 0.0) for events in range(0, 50, 10)]  # the caches fill
    last = [Sample(events, round(1_000 + 10 * (bytes_at_end - 100) * (events - 50) / 50), 0.0) for events in range(50, 101, 10)]
    assert growth([*first, *last]) == pytest.approx(expected, abs=0.01)


def test_numbers_show_three_digits() -> None:
    assert [report.number(value) for value in (0.12345, 12.345, 123.45, 12345.6, 0)] == ["0.123", "12.3", "123", "12,346", "0"]


def test_a_spread_is_median_and_ends() -> None:
    assert Spread.of([5, 1, 3]) == Spread(3, 1, 5)


def test_how_long_the_first_events_took_is_read_between_two_looks() -> None:
    samples = [Sample(0, 1, 0.5), Sample(0, 1, 1.5), Sample(80, 1, 2.5), Sample(120, 1, 3.5)]
    assert seconds_to(100, samples) == pytest.approx(3.0)
    assert seconds_to(200, samples) is None
