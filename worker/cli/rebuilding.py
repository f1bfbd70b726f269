"""`loyalty ledger rebuild`: accounts folded anew from their facts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import typer

from contracts.counting import counted
from worker.cli.failures import Exit, Failure
from worker.cli.output import Format, Output, Pace, show, show_lines, tell
from worker.cli.resuming import Cursor

if TYPE_CHECKING:
    from worker.persist import PostgresStore
    from worker.programs.catalogue import Catalogue
    from worker.settings import Settings
    from worker.upkeep.rebuild import Rebuilt

COLUMNS = ("account_id", "program", "facts", "version", "entries", "available", "pending", "fenced", "defect")
TABLE_ROWS_MAX: Final = 1_000
"""How many accounts of a program a table shows."""


def rebuild(
    account: Annotated[
        list[str] | None, typer.Option(metavar="ID|PROGRAM:MEMBER", help="This account; may be given again.")
    ] = None,
    fenced: Annotated[bool, typer.Option("--fenced", help="Every account that is fenced.")] = False,
    program: Annotated[str | None, typer.Option(metavar="CODE", help="Every account of this program.")] = None,
    into: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DSN",
            help="Build the whole ledger anew in this empty, migrated database: a file that holds its DSN, or a DSN without"
            " a password.",
        ),
    ] = None,
    announce: Annotated[
        bool, typer.Option("--announce", help="With --into: have every version of the new epoch published.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Show what would change, and write nothing.")] = False,
    accept: Annotated[
        str | None,
        typer.Option(
            "--accept-unproven",
            metavar="REASON",
            help="Take over facts that are not those that were committed; the reason and your login are kept for ever.",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --program: keep the progress in this file, and go on from there next time."),
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Fold accounts anew from their facts and free them if they were fenced. What was posted otherwise is corrected under one
    new version each; verdicts that were announced stand.

    With --program, only accounts that change, were fenced or could not be rebuilt are listed; the others are counted.

    With --into, all accounts are built in another database from facts and announced verdicts alone, and compared row by row.

    An account with facts that somebody wrote, changed or removed by hand is left as it is, unless --accept-unproven says why not.

    Workers may run beside it. May be interrupted and run again. Exits with 1 if an account could not be rebuilt, or differs.
    """
    from worker.cli.opening import finish

    if [bool(account), fenced, program is not None, into is not None].count(True) != 1:
        raise Failure(Exit.USAGE, "give one of --account (which may be given again), --fenced, --program and --into")
    if resume is not None and program is None:
        raise Failure(Exit.USAGE, "--resume: is for --program")
    if accept is not None and not accept.strip():
        raise Failure(Exit.USAGE, "--accept-unproven: say why")
    how = _How(preview, accept)
    if into is not None:
        failed = finish(_into(_dsn(into), announce, accept, output))
    elif program is not None:
        failed = finish(_program(program, resume, how, output))
    else:
        failed = finish(_accounts(account, how, output))
    raise typer.Exit(Exit.FINDING if failed else Exit.OK)


@dataclass(frozen=True, slots=True)
class _How:
    """`preview`: nothing is written. `accept`: why facts that cannot be proven are taken over."""

    preview: bool
    accept: str | None


def _dsn(given: str) -> str:
    """The DSN that a file holds, or the one given: what stands on a command line is read by all on the machine."""
    from worker.settings import check_dsn

    in_line = "://" in given
    try:
        dsn = given if in_line else Path(given).read_text(encoding="utf-8").strip()
        check_dsn(dsn)
        has_password = urlsplit(dsn).password is not None or "password=" in urlsplit(dsn).query
    except (OSError, UnicodeDecodeError):
        raise Failure(Exit.USAGE, "--into: should be a readable file that holds a DSN, or a DSN without a password") from None
    except ValueError as error:
        raise Failure(Exit.USAGE, f"--into: {error}") from None
    if in_line and has_password:
        raise Failure(Exit.USAGE, "--into: a password would be seen in the list of processes; name a file that holds the DSN")
    return dsn


async def _accounts(names: list[str] | None, how: _How, output: Format) -> int:
    from worker.cli.opening import accounts_of, ledger
    from worker.settings import load
    from worker.upkeep.rebuild import fenced as all_fenced

    settings = load()
    chosen = accounts_of(settings, names)
    report = _Report(output)
    async with ledger(settings) as store:
        catalogue = await checked(store, settings)
        accounts = all_fenced(store) if chosen is None else _each(chosen)
        pace = Pace("account")
        async for each in _rebuilt(store, settings, catalogue, accounts, how):
            report.add(each)
            pace.add(1)
    pace.end()
    report.end(how.preview)
    return report.failed


async def _program(code: str, resume: Path | None, how: _How, output: Format) -> int:
    """How many accounts of the program could not be rebuilt, those of the runs that this one goes on with too."""
    from worker.cli.opening import ledger, program_of
    from worker.settings import load
    from worker.upkeep.rebuild import ACCOUNTS_AT_ONCE, of_program

    if output is Format.JSON:
        raise Failure(Exit.USAGE, "--program: may be many accounts; give -o ndjson, which prints them as they are done")
    settings = load()
    report = _Report(output, changes_only=True)
    async with ledger(settings) as store:
        catalogue = await checked(store, settings)
        await program_of(store, code)
        cursor = Cursor(resume, "ledger rebuild", {"program": code, "preview": how.preview or None})
        pace, done, failed = Pace("account", done=cursor.accounts), 0, 0
        async for each in _rebuilt(store, settings, catalogue, of_program(store, code, cursor.after), how):
            report.add(each)
            done, failed = done + 1, failed + (each.defect is not None)
            # They come group by group, each one in a transaction, so that what is done is done when it is kept here.
            if done == ACCOUNTS_AT_ONCE:
                cursor.move(each.account_id, done, failed)
                # Ids are digests, spread evenly: how far one is between the first and the last says how many are left.
                pace.expect(round(cursor.accounts / (each.account_id.int / 2**128)))
                pace.add(done)
                done = failed = 0
        cursor.move(cursor.after, done, failed)
    pace.end()
    cursor.end()
    report.end(how.preview)
    return cursor.found


async def _rebuilt(
    store: PostgresStore, settings: Settings, catalogue: Catalogue, accounts: AsyncIterator[UUID], how: _How
) -> AsyncIterator[Rebuilt]:
    """Accounts as they are folded anew, up to the watermark."""
    from worker.due.pace import due_until
    from worker.upkeep.rebuild import rebuild as rebuild_accounts

    state = await store.state()
    until = due_until(await store.watermark(), state.now, timedelta(seconds=settings.watermark.grace_seconds))
    given = (store, catalogue, accounts, until, state.epoch)
    async for each in rebuild_accounts(*given, preview=how.preview, accept=how.accept):
        yield each


async def _each(accounts: Sequence[UUID]) -> AsyncIterator[UUID]:
    for account in accounts:
        yield account


async def checked(store: PostgresStore, settings: Settings) -> Catalogue:
    """The registered programs, if the database is one that a worker could go on with."""
    from worker.cli.opening import key_of
    from worker.runtime.app import NotReadyError, check

    try:
        return await check(store, key_of(settings))
    except NotReadyError as error:
        raise Failure(Exit.USAGE, str(error)) from None


class _Report:
    """The accounts as they are done: a line each, or a table at the end; and the count of those that could not be rebuilt.

    `changes_only`: what is as it was is only counted, and a table is no longer than can be read.
    """

    def __init__(self, output: Format, *, changes_only: bool = False) -> None:
        self._output = output
        self._changes_only = changes_only
        self._rows: list[dict[str, Any]] = []
        self._not_shown = 0
        self._done = 0
        self._announced = 0
        self.failed = 0

    def add(self, one: Rebuilt) -> None:
        """One account more."""
        self._done += one.defect is None
        self._announced += one.announced
        self.failed += one.defect is not None
        if self._changes_only and not (one.entries or one.announced or one.fenced or one.defect):
            return
        row = {**asdict(one), "account_id": str(one.account_id)}
        if self._output is Format.NDJSON:
            show_lines([row])
        elif self._changes_only and len(self._rows) == TABLE_ROWS_MAX:
            self._not_shown += 1
        else:
            self._rows.append(row)

    def end(self, preview: bool) -> None:
        """Print what is to be printed at the end."""
        if self._output is not Format.NDJSON and (self._rows or self._output is Format.JSON):
            show(self._rows, self._output, "Accounts", COLUMNS)
        if self._not_shown:
            tell(f"{self._not_shown:,} more {'is' if self._not_shown == 1 else 'are'} not shown: -o ndjson prints all of them")
        done = f"{counted(self._done, 'account')} {'would be rebuilt' if preview else 'rebuilt'}"
        tell(f"{done}, {self._announced:,} with a new version; {self.failed:,} could not be rebuilt")


async def _into(dsn: str, announce: bool, accept: str | None, output: Format) -> int:
    from worker.cli.opening import key_of, ledger
    from worker.persist import key_check
    from worker.persist.transfer import TargetUsedError, Transfer
    from worker.settings import load
    from worker.upkeep.rebuild_into import Part, UnprovenError, rebuild_into

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
            facts, accounts = Pace("fact"), Pace("account", of=left)
            epoch = (await target.state()).epoch
            async with aclosing(rebuild_into(transfer, catalogue, epoch, announce=announce, accept=accept)) as parts:
                async for part in parts:
                    whole.add(part)
                    facts.count(part.facts)
                    accounts.add(part.accounts)
        except TargetUsedError as error:
            raise Failure(Exit.USAGE, str(error)) from None
        except UnprovenError as error:
            raise Failure(Exit.FINDING, str(error), "(--accept-unproven takes such facts over)") from None
        accounts.end()
    rows = [{"account_id": account, "difference": what} for account, what in whole.differences]
    if output is not Format.TABLE or rows:
        show(rows, output, "Differences", ("account_id", "difference"))
    equal = ", ".join(counted(count, table, "entries" if table == "entry" else None) for table, count in whole.equal.items())
    tell(f"{counted(whole.accounts, 'account')} built from {counted(whole.facts, 'fact')}, {facts.per_second:,.0f} facts/s")
    tell(f"equal: {equal or 'nothing'}; the entries of {counted(whole.line_by_line, 'account')} line by line")
    tell(f"{counted(whole.differ, 'difference')}; {counted(whole.not_compared, 'account')} had no state to compare with")
    return whole.differ
