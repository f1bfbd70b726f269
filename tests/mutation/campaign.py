"""Runs mutants one after the other: collect the tests once, learn which of them run which lines, then a fork for each mutant.

A plugin of pytest that takes the place of its loop, so that what costs most (imports, collection, reading terms) is paid once.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import coverage
import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.mutants import FOLDER, Mutant
from tests.mutation.plant import Unplantable, plant

Status = Literal["killed", "timeout", "survived", "unreached", "unplantable"]
_SECONDS_MIN = 10.0
_TIMES_MAX = 20.0
"""A test that takes so many times what it takes on the real code does not end."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant: by which test it was noticed, how many ran, and how long they took."""

    mutant: Mutant
    status: Status
    by: str
    tests: int
    seconds: float


class Campaign:
    """`mutants` in the order in which they are tried, until the time is over; `done` is told each result. `patience`: so many
    seconds of tests (as they take on the real code) are run against one."""

    def __init__(self, mutants: Sequence[Mutant], seconds: float, patience: float, done: Callable[[Result], None]) -> None:
        self._mutants = mutants
        self._seconds = seconds
        self._patience = patience
        self._done = done
        self._items: dict[str, pytest.Item] = {}
        self._durations: dict[str, float] = {}
        self._lines: dict[str, dict[int, list[str]]] = {}
        self._kills: Counter[tuple[str, str]] = Counter()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests once: learn, then try mutants."""
        self._items = {item.nodeid: item for item in session.items}
        self._learn()
        gc.collect()
        gc.freeze()
        end = time.monotonic() + self._seconds
        for mutant in self._mutants:
            if time.monotonic() >= end:
                break
            self._done(self._try(mutant))
        return True

    # -- which tests run which lines

    def _learn(self) -> None:
        """Run everything once on the real code, and note lines and durations. A test that fails here proves nothing."""
        watch = coverage.Coverage(data_file=None, config_file=False, include=[str(FOLDER / "*")])
        watch.start()
        for name, item in self._items.items():
            watch.switch_context(name)
            started = time.monotonic()
            if not _passes(item):
                raise pytest.UsageError(f"{name} fails without any mutant")
            self._durations[name] = time.monotonic() - started
        watch.stop()
        data = watch.get_data()
        self._lines = {path.stem: data.contexts_by_lineno(str(path)) for path in FOLDER.glob("*.py")}

    def tests_for(self, mutant: Mutant) -> list[str]:
        """The tests that run a mutant's statement; those that killed its neighbours first, then the quickest."""
        lines = self._lines[mutant.module]
        names = {name for line in range(mutant.line, mutant.last_line + 1) for name in lines.get(line, ()) if name}
        if "." not in mutant.where and mutant.where.isupper():
            names = set(self._items)  # a table is read when its module is imported, by no test
        place = f"{mutant.module}.{mutant.where}"
        ordered = sorted(names, key=lambda name: (-self._kills[place, name], self._durations[name]))
        spent = list(accumulate(self._durations[name] for name in ordered))
        return ordered[: max(1, bisect_right(spent, self._patience))]

    # -- one mutant

    def _try(self, mutant: Mutant) -> Result:
        names = self.tests_for(mutant)
        if not names:
            return Result(mutant, "unreached", "", 0, 0.0)
        started = time.monotonic()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._in_child(mutant, names, writing)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            told = [json.loads(line) for line in pipe]
        _, ended = os.waitpid(child, 0)
        seconds = round(time.monotonic() - started, 2)
        last = told[-1] if told else {}
        test = str(last.get("test", ""))
        if os.WIFSIGNALED(ended) or last.get("status") == "killed":
            self._kills[f"{mutant.module}.{mutant.where}", test] += 1
        if os.WIFSIGNALED(ended):
            return Result(mutant, "timeout", test, len(told), seconds)
        return Result(mutant, last["status"], test, len(told) - 1, seconds)

    def _in_child(self, mutant: Mutant, names: Sequence[str], writing: int) -> None:
        """Plant the mutant and run tests until one fails. Never returns."""
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, sys.stdout.fileno())
        os.dup2(silence, sys.stderr.fileno())
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

        def tell(**what: str) -> None:
            os.write(writing, (json.dumps(what) + "\n").encode())

        try:
            plant(mutant)
        except Unplantable:
            tell(status="unplantable")
            os._exit(0)
        status = "survived"
        for name in names:
            tell(test=name)
            signal.setitimer(signal.ITIMER_REAL, max(_SECONDS_MIN, _TIMES_MAX * self._durations[name]))
            if not _passes(self._items[name]):
                status = "killed"
                break
        signal.setitimer(signal.ITIMER_REAL, 0)
        tell(status=status, test=name if status == "killed" else "")
        os._exit(0)


def _passes(item: pytest.Item) -> bool:
    """Whether a test passes (or is left out), with its fixtures made and ended for it alone."""
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))
