"""What stories are told with."""

from __future__ import annotations

import pytest

from tests.rules.heard import Heard


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Listens to everything that is published while stories are told."""
    return Heard(monkeypatch)
