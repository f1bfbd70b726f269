"""What is kept of records of Kafka, to be held against what Kafka has. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contracts.events import Origin
from worker.decide.change import nameless
from worker.persist.accounts import columns
from worker.persist.encoding import origin_of
from worker.persist.link import Link

FactName = tuple[UUID, str, str]
"""Account, source and id."""
FIRST: Final[FactName] = (UUID(int=0), "", "")
"""Before the name of every fact."""


@dataclass(frozen=True, slots=True)
class KeptFact:
    """What is kept of a fact. `origin` None: it came in no record, or its person was forgotten."""

    digest: bytes
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class FactOrigin:
    """A fact and the record that it says it came in. `forgotten`: its person was, and the record with them."""

    name: FactName
    type: str
    origin: Origin | None
    forgotten: bool


async def kept_facts(link: Link, names: Collection[FactName]) -> Mapping[FactName, KeptFact]:
    """Those of the facts that are kept."""
    rows = await link.fetch("kept_facts", *columns(sorted(names))) if names else ()
    return {(row["account_id"], row["source"], row["id"]): KeptFact(row["digest"], origin_of(row)) for row in rows}


async def letters_at(link: Link, origins: Collection[Origin]) -> set[Origin]:
    """Those of the records that became dead letters."""
    rows = await link.fetch("letters_at", *columns(sorted(origins))) if origins else ()
    return {Origin(row["topic"], row["partition"], row["record_offset"]) for row in rows}


async def parked_of(link: Link, names: Collection[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Those of the events (order id, source, id) that wait for their order."""
    rows = await link.fetch("parked_digests", *columns(sorted(names))) if names else ()
    return {(row["order_id"], row["source"], row["id"]) for row in rows}


async def origins_after(link: Link, after: FactName, limit: int) -> Sequence[FactOrigin]:
    """The facts after one, by name."""
    return [
        FactOrigin(
            (row["account_id"], row["source"], row["id"]),
            row["type"],
            origin_of(row),
            row["member_id"] == nameless(row["account_id"]),
        )
        for row in await link.fetch("origins_after", *after, limit)
    ]
