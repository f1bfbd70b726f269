"""No id looks like another one, or reads backwards: what cannot be seen is in none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from unicodedata import category

import pytest
from jsonschema import Draft7Validator

from contracts.events import EVENT_TYPES, Event
from contracts.events.fields import ID_PATTERN_IN_SCHEMAS
from tests.contracts.records import ATTRIBUTES, LINE, ORDER, binary, broken, read, structured
from worker.decode import Record

UNSEEN = {
    "right-to-left override": "\u202e",
    "right-to-left mark": "\u200f",
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "isolate": "\u2066",
    "tag": "\U000e0041",
}


@pytest.mark.parametrize("character", UNSEEN.values(), ids=UNSEEN)
@pytest.mark.parametrize("name", ["id", "source", "program", "subject"])
@pytest.mark.parametrize("sent", [binary, structured])
def test_attributes_hold_nothing_unseen(sent: Callable[..., Record], name: str, character: str) -> None:
    wrong = broken(sent(**{name: f"{ATTRIBUTES[name]}{character}"}))
    assert (wrong.reason, wrong.path) == ("bad_attribute", name)


@pytest.mark.parametrize("character", UNSEEN.values(), ids=UNSEEN)
def test_ids_of_the_data_hold_nothing_unseen(character: str) -> None:
    for field in ("order_id", "member_id", "subscription_id", "redemption_id"):
        wrong = broken(binary({**ORDER, field: f"A{character}1"}))
        assert (wrong.reason, wrong.path) == ("bad_data", f"data.{field}")
    for field in ("line_id", "sku"):
        wrong = broken(binary({**ORDER, "lines": [{**LINE, field: f"A{character}1"}]}))
        assert (wrong.reason, wrong.path) == ("bad_data", f"data.lines.0.{field}")


def test_every_field_that_is_called_an_id_is_one() -> None:
    for type_, model in EVENT_TYPES.items():
        for name, schema in model.model_json_schema()["properties"].items():
            if name.endswith("_id"):
                assert ID_PATTERN_IN_SCHEMAS in str(schema).replace("\\\\", "\\"), f"{type_}.{name}"


def test_schemas_and_models_refuse_the_same_characters_of_the_first_plane() -> None:
    schema = Draft7Validator({"type": "string", "pattern": ID_PATTERN_IN_SCHEMAS})
    for number in range(0x10000):
        character = chr(number)
        if (kind := category(character)) != "Cs" and kind != "Cn":
            assert schema.is_valid(f"a{character}b") == (kind not in ("Cc", "Cf", "Zl", "Zp")), hex(number)


def test_names_of_people_and_places_stay_ids() -> None:
    for id_ in ("会員-1", "Müller 7", "a\u3000b", "🎉", "ﾊﾝｶｸ", chr(sys.maxunicode - 3)):
        assert isinstance(read(binary({**ORDER, "member_id": id_}, id=id_)), Event)
