"""Two heads of one account beside each other: what may differ between them though both are right."""

from __future__ import annotations

from typing import Any, Final

from worker.decide import tiers
from worker.decide.program import Program
from worker.decide.state import Head

LOOKS_AHEAD: Final = frozenset({"clock_due_at", "next_due_at"})
"""When to look again may be kept earlier than need be; never later."""


def comparable(program: Program | None, head: Head) -> dict[str, Any]:
    """The fields of a head by name. Amounts that no window reaches any more may have been dropped from one and not yet from the
    other, so they are left out; a head of an unknown program is taken as it is."""
    fields = {name: getattr(head, name) for name in head.__struct_fields__}
    if program is not None and head.last is not None:
        version = program.at(head.last.at)
        if version.terms.tiers is not None:
            fields["windows"] = tiers.reachable(version, version.terms.tiers, head.windows, head.last.at)
    return fields
