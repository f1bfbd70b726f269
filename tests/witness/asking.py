"""Asks the checker as anyone would: as a program of its own, which knows addresses and nothing else."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.flows.system import System

CHECKER: Final = Path(__file__).with_name("checker.py")
WAIT_SECONDS: Final = 30.0
"""In which what is drained as far as positions tell may still be swept, decided and published."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What it answered. `counts`: lost, doubled, violations; `read`: how much it looked at; `evidence`: in words, by name."""

    code: int
    counts: dict[str, int]
    read: dict[str, int]
    evidence: list[str]
    said: str


async def judged(system: System, *arguments: str, wait: float = 0.0) -> Answer:
    """The verdict on a system; raises AssertionError if the topics or the tables could not be read."""
    where = ("--bootstrap", system.bootstrap, "--dsn", system.dsn, "--prefix", system.prefix)
    command = (sys.executable, str(CHECKER), *where, "--wait", str(wait), *arguments)
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), f"the checker could not judge: {done.stderr}"
    verdict: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Answer(
        code=done.returncode,
        counts={what: verdict[what] for what in ("lost", "doubled", "violations")},
        read=verdict["read"],
        evidence=[f"{each['name']}: {each['where']}: {each['says']}" for each in verdict["evidence"]],
        said=done.stdout,
    )
