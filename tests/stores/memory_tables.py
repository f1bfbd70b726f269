"""The rows of the store in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.events import Event
from worker.decide.change import AccountRow, PostedEntry, StoredEntry, StoredStep, nameless
from worker.decide.explain import Posting
from worker.decide.fold import moment_of
from worker.decide.state import FORMAT, Certainty, Decision, Item, ItemKey, Lot, Moment
from worker.persist import (
    CommandName,
    DeadLetter,
    Dossier,
    HeldCommand,
    OutboxRow,
    Partition,
    Position,
    Reading,
    Route,
    Snapshot,
    Terms,
    Total,
)
from worker.persist.chain import BEGINNING, AccountChain, Begun, Chain, ChainedFact, Proof, content_of
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
    proofs: dict[FactKey, Proof] = field(default_factory=dict)
    chain: Chain = BEGINNING
    begun: Begun | None = None
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
    queued_letters: dict[LetterName, datetime] = field(default_factory=dict)
    terms: list[Terms] = field(default_factory=list)
    announced: dict[tuple[UUID, str, str], Decision] = field(default_factory=dict)
    erasures: dict[UUID, tuple[datetime, datetime | None]] = field(default_factory=dict)  # asked, and done, until
    held: dict[CommandName, HeldCommand] = field(default_factory=dict)
    given: dict[Total, int] = field(default_factory=dict)
    leases: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    watermark: datetime | None = None
    certainty: Certainty = field(default_factory=lambda: Certainty(0, 0))
    snapshots: dict[int, Snapshot] = field(default_factory=dict)
    epoch: int = 1
    key_check: bytes | None = None


def dossier_of(
    tables: Tables, account_id: UUID, known_at: datetime | None = None, account: Account | None = None
) -> Dossier:
    """All that is kept of an account, but what was recorded after `known_at`. `account`: its rows, if not those committed."""
    account = account or tables.accounts.get(account_id)
    if account is None:
        return Dossier(None, account_id, (), (), (), {}, {})

    # Lots and items that are kept in another form cannot be read.
    readable = account.row.head.format == FORMAT

    def known(recorded_at: datetime) -> bool:
        return known_at is None or recorded_at <= known_at

    facts = sorted(((fact, at) for at, fact in account.facts.values() if known(at)), key=lambda pair: pair[0].key)
    return Dossier(
        row=account.row,
        account_id=account_id,
        facts=[fact for fact, _ in facts],
        recorded=[at for _, at in facts],
        decisions=[decision for at, decision in account.decisions.values() if known(at)],
        entries=[StoredEntry(posted.moment, posted.entry) for at, posted in account.entries if known(at)],
        lots=dict(account.lots) if readable else {},
        items=dict(account.items) if readable else {},
        postings=[
            Posting(p.version, p.line, at, p.moment, p.entry, p.correction, p.refold) for at, p in account.entries if known(at)
        ],
        lot_names=list(account.lots),
        item_names=list(account.items),
        withdrawn={key: at for key, (at, decision) in account.decisions.items() if decision.withdraws and known(at)},
        announced=[decision for (of, _, _), decision in tables.announced.items() if of == account_id],
        unfolded=frozenset(
            (fact.source, fact.id) for fact, _ in facts if account.row.fenced and moment_of(fact) not in account.steps
        ),
        chain=chain_of(account) if known_at is None else None,
    )


def chain_of(account: Account) -> AccountChain:
    """The chain of an account, with all facts that are kept of it."""
    in_order = sorted(account.facts.items(), key=lambda item: item[1][1].key)
    facts = [ChainedFact(content_of(fact), account.proofs[key], at) for key, (at, fact) in in_order]
    erased = account.row.member_id == nameless(account.row.account_id)
    return AccountChain(account.chain, facts, account.begun, erased=erased)
