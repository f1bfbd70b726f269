"""`loyalty program new`, `schema` and `validate`: from an empty directory to terms that may be published."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from contracts.terms_schema import terms_schema
from tests.cli.conftest import Run, run
from worker.programs.terms_file import read
from worker.programs.validation import checked

__all__ = ["run"]


@pytest.mark.parametrize("code", ["my-shop", "x", "a-1", "second-hand-books"])
def test_a_new_file_is_valid_and_never_written_over_another(run: Run, tmp_path: Path, code: str) -> None:
    path = tmp_path / f"{code}.yaml"
    assert run("program", "new", code, "--file", path).code == 0
    validated = run("program", "validate", path, "-o", "json")
    assert (validated.code, validated.json[0]["program"]) == (0, code)
    assert Draft7Validator(terms_schema()).is_valid(read(path.read_text()))
    path.write_text("mine")
    again = run("program", "new", code, "--file", path)
    assert again.code == 2
    assert path.read_text() == "mine"


@pytest.mark.parametrize("code", ["My Shop", "1st", "", "../up"])
def test_a_code_that_no_program_may_have_is_refused(run: Run, tmp_path: Path, code: str) -> None:
    assert run("program", "new", code, "--file", tmp_path / "new.yaml").code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "section",
    ["calendar", "tiers", "activities", "notice_days", "questions", "cases", "amendments", "  campaigns", "  caps", "  excluded"],
)
def test_what_the_comments_of_a_new_file_offer_is_right(run: Run, tmp_path: Path, section: str) -> None:
    path = tmp_path / "new.yaml"
    run("program", "new", "my-shop", "--file", path)
    lines = path.read_text().splitlines()
    indent = section[: len(section) - len(section.lstrip())]
    start = next(place for place, each in enumerate(lines) if each.startswith(f"{indent}# {section.strip()}:"))
    end = start + 1
    while end < len(lines) and lines[end].startswith(f"{indent}#   "):
        end += 1
    lines[start:end] = [each.replace(f"{indent}# ", indent, 1) for each in lines[start:end]]
    text = "\n".join(lines).replace("MYS-09", "MYS-02").replace("MYS-10", "MYS-02")
    assert checked(read(text), "new").code == "my-shop"


def test_the_schema_is_printed(run: Run) -> None:
    assert run("program", "schema").json == terms_schema()


def test_validate_tells_contradictions_of_every_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    run("program", "new", "my-shop", "--file", path)
    path.write_text(path.read_text().replace("id: MYS-08", "id: MYS-18"))
    answer = run("program", "validate", path)
    assert answer.code == 2
    assert answer.mistakes == [
        "new.yaml: adjustment.rule: MYS-08 is not among `rules`; write there where it stands in the published terms"
    ]


def test_a_new_program_may_be_like_one_of_several_shapes(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    assert run("program", "new", "card", "--like", "stamps", "--file", path).code == 0
    assert "stamp card" in path.read_text()
    assert run("program", "new", "card", "--like", "lottery", "--file", tmp_path / "other.yaml").code == 2
