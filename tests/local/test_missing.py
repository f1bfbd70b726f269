"""A part that a machine lacks: said at the end, and never passed over in silence where it has to be there."""

from __future__ import annotations

import pytest
from _pytest.outcomes import Failed, Skipped

from tests import last_lines
from tests.parts import missing


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_lines, "_lines", {})


@pytest.mark.parametrize(("ci", "outcome"), [("", Skipped), ("true", Failed)])
def test_it_is_skipped_but_fails_under_ci_and_is_told_once(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    for _ in range(2):
        with pytest.raises(outcome, match="The tests on a Kafka did NOT run: no Java"):
            missing.cannot_run("a Kafka", "no Java", "install it")
    assert list(last_lines._lines) == ["The tests on a Kafka did NOT run: no Java. To run them: install it."]


def test_what_one_process_found_missing_is_told_by_the_one_that_started_it(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from tests.last_lines import pytest_sessionfinish, pytest_testnodedown, pytest_unconfigure")
    pytester.makepyfile(
        test_one="from tests.last_lines import say\n\ndef test(): say('there was no Kafka')",
        test_two="from tests.last_lines import say\n\ndef test(): say('there was no Kafka')",
    )
    output = pytester.runpytest_subprocess("-n", "2", "--dist", "loadfile").stdout.str()
    assert output.count("there was no Kafka") == 1
    assert output.rstrip().endswith("there was no Kafka")
