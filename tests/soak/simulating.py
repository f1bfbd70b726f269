"""The simulation's part of a soak, as a process of its own."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.simulation.__main__ import quiet, some
from tests.soak import results

_YIELD = 5
"""How much it stands back for the real parts, which have time limits."""


def simulate(seconds: float, file: Path) -> None:
    """Play seeds until the time is over, a line each hundred."""
    os.nice(_YIELD)
    quiet()
    end = time.monotonic() + seconds
    earlier = [line for line in results.so_far(file) if line["kind"] == "simulation"]
    seed = max((line["first"] + line["seeds"] for line in earlier), default=0)
    while time.monotonic() < end:
        line = some(seed, end)
        seed += line["seeds"]
        line["simulated_messages"] = line.pop("messages")
        line["simulated_commits"] = line.pop("commits")
        line["simulated_faults"] = line.pop("faults")
        results.append(file, {"kind": "simulation", **line})
