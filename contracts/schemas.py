"""JSON Schemas of the events, made from the models: draft 7, which every registry and AsyncAPI itself can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from contracts.events import EVENT_TYPES, TOPICS_OUT
from contracts.events.fields import ID_CHARACTERS_MAX, ID_PATTERN_IN_SCHEMAS

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
ENVELOPE: Final = "cloudevent"
HEADERS: Final = "cloudevent-headers"

_ATTRIBUTE: Final = {"type": "string", "minLength": 1, "maxLength": ID_CHARACTERS_MAX, "pattern": ID_PATTERN_IN_SCHEMAS}
_TIME: Final = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,18})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})$",
}
_ATTRIBUTES: Final[Mapping[str, Mapping[str, Any]]] = {
    "specversion": {"const": "1.0"},
    "id": {**_ATTRIBUTE, "description": "With source: identity of the event, for ever."},
    "source": _ATTRIBUTE,
    "type": _ATTRIBUTE,
    "time": {**_TIME, "description": "Business time: when it happened, with an offset."},
    "subject": {**_ATTRIBUTE, "description": "Order id or member id; informative."},
    "program": {**_ATTRIBUTE, "description": "Program code; may be left out if the order's store belongs to one program only."},
    "recordedtime": {**_TIME, "description": "When the event was delivered; only simulations read it."},
    "signature": {
        "type": "string",
        "description": "Ed25519 of the sender, in base64, where the operators of the ledger ask for one.",
    },
    "traceparent": {"type": "string", "description": "W3C trace context, carried through; a malformed one is dropped."},
}
_REQUIRED: Final = ("specversion", "id", "source", "type", "time")


class _Plain(GenerateJsonSchema):
    """Without titles made of field names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def all_schemas() -> dict[str, dict[str, Any]]:
    """Every schema by its name: the event types in, the topics out, and the envelope in both content modes."""
    models: dict[str, type[BaseModel]] = {**EVENT_TYPES, **TOPICS_OUT}
    schemas = {name: schema_of(model) for name, model in models.items()}
    schemas[ENVELOPE] = {
        "$schema": DRAFT,
        "title": "CloudEvent",
        "description": "An event in structured mode (application/cloudevents+json).",
        "type": "object",
        "required": [*_REQUIRED, "data"],
        "properties": {
            **_ATTRIBUTES,
            "datacontenttype": {"type": "string", "description": "application/json if given."},
            "data": {},
        },
    }
    schemas[HEADERS] = {
        "$schema": DRAFT,
        "title": "CloudEvent headers",
        "description": "Kafka headers of an event in binary mode; the value is the data.",
        "type": "object",
        "required": [f"ce_{name}" for name in _REQUIRED],
        "properties": {
            **{f"ce_{name}": schema for name, schema in _ATTRIBUTES.items()},
            "content-type": {"type": "string", "description": "application/json if given."},
        },
    }
    return schemas


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model, complete in itself."""
    schema = model.model_json_schema(ref_template="#/definitions/{model}", schema_generator=_Plain)
    definitions = schema.pop("$defs", None)
    if definitions:
        schema["definitions"] = definitions
    return {"$schema": DRAFT, **schema}
