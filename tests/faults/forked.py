"""Workers that are forked from a Python which has imported all of the worker already.

Most of a start is importing; without it more starts, and so more ends, fit into a time. What such a process does from there on is
`loyalty run`: its own process id, session, settings, connections and log.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Final

from worker.__main__ import main
from worker.local import watchdog
from worker.local.process import STOP_SECONDS, Process

_BEFORE_ARGUMENTS: Final = 3
"""Of a command: Python, -m, the module."""


@dataclass(slots=True)
class Forked(Process):
    """A worker with a log, `command` being that of a worker started otherwise."""

    _child: ForkServerProcess | None = field(default=None, init=False, repr=False)

    def start(self) -> None:
        """Start it; raises PartFailed if it runs already."""
        self._opened_log().close()
        arguments = (self.command[_BEFORE_ARGUMENTS:], self.log, dict(self.environment or {}))
        self._child = _context().Process(target=_run, name=self.name, args=arguments, daemon=True)
        self._child.start()
        if self._child.pid is not None:
            watchdog.watch(self._child.pid, self.stop_signal)

    @property
    def pid(self) -> int | None:
        """Process id, None before the first start."""
        return self._child.pid if self._child else None

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self._child is not None and self._child.is_alive()

    def _send(self, number: signal.Signals) -> None:
        if self.pid is not None:
            os.kill(self.pid, number)

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> int | None:
        """Ask it to end unless it was asked, insist after the timeout; returns its exit code, None if it was never started."""
        if self._child is None:
            return None
        self._ask_once()
        self._child.join(timeout_seconds)
        self.kill()
        return self._child.exitcode

    def kill(self) -> None:
        """End it at once, as a crash would (SIGKILL)."""
        if self._child is None:
            return
        if self.alive:
            self._child.kill()
            self._child.join()
        if self._child.pid is not None:
            watchdog.forget(self._child.pid)


@cache
def _context() -> ForkServerContext:
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _run(arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
    """In the process that was forked: become a worker."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    target = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(log.parent)
    sys.argv[1:] = arguments
    main()
