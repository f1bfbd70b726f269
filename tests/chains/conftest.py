"""A ledger of other people's traffic and one person's, as the tests of erasing have it."""

from __future__ import annotations

from tests.erasure.conftest import ledger

__all__ = ["ledger"]
