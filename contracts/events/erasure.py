"""What is left of an event when the person it is about is to be forgotten: enough to fold it, and nothing that names anyone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel

from contracts.events.catalogue import EVENT_TYPES

NOBODY: Final = "erased"
"""Stands for the member's id, and for free text where there has to be some."""

_REPLACED: Final[Mapping[str, frozenset[str]]] = {
    "points.adjusted": frozenset({"reason"}),
    "points.held": frozenset({"reason"}),
    "points.released": frozenset({"reason"}),
}
_LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {"points.adjusted": frozenset({"operator", "reference"})}


def without_person(type_: str, body: bytes) -> bytes:
    """The body of an accepted event of a type, in canonical JSON, without the member's id, free text and unknown fields.

    What the terms decide by stays: orders, goods, amounts, dates, codes of reasons, references that count an activity once.
    """
    kept = _known(EVENT_TYPES[type_], json.loads(body))
    for name in _LEFT_OUT.get(type_, ()):
        kept.pop(name, None)
    for name in ("member_id", *_REPLACED.get(type_, ())):
        if kept.get(name) is not None:
            kept[name] = NOBODY
    return json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _known(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that a model knows, within its parts too."""
    return {
        name: _within(list(_models(field.annotation)), values[name])
        for name, field in model.model_fields.items()
        if name in values
    }


def _within(models: list[type[BaseModel]], value: Any) -> Any:
    if isinstance(value, list):
        return [_within(models, each) for each in value]
    if isinstance(value, dict):
        (model,) = models
        return _known(model, value)
    return value


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)
