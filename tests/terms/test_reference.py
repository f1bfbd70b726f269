"""The reference says of every field what it means, and what it shows is right where it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
from jsonschema import Draft7Validator
from pydantic import BaseModel, TypeAdapter

from contracts.generate import ROOT, TERMS_PAGE
from contracts.terms_reference import meaning_of, meanings, phrases, places
from contracts.terms_schema import terms_schema
from tests.cli.conftest import Run, run
from worker.cli.authoring import Shape, starting_file
from worker.programs.terms_file import changed, read
from worker.programs.validation import checked

__all__ = ["run"]

GUIDE = ROOT / "terms" / "guide.md"
FIELDS = [(place.model, name) for place in places().values() for name in place.model.model_fields]
SCHEMA = terms_schema()


def test_every_field_has_a_meaning_and_an_example() -> None:
    without = [f"{model.__name__}.{name}" for model, name in FIELDS if not {(model.__name__, name), ("*", name)} & {*meanings()}]
    assert without == [], "write a row for each in contracts/terms/reference.yaml"


def test_no_row_is_about_a_field_that_is_not_there() -> None:
    known = {(model.__name__, name) for model, name in FIELDS} | {("*", name) for _, name in FIELDS}
    assert [row for row in meanings() if row not in known] == []


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=[f"{model.__name__}.{name}" for model, name in FIELDS])
def test_an_example_is_right_where_it_stands(model: type[BaseModel], name: str) -> None:
    field, meaning = model.model_fields[name], meaning_of(model, name)
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    TypeAdapter(kind).validate_json(json.dumps(meaning.example), strict=True)
    assert meaning.says.endswith(".")


def plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A definition without what stands beside a short form."""
    return dict(next((each for each in schema.get("anyOf", ()) if "properties" in each), schema))


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=[f"{model.__name__}.{name}" for model, name in FIELDS])
def test_editors_show_what_a_field_means(model: type[BaseModel], name: str) -> None:
    section = SCHEMA if model.__name__ == "ProgramFile" else plain(SCHEMA["definitions"][model.__name__])
    told = section["properties"][name]
    assert told["description"].startswith(meaning_of(model, name).says)
    assert "$ref" not in told
    assert Draft7Validator({**told, "definitions": SCHEMA["definitions"]}).is_valid(told["examples"][0])


def test_the_page_names_every_field_of_every_section() -> None:
    page = (ROOT / TERMS_PAGE).read_text(encoding="utf-8")
    sections = dict(zip(("", *places()), page.split("\n### "), strict=True))
    for model, name in FIELDS:
        assert f"- **`{name}`**" in sections[model.__name__], f"{model.__name__}.{name}"


@pytest.fixture(scope="module")
def new_file() -> dict[str, Any]:
    """What `loyalty program new` writes for a shop."""
    return read(starting_file("shop", Shape.SHOP, 2026))


def test_the_whole_file_of_the_guide_may_be_published_and_its_story_told(run: Run, tmp_path: Path) -> None:
    file, story = tmp_path / "my-shop.yaml", tmp_path / "story.yaml"
    blocks = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    for path, block in zip((file, story), blocks, strict=True):
        path.write_text(block, encoding="utf-8")
    validated = run("program", "validate", file, "-o", "json")
    assert (validated.code, validated.err, validated.json[0]["not_carried_out"]) == (0, "", 1)
    assert "| 120 | 0 | 0 | 0 |" in run("program", "story", file, "--steps", story).out


TRIED = [row for row in phrases() if "try" in row]


@pytest.mark.parametrize("row", TRIED, ids=lambda row: str(row["page"])[:60])
def test_an_order_brings_what_the_page_says(row: Mapping[str, Any], new_file: dict[str, Any], run: Run, tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(json.dumps(changed(new_file, row["write"])), encoding="utf-8")
    options = row["try"].split()
    day = [] if "--on" in options else ["--on", "2027-06-01"]
    told = run("program", "try", path, *options, *day, "-o", "json")
    assert told.code == 0, told.err
    assert sum(each["points"] for each in told.json["movements"] if each["source"] == "granted") == row["brings"]


@pytest.mark.parametrize("row", phrases(), ids=lambda row: str(row["page"])[:60])
def test_what_stands_beside_a_sentence_may_be_published(row: Mapping[str, Any], new_file: dict[str, Any]) -> None:
    # Rules name values by path; those that a sentence takes away are no longer theirs to name.
    written = changed(new_file, row["write"])
    for rule in written["rules"]:
        rule["parameters"] = ["adjustment.rule"]
    assert checked(written, "shop").code == "shop"
