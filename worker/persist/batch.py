"""One transaction on Postgres: what a batch reads and writes, each by the module that has its statements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from io import BytesIO
from uuid import UUID

from contracts.events import Event
from worker.decide.change import AccountChange, History, Loaded, Wanted
from worker.decide.state import Certainty, Moment
from worker.persist import accounts as account_rows
from worker.persist import commands as held_commands
from worker.persist import dead_letters, dossiers, erasure, kafka, orders, posting, snapshots
from worker.persist.chain import Begun, Chain, Chains
from worker.persist.link import Link, translated
from worker.persist.rows import Arrival, CommandName, DeadLetter, Dossier, Erasure, HeldCommand, Move, Route, Total


class PostgresBatch:
    """`api.Batch` on one connection of Postgres, READ COMMITTED."""

    def __init__(self, link: Link, *, dead_letter_bytes_max: int, announced: bool = True) -> None:
        self._link = link
        self._announced = announced
        self._dead_letter_bytes_max = dead_letter_bytes_max
        self._chains = Chains()
        self.moves: list[Move] = []

    async def move_positions(self, moves: Sequence[Move]) -> datetime | None:
        watermark = await kafka.move_positions(self._link, moves)
        self.moves.extend(moves)
        return watermark

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        connection = self._link.connection
        with translated():
            await connection.execute("SAVEPOINT attempt")
        try:
            yield
        finally:
            with translated():
                await connection.execute("ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt")

    async def certainty(self) -> Certainty:
        return await snapshots.certainty(self._link)

    async def routes(self, order_ids: Iterable[str]) -> dict[str, Route]:
        return await orders.routes(self._link, order_ids)

    async def claim(self, arrivals: Sequence[Arrival], awaited: Iterable[str]) -> dict[str, Route]:
        return await orders.claim(self._link, arrivals, awaited)

    async def nameless(self, orders_: Iterable[tuple[UUID, str]]) -> dict[UUID, list[Event]]:
        return await orders.nameless(self._link, orders_)

    async def about(self, orders_: Iterable[tuple[UUID, str]]) -> dict[UUID, list[Event]]:
        return await orders.about(self._link, orders_)

    async def park(self, events: Sequence[Event], outside: Collection[str] = ()) -> list[Event]:
        return await orders.park(self._link, events, outside)

    async def take_parked(self, orders_: Iterable[tuple[str, str]]) -> list[Event]:
        return await orders.take_parked(self._link, orders_)

    async def load(self, wanted: Sequence[Wanted], names: Mapping[UUID, tuple[str, str]] | None = None) -> dict[UUID, Loaded]:
        return await account_rows.load(self._link, wanted, names or {}, self._chains, announced=self._announced)

    async def history(self, since: Mapping[UUID, Moment]) -> dict[UUID, History]:
        return await account_rows.history(self._link, since)

    async def dossiers(self, accounts: Collection[UUID]) -> list[Dossier]:
        found = await dossiers.of_accounts(self._link, sorted(set(accounts)), None) if accounts else []
        for each in found:
            if each.row is not None and each.chain is not None:
                self._chains.read(each.account_id, each.row.revision, each.chain.chain)
        return found

    def begin_chain(self, account: UUID, begun: Begun) -> None:
        self._chains.begin(account, begun)

    def carry_on(self, account: UUID, chain: Chain, begun: Begun | None = None) -> None:
        """Lets an account that is new here go on with the chain that it has elsewhere, or with one that begins anew."""
        self._chains.read(account, 0, chain)
        if begun is not None:
            self._chains.begin(account, begun)

    async def compare_and_set(self, changes: Sequence[AccountChange]) -> set[UUID]:
        return await account_rows.compare_and_set(self._link, changes, self._chains)

    async def write(self, changes: Sequence[AccountChange]) -> None:
        await posting.write(self._link, changes, self._chains)

    async def pour(self, table: str, columns: Sequence[str], rows: bytes) -> None:
        """Adds rows to a table as COPY wrote them from another one."""
        with translated():
            await self._link.connection.copy_to_table(table, source=BytesIO(rows), columns=columns, format="binary")

    async def ask_erasures(self, asked: Mapping[UUID, datetime]) -> None:
        await erasure.ask(self._link, asked)

    async def erased(self, accounts: Collection[UUID]) -> dict[UUID, datetime]:
        return await erasure.erased(self._link, sorted(accounts))

    async def erase(self, account: UUID) -> Erasure | None:
        return await erasure.erase(self._link, account)

    async def points_given(self, totals: Collection[Total]) -> dict[Total, int]:
        return await held_commands.points_given(self._link, totals)

    async def give_points(self, more: Mapping[Total, int]) -> None:
        await held_commands.give_points(self._link, more)

    async def known_commands(self, names: Collection[CommandName]) -> tuple[set[CommandName], dict[CommandName, bytes]]:
        return await held_commands.known(self._link, names)

    async def hold(self, commands: Sequence[HeldCommand]) -> set[CommandName]:
        return await held_commands.hold(self._link, commands)

    async def take_approved(self, name: CommandName) -> HeldCommand | None:
        return await held_commands.take_approved(self._link, name)

    async def dead_letter(self, letters: Sequence[DeadLetter]) -> int:
        return await dead_letters.keep(self._link, letters)

    async def hand_over_dead_letters(self, per_lane: int) -> int:
        """Moves dead letters that were kept to the outbox, up to `per_lane` of each lane."""
        return await dead_letters.hand_over(self._link, per_lane, self._dead_letter_bytes_max)
