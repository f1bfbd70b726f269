"""The topic that a record belongs to, for tests that hand records to a pipeline themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from contracts.events import TOPIC_OF
from worker.decode import Admission
from worker.decode.record import TOPICS

COMMANDS: Final = "loyalty.command"
WITH_OPENINGS: Final = Admission({**TOPICS, COMMANDS: TOPICS[COMMANDS] | {"balance.opened"}}, points_max=10**18)
"""What topics and the command line bring, for histories that hold both, of whatever amounts."""


TOPIC_OF_ALL: Final = {**TOPIC_OF, "balance.opened": COMMANDS}
"""Type → where such histories have it from."""


def topic_of(value: bytes | None, headers: Sequence[tuple[str, bytes | None]] = ()) -> str:
    """The topic of the type that a record names, in either mode; that of orders where it names none that is known."""
    named = dict(headers).get("ce_type")
    if named is None:
        try:
            told = json.loads(value or b"")
        except ValueError:
            told = None
        named = str(told.get("type")).encode() if isinstance(told, dict) else b""
    type_ = named.decode(errors="replace")
    return TOPIC_OF_ALL.get(type_, "commerce.order")
