"""Walks through terms: every value that stands somewhere in them, with the place where it stands."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from contracts.terms.values import When


def values_in(part: object, path: str = "", *, by_id: bool = False) -> Iterator[tuple[str, object]]:
    """A part of the terms and all that it holds, each with its dotted path, what holds something before what it holds.

    Items of a list go by number, or `by_id` by the one that they have.
    """
    yield path, part
    inner: Iterator[tuple[object, object]]
    if isinstance(part, BaseModel):
        inner = ((name, getattr(part, name)) for name in type(part).model_fields)
    elif isinstance(part, tuple):
        inner = ((getattr(each, "id", place) if by_id else place, each) for place, each in enumerate(part))
    elif isinstance(part, dict):
        inner = iter(part.items())
    else:
        return
    for name, each in inner:
        yield from values_in(each, f"{path}.{name}" if path else f"{name}", by_id=by_id)


def conditions_of(part: object, path: str = "") -> Iterator[tuple[str, When]]:
    """Every condition under a part of the terms with its dotted path, those within another (`unless`) after it."""
    return ((here, value) for here, value in values_in(part, path) if isinstance(value, When))
