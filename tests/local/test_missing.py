"""A part that a machine lacks: said at the end, and never passed over in silence where it has to be there."""

from __future__ import annotations

import pytest
from _pytest.outcomes import Failed, Skipped

from tests.parts import missing


@pytest.fixture(autouse=True)
def nothing_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "noted", {})


@pytest.mark.parametrize(("ci", "outcome"), [("", Skipped), ("true", Failed)])
def test_it_is_skipped_but_fails_under_ci_and_is_told_once(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    for _ in range(2):
        with pytest.raises(outcome, match="The tests on a Kafka did NOT run: no Java"):
            missing.cannot_run("a Kafka", "no Java", "install it")
    assert [str(each) for each in missing.noted.values()] == [
        "The tests on a Kafka did NOT run: no Java. To run them: install it."
    ]
