"""The worked example of each shipped program is what its terms make of its story today."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.programs.terms_file import PROGRAMS, TermsError, load, read, shipped
from worker.simulation.story import page, stories


@pytest.mark.parametrize("code", shipped())
def test_the_page_is_current(code: str) -> None:
    assert (PROGRAMS / f"{code}.md").read_text(encoding="utf-8") == page(load(shipped()[code]), stories()[code]), (
        f"run `loyalty program story {code} > contracts/programs/{code}.md`"
    )


@pytest.mark.parametrize("code", shipped())
def test_a_story_has_ten_steps_and_the_account_after_each(code: str) -> None:
    steps = read(stories()[code].read_text(encoding="utf-8"))["steps"]
    assert len(steps) >= 10
    text = (PROGRAMS / f"{code}.md").read_text(encoding="utf-8")
    assert text.count("| available | pending |") == len(steps)


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("{says: Nothing.}", "steps.1.at: should be a time such as 2024-03-01T12:00:00+09:00"),
        ('{at: "2024-01-01", says: Nothing.}', "steps.1: should have `at` with an offset, and `says`"),
        ('{at: "2024-01-01T00:00:00Z"}', "steps.1: should have `at` with an offset, and `says`"),
        (
            '{at: "2024-01-01T00:00:00Z", says: A gift., type: points.adjusted, data: {points: 1.5, reason: gift}}',
            "steps.1: data.points: should be",
        ),
        ('{at: "2024-01-01T00:00:00Z", says: A gift., type: points.given}', "steps.1: no event of the contract"),
    ],
)
def test_a_step_that_is_none_is_told(tmp_path: Path, step: str, problem: str) -> None:
    file = tmp_path / "story.yaml"
    file.write_text(f"says: Nothing happens.\nsteps: [{step}]\n")
    with pytest.raises(TermsError) as told:
        page(load(shipped()["puppy"]), file)
    assert str(told.value).startswith(f"story.yaml: {problem}")
