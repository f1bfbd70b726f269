"""What is started on this machine ends: when asked, when it will not listen, and when its starter dies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from worker.local import PartFailed, Process, stop_kept
from worker.local.watchdog import wait_gone

SLEEPER = [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()",
]
COUNTING = [
    sys.executable,
    "-c",
    "import itertools, signal\nnumbers = itertools.count(1)\n"
    "signal.signal(signal.SIGTERM, lambda *_: print('asked', next(numbers), flush=True)); print('up', flush=True)\n"
    "while True: signal.pause()",
]
WAIT_SECONDS = 30.0


def started(command: list[str], log: Path, *, keep: bool = False) -> Process:
    process = Process("sleeper", command, log, keep=keep)
    process.start()
    process.wait_until(lambda: "up" in process.output, WAIT_SECONDS)
    return process


def of_process(process: Process) -> psutil.Process:
    assert process.pid is not None
    return psutil.Process(process.pid)


def test_stop_ends_it_and_gives_its_exit_code(tmp_path: Path) -> None:
    process = started(SLEEPER, tmp_path / "log")
    assert process.stop() == -signal.SIGTERM
    assert not process.alive


def test_one_that_was_asked_to_end_is_not_asked_again(tmp_path: Path) -> None:
    """A worker takes a second SIGTERM as "at once", and would leave its group without a word."""
    process = started(COUNTING, tmp_path / "log")
    process.ask_to_stop()
    process.wait_until(lambda: "asked 1" in process.output, WAIT_SECONDS)
    process.stop(timeout_seconds=0.3)
    assert "asked 2" not in process.output


def test_stop_insists_when_it_is_not_heard(tmp_path: Path) -> None:
    process = started(STUBBORN, tmp_path / "log")
    assert process.stop(timeout_seconds=0.2) == -signal.SIGKILL


def test_kill_takes_its_children_along(tmp_path: Path) -> None:
    parent = [sys.executable, "-c", f"import subprocess; subprocess.run({STUBBORN!r})"]
    process = started(parent, tmp_path / "log")
    family = of_process(process).children(recursive=True)
    process.kill()
    assert family
    assert wait_gone(family, WAIT_SECONDS) == []


def test_a_start_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    process = Process("failing", [sys.executable, "-c", "raise SystemExit('the disk is full')"], tmp_path / "log")
    process.start()
    with pytest.raises(PartFailed, match="the disk is full"):
        process.wait_until(lambda: False, WAIT_SECONDS)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PartFailed, match="no-such-program"):
        Process("nothing", ["no-such-program"], tmp_path / "log").start()


def test_output_is_of_the_last_start_only(tmp_path: Path) -> None:
    process = started(SLEEPER, tmp_path / "log")
    process.stop()
    process.start()
    process.wait_until(lambda: "up" in process.output, WAIT_SECONDS)
    assert process.output.count("up") == 1
    process.stop()


@pytest.mark.parametrize("command", [SLEEPER, STUBBORN], ids=["well-behaved", "deaf"])
def test_it_does_not_outlive_a_starter_that_is_killed(tmp_path: Path, command: list[str]) -> None:
    starter = (
        "import signal; from pathlib import Path; from worker.local import Process, watchdog\n"
        "watchdog.GRACE_SECONDS = 0.2\n"
        f"process = Process('sleeper', {command!r}, Path({str(tmp_path / 'log')!r})); process.start()\n"
        f"process.wait_until(lambda: 'up' in process.output, {WAIT_SECONDS})\n"
        "print(process.pid, flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    assert wait_gone([child], WAIT_SECONDS) == []


def test_it_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    processes: list[Process] = []
    thread = threading.Thread(target=lambda: processes.append(started(SLEEPER, tmp_path / "log")))
    thread.start()
    thread.join()
    (process,) = processes
    assert process.alive
    process.stop()


def test_what_is_kept_is_found_again_by_its_note(tmp_path: Path) -> None:
    kept = started(SLEEPER, tmp_path / "a" / "kept.log", keep=True)
    assert stop_kept(tmp_path) == ("kept",)
    assert wait_gone([of_process(kept)] if psutil.pid_exists(kept.pid or 0) else [], WAIT_SECONDS) == []
    assert not kept.alive
    assert stop_kept(tmp_path) == ()


def test_a_process_that_took_over_the_number_is_left_alone(tmp_path: Path) -> None:
    bystander = started(SLEEPER, tmp_path / "kept.log", keep=True)
    note = tmp_path / "kept.kept.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "born": time.time() - 86_400}))
    assert stop_kept(tmp_path) == ()
    assert bystander.alive
    bystander.stop()
