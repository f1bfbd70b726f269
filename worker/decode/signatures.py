"""Whether an event was signed by who may: Ed25519 with a key that is bound to its source."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from contracts.events import Event
from contracts.events.signature import ATTRIBUTE, signed_content
from worker.decode.record import Broken

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Signatures:
    """Which events must be signed, and by whom.

    `needed`: topic on this cluster → the types that count on it only if they are signed. `keys`: of each sender, a pattern of
    sources (`*`, `?`, `[…]`) and a public key of 32 bytes; a source may have several, so that keys can change.
    """

    def __init__(self, needed: Mapping[str, frozenset[str]], keys: Sequence[tuple[str, bytes]]) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        self._needed = needed
        self._keys: list[tuple[str, Ed25519PublicKey]] = [
            (pattern, Ed25519PublicKey.from_public_bytes(key)) for pattern, key in keys
        ]

    def refusal(self, event: Event, signature: str | None, topic: str) -> Broken | None:
        """Why an event does not count, by its signature; None if it does."""
        if event.type not in self._needed.get(topic, frozenset()):
            return None
        if signature is None:
            return Broken("unsigned", "signature should be there, is missing or no text of base64", ATTRIBUTE)
        if not self._is_of(event, signature):
            wrong = "signature should be that of this event by a key of its source, is not"
            return Broken("bad_signature", wrong, ATTRIBUTE)
        return None

    def _is_of(self, event: Event, signature: str) -> bool:
        from cryptography.exceptions import InvalidSignature

        try:
            signed = b64decode(signature, validate=True)
        except ValueError:
            return False
        content = signed_content(event.source, event.id, event.type, event.time, event.program, event.body)
        for pattern, key in self._keys:
            if fnmatchcase(event.source, pattern):
                try:
                    key.verify(signed, content)
                except InvalidSignature:
                    continue
                return True
        return False
