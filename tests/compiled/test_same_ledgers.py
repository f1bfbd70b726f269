"""One ledger, however the fold runs: as it was written or compiled, and in whatever order a process walks through sets.

In the ordinary suite both sides are as written, with other hash seeds; `make compiled-test` runs this side compiled.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.compiled.ledgers import all_ledgers
from tests.flows.system import System
from worker.decide import fold
from worker.runtime.build import the_fold_is

ROOT = Path(__file__).parents[2]


def in_another_process(hash_seed: str) -> Any:
    """The ledgers as a process finds them that takes the code from the work tree."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    done = subprocess.run(
        (sys.executable, "-m", "tests.compiled.ledgers"),
        cwd=ROOT,
        env={**environment, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_ledgers_are_the_same_however_the_fold_runs() -> None:
    here, there = all_ledgers(), in_another_process("4711")
    assert there["fold"] == "interpreted"
    assert here["events"] == there["events"] > 2_000
    assert here["ledgers"] == there["ledgers"]


def test_the_fold_under_test_is_the_one_that_was_asked_for() -> None:
    assert the_fold_is() == os.environ.get("LOYALTY_TEST_FOLD", "interpreted")


def test_workers_that_tests_and_benches_start_run_the_same_build_as_they_do(tmp_path: Path) -> None:
    system = System("nowhere:9092", "postgresql://nowhere", "any.", tmp_path)
    asked = "from worker.decide import fold; print(fold.__file__)"
    found = subprocess.run(
        (sys.executable, "-c", asked), env=system.environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == fold.__file__
