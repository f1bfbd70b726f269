"""One program started on this machine: in a session of its own, its output in a log, its end in our hands.

A program that was started here does not outlive this Python, however that ends (see `watchdog`), unless it was started
with `keep=True`; then a note beside its log lets `stop_kept` find it again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import psutil

from worker.local import watchdog

POLL_SECONDS = 0.02
STOP_SECONDS = 20.0
LOG_TAIL_BYTES = 4_000


class PartFailed(RuntimeError):
    """A local part did not start, or ended on its own; the message carries the end of its log."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's user that a program runs as (Postgres refuses to run as root)."""

    uid: int
    gid: int


@dataclass(slots=True)
class Process:
    """A program with a log.

    name: what people call it in messages. command: program and arguments, no shell. log: file that both its outputs are
    appended to. stop_signal: what asks it to end in good order. keep: leave it running when this Python ends.
    """

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] | None = None
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    keep: bool = False
    _running: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _log_start: int = field(default=0, init=False, repr=False)
    _asked: bool = field(default=False, init=False, repr=False)

    def start(self) -> None:
        """Start it; raises PartFailed if it runs already or the program is not there."""
        with self._opened_log() as log:
            try:
                self._running = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self.environment,
                    cwd=self.log.parent if self.account is None else "/",
                    start_new_session=True,  # Ctrl-C in the terminal is for us; we end the parts in the right order
                    user=self.account.uid if self.account else None,
                    group=self.account.gid if self.account else None,
                    extra_groups=[] if self.account else None,
                )
            except OSError as error:
                raise PartFailed(f"{self.name} did not start: {error}") from error
        if self.keep:
            self._note.write_text(json.dumps(_identity(self._running.pid, self.stop_signal)))
        else:
            watchdog.watch(self._running.pid, self.stop_signal)

    def _opened_log(self) -> BinaryIO:
        """The log, for a start; raises PartFailed if it runs already."""
        if self.alive:
            raise PartFailed(f"{self.name} runs already, as process {self.pid}")
        self._asked = False
        self.log.parent.mkdir(parents=True, exist_ok=True)
        log = self.log.open("ab")
        self._log_start = log.tell()
        return log

    @property
    def pid(self) -> int | None:
        """Process id, None before the first start."""
        return self._running.pid if self._running else None

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self._running is not None and self._running.poll() is None

    @property
    def output(self) -> str:
        """What it has written since it was last started."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def wait_until(self, ready: Callable[[], bool], timeout_seconds: float) -> None:
        """Wait until `ready()`; raises PartFailed if it ends before that or takes longer."""
        give_up = time.monotonic() + timeout_seconds
        while not ready():
            if not self.alive:
                raise PartFailed(f"{self.name} ended while it started, log {self.log}:\n{self._tail()}")
            if time.monotonic() > give_up:
                raise PartFailed(f"{self.name} was not ready within {timeout_seconds:g} s, log {self.log}:\n{self._tail()}")
            time.sleep(POLL_SECONDS)

    def wait_for_success(self, timeout_seconds: float) -> None:
        """Wait for the end of a program that ends by itself; raises PartFailed unless it ends well and in time."""
        assert self._running is not None
        try:
            code = self._running.wait(timeout_seconds)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise PartFailed(f"{self.name} took longer than {timeout_seconds:g} s, log {self.log}:\n{self._tail()}") from error
        self._forget()
        if code != 0:
            raise PartFailed(f"{self.name} failed with {code}, log {self.log}:\n{self._tail()}")

    def ask_to_stop(self) -> None:
        """Ask it to end, and return at once."""
        if self.alive:
            self._send(self.stop_signal)
            self._asked = True

    def _ask_once(self) -> None:
        """Ask it to end unless it was asked: asked twice means "at once" to a worker, and it would not leave its group."""
        if not self._asked:
            self.ask_to_stop()

    def _send(self, number: signal.Signals) -> None:
        assert self._running is not None
        self._running.send_signal(number)

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> int | None:
        """Ask it to end unless it was asked, insist after the timeout; returns its exit code, None if it was never started."""
        if self._running is None:
            return None
        if self.alive:
            self._ask_once()
            try:
                self._running.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self._forget()
        return self._running.returncode

    def kill(self) -> None:
        """End it and all that it started at once, as a crash would (SIGKILL)."""
        if self._running is None or not self.alive:
            return
        family = _family(self._running.pid)
        self._running.kill()
        for member in family:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        self._running.wait()
        watchdog.wait_gone(family, STOP_SECONDS)
        self._forget()

    def _forget(self) -> None:
        if self._running is not None:
            watchdog.forget(self._running.pid)
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.log.with_suffix(".kept.json")

    def _tail(self) -> str:
        return self.output[-LOG_TAIL_BYTES:]


def stop_kept(directory: Path) -> tuple[str, ...]:
    """End what was started with `keep=True` and logs under `directory`, the latest first; returns the names of what was ended.

    A process id that has been given to another program since then is left alone.
    """
    notes = sorted(directory.rglob("*.kept.json"), key=lambda note: note.stat().st_mtime_ns, reverse=True)
    return tuple(_stop_noted(notes))


def _stop_noted(notes: Iterable[Path]) -> Iterable[str]:
    for note in notes:
        kept = json.loads(note.read_text())
        note.unlink(missing_ok=True)
        if "container" in kept:
            watchdog.remove_container(kept["container"])
            yield note.name.removesuffix(".kept.json")
            continue
        try:
            process = psutil.Process(kept["pid"])
            if process.create_time() != kept["born"]:
                continue
        except psutil.NoSuchProcess:
            continue
        watchdog.end(process, signal.Signals(kept["signal"]), STOP_SECONDS)
        yield note.name.removesuffix(".kept.json")


def _identity(pid: int, stop_signal: signal.Signals) -> dict[str, object]:
    return {"pid": pid, "born": psutil.Process(pid).create_time(), "signal": int(stop_signal)}


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def is_root() -> bool:
    """Whether this Python runs as root."""
    return os.geteuid() == 0
