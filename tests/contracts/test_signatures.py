"""Events that must be signed count only with the signature of this very event, by a key of its source."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.events import Event
from contracts.events.signature import signed_content
from worker.decode import Admission, Broken, Limits, Record, Signatures, Skipped, decode

NOW = datetime(2026, 11, 20, 0, 0, tzinfo=UTC)
DESK, SHOP, OLD = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
DATA = {"points": 500, "member_id": "M1", "reason": "\u8a2b\u3073", "more": {"b": 1, "a": [True]}}
EVENT = {
    "specversion": "1.0",
    "id": "c-1",
    "source": "/support/desk",
    "type": "points.adjusted",
    "time": "2026-11-20T08:59:30.5+09:00",
    "program": "scolar",
}
TOPIC = "loyalty.command"


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def admission(**changes: Any) -> Admission:
    keys = [("/support/*", public(OLD)), ("/support/*", public(DESK)), ("/shop", public(SHOP))]
    return Admission(signatures=Signatures({TOPIC: frozenset({"points.adjusted"})}, keys), **changes)


def signature(event: dict[str, Any] = EVENT, data: Any = DATA, key: Ed25519PrivateKey = DESK) -> str:
    """As a sender signs, in its own words."""
    at = datetime.fromisoformat(event["time"]).astimezone(UTC)
    lines = ["loyalty-signature-1", event["source"], event["id"], event["type"]]
    lines += [f"{at:%Y-%m-%dT%H:%M:%S.%f}Z", event["program"] or ""]
    body = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return b64encode(key.sign("\n".join([*lines, body]).encode())).decode()


def binary(sign: str | None, event: dict[str, Any] = EVENT, data: Any = DATA) -> Record:
    headers = {f"ce_{name}": value for name, value in {**event, "signature": sign}.items() if value is not None}
    sent = tuple((name, value.encode()) for name, value in headers.items())
    return Record(TOPIC, 0, 0, 0, None, json.dumps(data, indent=1).encode(), sent)


def structured(sign: str | None, event: dict[str, Any] = EVENT, data: Any = DATA) -> Record:
    whole = {"data": data, "signature": sign, **event}
    return Record(TOPIC, 0, 0, 0, None, json.dumps(whole).encode(), ())


def told(record: Record, by: Admission | None = None) -> str:
    decoded = decode(record, NOW, Limits(), by or admission())
    assert not isinstance(decoded, Skipped)
    return decoded.reason if isinstance(decoded, Broken) else "taken"


@pytest.mark.parametrize("made", [binary, structured])
def test_whoever_has_no_key_gives_no_points(made: Any) -> None:
    """The attack: a command by somebody who may write to the topic and has no key. Where nothing is asked for, it succeeds."""
    forged = (None, "", "no base64", b64encode(bytes(64)).decode(), signature(key=Ed25519PrivateKey.generate()))
    assert {told(made(each), Admission()) for each in forged} == {"taken"}
    assert [told(made(each)) for each in forged] == ["unsigned"] * 3 + ["bad_signature"] * 2
    assert told(made(signature())) == "taken"


@pytest.mark.parametrize(
    "change",
    [
        {"id": "c-2"},
        {"source": "/support/other"},
        {"time": "2026-11-20T08:59:31+09:00"},
        {"program": "puppy"},
        {"program": None},
    ],
)
@pytest.mark.parametrize("made", [binary, structured])
def test_a_signature_is_that_of_one_event(made: Any, change: dict[str, Any]) -> None:
    assert told(made(signature(), {**EVENT, **change})) == "bad_signature"


@pytest.mark.parametrize("change", [{"points": 501}, {"member_id": "M2"}, {"more": {}}, {"new": None}])
def test_a_signature_is_over_every_field_that_is_sent(change: dict[str, Any]) -> None:
    data = {**DATA, **change}
    assert told(binary(signature(), data=data)) == "bad_signature"
    assert told(structured(signature(), data=data)) == "bad_signature"


def test_a_key_signs_for_its_sources_alone_and_a_source_may_have_several() -> None:
    assert told(binary(signature(key=OLD))) == "taken"
    assert told(binary(signature(key=SHOP))) == "bad_signature"
    shops = {**EVENT, "source": "/shop"}
    assert told(binary(signature(shops, key=SHOP), shops)) == "taken"
    assert told(binary(signature(shops, key=DESK), shops)) == "bad_signature"
    nobodys = {**EVENT, "source": "/elsewhere"}
    assert told(binary(signature(nobodys, key=DESK), nobodys)) == "bad_signature"


def test_however_time_and_data_are_written_the_signature_is_the_same() -> None:
    same = datetime.fromisoformat(EVENT["time"]).astimezone(timezone(timedelta(hours=-5)))
    assert told(structured(signature(), {**EVENT, "time": same.isoformat()}, dict(reversed(DATA.items())))) == "taken"


def test_only_what_is_named_must_be_signed() -> None:
    held = {**EVENT, "type": "points.held"}
    assert told(binary(None, held, {"member_id": "M1", "points": 5, "reason": "x"})) == "taken"
    assert told(binary("x y", held, {"member_id": "M1", "points": 5, "reason": "x"})) == "taken"


def test_what_is_signed_is_the_same_for_ever() -> None:
    """Senders elsewhere compute it too, so no release may change it."""
    decoded = decode(structured(None), NOW, Limits())
    assert isinstance(decoded, Event)
    content = signed_content(decoded.source, decoded.id, decoded.type, decoded.time, decoded.program, decoded.body)
    assert content.decode() == (
        "loyalty-signature-1\n/support/desk\nc-1\npoints.adjusted\n2026-11-19T23:59:30.500000Z\nscolar\n"
        '{"member_id":"M1","more":{"a":[true],"b":1},"points":500,"reason":"\u8a2b\u3073"}'
    )
    assert b64encode(DESK.sign(content)).decode() == signature()
    assert len(b64decode(signature())) == 64
