"""The whole service on real parts, as the tests of flows have it."""

from __future__ import annotations

from tests.flows.conftest import system

__all__ = ["system"]
