"""What this machine does not have: tests that need it are skipped and said so at the very end; under CI they fail."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NoReturn

import pytest

from tests.last_lines import say


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that cannot be had here, why, and what would bring it."""

    part: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"The tests on {self.part} did NOT run: {self.why}. To run them: {self.remedy}."


def under_ci() -> bool:
    """Whether the variable CI says so."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false", "no")


def cannot_run(part: str, why: str, remedy: str) -> NoReturn:
    """Skip the test that asked for a part that is not here; under CI fail it."""
    missing = Missing(part, why, remedy)
    say(str(missing))
    if under_ci():
        pytest.fail(str(missing), pytrace=False)
    pytest.skip(str(missing))  # noqa: TID251 - the one place
