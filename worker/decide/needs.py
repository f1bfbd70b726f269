"""What facts need loaded, told from the facts alone: a first guess that is right nearly always.

If it is not, the fold raises NotLoaded and says what else it needs.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.events import Event, OrderPlaced
from worker.decide import tallies, voiding, vouchers
from worker.decide.change import Needs
from worker.decide.fact_types import FACT_TYPES
from worker.decide.program import Program
from worker.decide.state import ItemKey, cause_of

ROUNDS_MAX = 500
"""Every round loads what the one before found missing, nearly always all of it; more than this is a defect."""


def needs(facts: Iterable[Event], program: Program | None = None) -> Needs:
    """What folding these facts of one account needs loaded besides its head.

    `program`: whose they are, where it is known: some terms ask for more.
    """
    items: set[ItemKey] = set()
    origins: set[str] = set()
    all_open = False
    for fact in facts:
        order_id, of_type = fact.order_id, FACT_TYPES[type(fact.data)]
        if order_id is not None:
            items.add(("order", order_id))
            origins.add(f"order:{order_id}")
            if program is not None and program.gives_vouchers_back:
                items.add(("earmark", vouchers.on_order(order_id)))
        if isinstance(fact.data, OrderPlaced) and program is not None:
            items.update(("tally", name) for name in tallies.names_at(program.at(fact.time), fact.time))
        items.update(of_type.items(fact.data, None if program is None else program.at(fact.time)))
        if of_type.grants:
            items.add(("early", voiding.name_of(cause_of(fact.source, fact.id))))
        all_open = all_open or of_type.all_open(fact.data)
    return Needs(frozenset(items), frozenset(origins), all_open)
