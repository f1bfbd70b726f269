"""Wall clocks that can be put forward and back, each of one process: a small library (`clock.c`) that is loaded before libc.

The monotonic clock is left alone, as the kernel leaves it alone when somebody sets the time.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

_SOURCE: Final = Path(__file__).with_name("clock.c")
_BYTES: Final = 8


def missing() -> str | None:
    """Why clocks cannot be moved here; None if they can."""
    return None if shutil.which("cc") else "no C compiler (cc)"


@cache
def _library() -> Path:
    """The library, compiled once. Raises CalledProcessError."""
    target = Path(mkdtemp(prefix="loyalty-clock-")) / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(target), str(_SOURCE), "-ldl"], check=True)
    return target


class Clock:
    """A process's wall clock; `file` is made anew and stands at the true time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(_BYTES))

    @property
    def environment(self) -> Mapping[str, str]:
        """What the process has to be started with."""
        return {"LD_PRELOAD": str(_library()), "FAULTS_CLOCK": str(self._file)}

    def set(self, seconds: int) -> None:
        """Let it be so far ahead of the true time; negative: behind."""
        with self._file.open("r+b") as file:
            file.write(seconds.to_bytes(_BYTES, "little", signed=True))
