"""What a store does for the worker: two protocols that Postgres and the store of the tests both keep.

Order of a batch: `move_positions` first (a worker that lost its partitions finds out before it works), `certainty`, `routes` and
`claim`, `load`, the fold, `compare_and_set`; accounts that lost are loaded, folded and set once more, which cannot lose; then
`write` once. Every call is one statement or a few, never one per row, and none at all for an empty argument.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from contracts.events import Event
from worker.decide.change import AccountChange, History, Loaded, Wanted
from worker.decide.state import Certainty, Decision, Moment
from worker.persist.chain import Begun
from worker.persist.rows import (
    Arrival,
    CommandName,
    DeadLetter,
    Dossier,
    Due,
    Ends,
    Erasure,
    HeldCommand,
    LedgerState,
    Move,
    OutboxRow,
    ParkedSince,
    Partition,
    Position,
    Progress,
    Reading,
    Route,
    Snapshots,
    Terms,
    Total,
    Violation,
    Waiting,
)


class Batch(Protocol):
    """One transaction: all of it is kept, or nothing."""

    async def move_positions(self, moves: Sequence[Move]) -> datetime | None:
        """Moves the positions of partitions by compare-and-set, one move per partition; returns the watermark.

        Raises PositionLostError naming every partition that does not stand at `from_offset`; the batch must then be given up.
        None is returned while there is no watermark yet, or if there are no moves.
        """

    async def certainty(self) -> Certainty:
        """How far the topics have been read. To be asked before `load`: then what is loaded holds all that was read so far, and
        what begins to wait in this batch waits for ends that are listed after it was read."""

    async def routes(self, order_ids: Iterable[str]) -> dict[str, Route]:
        """Whose these orders are, as far as anything is known about them. Locks nothing."""

    async def claim(self, arrivals: Sequence[Arrival], awaited: Iterable[str]) -> dict[str, Route]:
        """Locks the routes of these orders until the batch ends, writes the arrivals, and returns all of the routes.

        `arrivals`: orders that came, each noted beside those that came before under its id.
        `awaited`: orders about which something came before they did; a route that is `known` now needs no parking.
        Both sides must claim before they park or take what is parked: this is what keeps one from missing the other.
        """

    async def nameless(self, orders: Iterable[tuple[UUID, str]]) -> dict[UUID, list[Event]]:
        """Facts of accounts that follow these orders (account, order id) and name no program, in business order; without those
        that were withdrawn. To be asked after `load`: what is kept later makes the head be lost."""

    async def about(self, orders: Iterable[tuple[UUID, str]]) -> dict[UUID, list[Event]]:
        """Facts of accounts that name these orders (account, order id), in business order; without those that were withdrawn. To
        be asked after `load`, as above."""

    async def park(self, events: Sequence[Event], outside: Collection[str] = ()) -> list[Event]:
        """Keeps events (each names an order) until their order comes. Repeats are ignored.

        `outside`: the ids of these orders under which only orders of guests, or outside every program, have come; events about
        them that name no program are set aside, where `drainable` does not look.
        Returns the events that have the identity of one parked for the same order but other content: dead letters.
        """

    async def take_parked(self, orders: Iterable[tuple[str, str]]) -> list[Event]:
        """Takes out and returns, in business order, what waited for these (order id, program).

        Events that name another program stay.
        """

    async def load(self, wanted: Sequence[Wanted], names: Mapping[UUID, tuple[str, str]] | None = None) -> dict[UUID, Loaded]:
        """What is kept of the accounts, each wanted once; one entry per account, whether it exists or not.

        `names`: (program, member_id) of those accounts for which they are known; raises AccountCollisionError if a row has
        others.
        """

    async def history(self, since: Mapping[UUID, Moment]) -> dict[UUID, History]:
        """Everything of the accounts from a moment on, inclusive; one entry per account asked for."""

    async def dossiers(self, accounts: Collection[UUID]) -> list[Dossier]:
        """All that is kept of these accounts, heads read first; sorted by id. Those whose head was lost before are locked."""

    def begin_chain(self, account: UUID, begun: Begun) -> None:
        """Lets an account's chain begin anew with its next change, over facts that cannot be proven; that is kept for ever."""

    async def compare_and_set(self, changes: Sequence[AccountChange]) -> set[UUID]:
        """Writes the heads of the accounts that still stand at the revision expected, and returns those accounts.

        The others were changed meanwhile. They are locked now: load and fold them again in this batch, and they will be won.
        """

    async def write(self, changes: Sequence[AccountChange]) -> None:
        """Writes all else of the changes whose heads were won in this batch: facts, decisions, entries, lots, items, steps and
        messages, with one time of recording. Raises ConstraintError for a fact, an entry or a row called new that is there.
        """

    def attempt(self) -> AbstractAsyncContextManager[None]:
        """What is won and written within is taken back at its end, and its locks are given back."""

    async def ask_erasures(self, asked: Mapping[UUID, datetime]) -> None:
        """Notes accounts that are to be erased, for what happened up to an instant of business time; kept with the batch."""

    async def erased(self, accounts: Collection[UUID]) -> dict[UUID, datetime]:
        """Which of these accounts were erased, and up to which business time."""

    async def erase(self, account: UUID) -> Erasure | None:
        """Moves what happened in an account up to the erasure that was asked for to an id that nobody can work out, and takes out
        of it what names the person. None: not now (messages wait to be published), or it is done.

        What is told of later is left without a head, and the account that was moved with the rows that it had: both are to be
        folded anew in this batch.
        """

    async def points_given(self, totals: Collection[Total]) -> dict[Total, int]:
        """What commands gave so far, by day; locked until the batch ends, so that no other batch gives meanwhile."""

    async def give_points(self, more: Mapping[Total, int]) -> None:
        """Counts what the batch gives; to be asked for by `points_given` before."""

    async def known_commands(self, names: Collection[CommandName]) -> tuple[set[CommandName], dict[CommandName, bytes]]:
        """Those of the commands that are facts; and those that are held, or were, with their digests."""

    async def hold(self, commands: Sequence[HeldCommand]) -> set[CommandName]:
        """Keeps commands for a second person, each once; returns those that are kept with other content."""

    async def take_approved(self, name: CommandName) -> HeldCommand | None:
        """Takes a command about which a person decided. None: it was refused, or another worker has taken it."""

    async def dead_letter(self, letters: Sequence[DeadLetter]) -> int:
        """Keeps records byte for byte and queues them for `hand_over_dead_letters`. Repeats are ignored.

        Returns how many are new.
        """


class OutboxStore(Protocol):
    """What a relay needs of the store."""

    async def lease(self, name: str, holder: str, seconds: float) -> bool:
        """Takes or prolongs the lease `name`, until `seconds` from now by the clock of the database; False: another has it."""

    async def release(self, name: str, holder: str) -> None:
        """Gives a lease back, if `holder` has it."""

    async def read(self, shards: Collection[int], limit: int) -> list[OutboxRow]:
        """Up to `limit` messages of these shards; those of one account in order (version, ordinal), from its oldest on.

        Each call goes on after the account where the last one ended, so that an account with many messages does not keep the
        others waiting. It does not know what is on its way: delete what was published before reading again, or skip it.
        """

    async def delete(self, rows: Sequence[OutboxRow]) -> None:
        """Removes messages that were published; those that are gone already are ignored."""

    async def backlog(self) -> tuple[int, datetime | None]:
        """How many messages wait to be published, dead letters that are still queued among them; and since when the oldest of
        those does that are handed over."""

    async def hand_over_dead_letters(self, per_lane: int) -> int:
        """Makes messages of dead letters that were kept, oldest first: up to `per_lane` of one reason and source, and of all
        together what can be published beside other messages (too large ones as a pointer). Returns how many."""

    async def waiting_dead_letters(self) -> list[Waiting]:
        """What is kept and not handed over yet, by reason."""


class Store(OutboxStore, Protocol):
    """The ledger's database."""

    def batch(self) -> AbstractAsyncContextManager[Batch]:
        """A transaction: committed at the end of the block, rolled back if the block raises.

        Raises at the end ContendedError, UnavailableError, RefusedError (nothing was written), PositionLostError (another
        worker has the partitions) or OutcomeUnknownError. A COMMIT whose answer is lost is settled by looking at the
        positions, if the batch moved any.
        """

    async def positions(self) -> dict[Partition, Position]:
        """Where all partitions stand that were ever read into the ledger."""

    async def report_progress(self, rows: Sequence[Progress]) -> None:
        """Says what partitions have yet to read, for the watermark; passes over those whose position is not the one told."""

    async def readings(self) -> list[Reading]:
        """What every partition has yet to read, as last reported."""

    async def watermark(self) -> datetime | None:
        """All that was recorded before this time has been read. None: not known yet."""

    async def advance_watermark(self, value: datetime) -> datetime:
        """Moves the watermark forward to `value`; never back. Returns where it is."""

    async def snapshots(self) -> Snapshots:
        """The snapshots of the topics' ends that are not passed yet."""

    async def take_snapshot(self, after: int, ends: Ends) -> bool:
        """Keeps ends, listed since snapshot `after` was the newest, as the next one; False if it is not the newest any more."""

    async def pass_snapshots(self, number: int) -> None:
        """All positions have reached the ends of a snapshot, and so of those before it, which are forgotten."""

    async def decidable(self, shards: Collection[int], limit: int) -> list[UUID]:
        """Up to `limit` accounts of these shards with a redemption that waits and may be refused now, fenced ones left out."""

    async def due(self, shards: Collection[int], until: datetime, limit: int) -> list[Due]:
        """Up to `limit` accounts of these shards that the clock has to look at, due at or before `until`, fenced ones left out.

        Longest due first within a shard. Each call begins with the shard after the one where the last call ended.
        """

    async def fenced(self, after: UUID, limit: int) -> list[UUID]:
        """Up to `limit` accounts after this id that take no facts until they are rebuilt, by id."""

    async def drainable(self, limit: int) -> list[Route]:
        """Orders that have come although events still wait for them (normally none): claim and take them."""

    async def let_go(self, before: datetime, limit: int) -> int:
        """Removes up to `limit` events that name no program, have waited since before this instant, and have no order but ones
        of guests or outside every program; returns how many.
        """

    async def parked_since(self, before: datetime, limit: int) -> list[ParkedSince]:
        """Orders that events have waited for since before this instant, the longest first."""

    async def verdicts_to_apply(self, limit: int) -> list[CommandName]:
        """Up to `limit` held commands about which a person decided, and which no worker has taken; the first decided first."""

    async def held_waiting(self, limit: int) -> int:
        """How many held commands nobody has decided about, counted up to `limit`."""

    async def forget_given(self, before: date, held_since: datetime) -> None:
        """Forgets what was given on days before one, and of people who were forgotten meanwhile what was held since then."""

    async def contested(self, limit: int) -> list[str]:
        """Up to `limit` orders that several placed, of which no command has said whose they are."""

    async def register_terms(self, body: bytes, file_digest: bytes, reason: str) -> bool | None:
        """Registers a version of terms for ever: its canonical JSON, the SHA-256 of its file, and why. Returns whether it waits
        for approval; None if it was the last registered of its beginning already. Raises TermsRightError."""

    async def terms_need_approval(self, program: str, begins_at: datetime) -> bool:
        """Whether a version that begins then would have to be approved: it is dated back, and the program has accounts."""

    async def terms(self) -> list[Terms]:
        """All registered versions, by program, beginning and time of registration; those that wait for approval too."""

    async def state(self) -> LedgerState:
        """The ledger's epoch, and what time the database has."""

    async def announce(self, told: Sequence[tuple[UUID, Decision]]) -> int:
        """Keeps verdicts that the world was told before the database was restored, for whoever folds the facts that asked; of one
        fact the last stands. Returns how many were not recorded anyway. No worker may run: it asks for them only if it starts."""

    async def raise_epoch(self, above: int) -> int:
        """Begins an epoch that is higher than the ledger's and than `above`; returns it."""

    async def settle_key(self, check: bytes) -> None:
        """Binds the ledger to a key of account ids (`identity.key_check`) the first time; raises WrongKeyError for another."""

    async def missing_migrations(self) -> list[str]:
        """Migrations that this release needs and the database does not have, oldest first."""

    def dossiers(self, accounts: Collection[UUID] | None = None, known_at: datetime | None = None) -> AsyncIterator[Dossier]:
        """All that is kept of accounts (None: of all), each read in one snapshot; streamed, by account id.

        `known_at`: leaves out facts, decisions and entries recorded later (head, lots and items are always today's).
        """

    def verify(self, accounts: Collection[UUID] | None = None) -> AsyncIterator[Violation]:
        """Runs the invariants of `db/invariants.sql` over accounts (None: over all, and what belongs to no account)."""
