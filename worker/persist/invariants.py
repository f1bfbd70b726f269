"""Runs `db/invariants.sql`: each statement there finds the rows that break one invariant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from uuid import UUID

from worker.persist.dossiers import account_groups
from worker.persist.errors import RefusedError
from worker.persist.link import translated
from worker.persist.queries import load_queries
from worker.persist.rows import Violation

if TYPE_CHECKING:
    from worker.persist.link import Connection

INVARIANTS: Final = load_queries((files("db") / "invariants.sql").read_text(encoding="utf-8"))
"""Name of each invariant → the statement that finds what breaks it."""
WHOLE: Final = "whole_"
"""Begins the names of the invariants that belong to no account; they take no parameter."""
UNREADABLE: Final = "rows_can_be_read"
ACCOUNTS_AT_ONCE: Final = 1_000


async def check(connection: Connection, accounts: Collection[UUID] | None) -> AsyncIterator[Violation]:
    """What breaks an invariant, group after group of accounts, each group in one snapshot."""
    async for group in account_groups(connection, accounts, ACCOUNTS_AT_ONCE):
        for violation in await _of_accounts(connection, group):
            yield violation
    if accounts is None:
        async for violation in whole(connection):
            yield violation


async def whole(connection: Connection) -> AsyncIterator[Violation]:
    """What breaks an invariant that belongs to no account."""
    for violation in await _run(connection, {n: q for n, q in INVARIANTS.items() if n.startswith(WHOLE)}):
        yield violation


async def _of_accounts(connection: Connection, group: Sequence[UUID]) -> list[Violation]:
    """Where Postgres cannot make sense of what rows hold, the group is halved until it is known whose they are."""
    try:
        return await _run(connection, {n: q for n, q in INVARIANTS.items() if not n.startswith(WHOLE)}, group)
    except RefusedError as error:
        if len(group) == 1:
            return [Violation(UNREADABLE, group[0], f"its rows cannot be read: {type(error.__cause__ or error).__name__}")]
    middle = len(group) // 2
    return [*await _of_accounts(connection, group[:middle]), *await _of_accounts(connection, group[middle:])]


async def _run(connection: Connection, queries: dict[str, str], *arguments: object) -> list[Violation]:
    found: list[Violation] = []
    with translated():
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for name, query in queries.items():
                rows = await connection.fetch(query, *arguments)
                found.extend(Violation(name, row["account_id"], row["detail"]) for row in rows)
    return found
