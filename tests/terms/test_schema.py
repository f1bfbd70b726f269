"""The JSON Schema of a terms file agrees with the model: what one takes or refuses for its form, the other does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from contracts.generate import ROOT, TERMS_SCHEMA
from contracts.terms_schema import terms_schema
from worker.programs.terms_file import TermsError, changed, read, shipped, versions

VALIDATOR = Draft7Validator(json.loads((ROOT / TERMS_SCHEMA).read_text()))


def terms(code: str = "lenovo-pro") -> dict[str, Any]:
    return read(shipped()[code].read_text())


def test_the_schema_is_a_schema_and_up_to_date() -> None:
    Draft7Validator.check_schema(terms_schema())
    assert json.loads((ROOT / TERMS_SCHEMA).read_text()) == terms_schema()


@pytest.mark.parametrize("path", shipped().values(), ids=lambda path: path.stem)
def test_every_shipped_file_fulfils_it(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(read(path.read_text()))] == []


MISTAKES: tuple[tuple[str, object], ...] = (
    ("earning.components.0.rates.0.rate", 0.01),
    ("earning.components.0.rates.0.rate", "1 %"),
    ("earning.components.0.rates.0.rate", "1"),
    ("earning.components.0.rates.0.rate", 1),
    ("earning.components.0.rate_max", "5"),
    ("earning.components.0.rates.0.rate", {"points": 1, "per": 0}),
    ("earning.components.0.kind", "two words"),
    ("earning.rounding.mode", "down"),
    ("earning.rounding.digits", 2),
    ("maturity.after", []),
    ("maturity.after.0.days", 2.5),
    ("maturity.after.0.days", -1),
    ("notice_days", "30"),
    ("tiers", "none"),
    ("tiers.judgements.0.on", "at_once"),
    ("tiers.judgements.0.on", {"yearly": "January"}),
    ("tiers.judgements.0.on", {"monthly": 29}),
    ("tiers.judgements.0.falls", "one"),
    ("tiers.inactivity", {"rule": "LEN-31", "executed_on": "January"}),
    ("effective_from", 20240101),
    ("currency", "yen"),
    ("program", "Lenovo Pro"),
    ("redemption.minimum", "1"),
    ("adjustment", None),
    ("rules.0.id", "RULE 1"),
)


@pytest.mark.parametrize(("path", "value"), MISTAKES)
def test_schema_and_model_refuse_the_same_mistakes(path: str, value: object) -> None:
    wrong = changed(terms(), {path: value})
    assert not VALIDATOR.is_valid(wrong)
    with pytest.raises(TermsError):
        versions(wrong)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("earning.components.0.rates.0.rate", 0),
        ("earning.components.0.rates.0.rate", {"points": 1, "per": 1}),
        ("earning.components.0.rates.0.rate", {"share": "0.015"}),
        ("earning.components.0.rates.0.rate", {"points": 1, "per": 200}),
        ("point_value", 2),
        ("tiers", None),
        ("tiers.judgements.0.on", {"yearly": "01-10"}),
        ("tiers.judgements.0.on", {"monthly": 1}),
        ("tiers.judgements.0.on", {"change": True}),
        ("tiers.inactivity", {"rule": "LEN-31", "executed_on": "01-10"}),
        ("notice_days", [30, 7]),
    ],
)
def test_schema_and_model_take_the_same_forms(path: str, value: object) -> None:
    right = changed(terms(), {path: value})
    assert VALIDATOR.is_valid(right)
    assert versions(right)
