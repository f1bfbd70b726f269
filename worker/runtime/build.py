"""Which release this worker is and how it was built, so that two workers can be compared."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import version
from typing import Final, Literal

from worker.decide import fold

VERSION: Final = version("loyalty-points")
"""Of the release, as `pyproject.toml` has it."""


def the_fold_is() -> Literal["compiled", "interpreted"]:
    """Whether the fold, and decoding with it, runs as compiled code (`make compiled`, the image) or as it was written; the
    ledgers are the same."""
    return "compiled" if fold.__file__.endswith(tuple(EXTENSION_SUFFIXES)) else "interpreted"
