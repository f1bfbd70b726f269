"""Two heads of one account beside each other: what may differ between them though both are right."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from worker.decide import tiers
from worker.decide.program import Program
from worker.decide.state import Head

LOOKS_AHEAD: Final = frozenset({"clock_due_at", "next_due_at"})
"""When to look again may be kept earlier than need be; never later."""


def comparable(program: Program | None, head: Head) -> dict[str, Any]:
    """The fields of a head by name, without what is not of the fold (`contested`) or may differ though it gives the same
    (`fold`), without open orders, which a head that was written before they were kept does not have, and without amounts that
    no window reaches any more (if its program is known), which may have been dropped from one head only."""
    fields = {name: getattr(head, name) for name in head.__struct_fields__ if name not in ("fold", "contested")}
    if head.tier is not None:
        fields["tier"] = replace(head.tier, open_orders=())
    if program is not None and head.last is not None:
        version = program.at(head.last.at)
        if version.terms.tiers is not None:
            fields["windows"] = tiers.reachable(version, version.terms.tiers, head.windows, head.last.at)
    return fields
