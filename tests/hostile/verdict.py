"""What must hold of every record, whatever is in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from time import thread_time
from typing import Final, Literal, get_args

from contracts.events import EVENT_TYPES, Event
from contracts.generate import ROOT
from tests.hostile.folding import check_stored
from tests.hostile.records import CANARY
from worker.decode import Broken, Limits, Reason, Record, Skipped, decode

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LIMITS: Final = Limits()
RECORD_SECONDS_MAX: Final = 1.0
DETAIL_CHARACTERS_MAX: Final = 300
_REASONS: Final = frozenset(get_args(Reason)) - {"decoder_failed"}
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_LIBRARIES: Final = """
JSON is malformed: invalid character, number, sequence in unicode escape; trailing comma in array or object, trailing characters;
truncated, expected, unexpected end of escaped utf-16 surrogate pair, byte.
Input should be greater or less than or equal to, have at least, at most items, characters, character, item, after validation, not
valid.
"""
"""Words of msgspec and pydantic."""
Kind = Literal["event", "skipped", "broken"]


class Wrong(AssertionError):
    """A record for which something that must hold does not."""


@lru_cache(maxsize=1)
def vocabulary() -> frozenset[str]:
    """Every word that a detail may hold: those of our own code and contract, of pydantic's sentences and msgspec's."""
    sources = [*(ROOT.parent / "worker" / "decode").glob("*.py"), *(ROOT / "events").glob("*.py")]
    texts = [*(path.read_text() for path in sources), _LIBRARIES]
    return frozenset(word for text in texts for word in _WORD.findall(text.lower().replace("_", " ")))


def judge(record: Record) -> tuple[Kind, float]:
    """What the record is, and the processor seconds that it took. Raises Wrong."""
    started = thread_time()
    try:
        outcome = decode(record, NOW, LIMITS)
    except BaseException as error:
        raise Wrong(f"decode raised {error!r}") from error
    seconds = thread_time() - started
    if seconds > RECORD_SECONDS_MAX:
        raise Wrong(f"took {seconds:.2f} s")
    if isinstance(outcome, Event):
        _judge_event(outcome)
        return "event", seconds
    if isinstance(outcome, Skipped):
        if outcome.type in EVENT_TYPES or len(outcome.type) > 200:
            raise Wrong("skipped what is known, or has no end")
        return "skipped", seconds
    _judge_broken(outcome)
    return "broken", seconds


def _judge_event(event: Event) -> None:
    for text in (event.id, event.source, event.program, event.subject):
        if text is not None and not 1 <= len(text) <= 200:
            raise Wrong("an attribute without bound")
    if event.time.tzinfo is not UTC or not datetime(1970, 1, 1, tzinfo=UTC) <= event.time:
        raise Wrong(f"a time of {event.time}")
    try:
        check_stored(event)
    except Exception as error:
        raise Wrong(f"an event that was accepted is not what is stored: {error!r}") from error


def _judge_broken(broken: object) -> None:
    if not isinstance(broken, Broken):
        raise Wrong(f"neither event, skipped nor broken: {type(broken)}")
    if broken.reason not in _REASONS:
        raise Wrong(f"{broken.reason}: {broken.detail}")
    if CANARY in broken.detail or len(broken.detail) > DETAIL_CHARACTERS_MAX:
        raise Wrong(f"the detail holds what was sent, or has no end: {broken.detail[:400]}")
    strange = set(_WORD.findall(broken.detail.lower().replace("_", " "))) - vocabulary()
    if strange:
        raise Wrong(f"the detail holds words that are not ours, {sorted(strange)[:5]}: {broken.detail[:400]}")
