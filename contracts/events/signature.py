"""What a sender signs: the attribute `signature` is Ed25519 (RFC 8032) over these bytes, in base64 (RFC 4648, with padding).

It is over what an event says and not over how it was written: attributes by their values, `time` in UTC with six digits of the
second, data as canonical JSON (keys sorted by code point, no spaces, UTF-8, every field that is sent). So it is the same in
binary and in structured mode, and however a client writes its JSON.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

ATTRIBUTE: Final = "signature"
PREAMBLE: Final = "loyalty-signature-1"
"""So that no key signs the same bytes for anything else."""


def signed_content(source: str, id_: str, type_: str, time: datetime, program: str | None, body: bytes) -> bytes:
    """The bytes that are signed: a line each for the preamble, source, id, type, time and program (empty: none), then the data.

    No attribute holds a line feed, so the parts cannot run into each other. `time` must have an offset.
    """
    instant = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return "\n".join((PREAMBLE, source, id_, type_, instant, program or "", "")).encode() + body
