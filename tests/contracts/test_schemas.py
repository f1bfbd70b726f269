"""The JSON Schemas agree with the models, and every example with both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from contracts.events import EVENT_TYPES, TOPICS_OUT, Event
from contracts.generate import ROOT, main, release, stale, write
from tests.contracts.records import EVENING, LINE, ORDER, headers_of, read, record

SCHEMAS = ROOT / "events" / "schemas"
EXAMPLES_IN = sorted((ROOT / "examples" / "in").glob("*.json"))
EXAMPLES_OUT = sorted((ROOT / "examples" / "out").glob("*.json"))


def validator(name: str) -> Draft7Validator:
    return Draft7Validator(json.loads((SCHEMAS / f"{name}.json").read_text()))


def stem(path: Path) -> str:
    return path.stem


def test_generated_files_are_what_the_models_say() -> None:
    assert stale(ROOT) == []
    assert main(["--check"]) == 0


def test_a_file_that_differs_is_missing_or_belongs_to_nothing_is_stale(tmp_path: Path) -> None:
    write(tmp_path)
    assert stale(tmp_path) == []
    schemas = tmp_path / "events" / "schemas"
    (schemas / "order.paid.json").unlink()
    (schemas / "order.placed.json").write_text("{}")
    (schemas / "order.lost.json").write_text("{}")
    assert [path.name for path in stale(tmp_path)] == ["order.lost.json", "order.paid.json", "order.placed.json"]
    assert [path.name for path in write(tmp_path)] == ["order.lost.json", "order.paid.json", "order.placed.json"]
    assert stale(tmp_path) == []


def test_a_release_is_kept_as_it_was(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "examples").mkdir()
    assert (release(tmp_path, "1.0.0") / "schemas" / "order.placed.json").is_file()
    with pytest.raises(FileExistsError):
        release(tmp_path, "1.0.0")


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=stem)
def test_every_schema_is_a_schema(path: Path) -> None:
    Draft7Validator.check_schema(json.loads(path.read_text()))


def test_every_type_has_an_example() -> None:
    assert {path.stem.partition("--")[0] for path in EXAMPLES_IN} == set(EVENT_TYPES)
    assert {path.stem.partition("--")[0] for path in EXAMPLES_OUT} == set(TOPICS_OUT)


@pytest.mark.parametrize("path", EXAMPLES_IN, ids=stem)
def test_examples_in_agree_with_decoder_schema_and_both_modes(path: Path) -> None:
    sent = json.loads(path.read_text())
    structured = read(record(path.read_bytes()), now=EVENING)
    assert isinstance(structured, Event), structured
    assert structured.type == path.stem.partition("--")[0]
    validator("cloudevent").validate(sent)
    validator(structured.type).validate(sent["data"])

    attributes = {name: value for name, value in sent.items() if name not in ("data", "datacontenttype")}
    headers = headers_of(attributes)
    validator("cloudevent-headers").validate({name: (value or b"").decode() for name, value in headers})
    assert read(record(json.dumps(sent["data"]).encode(), headers), now=EVENING) == structured


@pytest.mark.parametrize("path", EXAMPLES_OUT, ids=stem)
def test_examples_out_agree_with_model_and_schema(path: Path) -> None:
    sent = json.loads(path.read_text())
    model = TOPICS_OUT[sent["type"]].model_validate_json(json.dumps(sent["data"]))
    validator("cloudevent").validate(sent)
    validator(sent["type"]).validate(sent["data"])
    validator(sent["type"]).validate(json.loads(model.to_json()))
    assert (sent["program"], sent.get("subject")) == (model.program, getattr(model, "member_id", None))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("order.placed", {**ORDER, "shipping_fee": -1}),
        ("order.placed", {**ORDER, "shipping_fee": 0.5}),
        ("order.placed", {**ORDER, "lines": []}),
        ("order.placed", {**ORDER, "lines": [{**LINE, "quantity": "1"}]}),
        ("order.placed", {**ORDER, "lines": [{**LINE, "point_rate": "1e-2"}]}),
        ("order.placed", {**ORDER, "order_id": "a\nb"}),
        ("order.placed", {**ORDER, "planned_ship_date": "1969-01-01"}),
        ("order.cancelled", {"order_id": "O", "reason": "r", "lines": "some"}),
        ("order.cancelled", {"order_id": "O", "reason": "r", "lines": [{"quantity": 1}]}),
        ("points.held", {"member_id": "M", "reason": "r"}),
        ("subscription.points-set", {"member_id": "M", "request_id": "R", "points": 1}),
        ("loyalty.points-expiring", {"program": "p", "member_id": "m", "epoch": 0, "version": 1, "points": 5}),
    ],
)
def test_the_schemas_carry_the_bounds_too(name: str, wrong: dict[str, Any]) -> None:
    assert not validator(name).is_valid(wrong)
