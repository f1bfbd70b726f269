"""The command line as a whole: quick to answer, exit codes, and nothing but the answer on stdout."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Run, Shop
from worker.cli.examples import EXAMPLES
from worker.cli.failures import Exit
from worker.cli.main import EPILOG

HEAVY = ("asyncpg", "aiokafka", "faststream", "pydantic")


def test_help_needs_none_of_the_heavy_libraries() -> None:
    script = f"import worker.cli.main, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [(), ("member",), ("ledger",), ("program",), ("topics",), ("simulate",), ("demo",)])
def test_every_command_explains_itself(run: Run, command: tuple[str, ...]) -> None:
    assert run(*command, "--help").code == 0


@pytest.mark.parametrize("command", EXAMPLES)
def test_the_help_of_every_command_ends_with_an_example(run: Run, command: str) -> None:
    help_ = " ".join(run(*command.split(), "--help").out.split())
    assert EXAMPLES[command].split(" --")[0] in help_.partition("Example: ")[2]


# Not `new`, which writes a file here.
OF_FILES = ("validate", "coverage", "try", "show", "rules", "diff", "story", "schema")


@pytest.mark.parametrize("command", ["simulate", "plan", *(f"program {one}" for one in OF_FILES)])
def test_an_example_that_needs_no_server_works(run: Run, command: str) -> None:
    answer = run(*EXAMPLES[command].partition(" > ")[0].split()[1:])
    assert (answer.code, bool(answer.out)) == (0, True)


def test_the_exit_codes_are_told_where_everyone_looks(run: Run) -> None:
    told = run("--help").out
    assert all(f"{code.value} " in EPILOG for code in Exit)
    assert "Exit codes" in told


def test_an_unknown_option_is_wrong_usage_and_leaves_stdout_empty(run: Run) -> None:
    answer = run("ledger", "verify", "--fast")
    assert (answer.code, answer.out) == (2, "")
    assert "--fast" in answer.err


def test_run_says_what_the_database_lacks(run: Run, empty_database: str, shop: Shop) -> None:
    environment = {**shop.environment, "LOYALTY_POSTGRES_DSN": empty_database}
    answer = run("run", environment=environment)
    assert answer.code == 2
    assert answer.mistakes[-1].endswith("run `loyalty migrate`")


def test_no_demo_is_running(run: Run, tmp_path: Path) -> None:
    answer = run("demo", "--stop", environment={"XDG_STATE_HOME": str(tmp_path)})
    assert (answer.code, answer.out, answer.err) == (0, "", "no demo was left running\n")


@pytest.mark.timeout(120)
def test_the_demo_ends_well_within_a_minute_and_leaves_nothing_behind(bootstrap: str) -> None:
    """On the Kafka of the tests, so that the topics of the demo are its own and are taken away again."""
    home = Path(tempfile.mkdtemp(prefix="demo-test-"))
    home.chmod(0o755)  # Postgres may run as another user
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "worker", "demo"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home), "LOYALTY_KAFKA_BOOTSTRAP": bootstrap},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - started < 60
    for expected in ("LP-101", "float_money", "insufficient_points", "none missing", "ledger verify: sound", "ended with 0"):
        assert expected in done.stdout
    assert [path.name for path in home.iterdir()] == []
    home.rmdir()
