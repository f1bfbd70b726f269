"""The rows of the store in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.events import Event
from worker.decide.change import AccountRow, PostedEntry, StoredStep
from worker.decide.state import Decision, Item, ItemKey, Lot, Moment
from worker.persist import DeadLetter, OutboxRow, Partition, Position, Reading, Route, Terms
from worker.persist.dead_letters import LetterName

ParkedKey = tuple[str, str, str]
"""Order, source and id."""
FactKey = tuple[str, str]
"""Source and id."""


@dataclass(slots=True)
class Account:
    """All rows of one account. Facts, decisions and entries carry the time they were recorded."""

    row: AccountRow
    facts: dict[FactKey, tuple[datetime, Event]] = field(default_factory=dict)
    decisions: dict[FactKey, tuple[datetime, Decision]] = field(default_factory=dict)
    entries: list[tuple[datetime, PostedEntry]] = field(default_factory=list)
    lots: dict[str, Lot] = field(default_factory=dict)
    items: dict[ItemKey, Item] = field(default_factory=dict)
    steps: dict[Moment, StoredStep] = field(default_factory=dict)


@dataclass(slots=True)
class Tables:
    """What is committed."""

    accounts: dict[UUID, Account] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)
    parked: dict[ParkedKey, tuple[datetime, Event]] = field(default_factory=dict)
    positions: dict[Partition, Position] = field(default_factory=dict)
    readings: dict[Partition, Reading] = field(default_factory=dict)
    outbox: dict[tuple[UUID, int, int], OutboxRow] = field(default_factory=dict)
    dead_letters: dict[LetterName, DeadLetter] = field(default_factory=dict)
    terms: dict[tuple[str, bytes], Terms] = field(default_factory=dict)
    leases: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    watermark: datetime | None = None
    epoch: int = 1
    key_check: bytes | None = None
