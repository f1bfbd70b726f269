"""Taking steps back: what is kept of a step for it, and the head that comes out, newest step first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from worker.decide.state import Before, Head
from worker.decide.undo_records import Replaced, Splice, Undo

NO_SUMS: Final[dict[str, int]] = {}


def undo_of(before: Before, after: Head) -> Undo:
    """What takes a step back to `before`, given the head as it left it."""
    head = before.head
    return Undo(
        head=replace(head, windows=NO_SUMS, caps=NO_SUMS, deliveries=()),
        lots=before.lots,
        items=tuple(map(Replaced._make, before.items.items())),
        windows=_otherwise(head.windows, after.windows),
        caps=_otherwise(head.caps, after.caps),
        deliveries=_spliced(head.deliveries, after.deliveries),
    )


def head_before(after: Head, undo: Undo) -> Head:
    """The head as it was before a step, given the head as the step left it."""
    deliveries, splice = after.deliveries, undo.deliveries
    if splice is not None:
        deliveries = (*deliveries[: splice.start], *splice.was, *deliveries[splice.stop :])
    windows, caps = _as_it_was(after.windows, undo.windows), _as_it_was(after.caps, undo.caps)
    return replace(undo.head, windows=windows, caps=caps, deliveries=deliveries, contested=after.contested)


def _otherwise(was: dict[str, int], now: dict[str, int]) -> dict[str, int | None]:
    """The sums that were otherwise."""
    found: dict[str, int | None] = {}
    if was is now:
        return found
    for bucket, amount in now.items():
        if was.get(bucket) != amount:
            found[bucket] = was.get(bucket)
    for bucket, amount in was.items():
        if bucket not in now:
            found[bucket] = amount
    return found


def _as_it_was(now: dict[str, int], otherwise: Mapping[str, int | None]) -> dict[str, int]:
    if not otherwise:
        return now
    return {bucket: amount for bucket, amount in {**now, **otherwise}.items() if amount is not None}


def _spliced(was: tuple[str, ...], now: tuple[str, ...]) -> Splice | None:
    """The shortest part in which two tuples differ; None if they do not."""
    if was is now or was == now:
        return None
    shorter = min(len(was), len(now))
    start = 0
    while start < shorter and was[start] == now[start]:
        start += 1
    end = 0
    while end < shorter - start and was[len(was) - 1 - end] == now[len(now) - 1 - end]:
        end += 1
    return Splice(start, len(now) - end, was[start : len(was) - end])
