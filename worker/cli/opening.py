"""The ledger's database as the settings name it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

from worker.cli.failures import Exit, Failure
from worker.decide.program import Program
from worker.persist import PostgresStore, StoreOptions, account_id
from worker.programs.registry import programs
from worker.settings import Settings, load

_T = TypeVar("_T")


def finish(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a command's work to its end. Libraries stay silent: what they would log, the command says in its own words."""
    import logging

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    return asyncio.run(work)


@asynccontextmanager
async def ledger(settings: Settings | None = None, *, dsn: str | None = None) -> AsyncIterator[PostgresStore]:
    """The store, closed at the end. `dsn`: another address than the settings'."""
    if dsn is None:
        dsn = (settings or load()).postgres.full_dsn()
    role = settings.postgres.role if settings is not None else None
    async with await PostgresStore.open(dsn, StoreOptions(connections_max=2, role=role)) as store:
        yield store


async def program_of(store: PostgresStore, code: str) -> Program:
    """A registered program."""
    known = {program.code: program for program in await programs(store)}
    if code not in known:
        what = (
            f"registered are {', '.join(sorted(known))}"
            if known
            else "none is registered; `loyalty migrate` registers the shipped ones"
        )
        raise Failure(Exit.USAGE, f"{code}: no program of this code: {what}")
    return known[code]


def key_of(settings: Settings) -> bytes:
    """The key of account ids."""
    return settings.account_key.get_secret_value().encode()


def accounts_of(settings: Settings, names: Sequence[str] | None) -> list[UUID] | None:
    """Accounts named by their id or as PROGRAM:MEMBER; None: all."""
    return [_account(settings, name) for name in names] if names else None


def _account(settings: Settings, name: str) -> UUID:
    program, colon, member = name.partition(":")
    if colon and member:
        return account_id(key_of(settings), program, member)
    try:
        return UUID(name)
    except ValueError:
        raise Failure(Exit.USAGE, f"--account {name}: should be an account id, or PROGRAM:MEMBER") from None
