"""What goes into the fold for one account and what comes out of it: the whole interface between `decide` and a store.

A store gives `Loaded` (and, for a fact that comes late, `History`); the fold answers with one `AccountChange`, which the
store writes in one transaction under the account's revision, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from msgspec import Struct, field

from contracts.events import Event
from worker.decide.state import FOLD_VERSION, Decision, Entry, Head, Item, ItemKey, Lot, Moment
from worker.decide.undo_records import Undo

OutTopic = Literal[
    "loyalty.balance-changed",
    "loyalty.tier-changed",
    "loyalty.redemption-decided",
    "loyalty.points-expiring",
    "loyalty.tier-expiring",
    "loyalty.voucher-issued",
]

FORGOTTEN: Final = ""
"""Member id of a row that an erasure left behind: nothing is known of it but that there was somebody."""


NAMELESS: Final = "erased:"


def nameless(account_id: UUID) -> str:
    """The member id of an account that goes on after its person was forgotten."""
    return f"{NAMELESS}{account_id}"


class AccountRow(Struct, frozen=True):
    """The head row of one account. `revision` guards writes, `version` is the public counter, `epoch` the restore's.

    `forgotten_until`: the end of the life before this one, which goes on without a name (None: this is the first)."""

    account_id: UUID
    program: str
    member_id: str
    revision: int
    version: int
    epoch: int
    head: Head
    fenced: str | None = None  # why the account takes no facts for now
    forgotten_until: datetime | None = None


class Needs(Struct, frozen=True):
    """Rows of one account: items by name; all lots, open or not, of grants by their origin; `all_open`: every open lot and every
    item with something due as well; `complete`: everything that there is.

    What is asked for of a store, and said of what was loaded: a row that belongs to it and is not at hand is not there.
    """

    items: frozenset[ItemKey] = frozenset()
    origins: frozenset[str] = frozenset()
    all_open: bool = False
    complete: bool = False

    def joined(self, other: Needs) -> Needs:
        """Both together."""
        return Needs(
            self.items | other.items,
            self.origins | other.origins,
            self.all_open or other.all_open,
            self.complete or other.complete,
        )


NOTHING: Final = Needs()
EVERYTHING: Final = Needs(all_open=True, complete=True)


class Wanted(Struct, frozen=True):
    """What to load for one account. `seen`: identities of incoming facts, to find duplicates.

    A store loads no account completely in passing: that is what dossiers are for.
    """

    account_id: UUID
    seen: tuple[tuple[str, str], ...] = ()
    needs: Needs = NOTHING


class Loaded(Struct):
    """An account as it stands. `row` is None for an account that is not there yet.

    `needs`: the rows that it was loaded for. Whoever loads says it, so that nobody takes for absent what was never looked for.
    `seen` holds the digest of each asked-for fact that is stored already, `seen_types` its type; `lots` by lot name; `items` by
    (kind, key). `announced`: verdicts that the world was told before the database was restored to an earlier moment.
    `unreadable`: which row could not be read, so that nothing can be gone on from (None: all could).
    """

    row: AccountRow | None
    needs: Needs = NOTHING
    seen: Mapping[tuple[str, str], bytes] = field(default_factory=dict)
    seen_types: Mapping[tuple[str, str], str] = field(default_factory=dict)
    lots: dict[str, Lot] = field(default_factory=dict)
    items: dict[ItemKey, Item] = field(default_factory=dict)
    announced: Sequence[Decision] = ()
    unreadable: str | None = None


class StoredStep(Struct, frozen=True):
    """What was written about one applied fact or clock instant: its moment, the version first posted with, how to undo.

    `version`: entries about the moment that do not cancel each other out were posted under it or later. Of a step that posts
    nothing it is the next one: under the present one a moment that is gone may have been taken back, and whoever folds again
    finds of such a moment both what was posted and what took it back, or neither.
    """

    moment: Moment
    version: int
    before: Undo


class StoredEntry(Struct, frozen=True):
    """An entry of the ledger with the moment it belongs to (its business time and cause), for taking the difference."""

    moment: Moment
    entry: Entry


class History(Struct, frozen=True):
    """Everything of one account from a moment on (`since`, inclusive): steps newest first, facts in business order, entries.

    `facts` are those already applied at or after the moment; `decisions` the recorded verdicts about them; `entries` all
    that was ever posted for moments at or after it, corrections included. `unreadable`: as of what is loaded.
    """

    steps: Sequence[StoredStep]
    facts: Sequence[Event]
    decisions: Sequence[Decision]
    entries: Sequence[StoredEntry]
    since: Moment
    unreadable: str | None = None


class PostedEntry(Struct, frozen=True):
    """One row of the ledger. `version` and `line` name it; `moment` is the business time and cause it belongs to.

    `source_after` and `target_after` are the balances of the two buckets after it (the outside buckets count from the
    account's beginning as far as the head knows them, else None). `correction`: posted because a fact came late, or by a refold.
    `refold`: the version of the fold by which a refold posted it. Its entry keeps the reason of the movement that it corrects.
    """

    version: int
    line: int
    moment: Moment
    entry: Entry
    source_after: int | None
    target_after: int | None
    correction: bool
    refold: int | None = None


class Refold(Struct, frozen=True):
    """Why numbers move though no fact came: somebody had the ledger folded anew. `run`: the name of that, in messages and log."""

    run: str
    fold: int = FOLD_VERSION


class Message(Struct, frozen=True):
    """One event to publish: the account's `version` it belongs to, its place among that version's messages, its JSON data."""

    version: int
    ordinal: int
    topic: OutTopic
    key: str
    data: bytes
    effective_at: datetime
    traceparent: str | None = None


class AccountChange(Struct):
    """One account's share of a batch, to be written under `expected_revision` (0 = the account must not exist yet).

    `late`: how many of the facts came after something later had been folded. `undone_from`: steps at or after this moment are
    deleted before `steps` are written. `lots` and `items` carry the row as it is to be, None = gone; `new_lots` and `new_items`
    name those of which it is certain that they are not there yet. `recorded_at` comes from the store's own clock.
    """

    account_id: UUID
    program: str
    member_id: str
    expected_revision: int
    version: int
    epoch: int
    head: Head
    facts: list[Event] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    entries: list[PostedEntry] = field(default_factory=list)
    lots: dict[str, Lot | None] = field(default_factory=dict)
    items: dict[ItemKey, Item | None] = field(default_factory=dict)
    new_lots: list[str] = field(default_factory=list)
    new_items: list[ItemKey] = field(default_factory=list)
    steps: list[StoredStep] = field(default_factory=list)
    undone_from: Moment | None = None
    late: int = 0
    messages: list[Message] = field(default_factory=list)
    fenced: str | None = None
