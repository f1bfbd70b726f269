"""Building one ledger from the facts of another: what is taken over as it stands, and the accounts in groups.

A target is marked when it is begun and unmarked when it is done; groups are committed by id, so that a run that was interrupted
goes on after the last account that is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from uuid import UUID

from worker.decide.change import AccountChange
from worker.decide.state import Certainty
from worker.persist.accounts import columns
from worker.persist.chain import Begun
from worker.persist.dossiers import ACCOUNTS_AT_ONCE, of_accounts
from worker.persist.kafka import NIL
from worker.persist.link import Link, snapshot, translated
from worker.persist.postgres import PostgresStore
from worker.persist.queries import SQL
from worker.persist.rows import Dossier
from worker.persist.snapshots import certainty

if TYPE_CHECKING:
    from worker.persist.link import Connection

MARK: Final = "rebuild"
AS_IT_STANDS: Final = (
    "position",
    "program_terms",
    "terms_approval",
    "parked",
    "order_route",
    "dead_letter",
    "erasure",
    "announced",
    "chain_begun",
    "seal",
    "held_command",
    "command_verdict",
    "points_given",
)
FROM_FACTS: Final = ("fact", "decision")
_CHUNKS_WAITING: Final = 16
TABLE_SECONDS_MAX: Final = 24 * 3600.0


class TargetUsedError(Exception):
    """The database holds a ledger already, or the beginning of one from other facts."""


@dataclass(frozen=True, slots=True)
class Group:
    """Accounts of the source, read in one snapshot; `rows`: their facts and decisions, by table, as COPY writes them."""

    dossiers: Sequence[Dossier]
    rows: dict[str, bytes]


class Transfer:
    """From one database to another. `name` says which source it is, so that a target is not gone on with from another one.

    `certainty`: how far the topics have been read, as it was taken over by `begin`.
    """

    def __init__(self, source: PostgresStore, target: PostgresStore, name: str) -> None:
        self._source = source
        self._target = target
        self._name = name
        self.after = NIL
        self.certainty = Certainty(0, 0)

    async def begin(self) -> int:
        """Take over what does not follow from facts, with the next epoch; or find where an earlier run ended. Returns how many
        accounts are left to do. Raises TargetUsedError.
        """
        async with self._target.connection() as target, self._source.connection() as source:
            (state,) = await Link(target).fetch("transfer_state", MARK)
            if state["begun_from"] is None and state["used"]:
                raise TargetUsedError(
                    "the database holds a ledger already, or terms: give an empty one, made by `loyalty migrate --no-terms`"
                )
            if state["begun_from"] not in (None, self._name):
                raise TargetUsedError("the database holds the beginning of a ledger from other facts: give an empty one")
            if state["begun_from"] is None:
                with translated():
                    async with target.transaction(), snapshot(source) as link:
                        await self._take_over(link, Link(target))
            self.after = state["last"] or NIL
            self.certainty = await certainty(Link(target))
            left: int = await Link(source).value("transfer_left", self.after)
            return left

    async def _take_over(self, source: Link, target: Link) -> None:
        """Positions and all else as of one moment: facts are read later, and what is read from Kafka again is known then."""
        (ledger,) = await source.fetch("transfer_ledger")
        # First: by their epoch it is known that seals were published.
        await target.execute("transfer_epoch", ledger["epoch"] + 1, ledger["key_check"])
        for table in AS_IT_STANDS:
            await _pour(source.connection, target.connection, table)
        if letters := await source.fetch("transfer_waiting_letters"):
            await target.execute("transfer_queue_letters", *columns([tuple(row) for row in letters]))
        await target.execute("transfer_watermark", ledger["watermark"])
        await target.execute("transfer_certainty", ledger["passed"], ledger["current"])
        await target.execute("transfer_mark", MARK, self._name)

    async def groups(self) -> AsyncGenerator[Group, None]:
        """The accounts that are left, by id, a few at a time."""
        async with self._source.connection() as connection:
            while found_ids := await Link(connection).fetch("accounts_after", self.after, ACCOUNTS_AT_ONCE):
                ids = [row["account_id"] for row in found_ids]
                async with snapshot(connection) as link:
                    found = await of_accounts(link, ids, None)
                    rows = {table: await _copied(link.connection, table, ids) for table in FROM_FACTS}
                yield Group(found, rows)
                self.after = ids[-1]

    async def write(
        self, group: Group, changes: Sequence[AccountChange], begun: Mapping[UUID, Begun] = MappingProxyType({})
    ) -> list[Dossier]:
        """Write a group in one transaction, its facts and decisions as they were recorded, with their chains; returns what is
        there then. `begun`: chains that begin anew."""
        async with self._target.batch() as batch:
            for dossier in group.dossiers:
                if dossier.chain is not None:
                    batch.carry_on(dossier.account_id, dossier.chain.chain, begun.get(dossier.account_id))
            won = await batch.compare_and_set(changes)
            if len(won) != len(changes):
                raise TargetUsedError("somebody else writes into the database that is being built")
            for table, rows in group.rows.items():
                await batch.pour(table, _columns(table), rows)
            await batch.write(changes)
        async with self._target.connection() as connection, snapshot(connection) as link:
            return await of_accounts(link, [change.account_id for change in changes], None)

    async def end(self) -> None:
        """The target is whole."""
        await self._target.release(MARK, self._name)


def _columns(table: str) -> list[str]:
    names = SQL[f"transfer_{table}"].removeprefix("SELECT").partition("FROM")[0]
    return [name.strip() for name in names.split(",")]


async def _copied(connection: Connection, table: str, ids: Sequence[UUID]) -> bytes:
    parts: list[bytes] = []

    async def keep(part: bytes) -> None:
        parts.append(part)

    with translated():
        await connection.copy_from_query(SQL[f"transfer_{table}"], list(ids), output=keep, format="binary")
    return b"".join(parts)


async def _pour(source: Connection, target: Connection, table: str) -> None:
    """A whole table, as a stream."""
    waiting: asyncio.Queue[bytes | None] = asyncio.Queue(_CHUNKS_WAITING)

    async def stream() -> AsyncIterator[bytes]:
        while (part := await waiting.get()) is not None:
            yield part

    async def read() -> None:
        await source.copy_from_query(SQL[f"transfer_{table}"], output=waiting.put, format="binary", timeout=TABLE_SECONDS_MAX)
        await waiting.put(None)

    async def write() -> None:
        columns = _columns(table)
        await target.copy_to_table(table, source=stream(), columns=columns, format="binary", timeout=TABLE_SECONDS_MAX)

    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(read())
            both.create_task(write())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
