"""The base of every model of the contract."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, JsonValue


class Contract(BaseModel):
    """Strict (no "1", true or 1.0 for an integer), immutable; unknown fields are ignored, so that producers may add some."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="ignore", populate_by_name=True, allow_inf_nan=False, hide_input_in_errors=True
    )


def any_of(*names: str) -> dict[str, JsonValue]:
    """For a JSON Schema: at least one of these fields is there. (Which of them exclude each other, only the model says.)"""
    return {"anyOf": [{"required": [name]} for name in names]}
