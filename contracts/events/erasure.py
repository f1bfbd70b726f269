"""What is left of an event when the person it is about is to be forgotten: enough to fold it, and nothing that names anyone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias, get_args

from pydantic import BaseModel

from contracts.events.types import EVENT_TYPES

NOBODY: Final = "erased"
"""Stands for the member's id, and for free text where there has to be some."""

Kept: TypeAlias = "Mapping[str, Kept | bool | str]"
"""The fields of an object that are kept, at any depth: as they are (true), as the text that stands for all, or in part."""

_REPLACED: Final[Mapping[str, frozenset[str]]] = {
    "points.adjusted": frozenset({"reason"}),
    "points.held": frozenset({"reason"}),
    "points.released": frozenset({"reason"}),
    "points.voided": frozenset({"reason"}),
    "voucher.used": frozenset({"reason"}),
    "voucher.voided": frozenset({"reason"}),
}
_LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {"points.adjusted": frozenset({"operator", "reference"})}


def without_person(type_: str, body: bytes) -> bytes:
    """The body of an accepted event of a type, in canonical JSON, without the member's id, free text and unknown fields.

    What the terms decide by stays: orders, goods, amounts, dates, codes of reasons, references that count an activity once.
    """
    kept = _part(KEPT[type_], json.loads(body))
    return json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _part(kept: Kept, value: Any) -> Any:
    if isinstance(value, list):
        return [_part(kept, each) for each in value]
    if isinstance(value, dict):
        return {name: _one(rule, value[name]) for name, rule in kept.items() if name in value}
    return value


def _one(rule: Kept | bool | str, value: Any) -> Any:
    if isinstance(rule, bool):
        return value
    if isinstance(rule, str):
        return None if value is None else rule
    return _part(rule, value)


def _of_type(type_: str, model: type[BaseModel]) -> Kept:
    replaced = {"member_id", *_REPLACED.get(type_, ())}
    known = {name: rule for name, rule in _of_model(model).items() if name not in _LEFT_OUT.get(type_, ())}
    return {name: NOBODY if name in replaced else rule for name, rule in known.items()}


def _of_model(model: type[BaseModel]) -> dict[str, Kept | bool | str]:
    """The fields that a model knows, within its parts too."""
    parts = {name: list(_models(field.annotation)) for name, field in model.model_fields.items()}
    assert all(len(models) < 2 for models in parts.values()), "a part of an event has one form"
    return {name: _of_model(models[0]) if models else True for name, models in parts.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


KEPT: Final[Mapping[str, Kept]] = {type_: _of_type(type_, model) for type_, model in EVENT_TYPES.items()}
"""What is kept of each type of event. The database holds erasures to the same (`kept_fields` in `db/migrations`)."""
