"""The last lines of a run's output: what every test run must tell, whichever of its processes found it out."""

from __future__ import annotations

from typing import Any

import pytest

_SENT = "last_lines"
_lines: dict[str, None] = {}


def say(line: str) -> None:
    """Have a line told at the very end, once."""
    _lines.setdefault(line)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process that runs a part of the tests hands its lines to the one that started it."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_SENT] = list(_lines)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the lines of a process that has ended; it has none if it crashed."""
    for line in getattr(node, "workeroutput", {}).get(_SENT, ()):
        say(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Write them."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        for line in _lines:
            reporter.write_line(line, yellow=True, bold=True)
