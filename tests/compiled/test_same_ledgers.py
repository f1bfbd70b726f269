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
from worker.built import the_fold_is

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
