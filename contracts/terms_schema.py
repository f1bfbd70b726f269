"""The JSON Schema of a terms file, for editors: completion, descriptions, and mistakes marked while one types.

It knows the form of a file; how its values must go together, only `loyalty program validate` knows (`contracts.terms_checks`).
"""

from __future__ import annotations

from typing import Any

from contracts.schemas import schema_of
from contracts.terms import ProgramFile

_SHARE = {
    "description": 'A share of the amount, such as "0.01".',
    "type": ["string", "integer"],
    "pattern": r"^[0-9]+(\.[0-9]{1,8})?$",
}


def terms_schema() -> dict[str, Any]:
    """The schema of a file with all its amendments."""
    schema = schema_of(ProgramFile)
    definitions = schema["definitions"]
    definitions["Rate"] = {"anyOf": [_SHARE, definitions["Rate"]]}  # the short form stands in for {share: ...}
    return {**schema, "title": "Terms of a point program"}
