"""What goes into a store and comes out of it besides accounts: positions, routes, leases, messages, dead letters, terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from hashlib import blake2b
from typing import NamedTuple, Protocol
from uuid import UUID

from contracts.events import Event
from worker.decide.change import AccountRow, StoredEntry
from worker.decide.explain import Posting
from worker.decide.state import Certainty, Decision, Item, ItemKey, Lot
from worker.decode import Record
from worker.persist.chain import AccountChain, Begun

Partition = tuple[str, int]
"""Topic and partition number."""
Headers = tuple[tuple[str, bytes | None], ...]
"""Headers of a Kafka record; a name may be there more than once."""


class Move(Protocol):
    """A step of a position: from `from_offset` (None: the partition has no position yet) to `next_offset`.

    `digest` names the last record before `next_offset` (empty: none was read), `record_time` is that record's own time.
    """

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def from_offset(self) -> int | None: ...
    @property
    def next_offset(self) -> int: ...
    @property
    def digest(self) -> bytes: ...
    @property
    def record_time(self) -> datetime | None: ...


class Progress(Protocol):
    """What the worker that has a partition says of it.

    `settled_offset` is the position as it knows it (None: there is none); what others say who lost the partition, or have not
    yet seen it move, is passed over. `oldest_time`: record time of the oldest record still to be read past.
    """

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def settled_offset(self) -> int | None: ...
    @property
    def at_end(self) -> bool: ...
    @property
    def oldest_time(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Position:
    """How far a partition has been read into the ledger: the first offset not yet read, and digest and time of the last record
    before it. `updated_at` is by the clock of the database."""

    topic: str
    partition: int
    next_offset: int
    digest: bytes
    record_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """What a partition has yet to read, as last reported; `reported_at` is by the clock of the database."""

    topic: str
    partition: int
    reported_at: datetime
    at_end: bool
    oldest_time: datetime | None


Ends = Mapping[Partition, int | None]
"""Of partitions the offset after their last record, as Kafka said; None: it did not say."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The ends of all partitions of the topics that are read; `taken_at`, after they were listed, is by the clock of the
    database."""

    number: int
    taken_at: datetime
    ends: Ends


@dataclass(frozen=True, slots=True)
class Snapshots:
    """How far the topics have been read, and what is not passed yet. `open`: by number, those that positions have not all
    reached.

    `waited_for`: a redemption waits to know more. `now`: the clock of the database.
    """

    certainty: Certainty
    open: Sequence[Snapshot]
    waited_for: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class Route:
    """Who placed an order: program → accounts, in the order in which they came. None: a guest, or (program "") a store outside
    every program.

    No programs at all: something was heard about the order, but the order itself has not come.
    """

    order_id: str
    accounts: Mapping[str, tuple[UUID | None, ...]] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether the order itself has come."""
        return bool(self.accounts)

    @property
    def of_nobody(self) -> bool:
        """Whether an order has come, and only of guests and of stores outside every program."""
        return self.known and not self.members

    @property
    def members(self) -> list[UUID]:
        """The accounts that placed it, of all programs."""
        return [account for accounts in self.accounts.values() for account in accounts if account is not None]


@dataclass(frozen=True, slots=True)
class Arrival:
    """An order that has come: the program it belongs to ("" = none) and the account (None = a guest, or no program). A guest's is
    noted only where it is the first of its program."""

    order_id: str
    program: str
    account_id: UUID | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that broke the contract and why. `detail` holds no personal data and nothing of the payload; `path` names the
    field at fault where there is one. `source`: who sent it as it says itself, where that could be read; it is not kept."""

    record: Record
    reason: str
    detail: str
    path: str | None = None
    source: str | None = None


CommandName = tuple[UUID, str, str]
"""Account, source and id."""


class Total(NamedTuple):
    """What commands give on a day (UTC), together: `scope` says of what, `of` of which."""

    day: date
    scope: str
    of: UUID


@dataclass(frozen=True, slots=True)
class CommandVerdict:
    """What a person said of a held command: `given_by` as they call themselves, `login` as the database knows them."""

    verdict: str
    given_by: str
    login: str
    reason: str
    given_at: datetime
    applied_at: datetime | None


@dataclass(frozen=True, slots=True)
class HeldCommand:
    """A command above a ceiling. `program`: that of the account. `operator`: whose it is, as it says itself (empty: it does not).

    `points`: what it would give; `ceiling`: which one it is above.
    """

    account_id: UUID
    program: str
    event: Event
    operator: str = ""
    points: int = 0
    ceiling: str = ""
    held_at: datetime | None = None
    verdict: CommandVerdict | None = None

    @property
    def name(self) -> CommandName:
        """What it is kept under, as a fact is."""
        return (self.account_id, self.event.source, self.event.id)

    @property
    def short_name(self) -> str:
        """16 hexadecimal digits, for people."""
        source = self.event.source.encode()
        text = self.account_id.bytes + len(source).to_bytes(4, "big") + source + self.event.id.encode()
        return blake2b(text, digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Dead letters of one reason that wait to be published: how many (a flood is counted up to a bound), and for how many
    seconds the oldest has waited."""

    reason: str
    letters: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Due:
    """An account that the clock has to look at, and since when."""

    account_id: UUID
    due_at: datetime


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message to publish, named by (account_id, version, ordinal). `headers` are complete and in Kafka's form."""

    account_id: UUID
    version: int
    ordinal: int
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ParkedSince:
    """An order that events wait for, how many they are, and since when the oldest waits."""

    order_id: str
    events: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """One registered version of a program's terms. `hash` is its name, `body` what was registered, byte for byte; it begins at
    an instant, which is the day `effective_from` by its own offset.

    `applied_by`, `approved_by`: logins of the database. `file_digest`: SHA-256 of the file. `needs_approval`: it was dated back.
    """

    program: str
    hash: bytes
    effective_from: date
    begins_at: datetime
    body: bytes
    file_digest: bytes
    reason: str
    applied_at: datetime
    applied_by: str
    needs_approval: bool
    approved_at: datetime | None = None
    approved_by: str | None = None

    @property
    def counts_since(self) -> datetime | None:
        """Since when workers go by it; None: it waits for its approval."""
        return self.approved_at if self.needs_approval else self.applied_at


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure did: which account goes on without a name, whose it was, and whether anything is left that is of later."""

    nameless: UUID
    member_id: str
    goes_on: bool


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is kept of one account, read in one snapshot; `facts` in business order, `entries` as posted.

    `recorded`: when each of the facts was recorded, in their order; `postings`: the entries with all that a row says of them.
    `lots` and `items` are empty where the account is kept in another form; `lot_names` and `item_names` say all the same which
    there are. `announced`: verdicts read back after a restore, whether their facts have come again or not. `unfolded`: the facts
    that came while the account was fenced, by source and id: nothing was posted for them yet. `withdrawn`: facts that do not
    count (their decisions are among the others), and since when. `unreadable`: which fact, verdict or entry cannot be read,
    `torn`: which row of the snapshot that follows from them; it is left out. `chain`: what the facts are checked with (None: they
    are those of an earlier moment).
    """

    row: AccountRow | None
    account_id: UUID
    facts: Sequence[Event]
    decisions: Sequence[Decision]
    entries: Sequence[StoredEntry]
    lots: Mapping[str, Lot]
    items: Mapping[ItemKey, Item]
    recorded: Sequence[datetime] = ()
    postings: Sequence[Posting] = ()
    lot_names: Sequence[str] = ()
    item_names: Sequence[ItemKey] = ()
    announced: Sequence[Decision] = ()
    unfolded: frozenset[tuple[str, str]] = frozenset()
    withdrawn: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    unreadable: str | None = None
    torn: str | None = None
    chain: AccountChain | None = None

    @property
    def fault(self) -> str | None:
        """Which row cannot be read, of either kind; None if all can."""
        return self.unreadable or self.torn

    @property
    def unproven(self) -> bool:
        """Whether facts were written by hand, changed or removed since they were committed."""
        return self.chain is not None and any(True for _ in self.chain.faults())

    def begun(self, begun: Begun) -> Dossier:
        """The same with a chain that begins anew."""
        assert self.chain is not None
        return replace(self, chain=replace(self.chain, chain=begun.chain, begun=begun))


@dataclass(frozen=True, slots=True)
class Violation:
    """A row that breaks an invariant: which one, whose, and the numbers that disagree, for an operator to read."""

    invariant: str
    account_id: UUID | None
    detail: str


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The epoch that published versions belong to (raised when a backup is restored), and the database's clock."""

    epoch: int
    now: datetime
