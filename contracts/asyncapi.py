"""The AsyncAPI 3 document of all topics, made from the same tables as the worker reads."""

from __future__ import annotations

from typing import Any, Final

from contracts.events import DLQ_SUFFIX, TOPICS_IN, TOPICS_OUT, Published
from contracts.events.dead_letter import (
    HEADER_DETAIL,
    HEADER_ERROR,
    HEADER_OFFSET,
    HEADER_PARTITION,
    HEADER_PATH,
    HEADER_POINTER,
    HEADER_TOPIC,
)
from contracts.schemas import ENVELOPE, HEADERS

_SCHEMAS: Final = "./events/schemas/"
_BINARY: Final = "application/json"
_STRUCTURED: Final = "application/cloudevents+json"
_KEY_IN: Final = {"type": "string", "description": "Order id or member id, or none: any keying gives the same ledger."}
_KEY_PROGRAM: Final = {"type": "string", "description": "program"}
_KEY_OUT: Final = {"type": "string", "pattern": "^[^:]+:.+$", "description": "program:member_id"}
_KEY_DLQ: Final = {"description": "The record's own key, byte for byte; of an event that was kept before, its order id."}
_VALUE_DLQ: Final = """\
The value byte for byte; empty with a pointer. An event that was kept before it is refused (it waited for its order, or a \
second program's order of the same id has come) is written anew in structured mode; where its record stood, the headers say."""
_ABOUT: Final = """\
What the points ledger reads from commerce systems and what it tells everyone downstream.

Events are CloudEvents 1.0. Topics in are read in binary mode (attributes in ce_ headers, data in the value) and in
structured mode (one JSON object); topics out are written in binary mode. Money is an integer in the currency's minor
unit, rates are decimal strings, points are integers; a float is refused even where a JSON Schema takes 1.0 for an
integer. Fields and attributes that are not listed are kept and ignored. The data of a message out has at most 500,000
bytes: where one event moves more than can be told in them, loyalty.balance-changed tells sums of its entries and says so.
"""

Document = dict[str, Any]


def asyncapi_document(version: str) -> Document:
    """The document; `version` is the contract's own."""
    messages: Document = {}
    channels: Document = {}
    operations: Document = {}
    for topic, types in TOPICS_IN.items():
        for name in types:
            messages[name] = _binary(name, _KEY_IN)
            messages[f"{name}.structured"] = _structured(name)
        listed = [message for name in types for message in (name, f"{name}.structured")]
        _add(channels, operations, topic, "receive", listed, "Read from commerce systems.")
    for topic in TOPICS_OUT:
        of_an_account = issubclass(TOPICS_OUT[topic], Published)
        messages[topic] = _binary(topic, _KEY_OUT if of_an_account else _KEY_PROGRAM)
        order = "of version per account" if of_an_account else "of number per program"
        _add(channels, operations, topic, "send", [topic], f"Written for subscribers, in order {order}.")
    messages["dead-letter"] = _dead_letter()
    for topic in TOPICS_IN:
        _add(channels, operations, topic + DLQ_SUFFIX, "send", ["dead-letter"], f"Records of {topic} that break the contract.")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Loyalty points",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": _BINARY,
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _add(channels: Document, operations: Document, topic: str, action: str, messages: list[str], summary: str) -> None:
    channels[topic] = {
        "address": topic,
        "summary": summary,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }
    operations[f"{action}-{topic}"] = {"action": action, "channel": {"$ref": f"#/channels/{topic}"}}


def _schema(name: str) -> Document:
    return {"$ref": f"{_SCHEMAS}{name}.json"}


def _kafka(key: Document) -> Document:
    return {"kafka": {"key": key, "bindingVersion": "0.5.0"}}


def _binary(name: str, key: Document) -> Document:
    return {
        "name": name,
        "title": f"{name}, binary mode",
        "contentType": _BINARY,
        "headers": {"allOf": [_schema(HEADERS), {"type": "object", "properties": {"ce_type": {"const": name}}}]},
        "payload": _schema(name),
        "bindings": _kafka(key),
    }


def _structured(name: str) -> Document:
    return {
        "name": name,
        "title": f"{name}, structured mode",
        "contentType": _STRUCTURED,
        "headers": {"type": "object", "properties": {"content-type": {"const": _STRUCTURED}}},
        "payload": {
            "allOf": [
                _schema(ENVELOPE),
                {"type": "object", "properties": {"type": {"const": name}, "data": _schema(name)}},
            ]
        },
        "bindings": _kafka(_KEY_IN),
    }


def _dead_letter() -> Document:
    about = {
        HEADER_ERROR: "Why: a name from a closed set.",
        HEADER_DETAIL: "Where, what is wrong, what would be right; holds nothing of the payload.",
        HEADER_PATH: "The attribute or field at fault, by names and positions (data.lines.0.sku); only if there is one.",
        HEADER_TOPIC: "Where the record came from.",
        HEADER_PARTITION: "Its partition, in decimal.",
        HEADER_OFFSET: "Its offset, in decimal.",
        HEADER_POINTER: "Only if the record is too large to be sent again: the dead letter that holds its bytes.",
    }
    return {
        "name": "dead-letter",
        "title": "A record as it was sent, with the reason in headers",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "required": [name for name in about if name not in (HEADER_PATH, HEADER_POINTER)],
            "properties": {name: {"type": "string", "description": text} for name, text in about.items()},
        },
        "payload": {"description": _VALUE_DLQ},
        "bindings": _kafka(_KEY_DLQ),
    }
