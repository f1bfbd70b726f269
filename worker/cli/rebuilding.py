"""`loyalty ledger rebuild`: accounts folded anew from their facts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from worker.cli.failures import Exit, Failure
from worker.cli.output import Format, Output, Pace, show, show_lines, tell

if TYPE_CHECKING:
    from worker.catalogue import Catalogue
    from worker.persist import PostgresStore
    from worker.rebuild import Rebuilt
    from worker.settings import Settings

COLUMNS = ("account_id", "program", "facts", "version", "entries", "available", "pending", "fenced", "defect")


def rebuild(
    account: Annotated[
        list[str] | None, typer.Option(metavar="ID|PROGRAM:MEMBER", help="This account; may be given again.")
    ] = None,
    fenced: Annotated[bool, typer.Option("--fenced", help="Every account that is fenced.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Show what would be, and write nothing.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Fold accounts anew from their facts and free them if they were fenced. What was posted otherwise is corrected under one
    new version each; verdicts that were announced stand.

    Workers may run beside it. May be interrupted and run again. Exits with 1 if an account could not be rebuilt.
    """
    from worker.cli.opening import finish

    if bool(account) == fenced:
        raise Failure(Exit.USAGE, "give either --account (one or more) or --fenced")
    failed = finish(_accounts(account, preview, output))
    raise typer.Exit(Exit.FINDING if failed else Exit.OK)


async def _accounts(names: list[str] | None, preview: bool, output: Format) -> int:
    from worker.cli.opening import accounts_of, ledger
    from worker.decide.refold import Clock
    from worker.rebuild import fenced as all_fenced
    from worker.rebuild import rebuild as rebuild_accounts
    from worker.settings import load

    settings = load()
    chosen = accounts_of(settings, names)
    async with ledger(settings) as store:
        catalogue, state = await checked(store, settings), await store.state()
        clock = Clock.known(await store.watermark(), state.now, timedelta(seconds=settings.watermark.grace_seconds))
        accounts = all_fenced(store) if chosen is None else _each(chosen)
        report = _Report(output, Pace("accounts"))
        async for each in rebuild_accounts(store, catalogue, accounts, clock, state.epoch, preview=preview):
            report.add(each)
    report.end("would be rebuilt" if preview else "rebuilt")
    return report.failed


async def _each(accounts: Sequence[UUID]) -> AsyncIterator[UUID]:
    for account in accounts:
        yield account


async def checked(store: PostgresStore, settings: Settings) -> Catalogue:
    """The registered programs, if the database is one that a worker could go on with."""
    from worker.app import NotReadyError, check
    from worker.cli.opening import key_of

    try:
        return await check(store, key_of(settings))
    except NotReadyError as error:
        raise Failure(Exit.USAGE, str(error)) from None


class _Report:
    """The accounts as they are done: a line each, or a table at the end; and the count of those that could not be rebuilt."""

    def __init__(self, output: Format, pace: Pace) -> None:
        self._output = output
        self._pace = pace
        self._rows: list[dict[str, Any]] = []
        self._done = 0
        self._announced = 0
        self.failed = 0

    def add(self, one: Rebuilt) -> None:
        """One account more."""
        row = {**asdict(one), "account_id": str(one.account_id)}
        self._done += one.defect is None
        self._announced += one.announced
        self.failed += one.defect is not None
        if self._output is Format.NDJSON:
            show_lines([row])
        else:
            self._rows.append(row)
        self._pace.add(1)

    def end(self, what: str) -> None:
        """Print what is to be printed at the end."""
        self._pace.end()
        if self._output is not Format.NDJSON and (self._rows or self._output is Format.JSON):
            show(self._rows, self._output, "Accounts", COLUMNS)
        tell(f"{self._done:,} accounts {what}, {self._announced:,} with a new version; {self.failed:,} could not be rebuilt")
