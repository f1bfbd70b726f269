"""Commands that wait for a second person: what was given on a day, what is held, and what people said of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Final

import asyncpg

from worker.persist.accounts import columns
from worker.persist.chain import NO_ORIGIN
from worker.persist.encoding import Row, event_of
from worker.persist.errors import ApproverRightError, ConstraintError, DecidedBeforeError, OwnCommandError
from worker.persist.link import Link
from worker.persist.origins import kept_facts
from worker.persist.rows import CommandName, CommandVerdict, HeldCommand, Total

_ANOTHER: Final = "command_verdict_by_another"
_ONCE: Final = "command_verdict_pkey"


async def points_given(link: Link, totals: Collection[Total]) -> dict[Total, int]:
    """What was given so far; the rows are locked until the transaction ends."""
    rows = await link.fetch("lock_given", *columns(sorted(totals))) if totals else ()
    return {Total(row["day"], row["scope"], row["of"]): row["points"] for row in rows}


async def give_points(link: Link, more: Mapping[Total, int]) -> None:
    """Counts what is given; the rows were locked by `points_given`."""
    if more:
        await link.execute("give_points", *columns([(*total, points) for total, points in sorted(more.items())]))


async def known(link: Link, names: Collection[CommandName]) -> tuple[set[CommandName], dict[CommandName, bytes]]:
    """Those of the commands that are facts, and those that are held or were, with their digests."""
    if not names:
        return set(), {}
    held = {name: row["digest"] for name, row in await _held_among(link, names)}
    return set(await kept_facts(link, names)), held


async def waiting_among(link: Link, names: Collection[CommandName]) -> set[CommandName]:
    """Those of the commands that are held, or were refused: they are no facts."""
    return {name for name, row in await _held_among(link, names) if not row["released"]} if names else set()


async def _held_among(link: Link, names: Collection[CommandName]) -> list[tuple[CommandName, Row]]:
    rows = await link.fetch("held_among", *columns(sorted(names)))
    return [((row["account_id"], row["source"], row["id"]), row) for row in rows]


async def hold(link: Link, commands: Sequence[HeldCommand]) -> set[CommandName]:
    """Keeps commands for a second person, each once; returns those that another worker kept meanwhile with other content."""
    if not commands:
        return set()
    rows = [
        (
            *each.name,
            *(each.event.type, each.event.time, each.event.program, each.event.digest, each.event.body, each.event.traceparent),
            *(each.event.origin or NO_ORIGIN),
            *(each.program, each.operator, each.points, each.ceiling),
        )
        for each in sorted(commands, key=lambda each: each.name)
    ]
    new = {(row["account_id"], row["source"], row["id"]) for row in await link.fetch("hold_commands", *columns(rows))}
    before = {each.name: each.event.digest for each in commands if each.name not in new}
    return {name for name, row in await _held_among(link, before) if row["digest"] != before[name]} if before else set()


async def take_approved(link: Link, name: CommandName) -> HeldCommand | None:
    """Takes a command about which a person decided; None: it was refused, or another worker has taken it."""
    if await link.value("apply_verdict", *name) != "approved":
        return None
    (row,) = await link.fetch("held_command", *name)
    return HeldCommand(name[0], row["account_program"], event_of(row))


class CommandStore(ABC):
    """The part of the store that knows of held commands."""

    @abstractmethod
    def _link(self) -> AbstractAsyncContextManager[Link]:
        """A connection that runs statements by name."""

    async def held_commands(self, program: str | None = None, *, decided: bool = False) -> list[HeldCommand]:
        """What is held of a program (None: of all), the longest first; `decided`: also what people have decided about."""
        async with self._link() as link:
            return [_held(row) for row in await link.fetch("held_commands", program, decided)]

    async def held_waiting(self, limit: int) -> int:
        async with self._link() as link:
            return int(await link.value("held_waiting", limit))

    async def decide_command(self, command: HeldCommand, verdict: str, given_by: str, reason: str) -> None:
        """Keeps what a person says of a held command ("approved", "rejected"); a worker does it then.

        Raises OwnCommandError, DecidedBeforeError, ApproverRightError.
        """
        async with self._link() as link:
            try:
                await link.execute("give_verdict", *command.name, command.operator, verdict, given_by, reason)
            except ConstraintError as error:
                if error.constraint == _ANOTHER:
                    raise OwnCommandError from error
                if error.constraint == _ONCE:
                    raise DecidedBeforeError from error
                raise
            except asyncpg.InsufficientPrivilegeError as error:
                raise ApproverRightError from error

    async def verdicts_to_apply(self, limit: int) -> list[CommandName]:
        async with self._link() as link:
            return [(row["account_id"], row["source"], row["id"]) for row in await link.fetch("verdicts_to_apply", limit)]

    async def forget_given(self, before: date, held_since: datetime) -> None:
        async with self._link() as link:
            await link.execute("forget_given", before)
            await link.execute("forget_held_late", held_since)


def _held(row: Row) -> HeldCommand:
    given = None
    if row["verdict"] is not None:
        given = CommandVerdict(
            row["verdict"], row["given_by"], row["login"], row["reason"], row["given_at"], row["applied_at"]
        )
    how = (row["operator"], row["points"], row["ceiling"], row["held_at"], given)
    return HeldCommand(row["account_id"], row["account_program"], event_of(row), *how)
