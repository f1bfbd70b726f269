"""Runs mutants one after the other: collect the tests once, learn which of them run what, then a fork for each mutant.

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
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.mutants import Mutant
from tests.mutation.plant import Unplantable, plant
from tests.mutation.reached import Learned, Reach, Watched, digest_of, who_runs

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
    seconds of tests (as they take on the real code) are run against one. `killed`: of earlier ones, by place ("module.where"),
    the test that noticed it. `lived`: names of those that no test noticed so far, so that new ones are the likeliest to."""

    def __init__(
        self,
        mutants: Sequence[Mutant],
        seconds: float,
        patience: float,
        done: Callable[[Result], None],
        killed: Iterable[tuple[str, str]] = (),
        lived: Collection[str] = (),
    ) -> None:
        self._mutants = mutants
        self._seconds = seconds
        self._patience = patience
        self._done = done
        self._items: dict[str, pytest.Item] = {}
        self._learned = Learned()
        self._by_place: dict[str, set[str]] = {}
        self._kills = Counter(killed)
        self._lived = lived

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests once: learn, then try mutants."""
        end = time.monotonic() + self._seconds
        self._items = {item.nodeid: item for item in session.items}
        if self._learn(end):
            gc.collect()
            gc.freeze()
            for mutant in self._mutants:
                if time.monotonic() >= end:
                    break
                self._done(self._try(mutant))
        return True

    # -- which tests run what

    def _learn(self, end: float) -> bool:
        """Run what is not known yet once on the real code, and note what it runs; whether all is known before the time is over.
        A test that fails here proves nothing."""
        left = {name: item for name, item in self._items.items() if not self._learned.knows(name, item.path)}
        with Watched() as watched:
            for name, item in left.items():
                if time.monotonic() >= end:
                    break
                watched.ran.clear()
                started = time.monotonic()
                if not _passes(item):
                    raise pytest.UsageError(f"{name} fails without any mutant")
                seconds = time.monotonic() - started
                self._learned.tests.pop(name, None)  # the newest come last
                self._learned.tests[name] = Reach(digest_of(item.path), round(seconds, 4), frozenset(watched.ran))
        if left:
            self._learned.write()
        if not all(self._learned.knows(name, item.path) for name, item in self._items.items()):
            return False
        self._by_place = self._learned.by_place(iter(self._items))
        return True

    def tests_for(self, mutant: Mutant) -> list[str]:
        """The tests that run a mutant's statement; those that killed its neighbours first, then the quickest, or the newest."""
        # A table is read when its module is imported, by no test.
        names = None if "." not in mutant.where and mutant.where.isupper() else who_runs(mutant, self._by_place)
        names = set(self._items) if names is None else names
        place, known = mutant.place, self._learned.tests
        if mutant.name in self._lived:
            ordered = [name for name in reversed(known) if name in names]
        else:
            ordered = sorted(names, key=lambda name: (-self._kills[place, name], known[name].seconds))
        spent = list(accumulate(known[name].seconds for name in ordered))
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
            self._kills[mutant.place, test] += 1
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
            signal.setitimer(signal.ITIMER_REAL, max(_SECONDS_MIN, _TIMES_MAX * self._learned.tests[name].seconds))
            if not _passes(self._items[name]):
                status = "killed"
                break
        signal.setitimer(signal.ITIMER_REAL, 0)
        tell(status=status, test=name if status == "killed" else "")
        os._exit(0)


def _passes(item: pytest.Item) -> bool:
    """Whether a test passes (or is left out), with its fixtures made and ended for it alone."""
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))
