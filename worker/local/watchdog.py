"""Ends what was started here when the Python that started it dies, however it dies.

One small process per Python, told through a pipe what to watch. When the pipe closes - orderly end, exception or SIGKILL
alike - it ends what is still on its list, the latest first. Linux's parent-death signal is not used: it fires when the
*thread* that started the program ends, and other systems do not have it.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import psutil

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.02

_lock = threading.Lock()
_pipe: IO[bytes] | None = None
_owner_pid = 0


def watch(pid: int, stop_signal: signal.Signals) -> None:
    """End process `pid` by `stop_signal`, and by SIGKILL after a grace, should this Python die."""
    _tell(f"watch {pid} {int(stop_signal)}")


def watch_container(container_id: str) -> None:
    """Remove this Docker container should this Python die."""
    _tell(f"watch-container {container_id}")


def forget(name: int | str) -> None:
    """Take a process id or a container off the list."""
    if _pipe is not None and _owner_pid == os.getpid():
        _tell(f"forget {name}")


def end(process: psutil.Process, stop_signal: signal.Signals, grace_seconds: float) -> None:
    """Ask a process that need not be our child to end; insist, its children included, after the grace."""
    try:
        children = process.children(recursive=True)
        process.send_signal(stop_signal)
    except psutil.NoSuchProcess:
        return
    for stubborn in wait_gone([process, *children], grace_seconds):
        try:
            stubborn.kill()
        except psutil.NoSuchProcess:
            continue


def wait_gone(processes: list[psutil.Process], timeout_seconds: float) -> list[psutil.Process]:
    """Wait until these have ended; returns those that have not. One that only waits to be reaped by its parent has ended."""
    give_up = time.monotonic() + timeout_seconds
    while (left := [process for process in processes if not _ended(process)]) and time.monotonic() < give_up:
        time.sleep(POLL_SECONDS)
    return left


def _ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def remove_container(container_id: str) -> None:
    """Remove a container if it is still there."""
    import docker
    from docker.errors import NotFound

    try:
        docker.from_env().containers.get(container_id).remove(force=True, v=True)
    except NotFound:
        return


def _tell(line: str) -> None:
    global _pipe, _owner_pid  # noqa: PLW0603 - one watchdog for all parts of this Python
    with _lock:
        if _pipe is None or _owner_pid != os.getpid():
            _pipe = _start()
            _owner_pid = os.getpid()
        _pipe.write(f"{line}\n".encode())
        _pipe.flush()


def _start() -> IO[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-I", str(Path(__file__).resolve()), str(GRACE_SECONDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    pipe = process.stdin
    assert pipe is not None
    atexit.register(_wait_for, process, os.getpid())
    return pipe


def _wait_for(process: subprocess.Popen[bytes], owner_pid: int) -> None:
    if owner_pid != os.getpid() or process.stdin is None:
        return
    process.stdin.close()
    process.wait()


def _main(grace_seconds: float) -> None:
    processes: dict[str, tuple[psutil.Process, signal.Signals] | None] = {}
    for line in sys.stdin:
        match line.split():
            case ["watch", pid, number]:
                try:
                    processes[pid] = (psutil.Process(int(pid)), signal.Signals(int(number)))
                except psutil.NoSuchProcess:
                    continue
            case ["watch-container", container_id]:
                processes[container_id] = None
            case ["forget", name]:
                processes.pop(name, None)
            case _:
                continue
    for name, found in reversed(processes.items()):
        if found is None:
            remove_container(name)
        else:
            end(*found, grace_seconds)


if __name__ == "__main__":
    _main(float(sys.argv[1]))
