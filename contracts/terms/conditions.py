"""Where conditions stand in terms: all of them, whatever section they are in."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from contracts.terms.values import When


def conditions_of(part: object, path: str = "") -> Iterator[tuple[str, When]]:
    """Every condition under a part of the terms with its dotted path, those within another (`unless`) after it."""
    if isinstance(part, When):
        yield path, part
        if part.unless is not None:
            yield from conditions_of(part.unless, f"{path}.unless")
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from conditions_of(getattr(part, name), f"{path}.{name}" if path else name)
    elif isinstance(part, tuple):
        for index, each in enumerate(part):
            yield from conditions_of(each, f"{path}.{index}")
    elif isinstance(part, dict):
        for name, each in part.items():
            yield from conditions_of(each, f"{path}.{name}")
