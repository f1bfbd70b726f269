"""Events with the signature of their sender."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.events import Event
from contracts.events.signature import ATTRIBUTE, signed_content
from worker.cli.failures import Exit, Failure
from worker.cli.output import to_json
from worker.decode import Broken, Limits, Record, decode

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def signed(events: Path, key: Path) -> Iterator[str]:
    """The events of a file, one a line, each with its signature. Raises Failure for the first line that breaks the contract."""
    private = _private_key(key)
    for number, line in enumerate(events.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        event = decode(Record("", 0, number, 0, None, line, ()), datetime.now(UTC) + timedelta(days=1), Limits())
        if not isinstance(event, Event):
            why = f"{event.reason}: {event.detail}" if isinstance(event, Broken) else f"type {event.type} is not known"
            raise Failure(Exit.USAGE, f"{events}, line {number}: {why}")
        content = signed_content(event.source, event.id, event.type, event.time, event.program, event.body)
        yield to_json({**json.loads(line), ATTRIBUTE: b64encode(private.sign(content)).decode()})


def _private_key(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (TypeError, ValueError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Failure(Exit.USAGE, f"{path}: should be a private key of Ed25519 in PEM, not encrypted")
    return key
