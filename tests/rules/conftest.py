"""What stories are told with, and the count of rules and questions at the end of a run."""

from __future__ import annotations

import pytest

from tests.last_lines import say
from tests.rules.covered import Covered
from tests.rules.heard import Heard

COVERED = pytest.StashKey[Covered]()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Listens to everything that is published while stories are told."""
    return Heard(monkeypatch)


@pytest.fixture
def covered(request: pytest.FixtureRequest) -> Covered:
    """Counts rules and questions; what it holds is told after the run."""
    return request.config.stash.setdefault(COVERED, Covered())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell how many rules and questions of the published terms are covered."""
    for line in session.config.stash.get(COVERED, Covered()).told():
        say(line)
