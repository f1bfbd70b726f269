"""Counts what a store sends to Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest

SENDING = ("execute", "fetch", "fetchval", "copy_records_to_table")


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that are sent within the block, in order; a COPY is named by its table."""
    sent: list[str] = []
    with monkeypatch.context() as patch:
        for name in SENDING:
            patch.setattr(asyncpg.Connection, name, _noting(getattr(asyncpg.Connection, name), sent))
        yield sent


def _noting(method: Any, sent: list[str]) -> Any:
    async def noted(self: object, first: str, *arguments: object, **options: object) -> object:
        sent.append(first)
        return await method(self, first, *arguments, **options)

    return noted
