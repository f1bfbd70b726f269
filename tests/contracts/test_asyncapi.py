"""The AsyncAPI document is valid by the specification's own schema, complete, and true of the examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from contracts.events import DLQ_SUFFIX, TOPICS_IN, TOPICS_OUT
from contracts.generate import ROOT

SPECIFICATION = Path(__file__).parent / "asyncapi-specs" / "3.0.0.json"
BASE = "file:///contracts/asyncapi.yaml"
EXAMPLES = sorted((ROOT / "examples").glob("*/*.json"))
OURS = ("balance.opened", "order.contested")
"""Written by the ledger, and brought by no topic."""


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "asyncapi.yaml").read_text())
    return loaded


def load(uri: str) -> Resource[Any]:
    path = ROOT / uri.removeprefix("file:///contracts/")
    return Resource.from_contents(json.loads(path.read_text()), default_specification=DRAFT7)


REGISTRY: Registry[Any] = Registry(retrieve=load).with_resource(BASE, Resource(contents=document(), specification=DRAFT7))  # type: ignore[call-arg]  # attrs


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def part(pointer: str) -> Draft7Validator:
    return Draft7Validator({"$ref": f"{BASE}#{pointer}"}, registry=REGISTRY)


def test_the_document_is_valid_asyncapi() -> None:
    specification = json.loads(SPECIFICATION.read_text())
    Draft7Validator.check_schema(specification)
    assert [error.message for error in Draft7Validator(specification).iter_errors(document())] == []


def test_the_validator_sees_a_mistake() -> None:
    specification = Draft7Validator(json.loads(SPECIFICATION.read_text()))
    wrong = json.loads(json.dumps(document()))
    wrong["operations"]["receive-commerce.order"]["action"] = "read"
    assert not specification.is_valid(wrong)


def test_every_reference_leads_somewhere() -> None:
    resolver = REGISTRY.resolver(BASE)
    found = set(references(document()))
    assert len(found) > 50
    for reference in found:
        resolver.lookup(reference)


def test_all_topics_are_there_with_all_their_types() -> None:
    channels = document()["channels"]
    assert set(channels) == {*TOPICS_IN, *TOPICS_OUT, *(topic + DLQ_SUFFIX for topic in TOPICS_IN)}
    for topic, types in TOPICS_IN.items():
        assert set(channels[topic]["messages"]) == {*types, *(f"{name}.structured" for name in types)}
    actions = {operation["channel"]["$ref"]: operation["action"] for operation in document()["operations"].values()}
    assert {ref.removeprefix("#/channels/") for ref, action in actions.items() if action == "receive"} == set(TOPICS_IN)
    assert len(actions) == len(channels)


@pytest.mark.parametrize("path", [path for path in EXAMPLES if path.stem not in OURS], ids=lambda path: path.stem)
def test_examples_are_messages_of_the_document(path: Path) -> None:
    sent = json.loads(path.read_text())
    message = f"/components/messages/{sent['type']}"
    headers = {f"ce_{name}": value for name, value in sent.items() if name not in ("data", "datacontenttype")}
    part(f"{message}/payload").validate(sent["data"])
    part(f"{message}/headers").validate(headers)
    assert not part(f"{message}/headers").is_valid({**headers, "ce_type": "order.lost"})
    assert not part(f"{message}/payload").is_valid({})
    if sent["type"] not in TOPICS_OUT:
        part(f"{message}.structured/payload").validate(sent)
        assert not part(f"{message}.structured/payload").is_valid({**sent, "data": {}})
