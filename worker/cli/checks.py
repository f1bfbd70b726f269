"""What a check of `loyalty doctor` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Result = Literal["ok", "warn", "fail"]
WAIT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and what to do about it (empty if all is well)."""

    what: str
    result: Result
    found: str
    to_do: str = ""
