"""The statements of the store, kept in `.sql` files beside this one and found by name."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_NAME: Final = re.compile(r"^-- name: ([a-z_]+)\s*$", re.MULTILINE)
_COMMENTS_AT_END: Final = re.compile(r"(\n--[^\n]*)*\s*\Z")


def load_queries(text: str) -> dict[str, str]:
    """Name → statement, from text in which `-- name: x` stands before each. Raises ValueError for a name given twice."""
    parts = _NAME.split(text)
    found: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if name in found:
            raise ValueError(f"two statements are named {name}")
        # Comments after a statement are about the next one.
        found[name] = _COMMENTS_AT_END.sub("", body).strip().rstrip(";")
    return found


def _folder(folder: Traversable) -> dict[str, str]:
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return load_queries("\n".join(entry.read_text(encoding="utf-8") for entry in found))


SQL: Final[dict[str, str]] = _folder(files("worker.persist") / "sql")
"""Every statement of the store by its name."""
