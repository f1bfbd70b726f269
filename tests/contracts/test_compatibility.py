"""Nobody who built on a released contract is let down by today's.

Topics in: what producers sent by a released contract is still accepted. Topics out: what is sent today still fits the
released schemas, so that subscribers who check against them go on.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from contracts.events import Event
from contracts.generate import ROOT
from tests.contracts.records import EVENING, read, record

RELEASES = sorted((ROOT / "released").iterdir())
RELEASED_IN = [path for release in RELEASES for path in sorted((release / "examples" / "in").glob("*.json"))]
TODAY_OUT = [(release, path) for release in RELEASES for path in sorted((ROOT / "examples" / "out").glob("*.json"))]


def schema(path: Path) -> Draft7Validator:
    return Draft7Validator(json.loads(path.read_text()))


def label(value: Path) -> str:
    return f"{value.parts[value.parts.index('contracts') + 2]}-{value.stem}"


def test_there_is_a_release_to_be_held_to() -> None:
    assert [release.name for release in RELEASES][:1] == ["0.1.0"]
    assert RELEASED_IN


@pytest.mark.parametrize("path", RELEASED_IN, ids=label)
def test_released_examples_are_still_accepted(path: Path) -> None:
    sent = json.loads(path.read_text())
    schema(ROOT / "events" / "schemas" / "cloudevent.json").validate(sent)
    schema(ROOT / "events" / "schemas" / f"{sent['type']}.json").validate(sent["data"])
    assert isinstance(read(record(path.read_bytes()), now=EVENING), Event)


@pytest.mark.parametrize(("release", "path"), TODAY_OUT, ids=label)
def test_what_is_sent_today_fits_released_schemas(release: Path, path: Path) -> None:
    sent = json.loads(path.read_text())
    released = release / "schemas" / f"{sent['type']}.json"
    if not released.is_file():
        return  # a topic that is newer than the release
    schema(released).validate(sent["data"])
    schema(released).validate({**sent["data"], "a_field_of_tomorrow": {"x": 1}})


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_no_released_field_or_type_is_dropped_or_becomes_required(release: Path) -> None:
    for path in sorted((release / "schemas").glob("*.json")):
        before, today = json.loads(path.read_text()), json.loads((ROOT / "events" / "schemas" / path.name).read_text())
        assert before["properties"].keys() <= today["properties"].keys(), path.name
        if path.name.startswith("loyalty."):
            assert set(before["required"]) <= set(today["required"]), path.name
        else:
            assert set(today["required"]) <= set(before["required"]), path.name
