"""What this machine does not have: tests that need it are skipped and said so at the very end; under CI they fail."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NoReturn

import pytest


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that cannot be had here, why, and what would bring it."""

    part: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"The tests on {self.part} did NOT run: {self.why}. To run them: {self.remedy}."


noted: dict[str, Missing] = {}


def under_ci() -> bool:
    """Whether the variable CI says so."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false", "no")


def cannot_run(part: str, why: str, remedy: str) -> NoReturn:
    """Skip the test that asked for a part that is not here; under CI fail it."""
    missing = noted.setdefault(part, Missing(part, why, remedy))
    if under_ci():
        pytest.fail(str(missing), pytrace=False)
    pytest.skip(str(missing))  # noqa: TID251 - the one place


def say_at_the_end(config: pytest.Config) -> None:
    """Write what did not run as the last lines of the output."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not noted:
        return
    for missing in noted.values():
        reporter.write_line(str(missing), yellow=True, bold=True)
