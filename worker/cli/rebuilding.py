"""`loyalty ledger rebuild`: accounts folded anew from their facts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
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
    from worker.settings import Settings
    from worker.upkeep.rebuild import Rebuilt

COLUMNS = ("account_id", "program", "facts", "version", "entries", "available", "pending", "fenced", "defect")


def rebuild(
    account: Annotated[
        list[str] | None, typer.Option(metavar="ID|PROGRAM:MEMBER", help="This account; may be given again.")
    ] = None,
    fenced: Annotated[bool, typer.Option("--fenced", help="Every account that is fenced.")] = False,
    into: Annotated[
        str | None, typer.Option(metavar="DSN", help="Build the whole ledger anew in this empty, migrated database.")
    ] = None,
    announce: Annotated[
        bool, typer.Option("--announce", help="With --into: have every version of the new epoch published.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Show what would be, and write nothing.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Fold accounts anew from their facts and free them if they were fenced. What was posted otherwise is corrected under one
    new version each; verdicts that were announced stand.

    With --into, all accounts are built in another database from facts and announced verdicts alone, and compared row by row.

    Workers may run beside it. May be interrupted and run again. Exits with 1 if an account could not be rebuilt, or differs.
    """
    from worker.cli.opening import finish

    if [bool(account), fenced, into is not None].count(True) != 1:
        raise Failure(Exit.USAGE, "give one of --account (which may be given again), --fenced and --into")
    failed = finish(_accounts(account, preview, output) if into is None else _into(into, announce, output))
    raise typer.Exit(Exit.FINDING if failed else Exit.OK)


async def _accounts(names: list[str] | None, preview: bool, output: Format) -> int:
    from worker.cli.opening import accounts_of, ledger
    from worker.decide.refold import Clock
    from worker.settings import load
    from worker.upkeep.rebuild import fenced as all_fenced
    from worker.upkeep.rebuild import rebuild as rebuild_accounts

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
        accounts = "account" if self._done == 1 else "accounts"
        tell(f"{self._done:,} {accounts} {what}, {self._announced:,} with a new version; {self.failed:,} could not be rebuilt")


async def _into(dsn: str, announce: bool, output: Format) -> int:
    from worker.cli.opening import key_of, ledger
    from worker.persist import key_check
    from worker.persist.transfer import TargetUsedError, Transfer
    from worker.settings import load
    from worker.upkeep.rebuild_into import Part, rebuild_into

    settings = load()
    whole = Part()
    async with ledger(settings) as source, ledger(settings, dsn=dsn) as target:
        catalogue = await checked(source, settings)
        if missing := await target.missing_migrations():
            raise Failure(
                Exit.USAGE, f"the database to build in lacks migration {', '.join(missing)}: run `loyalty migrate` on it"
            )
        transfer = Transfer(source, target, key_check(key_of(settings)).hex())
        try:
            left = await transfer.begin()
            facts, accounts = Pace("facts"), Pace("accounts", left)
            epoch = (await target.state()).epoch
            async with aclosing(rebuild_into(transfer, catalogue, epoch, announce=announce)) as parts:
                async for part in parts:
                    whole.add(part)
                    facts.count(part.facts)
                    accounts.add(part.accounts)
        except TargetUsedError as error:
            raise Failure(Exit.USAGE, str(error)) from None
        accounts.end()
    rows = [{"account_id": account, "difference": what} for account, what in whole.differences]
    if output is not Format.TABLE or rows:
        show(rows, output, "Differences", ("account_id", "difference"))
    equal = ", ".join(f"{count:,} {'entries' if table == 'entry' else f'{table}s'}" for table, count in whole.equal.items())
    tell(f"{whole.accounts:,} accounts built from {whole.facts:,} facts, {facts.per_second:,.0f} facts/s")
    tell(f"equal: {equal or 'nothing'}; the entries of {whole.line_by_line:,} accounts line by line")
    tell(f"{whole.differ:,} differences; {whole.not_compared:,} accounts had no state to compare with")
    return whole.differ
