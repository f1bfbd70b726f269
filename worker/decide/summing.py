"""Announcements of bounded size: where the entries of one version are too many to be told each, sums of them are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from contracts.events.outbound import VARIOUS

EntryOut = Mapping[str, Any]
"""An entry as it is announced: fields by their public names."""

SUMMED_BY: Final = (
    ("reason", "from", "to", "rule", "kind", "expires_on"),
    ("reason", "from", "to", "rule"),
    ("reason", "from", "to"),
)
"""What the entries of one sum share, from the finest to the coarsest: of the last there are not more than reasons and buckets
allow, and the pay days of the past."""
_ALWAYS: Final = ("effective_at", "corrects", "fold")
"""Whoever restores a database reads back when money was paid out, and what a refold paid out otherwise."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def forms(entries: Sequence[EntryOut]) -> Iterator[dict[str, Any]]:
    """The parts of an announcement that tell its entries, each form shorter than the one before: as they are, then summed."""
    yield {"entries": entries}
    for by in SUMMED_BY:
        yield {"entries": _sums(entries, by), "summed": {"entries": len(entries), "by": by}}


def in_short(data: bytes) -> bytes:
    """An announcement in its shortest form, for a topic that does not take it as it is."""
    told = _decode(data)
    of = told["summed"]["entries"] if "summed" in told else len(told["entries"])
    by = SUMMED_BY[-1]
    return _encode({**told, "entries": _sums(told["entries"], by), "summed": {"entries": of, "by": by}})


def _sums(entries: Sequence[EntryOut], by: Sequence[str]) -> list[dict[str, Any]]:
    """One entry for all that agree in `by`, in the order in which the first of each comes."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    kept = (*by, *_ALWAYS)
    for entry in entries:
        key = tuple([entry.get(name) for name in kept])
        total = sums.get(key)
        if total is None:
            first = {name: value for name, value in entry.items() if name in kept or name in ("points", "rule")}
            sums[key] = first
            continue
        total["points"] += entry["points"]
        if total["rule"] != entry["rule"]:
            total["rule"] = VARIOUS
    return list(sums.values())
