"""Settings against a thief among those who may send commands: how much they give, and whose signature they need."""

from __future__ import annotations

from base64 import b64decode
from importlib.util import find_spec
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from contracts.events import TOPIC_OF, TOPICS_IN
from worker.settings.groups import Group

_ED25519: Final = bytes.fromhex("302a300506032b6570032100")
"""What a public key of Ed25519 begins with as SubjectPublicKeyInfo (RFC 8410)."""


def _ceiling(what: str) -> Any:
    meaning = f"points that {what} before another person has to approve more; unset: any number, 0 to 1,000,000,000,000"
    return Field(None, ge=0, le=10**12, description=meaning)


class CeilingsSettings(Group):
    """What commands may give without a second person; what is above is held."""

    command_points: int | None = _ceiling("one command may give")
    member_points_per_day: int | None = _ceiling("commands may give one member on a day (UTC)")
    operator_points_per_day: int | None = _ceiling(
        "commands that name one operator (or come from one source and name none) may give on a day (UTC) in one program"
    )
    program_points_per_day: int | None = _ceiling("all commands together may give on a day (UTC) in one program")


class SignaturesSettings(Group):
    """Events that count only if they are signed."""

    needed: Annotated[
        str,
        Field(
            pattern=r"^([a-z.-]+(,[a-z.-]+)*)?$",
            description="what must be signed: topics of the contract, or types of events, several with commas",
        ),
    ] = ""
    keys: Annotated[
        str,
        Field(
            description="senders' public keys, one a line: a pattern of sources (`*`, `?`), a space, and the key as the line that"
            " `openssl pkey -pubout` prints for Ed25519; better as a file"
        ),
    ] = ""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        unknown = sorted({each for each in self.needed.split(",") if each} - {*TOPICS_IN, *TOPIC_OF})
        if unknown:
            raise ValueError(f"needed names {', '.join(unknown)}; topics that are read are {', '.join(TOPICS_IN)}")
        keys = self.public_keys()
        if self.needed and not keys:
            raise ValueError("needed is set: keys must say who signs")
        if self.needed and find_spec("cryptography") is None:
            raise ValueError("needed is set: cryptography is not installed: pip install 'loyalty-points[signatures]'")
        return self

    def types_by_topic(self) -> dict[str, frozenset[str]]:
        """Topic of the contract → the types on it that must be signed; only topics that have some."""
        needed = set(self.needed.split(","))
        found = {topic: frozenset(t for t in types if topic in needed or t in needed) for topic, types in TOPICS_IN.items()}
        return {topic: types for topic, types in found.items() if types}

    def public_keys(self) -> tuple[tuple[str, bytes], ...]:
        """Patterns of sources with a public key of 32 bytes each. Raises ValueError with the number of a line that is none."""
        found = []
        for number, line in enumerate(self.keys.splitlines(), 1):
            parts = line.split("#", 1)[0].split()
            if not parts:
                continue
            try:
                der = b64decode(parts[1], validate=True)
            except (IndexError, ValueError):
                der = b""
            if len(parts) != 2 or not der.startswith(_ED25519) or len(der) != len(_ED25519) + 32:
                raise ValueError(f"keys, line {number}: should be a pattern of sources, a space, and a public key of Ed25519")
            found.append((parts[0], der.removeprefix(_ED25519)))
        return tuple(found)
